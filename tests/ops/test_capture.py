"""CUDA graphs: rasterize is refused, what follows it is captured and replayed. Only on a GPU; a fake's refusal is in
tests/gl/test_interop_arrays.py."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on, random
from tests.scenes import ODD


@pytest.fixture(autouse=True)
def gpu(device):
    if device.type != "cuda":
        pytest.skip("only a GPU captures graphs")


def test_rasterize_is_refused_in_a_capture_and_works_after_it(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    wanted, _ = glrast.rasterize(context, pos, tri, ODD)
    torch.cuda.synchronize()
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        held = torch.zeros(1, device=pos.device)  # a graph of nothing is an error of its own
        with pytest.raises(RuntimeError, match="glrast.rasterize: .* outside of a CUDA graph"):
            glrast.rasterize(context, pos, tri, ODD)
        held.add_(1)
    assert torch.equal(glrast.rasterize(context, pos, tri, ODD)[0], wanted)


def test_what_follows_is_captured_and_its_replay_sees_new_inputs(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    attr = random(pos.shape[-2], 2).to(pos.device)
    tex = random(1, 16, 8, 3).to(pos.device)

    def shaded():
        uv, uv_da = glrast.interpolate(attr, rast, tri, rast_db, [0, 1])
        return glrast.texture(tex, uv, uv_da)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        shaded()  # compiles and loads, which a capture cannot
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        replayed = shaded()
    for _ in range(3):
        tex.copy_(random(*tex.shape, seed=int(tex.sum()) % 97).to(tex.device))
        graph.replay()
        assert torch.equal(replayed, shaded())
