"""A context on the second GPU leaves the first one current. Only where there are two; a fake's devices are in
tests/gl/test_interop_failures.py."""

import pytest
import torch

import glrast
from tests import scenes
from tests.scenes import ODD


def test_a_context_of_the_other_gpu_leaves_the_current_device():
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    pos, tri, _ = scenes.closed_mesh(1)
    with torch.cuda.device(0):
        context = glrast.Context("cuda:1")
        drawn, _ = glrast.rasterize(context, pos.to("cuda:1"), tri.to("cuda:1"), ODD)
        context.close()
        assert torch.cuda.current_device() == 0
        assert torch.empty(1, device="cuda").device.index == 0 and drawn.device.index == 1
