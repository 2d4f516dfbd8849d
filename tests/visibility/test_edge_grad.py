"""edge_grad: borders known by hand, the float64 twin, and intersections against the exact image."""

import pytest
import torch

from glrast.visibility import edge_grad
from tests import scenes
from tests.reference.visibility import edge_grad as twin
from tests.scenes import ODD, SCENES
from tests.visibility import discontinuities as kinds
from tests.visibility.estimators import check_against_twin, gradients, moved, shade


@pytest.mark.parametrize("units", ["same", "published"])
@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("offset", [0.2, 0.8])
def test_a_silhouette_that_moves_a_pixel_gives_its_length_times_the_colour_step(
    context, offset, vertical, units
):
    scene = scenes.vertical_edge(15 + offset) if vertical else scenes.horizontal_edge(8 + offset)
    color, rast, pos, tri = shade(context, scene)
    weight = torch.tensor([1.0, 2.0, -5.0]).expand(color.shape)
    _, _, grad = gradients(edge_grad, color, rast, pos, tri, weight, units=units)
    length = ODD[0] if vertical else ODD[1]
    assert moved(grad, pos, ODD, 0 if vertical else 1) == pytest.approx(length * 0.7 * -2, rel=1e-4)
    assert moved(grad, pos, ODD, 1 if vertical else 0) == pytest.approx(0, abs=1e-3)


def test_the_surface_in_front_moves_and_what_it_hides_does_not(context):
    color, rast, pos, tri = shade(context, scenes.edge_before_object(15.2))
    _, _, grad = gradients(edge_grad, color, rast, pos, tri, torch.ones(color.shape))
    step = (color[0, 0, 0].sum() - color[0, 0, -1].sum()).item()
    front = grad.clone()
    front[4:] = 0
    assert moved(front, pos, ODD, 0) == pytest.approx(ODD[0] * step, rel=1e-4)
    assert not grad[4:].abs().max() > 1e-4


@pytest.mark.parametrize("units", ["same", "published"])
@pytest.mark.parametrize("name", [*SCENES, "crossed"])
def test_positions_get_what_the_twin_gives_them(context, name, units):
    scene = crossed() if name == "crossed" else SCENES[name]()
    color, rast, pos, tri = shaded = shade(context, scene)
    fragile = twin.fragile_pixels(rast.cpu(), pos.cpu(), tri.cpu())
    check_against_twin(edge_grad, twin.edge_grad, shaded, ~fragile, units=units)


def crossed():
    """Two triangles through each other, both over the whole image, in perspective."""
    kind = kinds.intersection()
    return scenes.Scene(kind.pos, kind.tri, kind.corners)


def of_intersection(context, units):
    kind = kinds.intersection()
    shaded = shade(context, scenes.Scene(kind.pos, kind.tri, kind.corners), kinds.SIZE)
    weight = kinds.smooth_weight()
    _, _, grad = gradients(edge_grad, *shaded, weight.float(), units=units)
    entries = [(v, axis) for v in range(6) for axis in (0, 1, 2)]
    exact = kinds.exact_gradient(kind, entries, [weight])[0].view(6, 3)
    return grad.cpu().double()[:, :3], exact


@pytest.mark.slow
def test_in_the_same_units_an_intersection_moves_by_depth_as_it_does_by_place(context):
    found, exact = of_intersection(context, "same")
    for axis in range(3):
        scale = (found[:, axis] @ exact[:, axis] / exact[:, axis].square().sum()).item()
        assert scale == pytest.approx(1, abs=0.05), axis


@pytest.mark.slow
def test_in_the_published_units_the_gradient_of_depth_goes_to_w(context):
    found, exact = of_intersection(context, "published")
    assert not found[:, 2].any() and exact[:, 2].any()
