"""rasterize_then_splat: a flat image stays flat, edges known by hand, its own finite differences, the float64 twin."""

import math

import pytest
import torch

import glrast
from glrast.visibility import rasterize_then_splat
from tests import scenes
from tests.ops.compare import close, on, random, ranges_for, relative_error
from tests.reference.visibility import rasterize_then_splat as twin
from tests.scenes import ODD, SCENES
from tests.visibility.estimators import moved

# Sums of 9 taps of colours about 1.
ROUNDING, GRADIENT = 5e-6, 1e-4
NOT_SEEN = ("no_images", "no_triangles", "no_vertices", "behind_camera", "smaller_than_a_pixel")
LAYERED = [n for n in SCENES if n not in NOT_SEEN]


def layered(context, scene, layers=3, cull="none"):
    """(rasts, colours, pos, tri)."""
    pos, tri, attr = on(context, scene)
    found = glrast.peel(
        context, pos, tri, ODD, ranges=ranges_for(pos, tri), cull=cull, max_layers=layers
    )
    rasts = [rast for rast, _ in found]
    return rasts, [glrast.interpolate(attr, rast, tri)[0] for rast in rasts], pos, tri


def test_a_surface_over_the_whole_image_keeps_its_colour(context):
    rasts, colors, pos, tri = layered(context, scenes.vertical_edge(99.0))
    image = rasterize_then_splat(rasts, colors, pos, tri)
    inside = image[:, 1:-1, 1:-1]
    close(inside, torch.ones_like(inside), ROUNDING)


def test_an_edge_is_blurred_by_the_taps_and_its_gradient_is_that_of_the_blur(context):
    rasts, colors, pos, tri = layered(context, scenes.vertical_edge(15.3))
    pos = pos.clone().requires_grad_()
    image = rasterize_then_splat(rasts, colors, pos, tri, background=torch.zeros(3).to(pos))
    tap = math.exp(-2) / (1 + 2 * math.exp(-2))
    row = image[0, 8, 13:18, 0]  # pixels to 14 show it; 1.05 of a whole pixel
    close(row, torch.tensor([1, 1.05 * (1 - tap), 1.05 * tap, 0, 0]), ROUNDING)
    (grad,) = torch.autograd.grad(image[0, 8, 5:].sum(), pos)  # without the border of the image
    # dw/dx = 4 w o, o from the point to the pixel: pixel 15 gets 4 (1.05 tap) from 14; pixel 14
    # has W = 1.05 (1 - tap) < 1 from 13 and itself: 4 (1.05 tap); the rest is divided by W > 1, and stays 1
    assert moved(grad, pos.detach(), ODD, 0) == pytest.approx(3 * 8 * 1.05 * tap, rel=1e-4)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", LAYERED)
def test_the_image_and_its_gradients_are_the_twins(context, name, layers):
    rasts, colors, pos, tri = layered(context, SCENES[name](), layers)
    leaves = [t.detach().requires_grad_() for t in (pos, *colors)]
    image = rasterize_then_splat(rasts, leaves[1:], leaves[0], tri)
    still = [t.detach().cpu().double().requires_grad_() for t in leaves]
    wanted = twin.rasterize_then_splat([r.cpu() for r in rasts], still[1:], still[0], tri.cpu())
    close(image, wanted, ROUNDING)
    y = random(*image.shape)
    found = torch.autograd.grad((image * y.to(image)).sum(), leaves)
    truth = torch.autograd.grad((wanted * y).sum(), still)
    for one, other in zip(found, truth):
        assert torch.isfinite(one).all() and (
            relative_error(one, other) < GRADIENT or not other.any()
        )


def test_opacities_have_gradients_and_let_through_what_is_behind(context):
    rasts, colors, pos, tri = layered(context, scenes.closed_mesh(1), 2)
    opacities = [
        torch.rand(*r.shape[:3], 1, generator=torch.Generator().manual_seed(i)).to(r)
        for i, r in enumerate(rasts)
    ]
    leaves = [t.detach().requires_grad_() for t in opacities]
    image = rasterize_then_splat(rasts, colors, pos, tri, opacities=leaves)
    still = [t.detach().cpu().double().requires_grad_() for t in opacities]
    wanted = twin.rasterize_then_splat(
        [r.cpu() for r in rasts], [c.cpu() for c in colors], pos.cpu(), tri.cpu(), still
    )
    close(image, wanted, ROUNDING)
    y = random(*image.shape)
    for one, other in zip(
        torch.autograd.grad((image * y.to(image)).sum(), leaves),
        torch.autograd.grad((wanted * y).sum(), still),
    ):  # fmt: skip
        assert relative_error(one, other) < GRADIENT


def test_moved_points_move_the_image_as_its_gradient_says(context):
    # the image as a function of where points are, pixel for pixel what it was: finite differences of the twin's sum
    rasts, colors, pos, tri = layered(context, scenes.one_triangle(1), 1)
    y = random(1, *ODD, 4)
    moving = pos.clone().requires_grad_()
    image = rasterize_then_splat(rasts, colors, moving, tri)
    (grad,) = torch.autograd.grad((image * y.to(image)).sum(), moving)
    step, found = 1e-4, torch.zeros(3, 4, dtype=torch.float64)
    for v in range(3):
        for axis in (0, 1, 3):
            move = torch.zeros(1, 3, 4, dtype=torch.float64)
            move[0, v, axis] = step
            ends = [
                twin.rasterize_then_splat(
                    [r.cpu() for r in rasts], [c.cpu() for c in colors], pos.cpu().double() + s * move, tri.cpu()
                )
                for s in (1, -1)
            ]  # fmt: skip
            found[v, axis] = ((ends[0] - ends[1]) * y).sum() / (2 * step)
    assert relative_error(grad[0], found) < 1e-3


def test_two_layers_show_what_one_hides(context):
    scene = scenes.edge_before_object(15.3)
    one, two = (rasterize_then_splat(*layered(context, scene, n)) for n in (1, 2))
    behind = scene.attr[4]
    # the pixel left of the edge: its own colour, and beside it what the second layer has there
    assert two[0, 8, 14, 3] == pytest.approx(1, abs=1e-4)
    assert (two[0, 8, 14, :3] - one[0, 8, 14, :3]).abs().max() > 1e-3
    close(two[0, 8, 20, :3], behind, 1e-4)


def test_wrong_layers_are_refused(context):
    rasts, colors, pos, tri = layered(context, scenes.one_triangle(1), 1)
    with pytest.raises(
        ValueError, match=r"rasterize_then_splat: layers must be at least one layer; got none"
    ):
        rasterize_then_splat([], [], pos, tri)
    with pytest.raises(ValueError, match=r"colors must be one for each of the 1 layers; got 2"):
        rasterize_then_splat(rasts, colors * 2, pos, tri)
    with pytest.raises(
        ValueError,
        match=r"colors must be \[N,H,W,C\] for each layer for layers \[1,17,33,4\]; got \[17,33,3\]",
    ):
        rasterize_then_splat(rasts, [colors[0][0]], pos, tri)
    with pytest.raises(ValueError, match=r"background must be \[C\], \[H,W,C\] or \[N,H,W,C\]"):
        rasterize_then_splat(rasts, colors, pos, tri, background=torch.ones(2).to(pos))
