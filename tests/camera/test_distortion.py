"""Lenses bend as COLMAP and OpenCV define it: values of COLMAP's own library, and what follows from the formulas."""

import numpy as np
import pytest

from glrast.camera.colmap.models import MODELS
from glrast.camera.distortion import Distortion, read_distortion
from glrast.camera.transforms_json import Problem

# Of pycolmap 4.2.1: Camera(model, 640 x 480, params).img_from_cam of the points (.4, -.3, 1) and (-.6, .45, 1).
COLMAP = {
    "SIMPLE_PINHOLE": ([500, 320, 240], [520.0, 90.0, 20.0, 465.0]),
    "PINHOLE": ([500, 510, 320, 240], [520.0, 87.0, 20.0, 469.5]),
    "SIMPLE_RADIAL": ([500, 320, 240, -0.1], [515.0, 93.75, 36.875, 452.34375]),
    "RADIAL": ([500, 320, 240, -0.1, 0.03], [515.375, 93.46875, 34.027344, 454.479492]),
    "OPENCV": ([500, 510, 320, 240, -0.1, 0.03, 0.002, -0.003], [514.28, 91.343925, 31.563594, 460.582132]),
    "OPENCV_FISHEYE": (
        [500, 510, 320, 240, -0.02, 0.01, -0.004, 0.002],
        [504.740811, 98.67328, 64.347912, 435.573847],
    ),
    "FULL_OPENCV": (
        [500, 510, 320, 240, -0.1, 0.03, 0.002, -0.003, 0.01, 0.05, -0.02, 0.004],
        [512.125444, 92.992161, 37.336613, 456.165773],
    ),
    "FOV": ([500, 510, 320, 240, 0.9], [520.0, 87.0, 41.31798, 453.191745]),
    "SIMPLE_RADIAL_FISHEYE": ([500, 320, 240, -0.05], [503.465645, 102.400766, 67.928951, 429.053287]),
    "RADIAL_FISHEYE": ([500, 320, 240, -0.05, 0.01], [503.551349, 102.336488, 67.487578, 429.384317]),
    "THIN_PRISM_FISHEYE": (
        [500, 510, 320, 240, -0.02, 0.01, 0.002, -0.003, -0.004, 0.002, 0.001, -0.002],
        [503.906731, 99.1469, 62.741228, 436.486179],
    ),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        [500, 510, 320, 240, -0.02, 0.01, -0.004, 0.002, 0.001, -0.0005, 0.002, -0.003, 0.001, -0.002, 0.0015, 0.0005],
        [505.595544, 98.077794, 65.902409, 434.455804],
    ),
    "SIMPLE_DIVISION": ([500, 320, 240, -0.1], [515.235393, 93.573455, 35.207517, 453.594362]),
    "DIVISION": ([500, 510, 320, 240, -0.1], [515.235393, 90.644925, 35.207517, 457.866249]),
    "SIMPLE_FISHEYE": ([500, 320, 240], [505.459044, 100.905717, 62.599556, 433.050333]),
    "FISHEYE": ([500, 510, 320, 240], [505.459044, 98.123832, 62.599556, 436.911339]),
    "EUCM": ([500, 510, 320, 240, 0.6, 1.1], [505.615644, 98.004033, 62.13083, 437.269915]),
}  # fmt: skip


@pytest.mark.parametrize("model", COLMAP)
def test_every_model_puts_points_where_colmap_does(model):
    params, expected = COLMAP[model]
    found = next(known for known in MODELS.values() if known.name == model)
    fx, fy, cx, cy, bend = found.lens(params)
    x, y = np.array([0.4, -0.6]), np.array([-0.3, 0.45])
    x, y = bend(x, y) if bend else (x, y)
    pixels = np.stack([fx * x + cx, fy * y + cy], axis=1).ravel()
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-6)  # six digits are written


def test_every_model_that_is_read_is_compared():
    assert {model.name for model in MODELS.values() if model.kind} == set(COLMAP)


@pytest.mark.parametrize(
    "bend, reach",
    [
        (Distortion("radial", (-0.1,)), (1 / 0.3) ** 0.5),  # r - 0.1 r^3 grows up to there
        (Distortion("radial", (0.1,)), np.inf),
        (Distortion("fisheye", (0.0,)), np.inf),
        (Distortion("division", (1.0,)), 0.5),  # beyond there is no real number
    ],
)
def test_reach_is_where_a_formula_folds_back(bend, reach):
    assert bend.reach == pytest.approx(reach, rel=2e-3)


def test_the_middle_of_every_lens_stays_and_its_scale_is_finite():
    tiny = np.array([0.0, 1e-10, 1e-5])
    for model, (params, _) in COLMAP.items():
        bend = next(known for known in MODELS.values() if known.name == model).lens(params)[4]
        if bend:
            x, y = bend(tiny, 0 * tiny)
            assert np.isfinite(x).all() and np.isfinite(y).all() and x[0] == y[0] == 0
            assert 0.9 < x[2] / 1e-5 < 1.2


def test_a_transforms_json_names_its_lens():
    assert read_distortion({}) is None
    assert read_distortion({"camera_model": "OPENCV", "k1": 0, "p2": 0.0}) is None
    full = read_distortion(
        {"camera_model": "OPENCV", "k1": 1, "k2": 2, "k3": 3, "k4": 4, "p1": 5, "p2": 6}
    )
    assert full == Distortion("radial", (1, 2, 5, 6, 3, 4, 0, 0))
    assert read_distortion({"is_fisheye": True, "k1": 0.1}) == Distortion("fisheye", (0.1, 0, 0, 0))
    assert read_distortion({"camera_model": "OPENCV_FISHEYE"}) == Distortion("fisheye", (0,) * 4)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"camera_model": "EQUIRECTANGULAR"}, "camera_model must be one of .* got 'EQUIRECTANGULAR'; undistort"),
        ({"camera_model": "OPENCV_FISHEYE", "p1": 0.1}, "p1 must be 0 for a fisheye.*got 0.1"),
        ({"k1": "much"}, "k1 must be a finite number; got 'much'"),
    ],
)  # fmt: skip
def test_lenses_that_are_not_known_are_refused_by_name(settings, message):
    with pytest.raises(Problem, match=message):
        read_distortion(settings)
