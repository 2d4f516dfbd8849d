"""antialias(cull=...): a neighbour that is not drawn continues no surface, however the mesh is wound."""

import pytest
import torch

import glrast
from glrast.visibility.topology import opposite_vertices
from tests import scenes
from tests.ops.compare import on, random
from tests.reference import supersample
from tests.reference.visibility import antialias as twin
from tests.scenes import ODD
from tests.visibility.against_twin import check_against_twin
from tests.visibility.test_antialias import GRADIENT, ROUNDING

STRAIGHT_EDGE = 0.02


def patchwork(seed=0) -> scenes.Scene:
    """A closed mesh of which half the triangles are wound the wrong way."""
    pos, tri, attr = scenes.closed_mesh(1, images=2)
    wrong = random(len(tri), seed=seed) > 0
    return scenes.Scene(pos, torch.where(wrong[:, None], tri[:, [0, 2, 1]], tri), attr)


def two_wound_differently(at_pix=15.3) -> scenes.Scene:
    """The plane left of at_pix (triangle 0), and its flat continuation to the right, wound the other way."""
    x = 2 * at_pix / ODD[1] - 1
    pos = torch.tensor([[x, -9, 0, 1], [x, 9, 0, 1], [-99, 0, 0, 1], [99, 0, 0, 1]])
    return scenes.Scene(pos, torch.tensor([[0, 1, 2], [0, 1, 3]]).int(), torch.ones(4, 1))


def shade(context, scene, cull, told=None):
    pos, tri, attr = on(context, scene)
    with torch.no_grad():
        rast, _ = glrast.rasterize(context, pos, tri, ODD, ranges=[[0, len(tri)]], cull=cull)
        color, _ = glrast.interpolate(attr, rast, tri)
    return glrast.antialias(color, rast, pos.requires_grad_(), tri, cull=told or cull), pos


@pytest.mark.parametrize("cull, shown", [("back", 0), ("front", 1)])
def test_the_edge_to_a_culled_neighbour_that_does_not_fold_is_a_silhouette(context, cull, shown):
    scene = two_wound_differently()
    image, pos = shade(context, scene, cull)
    alone = scenes.Scene(scene.pos, scene.tri[shown : shown + 1], scene.attr)
    wanted, pos_alone = shade(context, alone, "none")
    assert torch.equal(image, wanted)
    grads = [torch.autograd.grad(i.sum(), p)[0] for i, p in ((image, pos), (wanted, pos_alone))]
    assert torch.equal(*grads) and grads[0].any()
    aliased, _ = shade(context, scene, cull, told="none")
    assert not torch.equal(aliased, wanted)  # without being told it cannot know


def test_its_gradient_is_that_of_a_supersampled_image(context):
    scene = two_wound_differently()
    image, pos = shade(context, scene, "back")
    (grad,) = torch.autograd.grad(image.sum(), pos)
    one_pixel = torch.zeros_like(scene.pos)
    one_pixel[:2, 0] = 2 / ODD[1]
    slope = (grad.cpu() * one_pixel).sum().item()

    def loss(moved):
        return supersample.supersample(moved, scene.tri[:1], scene.attr, ODD, 64).sum()

    difference = supersample.finite_difference_image(loss, scene.pos, one_pixel, eps=0.25)
    assert slope == pytest.approx(difference.item(), rel=STRAIGHT_EDGE)


@pytest.mark.parametrize("cull", ["back", "front"])
def test_a_mesh_wound_both_ways_equals_the_twin(context, cull):
    pos, tri, _ = patchwork()
    at = [t.to(context.device) for t in (pos, tri)]
    rast, _ = glrast.rasterize(context, *at, ODD, cull=cull)
    color = random(*rast.shape[:3], 3).to(rast)
    check_against_twin(color, rast, pos, tri, ROUNDING, GRADIENT, cull=cull)
    culled, whole = (
        twin.antialias(color.cpu(), rast.cpu(), pos, tri, cull=c) for c in (cull, "none")
    )
    assert (culled != whole).any()


@pytest.mark.parametrize("cull", ["back", "front"])
def test_a_mesh_wound_one_way_needs_no_word_of_culling(context, cull):
    pos, tri, _ = on(context, scenes.closed_mesh(2))
    rast, _ = glrast.rasterize(context, pos, tri, ODD, cull=cull)
    color = random(*rast.shape[:3], 3).to(rast)
    told = glrast.antialias(color, rast, pos, tri, cull=cull)
    assert torch.equal(told, glrast.antialias(color, rast, pos, tri))


def test_one_topology_handle_serves_both(context):
    pos, tri, _ = on(context, patchwork())
    rast, _ = glrast.rasterize(context, pos, tri, ODD, cull="back")
    color = random(*rast.shape[:3], 3).to(rast)
    handle = glrast.antialias_construct_topology_hash(tri)
    for cull in ("none", "back", "front", "none"):
        wanted = glrast.antialias(color, rast, pos, tri, cull=cull)
        assert torch.equal(
            glrast.antialias(color, rast, pos, tri, topology_hash=handle, cull=cull), wanted
        )


def test_neighbours_wound_differently_are_open_only_when_culled(device):
    tri = torch.tensor([[0, 1, 2], [2, 1, 3], [2, 3, 4], [1, 0, 5]], device=device).int()
    flipped = tri.clone()
    flipped[1] = flipped[1, [0, 2, 1]]
    whole, culled = opposite_vertices(tri), opposite_vertices(tri, culled=True)
    assert torch.equal(culled, whole)
    kept = opposite_vertices(flipped, culled=True)
    assert (opposite_vertices(flipped) >= 0).sum() == (whole >= 0).sum() == 6
    assert (kept >= 0).sum() == 2 and kept[0, 2] == 5 and kept[3, 2] == 2
    assert opposite_vertices(tri[:0], culled=True).shape == (0, 3)


def test_an_unknown_face_is_refused(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    message = "glrast.antialias: cull must be 'none', 'back' or 'front'; got 'left'"
    with pytest.raises(ValueError, match=message):
        glrast.antialias(rast, rast, pos, tri, cull="left")
