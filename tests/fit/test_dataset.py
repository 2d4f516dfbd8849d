"""Both conventions give the views that were written; each bad folder says what is wrong."""

import json
from pathlib import Path

import pytest
import torch

from glrast.fit.dataset import load_dataset
from tests.fit.sphere import sphere_views, write_dataset

SPOT = Path(__file__).parents[3] / "shared" / "data" / "spot"
# A premultiplied byte goes through straight alpha and back: one level at most.
LEVELS = 1


def same_pictures(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((found.int() - expected.int()).abs().max() <= LEVELS)


def test_nerf_synthetic_folder_gives_the_views_that_were_written(tmp_path: Path):
    train, test = sphere_views(5), sphere_views(3)
    write_dataset(tmp_path, train)
    write_dataset(tmp_path, test, "transforms_test.json")
    data = load_dataset(tmp_path, resolution=512)
    assert (len(data.train), len(data.test), data.held_out) == (5, 3, "transforms_test.json")
    assert same_pictures(data.train.rgba, train.rgba) and same_pictures(data.test.rgba, test.rgba)
    torch.testing.assert_close(data.train.world_to_camera, train.world_to_camera, rtol=0, atol=1e-6)
    # x and y of the projection; near and far are the loader's own.
    torch.testing.assert_close(data.train.projection[:, :2], train.projection[:, :2])
    assert data.train.names[1] == "r_1.png"


def test_nerfstudio_folder_holds_out_every_eighth_frame(tmp_path: Path):
    views = sphere_views(10, 17, 33)
    content = write_dataset(tmp_path, views, "transforms.json")
    focal = 0.5 * 17 / torch.tan(torch.tensor(0.5 * 40.0).deg2rad()).item()
    intrinsics = {"w": 33, "h": 17, "fl_x": focal, "fl_y": focal, "cx": 16.5, "cy": 8.5}
    for frame in content["frames"]:
        frame["file_path"] += ".png"
    whole = {"camera_model": "OPENCV", **intrinsics, "frames": content["frames"]}
    (tmp_path / "transforms.json").write_text(json.dumps(whole))
    data = load_dataset(tmp_path, resolution=512)
    assert data.test.names == ["r_0.png", "r_8.png"] and len(data.train) == 8
    assert same_pictures(data.test.rgba, views.rgba[[0, 8]])
    torch.testing.assert_close(data.train.projection[:, :2], views.projection[:8, :2])


def test_three_frames_are_all_learnt_from_and_the_report_says_so(tmp_path: Path):
    write_dataset(tmp_path, sphere_views(3), "transforms.json")
    data = load_dataset(tmp_path, resolution=512)
    assert len(data.train) == len(data.test) == 3 and "too few views" in data.held_out


def test_masks_beside_the_images_are_found(tmp_path: Path):
    views = sphere_views(4)
    write_dataset(tmp_path, views)
    import imageio.v3 as iio

    (tmp_path / "masks").mkdir()
    for path in (tmp_path / "train").iterdir():
        pixels = iio.imread(path)
        iio.imwrite(path, pixels[..., :3])
        iio.imwrite(tmp_path / "masks" / path.name, pixels[..., 3])
    assert same_pictures(load_dataset(tmp_path, 512).train.rgba, views.rgba[1:])


def test_resolution_limits_the_longer_side(tmp_path: Path):
    write_dataset(tmp_path, sphere_views(3))
    assert load_dataset(tmp_path, resolution=11).train.resolution == (11, 11)


def test_the_fingerprint_sees_a_pixel_and_a_camera():
    views = sphere_views(2)
    before = views.fingerprint()
    assert before == sphere_views(2).fingerprint()
    views.rgba[1, 3, 4, 0] ^= 1
    changed = views.fingerprint()
    views.world_to_camera[0, 0, 3] += 1e-9
    assert len({before, changed, views.fingerprint()}) == 3


def test_a_folder_without_transforms_is_named(tmp_path: Path):
    with pytest.raises(
        FileNotFoundError, match=r"transforms_train\.json or .* has none of them but nothing"
    ):
        load_dataset(tmp_path, 512)
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder"):
        load_dataset(tmp_path / "nowhere", 512)


def test_malformed_json_is_named_with_the_place(tmp_path: Path):
    (tmp_path / "transforms_train.json").write_text('{"frames": [')
    with pytest.raises(ValueError, match=r"^glrast.*transforms_train\.json.*line 1"):
        load_dataset(tmp_path, 512)


def test_a_damaged_picture_is_named(tmp_path: Path):
    write_dataset(tmp_path, sphere_views(3))
    path = tmp_path / "train" / "r_2.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"^glrast.*r_2\.png"):
        load_dataset(tmp_path, 512)


def test_pictures_that_are_opaque_everywhere_are_refused(tmp_path: Path):
    views = sphere_views(3)
    views.rgba[..., 3] = 255
    write_dataset(tmp_path, views)
    with pytest.raises(ValueError, match=r"opaque in every pixel.*mask_path"):
        load_dataset(tmp_path, 512)


@pytest.mark.skipif(not SPOT.is_dir(), reason=f"the shared data set {SPOT} is not on this machine")
@pytest.mark.slow
def test_the_shared_data_set_is_read_as_its_note_says():
    data = load_dataset(SPOT, 64)
    assert (len(data.train), len(data.test)) == (32, 8) and data.train.resolution == (64, 64)
