"""A picture taken through a bent lens, straightened, is the picture that a pinhole takes."""

import numpy as np
import pytest
import torch

from glrast.camera.distortion import Distortion
from glrast.clip import from_intrinsics, look_at
from glrast.fit.straight import straightened
from tests.fit.bent import ball, photograph, sky, unbent

H, W = 75, 101
LENS = (90.0, 93.0, 47.3, 40.1)
VIEW = look_at((1.9, 1.4, 1.7), (0.3, 0.0, 0.2), (0.1, 1.0, 0.2))
PROJECTION = from_intrinsics(*LENS, (H, W), 0.1, 9.0)
# Colours between pixels are interpolated: in levels of 255. The waves are 30 pixels and longer.
MEAN, LARGEST = 0.2, 3
LENSES = {
    "barrel": Distortion("radial", (-0.25, 0.06)),
    "pincushion": Distortion("radial", (0.15,)),
    "decentred": Distortion("radial", (-0.05, 0.0, 0.02, -0.03)),
    "six": Distortion("radial", (-0.1, 0.03, 0.002, -0.003, 0.01, 0.05, -0.02, 0.004)),
    "fisheye": Distortion("fisheye", (-0.03, 0.01, -0.004, 0.001)),
    "thin prism": Distortion("thin prism", (-0.02, 0.01, 0.01, -0.02, -0.004, 0.002, 0.01, -0.02)),
    "fov": Distortion("fov", (0.9,)),
    "skew": Distortion("skew", (0.08,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LENSES)
def test_a_straightened_picture_is_that_of_a_pinhole(name):
    bend = LENSES[name]
    expected = photograph(sky, VIEW, LENS, (H, W)).int()
    picture = photograph(sky, VIEW, LENS, (H, W), bend)
    straight, known = straightened(picture, PROJECTION, bend)
    # pixels that a photograph shows wholly, with their neighbours
    inner = torch.nn.functional.max_pool2d((~known)[None].float(), 3, 1, 1)[0] == 0
    off = (straight.int() - expected).abs()[inner].float()
    assert inner.float().mean() > 0.7
    assert float(off.mean()) < MEAN and float(off.max()) <= LARGEST
    # the bend matters: the bent picture itself is far from it
    assert float((picture.int() - expected).abs()[inner].float().mean()) > 5 * MEAN


@pytest.mark.parametrize("name", LENSES)
def test_what_is_known_is_what_the_photograph_shows(name):
    bend = LENSES[name]
    _, known = straightened(torch.zeros(H, W, 4, dtype=torch.uint8), PROJECTION, bend)
    column, row = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    fx, fy, cx, cy = LENS
    x, y = bend((column - cx) / fx, (row - cy) / fy)
    column, row = fx * x + cx, fy * y + cy
    shown = (column >= 0) & (column <= W) & (row >= 0) & (row <= H)
    assert np.array_equal(known.flip(0).numpy(), shown)
    assert known[H // 2, W // 2] and (name not in ("pincushion", "skew") or not known.all())


def test_a_mask_is_straightened_with_its_picture():
    bend = LENSES["barrel"]
    expected = photograph(ball, VIEW, LENS, (H, W))
    straight, _ = straightened(photograph(ball, VIEW, LENS, (H, W), bend), PROJECTION, bend)
    a, b = (picture[..., 3] > 127 for picture in (expected, straight))
    # rims differ by coverage: less than a hundredth of the ball's pixels
    assert int((a ^ b).sum()) < 0.01 * int(a.sum())
    assert bool((straight[..., :3].int() <= straight[..., 3:].int() + 1).all())


def test_beyond_the_fold_of_a_formula_nothing_is_known():
    """r - r^3 / 3 comes back to 0 at r = sqrt 3: the middle of the picture would be seen again in the corners."""
    bend = Distortion("radial", (-1 / 3,))
    projection = from_intrinsics(10.0, 10.0, 20.5, 20.5, (41, 41), 0.1, 9.0)
    _, known = straightened(torch.zeros(41, 41, 4, dtype=torch.uint8), projection, bend)
    column, row = np.meshgrid(np.arange(41) - 20.0, np.arange(41) - 20.0)
    radius = np.hypot(column, row) / 10
    assert not known.numpy()[radius > 1.01].any() and known.numpy()[radius < 0.99].all()


def test_the_oracle_sends_points_through_the_lens_and_back():
    for bend in LENSES.values():
        x, y = np.array([0.3, -0.2, 0.0]), np.array([-0.25, 0.4, 0.0])
        np.testing.assert_allclose(unbent(bend, *bend(x, y)), (x, y), atol=1e-9)
