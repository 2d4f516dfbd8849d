"""Scenes far from the world's zero keep their precision: glrast/camera/origin.py, load_cameras(origin=...)."""

import json
import math
import warnings

import numpy as np
import pytest
import torch

from glrast.camera.origin import choose_origin
from glrast.clip import load_cameras, look_at

UTM = (5e5, 5e6, 300.0)
EYES = [(0.0, 0.0, 4.0), (4.0, 0.0, 0.0), (0.0, 3.0, -1.0)]


def write_cameras(folder, shift=(0.0, 0.0, 0.0), scale=1.0, eyes=EYES):
    """A file of cameras that look at `shift`; float64, as a program writes it."""
    frames = []
    for k, eye in enumerate(eyes):
        pose = np.linalg.inv(look_at(eye, (0.0, 0.0, 0.0)).double().numpy())
        pose[:3, 3] = np.array(eye) * scale + shift
        frames.append({"file_path": f"{k}.png", "transform_matrix": pose.tolist()})
    path = folder / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 0.9, "w": 33, "h": 17, "frames": frames}))
    return path


def matrices(frames):
    return torch.stack([f.camera.world_to_clip for f in frames])


def test_an_origin_gives_the_cameras_of_the_scene_at_zero(tmp_path):
    near_zero = load_cameras(write_cameras(tmp_path), need_images=False)
    path = write_cameras(tmp_path, UTM)
    frames = load_cameras(path, need_images=False, origin=UTM)
    # float64 in the file knows 1e-9 of 5e6
    assert torch.allclose(matrices(frames), matrices(near_zero), rtol=0, atol=2e-6)
    assert torch.allclose(frames[0].camera.centre, torch.tensor(EYES[0]), atol=1e-6)


def test_far_cameras_without_an_origin_are_warned_of_once(tmp_path):
    path = write_cameras(tmp_path, UTM)
    message = r"transforms.json: cameras stand at .* up to 5e\+06.*steps of 0.6.*origin=mesh.origin"
    with pytest.warns(UserWarning, match=message) as told:
        load_cameras(path, need_images=False)
    assert len(told) == 1
    assert "test_origin" in told[0].filename  # the caller's line


@pytest.mark.parametrize(
    "shift, scale", [((0, 0, 0), 1.0), ((10, -20, 5), 1.0), ((0, 0, 0), 1e-4), (UTM, 1e6)]
)
def test_scenes_that_float32_holds_are_not_warned_of(tmp_path, shift, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_cameras(write_cameras(tmp_path, shift, scale), need_images=False)


@pytest.mark.parametrize(
    "shift, scale", [((1e3, 0, 0), 1e-3), (UTM, 1.0), (UTM, 100.0), ((1e9, 1e9, 0), 1.0)]
)
def test_scenes_that_float32_cannot_hold_are_warned_of(tmp_path, shift, scale):
    with pytest.warns(UserWarning, match="Pass origin="):
        load_cameras(write_cameras(tmp_path, shift, scale), need_images=False)


def test_a_single_camera_is_warned_of_where_float32_knows_no_centimetres(tmp_path):
    with pytest.warns(UserWarning, match="Pass origin="):
        load_cameras(write_cameras(tmp_path, UTM, eyes=EYES[:1]), need_images=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_cameras(write_cameras(tmp_path, (100, 0, 0), eyes=EYES[:1]), need_images=False)


def test_the_chosen_origin_is_round_and_near_the_cameras():
    eyes = torch.tensor(EYES, dtype=torch.float64)
    assert choose_origin(eyes, eyes) == (0.0, 0.0, 0.0)
    x, y, z = choose_origin(eyes + torch.tensor(UTM, dtype=torch.float64), eyes)
    assert all(v == round(v) for v in (x, y, z))
    assert max(abs(x - UTM[0]), abs(y - UTM[1]), abs(z - UTM[2])) <= 4
    small = choose_origin(eyes * 1e-6 + 1.0, eyes)
    assert all(math.isclose(v, 1.0, abs_tol=5e-6) for v in small)
    assert all((v * 2**24).is_integer() for v in small)


def test_cameras_that_look_outwards_or_side_by_side_keep_small_coordinates():
    row = torch.tensor([[0.0, 0, 60], [0.2, 0, 60]], dtype=torch.float64)
    assert choose_origin(row, torch.tensor([[0.0, 0, 1]] * 2, dtype=torch.float64)) == (0, 0, 0)
    eyes = torch.tensor(EYES, dtype=torch.float64)
    far = eyes + torch.tensor(UTM, dtype=torch.float64)
    assert choose_origin(far, -eyes) != (0, 0, 0) and choose_origin(far[:1], eyes[:1]) != (0, 0, 0)


@pytest.mark.parametrize("origin", [(1, 2), "abc", (1, 2, math.nan), None, (1, 2, "x")])
def test_a_wrong_origin_is_named(tmp_path, origin):
    with pytest.raises(ValueError, match=r"load_cameras: origin must be three finite numbers"):
        load_cameras(write_cameras(tmp_path), need_images=False, origin=origin)
