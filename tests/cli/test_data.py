"""`glrast data` says what is in a data set, names what looks wrong, and draws the box where the object is."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.cli.main import main
from glrast.fit.box import box_of_masks, box_of_points
from glrast.fit.capture import open_capture
from glrast.fit.dataset import load_capture, load_dataset
from glrast.fit.overview import of_files, of_views
from glrast.fit.sheet import EDGE, write_sheet
from tests.camera.colmap_files import Scene, Shot, pose_of, write_binary
from tests.fit.sphere import CENTRE, RADIUS, cameras, sphere_views, write_dataset, write_png
from tests.fit.test_captures import COUNT, MIXED, write_nerfstudio


def table(text: str) -> dict[str, str]:
    """The printed lines by their first word; continued ones belong to the last."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        key = line[:11].strip() or key
        found[key] = found.get(key, "") + " " + line[12:]
    return found


@pytest.mark.slow
def test_a_nerfstudio_capture_with_two_lenses_and_missing_frames_is_told(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_nerfstudio(tmp_path / "set", MIXED)
    (tmp_path / "set" / "images" / "4.png").unlink()
    assert main(["data", "set"]) == 2
    assert "1 of 9 pictures is missing: frame 4" in capsys.readouterr().err
    assert main(["data", "set", "--skip-missing"]) == 0
    told = table(capsys.readouterr().out)
    assert "nerfstudio (transforms.json)" in told["format"]
    assert "8: 3 of 61x41, 3 of 51x51, 2 of 45x67" in told["pictures"]
    assert "3: focal length 40 to 60" in told["cameras"]
    assert (
        "radial -0.08, 0.01, 0.002, -0.003" in told["distortion"]
        and "none (2)" in told["distortion"]
    )
    assert "8 in the pictures' alpha" in told["masks"]
    assert "7 train, 1 test (every 8th frame; 1 of 9 pictures is missing" in told["views"]
    assert "4.png" in told["look at"] and "7 views are few" in told["look at"]
    with Image.open(tmp_path / "data.png") as sheet:
        assert sheet.width > 800 and (np.asarray(sheet) == EDGE).all(-1).sum() > 500


def colmap_without_masks(folder) -> Scene:
    """Opaque pictures of the sphere, points on it and some far away; one picture has no pose."""
    focal = 33 / 2 / math.tan(math.radians(20))
    scene = Scene({1: ("SIMPLE_PINHOLE", 33, 33, [focal, 16.5, 16.5])}, [])
    for k, view in enumerate(cameras(COUNT)):
        scene.shots.append(Shot(f"{k}.png", 1, *pose_of(view)))
    views = sphere_views(COUNT + 1)
    for k, rgba in enumerate(views.rgba):
        rgba[..., 3] = 255
        write_png(folder / "images" / f"{k}.png", rgba)
        with Image.open(folder / "images" / f"{k}.png") as image:
            image.convert("RGB").save(folder / "images" / f"{k}.png")
    generator = np.random.default_rng(3)
    for n in range(400):
        direction = generator.normal(size=3)
        away = RADIUS if n % 10 else 40.0
        xyz = np.array(CENTRE) + away * direction / np.linalg.norm(direction)
        scene.points[n + 1] = (xyz.tolist(), [9, 9, 9], 0.5, [])
    write_binary(folder / "sparse" / "0", scene)
    return scene


@pytest.mark.slow
def test_a_colmap_model_without_masks_is_told_and_the_fit_says_what_it_lacks(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    colmap_without_masks(tmp_path / "set")
    assert main(["data", "set", "--sheet", "a.png"]) == 0
    told = table(capsys.readouterr().out)
    assert "COLMAP (set/sparse/0/images.bin, pictures in set/images)" in told["format"]
    assert told["masks"].strip().startswith("none: glrast fit needs them")
    assert "of 360 of 400 points" in told["box"] and (tmp_path / "a.png").is_file()
    assert "1 pictures beside them have no pose in the model: 9.png" in told["look at"]
    assert main(["fit", "set", "--out", "out"]) == 2
    assert "none of the 9 pictures has a mask" in capsys.readouterr().err


@pytest.mark.slow
def test_the_box_holds_the_object_and_little_else(tmp_path):
    write_dataset(tmp_path, sphere_views(12))
    views = load_dataset(tmp_path, 64).train
    box, doubts = box_of_masks(views)
    assert box is not None and not doubts
    low, high = np.array(CENTRE) - RADIUS, np.array(CENTRE) + RADIUS
    assert (box.low < low).all() and (box.high > high).all()
    assert (box.low > low - 0.5 * RADIUS).all() and (box.high < high + 0.5 * RADIUS).all()
    assert sorted(map(tuple, box.corners.tolist()))[0] == tuple(box.low)
    on = np.random.default_rng(0).normal(size=(500, 3))
    on = np.array(CENTRE) + RADIUS * on / np.linalg.norm(on, axis=1, keepdims=True)
    astray = np.array(CENTRE) + np.array([[30.0, 0, 0]] * 80)
    found = box_of_points(views, np.concatenate([on, astray]))
    assert found is not None and "500 of 580" in found.said
    np.testing.assert_allclose((found.low, found.high), (low, high), atol=0.06)
    assert box_of_points(views, astray) is None and box_of_points(views, np.zeros((0, 3))) is None


def wrong(folder) -> str:
    capture = open_capture(folder)
    data = load_capture(capture, 64)
    assert of_files(capture)
    return "\n".join(of_views(capture, data, True).wrong)


@pytest.mark.slow
def test_what_looks_wrong_is_named(tmp_path):
    content = write_dataset(tmp_path, sphere_views(16), "transforms.json")
    assert wrong(tmp_path) == ""
    frames = content["frames"]
    dark = tmp_path / "images" / "r_3.png"
    with Image.open(dark) as image:
        pixels = np.asarray(image).copy()
    pixels[..., :3] //= 3
    Image.fromarray(pixels).save(dark)
    frames[5]["transform_matrix"] = frames[6]["transform_matrix"]
    frames[9] |= {"fl_x": 70.0, "fl_y": 60.0}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    told = wrong(tmp_path)
    assert "r_3.png are darker or brighter" in told
    assert "the same pose stands for r_5.png and r_6.png" in told
    assert "focal lengths of r_9.png are more than 15% off" in told
    assert "pixels of r_9.png are not square" in told


@pytest.mark.slow
def test_an_object_cut_by_the_border_is_named(tmp_path):
    content = write_dataset(tmp_path, sphere_views(12), "transforms.json")
    path = tmp_path / "images" / "r_2.png"
    with Image.open(path) as image:
        shifted = image.transform(image.size, Image.Transform.AFFINE, (1, 0, 12, 0, 1, 0))
    shifted.save(path)
    assert content["frames"] and "the object is cut by the border of r_2.png" in wrong(tmp_path)


def test_a_sheet_of_one_view_without_a_box_is_drawn(tmp_path):
    write_dataset(tmp_path, sphere_views(1))
    data = load_dataset(tmp_path, 64)
    write_sheet(tmp_path / "sheet.png", data, None)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert not (np.asarray(sheet) == EDGE).all(-1).any()


def test_another_kind_of_sheet_is_refused(tmp_path, capsys):
    write_dataset(tmp_path, sphere_views(3))
    assert main(["data", str(tmp_path), "--sheet", str(tmp_path / "a.svg")]) == 2
    assert "--sheet must be a PNG file; got" in capsys.readouterr().err
    assert torch.is_tensor(load_dataset(tmp_path, 16).train.rgba)
