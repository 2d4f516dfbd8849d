"""Nothing waits for the GPU: PyTorch raises where an operation would."""

import pytest
import torch

import glrast
from glrast.visibility import topology
from glrast.visibility.exact import edges
from tests import scenes
from tests.launch.test_constant import Called
from tests.ops.compare import on, random
from tests.scenes import ODD


@pytest.fixture
def no_waiting(device):
    """Call it when everything is warm."""
    if device.type != "cuda":
        pytest.skip("only a GPU can be waited for")
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def test_no_operation_waits_forward_or_backward(context, no_waiting):
    pos, tri, _ = on(context, scenes.closed_mesh(2, images=2))
    topology = glrast.antialias_construct_topology_hash(tri)
    tex = random(1, 16, 16, 3).to(pos.device).requires_grad_()
    attr = random(pos.shape[-2], 2).to(pos.device).requires_grad_()
    pos.requires_grad_()

    def step():
        rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
        uv, uv_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
        color = glrast.texture(tex, uv, uv_da)
        for handle in (topology, None):
            glrast.antialias(color, rast, pos, tri, handle).sum().backward(retain_graph=True)

    step()
    no_waiting()
    step()
    assert pos.grad is not None


def test_ranges_in_a_list_and_culling_do_not_wait(context, no_waiting):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    ranges = [[0, 4], [2, 3]]
    glrast.rasterize(context, pos, tri, ODD, ranges=ranges, cull="back")
    no_waiting()
    glrast.rasterize(context, pos, tri, ODD, ranges=ranges, cull="back")


@pytest.mark.parametrize("culled", [False, True])
def test_the_first_look_at_a_mesh_makes_no_tensor_of_a_list(culled):
    """Such a tensor is copied to a GPU and waited for, also where it is an index."""
    tri = scenes.closed_mesh(1)[1]
    with Called() as called:
        topology.opposite_vertices(tri, culled)
        edges._edges(tri)
    assert "aten.sort.stable" in called.names and "aten.lift_fresh.default" not in called.names
