"""A GPU that is none: kernels in the executor of the tests, CUDA's calls a fake over llvmpipe. What it says is no
figure; that it runs to its end says that the check itself works."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from glrast.gl.interop import Registered
from glrast.launch import cpu
from glrast.raster.self_test import tested

_HOST_RUN = cpu.run


@contextmanager
def installed() -> Generator[None, None, None]:
    """For a `with`, CPU tensors go the way of a GPU's."""
    import pytest

    from tests.executor import fake_cupy
    from tests.gl.fake_cudart import FakeRuntime

    gl, patch = tested(torch.device("cpu")), pytest.MonkeyPatch()
    gl.close()
    try:
        patch.setattr(gl, "sharing", Registered(FakeRuntime(gl)))
        patch.setattr(gl.limits, "culls_non_finite", True)
        with fake_cupy.instead_of_the_host_library(pytest.MonkeyPatch):
            yield
    finally:
        gl.close()
        patch.undo()


@contextmanager
def host_library() -> Generator[None, None, None]:
    """For a `with`, kernels are those of the host library again, fake or not: what a GPU is compared with."""
    before, cpu.run = cpu.run, _HOST_RUN
    try:
        yield
    finally:
        cpu.run = before
