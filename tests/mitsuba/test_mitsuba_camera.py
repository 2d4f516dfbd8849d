"""glrast's cameras as the numbers of Mitsuba's: a ray of those numbers lands on the pixel that it left."""

import numpy as np
import pytest
import torch

from glrast import clip
from glrast.mitsuba import camera

H, W = 33, 17
EYE = torch.tensor([0.4, -0.7, 2.5])


def one(projection, modelview=None, resolution=(H, W)):
    view = torch.eye(4) if modelview is None else modelview
    return camera.pinholes("mitsuba.render", projection, view, resolution)[0]


def ray(pinhole, u, v):
    """The direction through the image at u from the left, v from the top, in 0..1, as Mitsuba's perspective has it."""
    half = np.tan(np.radians(pinhole.fov_deg) / 2)
    x = (1 - 2 * u - 2 * pinhole.shift_x) * half  # Mitsuba's x is to the left
    y = (1 - 2 * v - 2 * pinhole.shift_y) * half * H / W
    return pinhole.to_world[:3, :3] @ [x, y, 1.0]


@pytest.mark.parametrize("u, v", [(0.0, 0.0), (0.3, 0.9), (0.5, 0.5)])
def test_a_ray_lands_on_the_pixel_that_it_left(u, v):
    projection = clip.from_intrinsics(20.0, 20.0, 9.3, 14.0, (H, W), 0.1, 10.0)
    modelview = clip.look_at(EYE, (0.1, 0.2, 0.0))
    pinhole = one(projection, modelview)
    point = torch.as_tensor(EYE.double().numpy() + 2.0 * ray(pinhole, u, v)).float()
    x, y, _, w = (projection @ modelview @ torch.cat([point, torch.ones(1)])).tolist()
    assert x / w == pytest.approx(2 * u - 1, abs=1e-5)
    assert y / w == pytest.approx(1 - 2 * v, abs=1e-5)


def test_clipping_distances_are_those_of_the_projection():
    pinhole = one(clip.perspective(0.8, W / H, 0.25, 40.0))
    assert pinhole.near == pytest.approx(0.25, rel=1e-5) and pinhole.far == pytest.approx(
        40, rel=1e-4
    )


def test_one_projection_serves_many_modelviews():
    views = torch.stack([clip.look_at((0, 0, z), (0, 0, 0)) for z in (2.0, 3.0)])
    found = camera.pinholes("f", clip.perspective(0.8, W / H, 0.1, 9.0), views, (H, W))
    assert [round(float(p.to_world[2, 3]), 5) for p in found] == [2, 3]


def test_what_mitsuba_has_no_camera_for_is_refused():
    good = clip.perspective(0.8, W / H, 0.1, 9.0)
    with pytest.raises(ValueError, match="must be that of a pinhole without skew"):
        one(clip.orthographic(1.0, W / H, 0.1, 9.0))
    with pytest.raises(ValueError, match="square pixels at resolution"):
        one(good, resolution=(H, 2 * W))
    with pytest.raises(ValueError, match="must turn and move"):
        one(good, 2 * torch.eye(4))
    with pytest.raises(ValueError, match="must turn and move"):
        one(good, torch.diag(torch.tensor([-1.0, 1, 1, 1])))
    with pytest.raises(ValueError, match=r"projection must be \[4,4\] or \[N,4,4\]; got \[3,3\]"):
        one(torch.eye(3))
    with pytest.raises(ValueError, match="the same N; got 2 and 3"):
        camera.pinholes("f", good.repeat(2, 1, 1), torch.eye(4).repeat(3, 1, 1), (H, W))
    with pytest.raises(ValueError, match="modelview must be finite"):
        one(good, torch.full((4, 4), torch.nan))


def test_a_camera_that_asks_for_a_gradient_is_told_that_it_gets_none():
    with pytest.raises(RuntimeError, match="cameras get none from Mitsuba"):
        one(clip.perspective(0.8, W / H, 0.1, 9.0).requires_grad_())
