"""opendr: edges known by hand, the float64 twin, and what the paper's approximation does not see."""

import pytest
import torch

import glrast
from glrast.visibility import opendr
from tests import scenes
from tests.reference.visibility import antialias as pairs_of
from tests.reference.visibility import opendr as twin
from tests.scenes import ODD, SCENES
from tests.visibility.estimators import check_against_twin, gradients, moved, shade, widened


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("offset", [0.2, 0.45, 0.55, 0.8])
def test_a_silhouette_that_moves_a_pixel_gives_its_length_times_the_colour_step(
    context, offset, vertical
):
    scene = scenes.vertical_edge(15 + offset) if vertical else scenes.horizontal_edge(8 + offset)
    color, rast, pos, tri = shade(context, scene)
    weight = torch.tensor([1.0, 2.0, -5.0]).expand(color.shape)
    _, _, grad = gradients(opendr, color, rast, pos, tri, weight)
    length = ODD[0] if vertical else ODD[1]
    assert moved(grad, pos, ODD, 0 if vertical else 1) == pytest.approx(length * 0.7 * -2, rel=1e-4)
    assert moved(grad, pos, ODD, 1 if vertical else 0) == pytest.approx(0, abs=1e-3)
    assert not grad[..., 2].any()


def test_without_overdraw_a_silhouette_gives_half_of_it(context):
    color, rast, pos, tri = shade(context, scenes.vertical_edge(15.2))
    _, _, grad = gradients(opendr, color, rast, pos, tri, torch.ones(color.shape), overdraw=False)
    assert moved(grad, pos, ODD, 0) == pytest.approx(ODD[0] * 0.7 * 3 / 2, rel=1e-4)


def test_an_occluder_owns_its_silhouette_and_what_is_behind_does_not_move(context):
    color, rast, pos, tri = shade(context, scenes.edge_before_object(15.2))
    _, _, grad = gradients(opendr, color, rast, pos, tri, torch.ones(color.shape))
    step = color[0, 0, 0].sum() - color[0, 0, -1].sum()
    front, behind = grad.clone(), grad.clone()
    front[4:], behind[:4] = 0, 0
    assert moved(front, pos, ODD, 0) == pytest.approx(ODD[0] * step.item(), rel=1e-4)
    assert moved(behind, pos, ODD, 0) == pytest.approx(0, abs=1e-3)


def test_inside_a_triangle_the_slope_of_the_image_moves_it(context):
    # a ramp over the whole image: 0.25 a pixel, no boundary anywhere
    pos, tri, _ = scenes.vertical_edge(99.0)
    pos, tri = pos.to(context.device), tri.to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD, ranges=[[0, len(tri)]])
    ramp = 0.25 * torch.arange(ODD[1], dtype=torch.float32, device=context.device)
    color = ramp[None, None, :, None].expand(1, *ODD, 1).contiguous()
    _, _, grad = gradients(opendr, color, rast, pos, tri, torch.ones(color.shape))
    assert moved(grad, pos, ODD, 0) == pytest.approx(-0.25 * ODD[0] * ODD[1], rel=1e-4)


def test_depth_is_a_channel_and_has_its_gradient_along_z(context):
    pos, tri, _ = scenes.one_triangle(1)
    pos = pos.to(context.device).requires_grad_()
    tri = tri.to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    depth, _ = glrast.interpolate(pos[..., 2:3], rast.detach(), tri)
    (grad,) = torch.autograd.grad(opendr(depth, rast, pos, tri).sum(), pos)
    u, v, _, id = rast.detach().unbind(-1)
    weights = torch.stack([u.sum(), v.sum(), ((1 - u - v) * (id > 0)).sum()])
    assert torch.allclose(grad[0, :, 2], weights, rtol=1e-4)


@pytest.mark.parametrize("overdraw", [True, False])
@pytest.mark.parametrize("name", SCENES)
def test_positions_get_what_the_twin_gives_them(context, name, overdraw):
    color, rast, pos, tri = shaded = shade(context, SCENES[name]())
    fragile = pairs_of.fragile_pixels(rast.cpu(), pos.cpu(), tri.cpu())
    sure = ~widened(fragile) if overdraw else None
    check_against_twin(opendr, twin.opendr, shaded, sure, overdraw=overdraw)


def test_one_channel_and_seven_are_images_too(context):
    for channels in (1, 7):
        shaded = shade(context, scenes.overlapping_polygons(ODD), channels=channels)
        color, rast, pos, tri = shaded
        fragile = pairs_of.fragile_pixels(rast.cpu(), pos.cpu(), tri.cpu())
        check_against_twin(opendr, twin.opendr, shaded, ~widened(fragile))
