"""COLMAP's models: text and binary say the same, poses and lenses are right, and broken files are told by name."""

import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.camera.colmap.read import find_model, picture_folder, read_drafts, read_model
from glrast.camera.distortion import Distortion
from glrast.clip import world_to_camera_from_opencv
from tests.camera.colmap_files import Scene, example, pose_of, write_binary, write_text

MOUSE = Path(__file__).parents[3] / "shared" / "data" / "mouse"


def pictures(folder: Path, scene: Scene, scale: int = 1) -> Path:
    for shot in scene.shots:
        _, width, height, _ = scene.cameras[shot.camera]
        (folder / shot.name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width * scale, height * scale), (9, 99, 9)).save(folder / shot.name)
    return folder


def same(a, b) -> bool:
    whole = a.cameras == b.cameras and len(a.images) == len(b.images)
    for one, other in zip(a.images, b.images, strict=True):
        whole &= (one.name, one.camera, one.quaternion, one.translation) == (
            other.name, other.camera, other.quaternion, other.translation
        )  # fmt: skip
        whole &= np.array_equal(one.xy, other.xy) and np.array_equal(one.point, other.point)
    parts = ("id", "xyz", "error", "seen")
    return whole and all(np.array_equal(getattr(a.points, p), getattr(b.points, p)) for p in parts)


def test_text_and_binary_say_the_same_to_the_bit(tmp_path):
    scene = example()
    text = read_model(write_text(tmp_path / "text", scene))
    binary = read_model(write_binary(tmp_path / "binary", scene))
    assert same(text, binary) and (text.text, binary.text) == (True, False)
    assert [image.name for image in text.images] == ["a.jpg", "b/left one.jpg", "c.jpg"]
    assert text.images[1].xy.tolist() == [[1.25, 2.5], [3.0, 4.0]]
    assert text.images[1].point.tolist() == [7, -1] and len(text.images[0].point) == 0
    assert text.points.id.tolist() == [7, 9] and text.points.seen.tolist() == [2, 0]
    assert text.points.xyz[1].tolist() == [1.0, -2.0, 1 / 7] and text.points.error[0] == 0.625


def test_frames_have_the_poses_lenses_and_bends_of_the_model(tmp_path):
    scene = example()
    model = read_model(write_binary(tmp_path / "sparse" / "0", scene))
    drafts = read_drafts(model, pictures(tmp_path / "images", scene, scale=3))
    turned = {shot.name: shot for shot in scene.shots}
    for image, pose in zip(model.images, drafts.poses, strict=True):
        w, x, y, z = turned[image.name].quaternion
        q = np.array([x, y, z])
        cross = np.cross(np.eye(3), q)  # rows e x q: R v = v + 2 w (q x v) + 2 q x (q x v)
        R = np.eye(3) - 2 * w * cross.T @ np.eye(3) + 2 * cross.T @ cross.T
        expected = world_to_camera_from_opencv(R, turned[image.name].translation)
        torch.testing.assert_close(
            torch.linalg.inv(torch.from_numpy(pose)).float(), expected, rtol=0, atol=1e-6
        )
    files = drafts.files
    assert [f.size for f in files] == [(99, 51), (51, 99), (51, 99)]
    assert tuple(files[0].lens) == (50.0, 50.0, 8.5, 16.5, 33, 17)
    assert tuple(files[1].lens) == (40.0, 41.0, 16.4, 8.7, 17, 33)
    assert files[0].distortion == Distortion("radial", (0.05,))
    assert files[1].distortion == Distortion("radial", (-0.1, 0.02, 0.001, -0.002))


def test_the_writer_of_the_tests_gives_a_pose_back(tmp_path):
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    matrix = world_to_camera_from_opencv(rotation, [0.3, -0.4, 2.0])
    scene = example()
    q, t = pose_of(matrix)
    scene.shots = [replace(scene.shots[0], quaternion=q, translation=t)]
    pose = read_model(write_text(tmp_path, scene)).images[0].camera_to_world()
    torch.testing.assert_close(
        torch.linalg.inv(torch.from_numpy(pose)).float(), matrix, atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("place", ["sparse/0", "sparse", "colmap/sparse/0", "dense/sparse", "."])
@pytest.mark.parametrize("images", ["images", "input"])
def test_models_and_pictures_are_found_where_tools_put_them(tmp_path, place, images):
    scene = example()
    write_text(tmp_path / place, scene)
    folder = tmp_path / "dense" / images if place.startswith("dense") else tmp_path / images
    pictures(folder, scene)
    found = find_model(tmp_path)
    assert found is not None and found.resolve() == (tmp_path / place).resolve()
    assert picture_folder(read_model(found), tmp_path) == folder
    # the folder of the model itself as the argument
    assert picture_folder(read_model(found), found).resolve() == folder


def test_of_several_models_the_largest_is_taken_and_the_binary_one_before_text(tmp_path):
    small, large = example(), example()
    small.shots = small.shots[:1]
    write_binary(tmp_path / "sparse" / "0", small)
    write_binary(tmp_path / "sparse" / "1", large)
    found = find_model(tmp_path)
    assert found is not None and found.name == "1"
    write_text(found, small)
    assert len(read_model(found).images) == 3


def test_files_of_rigs_and_frames_change_nothing(tmp_path):
    scene = example()
    write_binary(tmp_path, scene)
    before = read_model(tmp_path)
    (tmp_path / "rigs.bin").write_bytes(b"\1" * 99)
    (tmp_path / "frames.bin").write_bytes(b"\1" * 99)
    assert same(before, read_model(tmp_path))
    (tmp_path / "points3D.bin").unlink()
    assert len(read_model(tmp_path).points) == 0


def edited(scene: Scene, **changes) -> Scene:
    shot = replace(scene.shots[0], **changes)
    return replace(scene, shots=[shot, *scene.shots[1:]])


@pytest.mark.parametrize("write", [write_text, write_binary])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: edited(s, camera=8), r"images\.\w+: CAMERA_ID of .* must be one of the cameras .*; got 8"),
        (lambda s: edited(s, quaternion=[1.0, 1.0, 0.0, 0.0]), r"QW QX QY QZ of .* must have the length 1; got 1.41"),
        (lambda s: replace(s, shots=[]), r"images\.\w+: must have at least one image"),
        (lambda s: replace(s, cameras={3: ("EQUIRECTANGULAR", 64, 32, [64.0, 32.0])}),
         r"cameras\.\w+: camera 3: MODEL must be one of SIMPLE_PINHOLE, .*got EQUIRECTANGULAR; .*undistort"),
        (lambda s: replace(s, cameras={3: ("PINHOLE", 64, 32, [0.0, 1.0, 2.0, 3.0])}),
         r"camera 3: PARAMS of PINHOLE must begin with 2 focal lengths above 0; got \[0.0, 1.0\]"),
        (lambda s: replace(s, cameras={3: ("PINHOLE", 0, 32, [1.0, 1.0, 2.0, 3.0])}),
         r"camera 3: WIDTH and HEIGHT must be from 1 to 1e\+06 pixels; got 0 x 32"),
    ],
)  # fmt: skip
def test_what_no_model_has_is_refused_by_name(tmp_path, write, change, message):
    with pytest.raises(ValueError, match=rf"glrast.*{message}"):
        read_model(write(tmp_path, change(example())))


@pytest.mark.parametrize(
    "file, old, new, message",
    [
        ("cameras.txt", "OPENCV", "LENTIL", r"cameras.txt: line 3: MODEL must be one of .*got 'LENTIL'"),
        ("cameras.txt", " -0.002", "", r"line 3: OPENCV must have 8 parameters; got 7"),
        ("cameras.txt", "41.0", "nan", r"line 3 must have finite numbers; got 'nan'"),
        ("images.txt", " a.jpg", "", r"images.txt: line 4 must be IMAGE_ID QW .* NAME; got"),
        ("images.txt", "1.25 2.5 7 ", "1.25 2.5 ", r"line 3 must be X Y POINT3D_ID .*got 5 words"),
        ("images.txt", "3 b/left", "x b/left", r"line 2 must have a whole number; got 'x'"),
        ("points3D.txt", "255 0 128", "255 0", r"points3D.txt: line 2 must be POINT3D_ID .*got 11 words"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path, file, old, new, message):
    write_text(tmp_path, example())
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"glrast.*{message}"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    "file, at, value, message",
    [
        ("cameras.bin", 0, struct.pack("<Q", 1 << 60), r"room for its 1152921504606846976 cameras; found \d+ bytes"),
        ("cameras.bin", 12, struct.pack("<i", 99), r"camera 3 must be a number from 0 to 17; got 99"),
        ("images.bin", 0, struct.pack("<Q", 1 << 40), r"must have room for its"),
        ("images.bin", 8 + 64 + 15, struct.pack("<Q", 1 << 50), r"bytes for the points of 'b/left one.jpg'"),
        ("points3D.bin", 8 + 43, struct.pack("<Q", 1 << 61), r"bytes for the track of point 0"),
    ],
)  # fmt: skip
def test_a_count_is_not_believed(tmp_path, file, at, value, message):
    write_binary(tmp_path, example())
    data = bytearray((tmp_path / file).read_bytes())
    data[at : at + len(value)] = value
    (tmp_path / file).write_bytes(bytes(data))
    with pytest.raises(ValueError, match=rf"glrast.*{file}.*{message}"):
        read_model(tmp_path)


@pytest.mark.slow
def test_a_thousand_broken_files_are_refused_or_read_but_break_nothing(tmp_path):
    generator = random.Random(7)
    for write in (write_binary, write_text):
        folder = write(tmp_path / write.__name__, example())
        whole = {path: path.read_bytes() for path in folder.iterdir()}
        refused = 0
        for _ in range(1000):
            path = generator.choice(sorted(whole))
            path.write_bytes(broken(whole[path], generator))
            try:
                model = read_model(folder)
                assert all(np.isfinite(image.camera_to_world()).all() for image in model.images)
            except ValueError as error:
                assert str(error).startswith("glrast") and folder.name in str(error), error
                refused += 1
            path.write_bytes(whole[path])
        assert refused > 400


def broken(data: bytes, generator: random.Random) -> bytes:
    """Cut, a piece taken out, some bytes changed, or a whole word of ones."""
    kind, out = generator.randrange(4), bytearray(data)
    at = generator.randrange(len(out))
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        return bytes(out[:at] + out[at + generator.randrange(1, 9) :])
    if kind == 2:
        for _ in range(generator.randrange(1, 6)):
            out[generator.randrange(len(out))] = generator.randrange(256)
    else:
        out[at : at + 8] = b"\xff" * min(8, len(out) - at)
    return bytes(out)


def test_pictures_that_are_missing_or_of_another_aspect_are_named(tmp_path):
    scene = example()
    model = read_model(write_text(tmp_path / "sparse", scene))
    folder = pictures(tmp_path / "images", scene)
    Image.new("RGB", (20, 20)).save(folder / "c.jpg")
    with pytest.raises(
        ValueError, match=r"images.txt: image 'c.jpg': must have the aspect of camera 3, 33 x 17"
    ):
        read_drafts(model, folder)
    (folder / "c.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 pictures is missing: frame 2 \(.*c.jpg\)"):
        read_drafts(model, folder)
    drafts = read_drafts(model, folder, missing="skip")
    assert len(drafts.files) == 2 and "left out" in drafts.skipped


@pytest.mark.slow
@pytest.mark.skipif(not MOUSE.is_dir(), reason=f"the shared photographs {MOUSE} are not here")
def test_the_points_of_a_real_model_land_where_it_says():
    model = read_model(MOUSE / "sparse" / "0")
    drafts = read_drafts(model, MOUSE / "images")
    row = {identity: n for n, identity in enumerate(model.points.id.tolist())}
    off = []
    for image, pose, file in zip(model.images, drafts.poses, drafts.files, strict=True):
        seen = np.array([p in row for p in image.point.tolist()])
        xyz = model.points.xyz[[row[p] for p in image.point[seen].tolist()]]
        x, y, z = ((xyz - pose[:3, 3]) @ pose[:3, :3]).T
        lens = file.lens
        at = np.stack([lens.fx * x / -z + lens.cx, lens.fy * -y / -z + lens.cy], axis=1)
        off.append(np.linalg.norm(at - image.xy[seen], axis=1))
    # what pycolmap's own projection gives, in pixels
    assert np.concatenate(off).mean() == pytest.approx(0.72672, abs=1e-4)
