"""dirt: edges known by hand, the float64 twin, and the library's own peculiarities."""

import pytest
import torch

from glrast.visibility import dirt
from tests import scenes
from tests.reference.visibility import dirt as twin
from tests.scenes import ODD, SCENES
from tests.visibility.estimators import check_against_twin, gradients, moved, shade


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("offset", [0.2, 0.8])
def test_a_silhouette_that_moves_a_pixel_gives_its_length_times_the_colour_step(
    context, offset, vertical
):
    scene = scenes.vertical_edge(15 + offset) if vertical else scenes.horizontal_edge(8 + offset)
    color, rast, pos, tri = shade(context, scene)
    _, _, grad = gradients(dirt, color, rast, pos, tri, torch.ones(color.shape))
    # half of the response is in the pixels beyond the edge; on the image's border they are not given to it
    length = (ODD[0] if vertical else ODD[1]) - 1
    assert moved(grad, pos, ODD, 0 if vertical else 1) == pytest.approx(length * 0.7 * 3, rel=1e-4)
    assert moved(grad, pos, ODD, 1 if vertical else 0) == pytest.approx(0, abs=1e-3)
    assert not grad[..., 2].any()


def test_an_occluder_takes_the_pixels_of_what_it_hides(context):
    color, rast, pos, tri = shade(context, scenes.edge_before_object(15.2))
    pos = pos.clone()
    pos[4:] *= 2  # farther by w, and where it was
    _, _, grad = gradients(dirt, color, rast, pos, tri, torch.ones(color.shape))
    step = (color[0, 0, 0].sum() - color[0, 0, -1].sum()).item()
    front = grad.clone()
    front[4:] = 0
    assert moved(front, pos, ODD, 0) == pytest.approx((ODD[0] - 1) * step, rel=1e-4)
    behind = grad - front  # its pixels on the border of the image
    assert moved(behind, pos, ODD, 0) == pytest.approx(step, rel=1e-4)


@pytest.mark.parametrize("name", SCENES)
def test_positions_get_what_the_twin_gives_them(context, name):
    shaded = shade(context, SCENES[name]())
    fragile = twin.fragile_pixels(*(t.cpu() for t in shaded))
    check_against_twin(dirt, twin.dirt, shaded, ~fragile)
