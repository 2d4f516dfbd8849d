"""rasterize(cull=...): whole faces left out, by how their corners turn in the image."""

import pytest
import torch

import glrast
from tests import scenes


def covered(context, pos, tri, cull) -> int:
    rast, _ = glrast.rasterize(context, pos, tri, scenes.ODD, cull=cull)
    return int((rast[..., 3] > 0).sum())


def test_a_counter_clockwise_triangle_is_a_front_face(context):
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]])
    pos = pos.to(context.device)
    front = torch.tensor([[0, 1, 2]], device=context.device)
    back = front[:, [0, 2, 1]]
    all_pixels = covered(context, pos, front, "none")
    assert all_pixels > 100
    assert covered(context, pos, front, "back") == all_pixels
    assert covered(context, pos, front, "front") == 0
    assert covered(context, pos, back, "back") == 0
    assert covered(context, pos, back, "front") == all_pixels
    assert covered(context, pos, back, "none") == all_pixels  # the state is put back


def test_a_closed_mesh_looks_the_same_without_its_back(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(2))
    whole, _ = glrast.rasterize(context, pos, tri, scenes.ODD)
    culled, _ = glrast.rasterize(context, pos, tri, scenes.ODD, cull="back")
    assert torch.equal(whole, culled)
    inside, _ = glrast.rasterize(context, pos, tri, scenes.ODD, cull="front")
    shown = whole[..., 3] > 0
    assert torch.equal(shown, inside[..., 3] > 0)
    assert (inside[..., 2] > whole[..., 2])[shown].all()  # the far side


def test_an_unknown_face_is_refused(context):
    pos, tri, _ = scenes.closed_mesh(1)
    with pytest.raises(
        ValueError, match="glrast.rasterize: cull must be 'none', 'back' or 'front'; got 'left'"
    ):
        glrast.rasterize(
            context, pos.to(context.device), tri.to(context.device), (8, 8), cull="left"
        )


@pytest.mark.parametrize("z", [-1.0, 1.0])
def test_a_triangle_exactly_on_the_near_or_far_plane_is_visible(context, z):
    pos = torch.tensor([[[-0.8, -0.8, z, 1], [0.8, -0.8, z, 1], [0, 0.8, z, 1.0]]])
    tri = torch.tensor([[0, 1, 2]], device=context.device)
    rast, _ = glrast.rasterize(context, pos.to(context.device), tri, scenes.ODD)
    shown = rast[..., 3] > 0
    assert shown.sum() > 100
    assert (rast[..., 2][shown] == z).all()
