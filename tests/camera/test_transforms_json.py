"""What a transforms.json may hold beside cameras: lists of names, missing files, and things that are no cameras."""

import json
import math
import random
import warnings

import numpy as np
import pytest
import torch

from glrast.camera.pose import bad_poses, pose_problem
from glrast.camera.transforms_json import read_json
from glrast.clip import load_cameras

IDENTITY = np.eye(4).tolist()


def write(folder, names=("a", "b", "c", "d"), **settings):
    frames = [{"file_path": f"images/{name}.png", "transform_matrix": IDENTITY} for name in names]
    content = {"fl_x": 40.0, "w": 33, "h": 17, "frames": frames} | settings
    path = folder / "transforms.json"
    path.write_text(json.dumps(content))
    return path


def load(path, **how):
    return load_cameras(path, 0.1, 10.0, need_images=False, **how)


def names(frames):
    return [f.camera.name for f in frames]


LISTS = {
    "train_filenames": ["images/a.png", "./images/c.png"],
    "test_filenames": ["images\\d.png"],
    "val_filenames": [],
}


def test_a_split_is_the_frames_that_the_lists_name(tmp_path):
    path = write(tmp_path, **LISTS)
    assert names(load(path, split="train")) == ["a", "c"]
    assert names(load(path, split="test")) == ["d"]
    assert names(load(path)) == ["a", "b", "c", "d"]


def test_names_may_be_absolute_or_without_suffix(tmp_path):
    given = [str(tmp_path / "images" / "b.png"), "images/d"]
    assert names(load(write(tmp_path, train_filenames=given), split="train")) == ["b", "d"]


@pytest.mark.parametrize(
    "lists, message",
    [
        ({"train_filenames": ["images/x.png", "a.png"]}, "must name .*2 of 2 match none: 'images/x.png'"),
        ({"test_filenames": "images/a.png"}, "test_filenames must be a list of file_paths; got 'images/a.png'"),
        ({"val_filenames": [3]}, r"val_filenames must be a list of file_paths; got \[3\]"),
        ({}, "split='train' needs train_filenames .*no such list"),
        ({"train_filenames": [], "test_filenames": ["images/a.png"]}, r"train_filenames \(0\), test_filenames \(1\)"),
    ],
)  # fmt: skip
def test_a_wrong_list_is_named(tmp_path, lists, message):
    with pytest.raises(ValueError, match=rf"transforms.json: .*{message}"):
        load(write(tmp_path, **lists), split="train")


def test_wrong_words_are_named(tmp_path):
    path = write(tmp_path)
    with pytest.raises(ValueError, match="split None, 'train', 'val', 'test'; got .*split='dev'"):
        load(path, split="dev")
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'.*missing='ignore'"):
        load(path, missing="ignore")


def pictures(folder, *kept):
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    (folder / "images").mkdir()
    for name in kept:
        image.new("RGB", (33, 17)).save(folder / "images" / f"{name}.png")


def test_missing_pictures_are_counted_in_one_error(tmp_path):
    pictures(tmp_path, "b")
    with pytest.raises(FileNotFoundError) as error:
        load_cameras(write(tmp_path), 0.1, 10.0)
    text = str(error.value)
    assert "3 of 4 pictures are missing: frame 0 (" in text and "frame 3 (" in text
    assert all(f"{name}.png" in text for name in "acd") and "b.png" not in text
    assert "missing='skip'" in text and "--skip-missing" in text


def test_many_missing_pictures_are_counted_but_not_all_listed(tmp_path):
    path = write(tmp_path, [f"n{k}" for k in range(1000)])
    with pytest.raises(FileNotFoundError, match="1000 of 1000 pictures are missing") as error:
        load_cameras(path, 0.1, 10.0)
    assert len(str(error.value)) < 2000


def test_frames_with_missing_files_can_be_skipped(tmp_path):
    pictures(tmp_path, "b", "d")
    path = write(tmp_path)
    with pytest.warns(UserWarning, match="2 of 4 pictures are missing: frame 0 .*left out"):
        frames = load_cameras(path, 0.1, 10.0, missing="skip")
    assert names(frames) == ["b", "d"]
    # what another split lacks is nothing to this one
    path = write(tmp_path, train_filenames=["images/b.png"])
    assert names(load_cameras(path, 0.1, 10.0, split="train")) == ["b"]


def test_no_picture_at_all_cannot_be_skipped(tmp_path):
    with pytest.raises(FileNotFoundError, match="4 of 4 pictures are missing"):
        load_cameras(write(tmp_path), 0.1, 10.0, missing="skip")


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"frames": ' + '{"a": ' * 100_000, "nested too deeply"),
        ('{"fl_x": ' + "9" * 5000 + ', "frames": [{}]}', "must be JSON; Exceeds the limit"),
        ('{"frames": [' + "\udcff" + "]}", "must be JSON; 'utf-8' codec"),
        ("", "must be JSON"),
        ("null", "must have 'frames'"),
    ],
)
def test_hostile_json_is_refused_with_the_files_name(tmp_path, text, message):
    path = tmp_path / "transforms.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=rf"load_cameras: .*transforms.json: .*{message}"):
        load(path)


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load(path)) == 4


def test_a_file_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "transforms.json"
    with open(path, "wb") as file:
        file.truncate(3 << 30)  # sparse: takes no space
    with pytest.raises(ValueError, match="must have at most 1024 MiB; got 3072 MiB"):
        read_json(path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"file_path": "x" * 300 + ".png"}, "file_path must be the path of a file; got a name of 304 bytes"),
        ({"file_path": "é" * 200}, "got a name of 400 bytes"),
        ({"mask_path": "m/" + "x" * 5000}, "mask_path must be the path of a file; got a name of 5000 bytes"),
        ({"file_path": "a\0b"}, "file_path must be the path of a file; got 'a.x00b'"),
        ({"file_path": "images/"}, "name the file"),
        ({"file_path": ".."}, "name the file"),
        ({"file_path": {"a": 1}}, "file_path must be the path"),
        ({"fl_x": 10**400}, "fl_x must be a finite number"),
        ({"fl_x": True}, "fl_x must be a finite number; got True"),
        ({"fl_x": [40]}, r"fl_x must be a finite number; got \[40\]"),
        ({"w": 1e30}, "w must be at least 1 and below 1e.06"),
        ({"cx": 1e300}, "position and lens must fit float32"),
        ({"transform_matrix": np.diag([1.0, 1, 1, 1]).tolist()[:2]}, r"it has the shape \[2, 4\]"),
        ({"transform_matrix": [[10**400] * 4] * 4}, "transform_matrix must be 4 rows of 4 numbers"),
        ({"transform_matrix": [["1"] * 4] * 4}, "transform_matrix must be 4 rows of 4 numbers"),
        ({"transform_matrix": np.diag([1e200, 1e200, 1e200, 1]).tolist()}, "length overflows"),
        ({"transform_matrix": [[1, 0, 0, 1e39], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}, "must fit float32"),
        ({"transform_matrix": None}, "must have 'transform_matrix'|must be 4 rows"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_named_with_its_frame(tmp_path, settings, message):
    path = write(tmp_path)
    data = json.loads(path.read_text())
    data["frames"][2].update(settings)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=rf"transforms.json: frame 2: .*({message})"):
        load(path)


def test_a_deep_matrix_is_refused_by_name(tmp_path):
    path = write(tmp_path)
    deep = "[" * 400 + "]" * 400
    text = path.read_text().replace(json.dumps(IDENTITY), deep, 1)
    path.write_text(text)
    with pytest.raises(ValueError, match="frame 0: transform_matrix must be 4 rows"):
        load(path)


def test_three_rows_and_four_rows_may_stand_in_one_file(tmp_path):
    path = write(tmp_path)
    data = json.loads(path.read_text())
    data["frames"][1]["transform_matrix"] = IDENTITY[:3]
    path.write_text(json.dumps(data))
    assert torch.equal(load(path)[1].camera.world_to_camera, load(path)[0].camera.world_to_camera)


def test_cameras_of_many_frames_are_those_of_one_frame_files(tmp_path):
    """All frames go through one batch; each must come out as it would alone."""
    generator = np.random.default_rng(3)
    frames = []
    for k in range(20):
        rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        pose = np.eye(4)
        pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation)) * generator.uniform(0.5, 2)
        pose[:3, 3] = generator.normal(size=3)
        lens = dict(
            zip(("fl_x", "fl_y", "cx", "cy"), generator.uniform(10, 50, 4).tolist(), strict=True)
        )
        frames.append({"file_path": f"{k}.png", "transform_matrix": pose.tolist(), **lens})
    path = write(tmp_path, frames=frames)
    together = load(path)
    for k, frame in enumerate(frames):
        alone = load(write(tmp_path, frames=[frame]))[0].camera
        assert torch.allclose(together[k].camera.projection, alone.projection, rtol=1e-6)
        assert torch.allclose(together[k].camera.world_to_camera, alone.world_to_camera, atol=1e-6)


def test_the_quick_check_of_poses_agrees_with_the_one_that_says_what_is_wrong():
    generator = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (400, 1, 1))
    for k, pose in enumerate(poses):
        rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        pose[:3, :3] = rotation * 10.0 ** generator.uniform(-3, 3)
        if k % 4 == 0:
            pose[generator.integers(4), generator.integers(4)] = generator.choice(
                [0.0, 2.0, math.nan, math.inf, 1e200]
            )
        if k % 7 == 0:
            pose[:3, :3] += generator.normal(size=(3, 3)) * 10.0 ** generator.uniform(-4, 0)
    expected = [pose_problem(pose) is not None for pose in poses]
    assert 50 < sum(expected) < 350
    assert bad_poses(poses).tolist() == expected


def broken(generator: random.Random, text: str) -> str:
    """A json text with one thing wrong, of the kinds that hands and programs make."""
    kind = generator.randrange(5)
    at = generator.randrange(len(text))
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + generator.choice('{}[]",:x0-') + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at + generator.randrange(1, 40) :]
    value = generator.choice(
        ["null", "true", '"x"', "[]", "{}", "1e999", "-1", "NaN", "9" * 5000, "0"]
    )
    starts = [n for n, c in enumerate(text) if c == ":" or c == ","]
    start = generator.choice(starts) + 1
    end = min((text.find(c, start) for c in ",}]" if text.find(c, start) > 0), default=len(text))
    return text[:start] + value + text[end:]


@pytest.mark.parametrize("seed", range(10))
def test_a_file_with_something_wrong_loads_or_says_what_is_wrong(tmp_path, seed):
    generator = random.Random(seed)
    text = write(
        tmp_path, ("a", "b"), **LISTS | {"train_filenames": ["images/a.png"], "test_filenames": []}
    ).read_text()
    path = tmp_path / "broken" / "transforms.json"
    path.parent.mkdir()
    refused = 0
    for _ in range(40):
        path.write_text(broken(generator, text))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frames = load_cameras(
                    path, need_images=False, resolution=(17, 33), near=0.1, far=10.0, split="train"
                )
            assert all(torch.isfinite(f.camera.world_to_clip).all() for f in frames)
        except ValueError as error:
            assert str(error).startswith("glrast.clip.load_cameras: ") and "transforms.json" in str(
                error
            )
            refused += 1
    assert refused > 5
