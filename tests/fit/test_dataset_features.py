"""What people's data sets have: lists of names, missing files, masks of all kinds, EXIF, far coordinates."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.clip import load_cameras, look_at
from glrast.fit.dataset import load_dataset
from glrast.fit.hull import visual_hull
from tests.fit.sphere import (
    CENTRE,
    FOV_RAD,
    RADIUS,
    picture,
    sphere_views,
    write_dataset,
    write_png,
)

UTM = (5e5, 5e6, 300.0)


def write_nerfstudio(folder: Path, count: int = 8, **settings) -> list[str]:
    """transforms.json with `count` pictures; their names."""
    content = write_dataset(folder, sphere_views(count), "transforms.json") | settings
    for frame in content["frames"]:
        frame["file_path"] += ".png"
    (folder / "transforms.json").write_text(json.dumps(content))
    return [frame["file_path"] for frame in content["frames"]]


def split(folder: Path, **lists) -> None:
    path = folder / "transforms.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | lists))


def numbers(views) -> list[int]:
    return [int(name.removeprefix("r_").removesuffix(".png")) for name in views.names]


def test_the_lists_of_nerfstudio_are_obeyed(tmp_path):
    names = write_nerfstudio(tmp_path, 16)
    split(tmp_path, train_filenames=names[::2], test_filenames=names[1::2])
    data = load_dataset(tmp_path, 64)
    assert numbers(data.train) == list(range(0, 16, 2)) and numbers(data.test) == list(
        range(1, 16, 2)
    )
    assert data.held_out == "test_filenames"


@pytest.mark.parametrize(
    "lists, train, test, said",
    [
        ({"train": [0, 1, 2], "val": [3]}, [0, 1, 2], [3], "val_filenames; 4 of 8 frames are in no list"),
        ({"train": [0, 1], "val": [2, 3], "test": [4]}, [0, 1], [4], "test_filenames; 3 of 8 frames are in no list"),
        ({"train": [0, 1], "val": [2, 3], "test": []}, [0, 1], [2, 3], "val_filenames; 4 of 8"),
        ({"test": [1, 3]}, [0, 2, 4, 5, 6, 7], [1, 3], "test_filenames"),
        ({"train": [0, 1, 2, 3], "test": [3, 4]}, [0, 1, 2, 3], [3, 4], "1 of 2 are learnt from too"),
        ({"train": [0, 1, 2, 3, 4]}, [1, 2, 3, 4], [0], "every 8th frame; 3 of 8 frames are in no list"),
    ],
)  # fmt: skip
def test_what_the_lists_do_not_say_is_said(tmp_path, lists, train, test, said):
    names = write_nerfstudio(tmp_path)
    split(tmp_path, **{f"{k}_filenames": [names[i] for i in v] for k, v in lists.items()})
    data = load_dataset(tmp_path, 64)
    assert (numbers(data.train), numbers(data.test)) == (train, test)
    assert said in data.held_out


def test_lists_that_cannot_be_obeyed_are_named(tmp_path):
    names = write_nerfstudio(tmp_path)
    split(tmp_path, train_filenames=[*names, "images/r_99.png"])
    with pytest.raises(
        ValueError, match="train_filenames must name .*1 of 9 match none: 'images/r_99.png'"
    ):
        load_dataset(tmp_path, 64)
    split(tmp_path, train_filenames=[], test_filenames=names)
    with pytest.raises(ValueError, match="train_filenames must name at least one frame"):
        load_dataset(tmp_path, 64)


def test_pictures_of_frames_in_no_list_need_not_exist(tmp_path):
    names = write_nerfstudio(tmp_path)
    split(tmp_path, train_filenames=names[:4], test_filenames=names[4:6])
    (tmp_path / names[7]).unlink()
    assert len(load_dataset(tmp_path, 64).train) == 4


def test_nerf_synthetic_is_judged_by_test_or_else_by_val(tmp_path):
    write_dataset(tmp_path, sphere_views(5))
    write_dataset(tmp_path, sphere_views(2), "transforms_val.json")
    data = load_dataset(tmp_path, 64)
    assert (len(data.train), len(data.test), data.held_out) == (5, 2, "transforms_val.json")
    write_dataset(tmp_path, sphere_views(3), "transforms_test.json")
    data = load_dataset(tmp_path, 64)
    assert (len(data.train), len(data.test), data.held_out) == (5, 3, "transforms_test.json")


def test_missing_pictures_of_both_files_are_one_error_and_can_be_skipped(tmp_path):
    write_dataset(tmp_path, sphere_views(5))
    write_dataset(tmp_path, sphere_views(3), "transforms_test.json")
    for name in ("train/r_1.png", "train/r_4.png", "test/r_0.png"):
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError) as error:
        load_dataset(tmp_path, 64)
    text = str(error.value)
    assert "2 of 5 pictures are missing: frame 1 (" in text and "1 of 3 pictures is missing" in text
    assert "--skip-missing" in text
    data = load_dataset(tmp_path, 64, skip_missing=True)
    assert numbers(data.train) == [0, 2, 3] and numbers(data.test) == [1, 2]
    assert "2 of 5 pictures are missing" in data.held_out and "left out" in data.held_out


def test_a_list_whose_pictures_are_all_missing_is_named(tmp_path):
    names = write_nerfstudio(tmp_path)
    split(tmp_path, train_filenames=names[:6], test_filenames=names[6:])
    for name in names[6:]:
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match="no frame to test with is left; 2 of 8 pictures"):
        load_dataset(tmp_path, 64, skip_missing=True)


def test_pictures_that_cannot_be_read_are_counted(tmp_path):
    names = write_nerfstudio(tmp_path)
    for name in names[2:5]:
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(
        ValueError,
        match=r"r_2\.png could not be read.*3 of 8 pictures have an error.*r_3.png, r_4.png",
    ):
        load_dataset(tmp_path, 64)


def masks_apart(
    folder: Path, names: list[str], pattern: str = "{stem}.png", invert: bool = False
) -> None:
    """The pictures opaque, their alpha in masks/."""
    (folder / "masks").mkdir()
    for name in names:
        path = folder / name
        with Image.open(path) as image:
            alpha = image.getchannel("A")
            image.convert("RGB").save(path)
        alpha = alpha.point(lambda v: 255 - v) if invert else alpha
        alpha.save(folder / "masks" / pattern.format(stem=path.stem, name=path.name))


@pytest.mark.parametrize("pattern", ["{stem}.png", "{name}.png"])
def test_masks_are_found_by_both_names(tmp_path, pattern):
    names = write_nerfstudio(tmp_path)
    expected = load_dataset(tmp_path, 64).train.rgba[..., 3]
    masks_apart(tmp_path, names, pattern)
    assert torch.equal(load_dataset(tmp_path, 64).train.rgba[..., 3], expected)


def test_inverted_masks_are_noticed_and_turned_over(tmp_path):
    names = write_nerfstudio(tmp_path)
    expected = load_dataset(tmp_path, 64).train.rgba[..., 3]
    masks_apart(tmp_path, names, invert=True)
    with pytest.warns(
        UserWarning, match=r"in 8 of 8 masks of .*transforms.json .*inverted.*try --invert-masks"
    ):
        load_dataset(tmp_path, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_dataset(tmp_path, 64, invert_masks=True)
    assert torch.equal(data.train.rgba[..., 3], expected)


def test_a_mask_path_goes_before_the_folder_of_masks(tmp_path):
    names = write_nerfstudio(tmp_path)
    masks_apart(tmp_path, names)
    content = json.loads((tmp_path / "transforms.json").read_text())
    Image.fromarray(np.pad(np.full((3, 3), 255, np.uint8), 15)).save(tmp_path / "own.png")
    content["frames"][1]["mask_path"] = "own.png"
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    alpha = load_dataset(tmp_path, 64).train.rgba[0, ..., 3]
    assert int((alpha == 255).sum()) == 9


@pytest.mark.parametrize("size", ["stored", "turned"])
def test_pictures_with_exif_follow_w_and_h(tmp_path, size):
    """Photographs stored on their side, with poses for the pictures as stored or as viewers show them."""
    views = sphere_views(4, 33, 21)
    content = write_dataset(tmp_path, views, "transforms.json")
    exif = Image.Exif()
    exif[0x0112] = 6 if size == "turned" else 8
    for frame in content["frames"]:
        path = tmp_path / (frame["file_path"] + ".png")
        with Image.open(path) as image:
            upright = image.copy()
        # a viewer turns what is stored by a quarter clockwise
        stored = upright.transpose(Image.Transpose.ROTATE_90) if size == "turned" else upright
        stored.save(path, exif=exif)
    focal = 33 / 2 / math.tan(content["camera_angle_x"] / 2)
    content |= {"w": 21, "h": 33, "fl_x": focal, "fl_y": focal}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    data = load_dataset(tmp_path, 64)
    assert data.train.resolution == (33, 21)
    assert torch.equal(
        data.train.rgba[..., 3],
        views.rgba[1:, ..., 3] if len(data.train) == 3 else views.rgba[..., 3],
    )


def moved(folder: Path, name: str, shift, scale: float = 1.0) -> None:
    path = folder / name
    content = json.loads(path.read_text())
    for frame in content["frames"]:
        for row, by in zip(frame["transform_matrix"], shift, strict=False):
            row[3] = row[3] * scale + by
    path.write_text(json.dumps(content))


def test_a_data_set_at_utm_gives_the_same_hull_and_remembers_its_origin(tmp_path):
    for name in ("near", "far"):
        write_dataset(tmp_path / name, sphere_views(8))
        write_dataset(tmp_path / name, sphere_views(3), "transforms_test.json")
    for name in ("transforms_train.json", "transforms_test.json"):
        moved(tmp_path / "far", name, UTM)
    near, far = load_dataset(tmp_path / "near", 64), load_dataset(tmp_path / "far", 64)
    assert near.origin == (0, 0, 0) and near.train.origin == near.test.origin
    assert (
        far.origin
        == far.test.origin
        == far.train.pick([0, 1]).origin
        == far.train.reduced(9).origin
    )
    assert all(value == round(value) for value in far.origin)
    assert torch.equal(near.train.rgba, far.train.rgba)
    offset = torch.tensor(far.origin, dtype=torch.float64) - torch.tensor(UTM, dtype=torch.float64)
    pos, _ = visual_hull(
        near.train.rgba[..., 3] / 255.0, near.train.world_to_clip, near.train.names
    )
    same, _ = visual_hull(far.train.rgba[..., 3] / 255.0, far.train.world_to_clip, far.train.names)
    for hull, centre in ((pos, torch.tensor(CENTRE)), (same + offset, torch.tensor(CENTRE))):
        assert float(((hull - centre).norm(dim=1).mean() - RADIUS).abs()) < 0.03
    assert torch.allclose(pos.amax(0), (same + offset).amax(0).float(), atol=0.02)
    moved_cameras = torch.linalg.inv(far.test.world_to_camera)[:, :3, 3] + offset
    assert torch.allclose(
        moved_cameras, torch.linalg.inv(near.test.world_to_camera)[:, :3, 3], atol=1e-5
    )


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_tiny_and_huge_scenes_have_the_pictures_and_planes_of_plain_ones(tmp_path, scale):
    write_dataset(tmp_path, sphere_views(6))
    plain = load_dataset(tmp_path, 64).train
    moved(tmp_path, "transforms_train.json", (0, 0, 0), scale)
    scaled = load_dataset(tmp_path, 64).train
    assert scaled.origin == (0, 0, 0)
    corner = torch.tensor([0.4, -0.3, 0.2, 1.0], dtype=torch.float64)
    far = torch.cat([corner[:3] * scale, corner[3:]])
    a, b = ((v.world_to_clip @ p) for v, p in ((plain, corner), (scaled, far)))
    assert torch.allclose(a / a[:, 3:], b / b[:, 3:], atol=1e-5)


def planes(projection: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = projection[:, 2, 2], projection[:, 2, 3]
    return b / (a - 1), b / (a + 1)


def test_planes_that_cameras_cannot_guess_come_from_the_masks(tmp_path):
    """The axes cross 1 in front of the cameras, the object is 40 away, aside in each picture."""
    far_away = 40.0
    frames = []
    for k, x in enumerate((-0.27, -0.15, 0.15, 0.27)):
        eye = (CENTRE[0] + x, CENTRE[1], CENTRE[2] + far_away)
        view = look_at(eye, (CENTRE[0], CENTRE[1], eye[2] - 1))
        write_png(tmp_path / "train" / f"{k}.png", picture(view, 201, 201))
        pose = torch.linalg.inv(view).tolist()
        frames.append({"file_path": f"train/{k}.png", "transform_matrix": pose})
    path = tmp_path / "transforms_train.json"
    path.write_text(json.dumps({"camera_angle_x": FOV_RAD, "frames": frames}))
    guessed = load_cameras(path)[0].camera.projection[None].double()
    assert float(planes(guessed)[1]) < 0.5 * far_away
    views = load_dataset(tmp_path, 201).train
    near, far = planes(views.projection)
    assert float(near.max()) < far_away - 5 * RADIUS and float(far.min()) > far_away + 5 * RADIUS
    assert torch.equal(views.projection[:, :2], guessed[:, :2].expand(len(views), 2, 4))
