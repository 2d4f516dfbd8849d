"""The contract, section 6: antialias."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import close, on, random, relative_error
from tests.scenes import ODD


def edge(context, at=15.3, vertical=True):
    """A white half plane up to `at`: (color, rast, pos, tri)."""
    scene = scenes.vertical_edge(at) if vertical else scenes.horizontal_edge(8.3)
    pos, tri, attr = on(context, scene)
    rast, _ = glrast.rasterize(context, pos[None], tri, ODD)
    return glrast.interpolate(attr, rast, tri)[0], rast, pos[None], tri


def test_out_is_like_color_for_any_number_of_channels(context):
    color, rast, pos, tri = edge(context)
    for C in (1, 2, 3, 5, 17):
        image = color[..., :1].expand(*color.shape[:3], C)
        out = glrast.antialias(image, rast, pos, tri)
        assert out.shape == image.shape
        close(out, glrast.antialias(color[..., :1], rast, pos, tri).expand_as(out), 1e-6)


def test_a_handle_that_does_not_belong_to_tri_is_an_error(context):
    color, rast, pos, tri = edge(context)
    handle = glrast.antialias_construct_topology_hash(tri)
    wanted = glrast.antialias(color, rast, pos, tri)
    assert torch.equal(glrast.antialias(color, rast, pos, tri, topology_hash=handle), wanted)
    with pytest.raises(ValueError, match="topology_hash must be made from this tri"):
        glrast.antialias(color, rast, pos, tri[:1], topology_hash=handle)


def test_pos_is_nv4_1v4_or_v4(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos.expand(2, -1, -1), tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    images, grads = [], []
    for given in (pos.expand(2, -1, -1), pos, pos[0]):
        given = given.clone().requires_grad_()
        images.append(glrast.antialias(color, rast, given, tri))
        grads.append(torch.autograd.grad(images[-1].square().sum(), given)[0])
    assert torch.equal(images[0], images[1]) and torch.equal(images[0], images[2])
    assert (
        relative_error(grads[0].sum(0), grads[2]) < 1e-5
        and relative_error(grads[1][0], grads[2]) < 1e-5
    )


@pytest.mark.parametrize("vertical", [True, False])
def test_a_pair_counts_iff_the_ids_differ_and_blends_by_the_distance(context, vertical):
    color, rast, pos, tri = edge(context, vertical=vertical)
    out = glrast.antialias(color, rast, pos, tri)
    changed = (out != color).any(-1)[0]
    line = changed[:, 15] if vertical else changed[8]
    others = changed.sum() - line.sum()
    assert line.all() and others == 0
    # the edge at .3 of a pixel that begins at 15 (or 8): d = -0.2 + 1, alpha = 1/2 - 0.8 of white into that pixel
    value = out[0, :, 15] if vertical else out[0, 8]
    close(value, torch.full_like(value, 0.3), 1e-4)


def test_of_two_triangles_the_nearer_one_s_edge_counts(context):
    pos, tri, attr = on(context, scenes.edge_before_object(15.3))
    rast, _ = glrast.rasterize(context, pos[None], tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    out = glrast.antialias(color, rast, pos[None], tri)
    front, behind = color[0, 5, 3], color[0, 5, 30]
    close(out[0, 5, 15], 0.3 * front + 0.7 * behind, 1e-4)


def test_triangles_with_a_vertex_behind_the_camera_are_as_if_clipped_first(context):
    # everything left of x = 15.3 pixels: the edge's upper end lies behind the camera, beyond infinity
    x = 15.3 / ODD[1] * 2 - 1
    rows = [[x, -1.5, 0, 1], [-x, 9, 0, -1], [-5, -1.5, 0, 1]]
    pos = torch.tensor([rows], device=context.device).requires_grad_()
    tri = torch.tensor([[0, 1, 2]], device=context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    image = glrast.antialias((rast[..., 3:] > 0).float(), rast, pos, tri)
    wanted = torch.zeros_like(image)
    wanted[:, :, :15], wanted[:, :, 15] = 1, 0.3
    close(image, wanted, 1e-4)
    (grad,) = torch.autograd.grad(image.sum(), pos)
    # the edge moves to the right by dx: with both of its ends, of which the upper one has w = -1
    close(grad[0, 0, 0] - grad[0, 1, 0], torch.tensor(ODD[0] * ODD[1] / 2), 0.1)


def test_an_edge_is_a_silhouette_where_open_or_folded_back_and_not_elsewhere(context):
    apex = {"continues": 0.9, "folds back": -0.9}
    for name, x in apex.items():
        rows = [[-0.7, 0.05, 0, 1], [0.1, -0.9, 0, 1], [0.1, 0.9, 0, 1], [x, 0, 0.5, 1.0]]
        pos = torch.tensor([rows], device=context.device)
        tri = torch.tensor([[0, 1, 2], [1, 3, 2]], device=context.device)
        rast, _ = glrast.rasterize(
            context, pos, tri[:1], ODD
        )  # the neighbour is in tri, not in the picture
        color = (rast[..., 3:] > 0).float()
        out = glrast.antialias(color, rast, pos, tri)
        inner = (out != color)[0, 4:-4, 17:20].any()
        assert bool(inner) == (name == "folds back")


def test_edges_are_identified_by_vertex_indices(context):
    pos, tri, attr = on(context, scenes.shared_edge())
    rast, _ = glrast.rasterize(context, pos[None], tri, ODD)
    color = random(1, *ODD, 1).to(attr)
    welded = glrast.antialias(color, rast, pos, tri)
    apart = torch.arange(6, device=tri.device).reshape(2, 3)
    split = glrast.antialias(color, rast, pos[tri.long().reshape(-1)], apart)
    crease = (rast[..., 3][..., 1:] != rast[..., 3][..., :-1]) & (
        rast[..., 3][..., 1:] * rast[..., 3][..., :-1] > 0
    )
    assert crease.any() and not torch.equal(welded, split)


@pytest.mark.parametrize("second, silhouette", [("continues", False), ("folds back", True)])
def test_with_more_than_two_triangles_on_an_edge_the_two_lowest_count(context, second, silhouette):
    # the picture shows triangle 0 alone; of the two others on its right edge the one with the lower index decides
    rows = [
        [-0.7, 0.05, 0, 1],
        [0.1, -0.9, 0, 1],
        [0.1, 0.9, 0, 1],
        [0.9, 0, 0.5, 1],
        [-0.9, 0, 0.5, 1],
    ]
    others = [[1, 3, 2], [1, 4, 2]]
    tri = [[0, 1, 2], *(others if second == "continues" else others[::-1])]
    pos, tri = (torch.tensor([rows]).to(context.device), torch.tensor(tri).to(context.device))
    rast, _ = glrast.rasterize(context, pos, tri[:1], ODD)
    color = (rast[..., 3:] > 0).float()
    changed = (glrast.antialias(color, rast, pos, tri) != color)[0, 4:-4, 17:20]
    assert bool(changed.any()) == silhouette


def test_color_and_pos_get_gradients_and_rast_none(context):
    color, rast, pos, tri = edge(context)
    inputs = [t.detach().clone().requires_grad_() for t in (color, rast, pos)]
    out = glrast.antialias(inputs[0], inputs[1], inputs[2], tri)
    grads = torch.autograd.grad(out.square().sum(), inputs, allow_unused=True)
    assert grads[0].any() and grads[2].any() and (grads[1] is None or not grads[1].any())


def test_pos_gradient_boost_scales_only_pos(context):
    color, rast, pos, tri = edge(context)
    grads = []
    for boost in (1.0, 3.0):
        inputs = [t.detach().clone().requires_grad_() for t in (color, pos)]
        out = glrast.antialias(inputs[0], rast, inputs[1], tri, pos_gradient_boost=boost)
        grads.append(torch.autograd.grad(out.square().sum(), inputs))
    assert torch.equal(grads[0][0], grads[1][0])
    assert relative_error(grads[1][1], 3 * grads[0][1]) < 1e-6


def test_an_edge_exactly_through_pixel_centres_has_no_gradient_and_beside_them_it_has(context):
    for at, moves in ((15.5, False), (15.6, True), (15.4, True)):
        color, rast, pos, tri = edge(context, at)
        moving = pos.clone().requires_grad_()
        out = glrast.antialias(color, rast, moving, tri)
        assert bool(torch.autograd.grad(out.sum(), moving)[0].any()) == moves


@pytest.mark.parametrize("how", ["exact", "exact near"])
@pytest.mark.parametrize("at", [15.3, 15.5])
def test_exact_areas_are_one_more_choice_of_the_same_call(context, how, at):
    color, rast, pos, tri = edge(context, at)
    pos = pos.clone().requires_grad_()
    image = glrast.antialias(color, rast, pos, tri, None, 1.0, discontinuities=how)
    wanted = torch.zeros_like(image)
    wanted[:, :, :15], wanted[:, :, 15] = 1, at - 15
    close(image, wanted, 2e-6)
    (grad,) = torch.autograd.grad(image[..., 0].sum(), pos)
    # the edge, also one on pixel centres, moves to the right by dx: 17 rows, 33/2 pixels for 1 in clip space
    close(grad[..., 0].sum(), torch.tensor(17 * 33 / 2), 0.01)
