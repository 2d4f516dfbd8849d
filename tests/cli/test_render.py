"""`glrast render` on a square that faces the camera: every pixel of every layer is known."""

import json
import math
import sys
import types

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.cli import main as cli
from glrast.cli import pictures, render
from glrast.clip import Mesh, grid, save_mesh

SIZE = 32
DISTANCE = (
    4.0  # of the camera from the square [-1,1]^2, which then covers the middle half of the image
)
HALF_VIEW = 2.0
QUARTER = slice(SIZE // 4, 3 * SIZE // 4)
EIGHT_BITS = 0.5 / 255 + 1e-6


def write_cameras(folder, poses=None, **settings):
    """A NeRF-synthetic file without images; poses as camera-to-world."""
    pose = np.eye(4)
    pose[2, 3] = DISTANCE
    poses = {"front": pose} if poses is None else poses
    frames = [
        {"file_path": f"./{n}", "transform_matrix": np.asarray(p).tolist()}
        for n, p in poses.items()
    ]
    angle = 2 * math.atan(HALF_VIEW / DISTANCE)
    path = folder / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": angle, **settings, "frames": frames}))
    return path


def write_square(folder, name="square.obj", **fields):
    pos, tri = grid(1, 1)
    save_mesh(folder / name, Mesh(pos, tri, **fields))
    return folder / name


def run(folder, mesh, cameras, *words, size=SIZE):
    out = folder / "out"
    arguments = ["render", mesh, "--cameras", cameras, "--out", out, "--device", "cpu", *words]
    if size:
        arguments += ["--resolution", size]
    code = cli.main([str(word) for word in arguments])
    return code, out


def load(out, layer, name="front", format="png"):
    path = out / layer / f"{name}.{format}"
    return np.load(path) if format == "npy" else np.asarray(Image.open(path))


def test_mask_is_the_square_and_nothing_else(tmp_path):
    code, out = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path), "--layers", "mask")
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[QUARTER, QUARTER] = 255
    assert code == 0
    assert np.array_equal(load(out, "mask"), expected)


def test_color_has_the_top_row_first_and_straight_alpha(tmp_path):
    # y of the square's vertices runs upwards: blue below, red above
    color = torch.tensor([[0.0, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0]])
    mesh = write_square(tmp_path, color=color)
    _, out = run(tmp_path, mesh, write_cameras(tmp_path), "--layers", "color")
    pixels = load(out, "color")[QUARTER, QUARTER] / 255
    height = (np.arange(SIZE // 2)[::-1] + 0.5) / (SIZE // 2)  # 1 at the top
    # colours change evenly in linear light (glTF 2.0, 3.9.2); an image file holds them in sRGB (IEC 61966-2-1)
    red, blue = (1.055 * x ** (1 / 2.4) - 0.055 for x in (height, 1 - height))
    assert pixels.shape[2] == 4
    assert np.abs(pixels[..., 0] - red[:, None]).max() < EIGHT_BITS
    assert np.abs(pixels[..., 2] - blue[:, None]).max() < EIGHT_BITS
    assert (pixels[..., 3] == 1).all()


def test_antialiased_edge_keeps_the_color_and_halves_the_alpha(tmp_path):
    # one pixel less: the square's border runs through the middle of pixels
    mesh = write_square(tmp_path, color=torch.tensor([[0.2, 0.4, 0.6]]).expand(4, 3))
    _, out = run(tmp_path, mesh, write_cameras(tmp_path), size=SIZE - 2)
    color, mask = load(out, "color"), load(out, "mask")
    border = color[SIZE // 2, (SIZE - 2) // 4]
    assert np.abs(border[:3] / 255 - [0.2, 0.4, 0.6]).max() < EIGHT_BITS
    assert abs(border[3] / 255 - 0.5) < 2 * EIGHT_BITS
    assert np.array_equal(color[..., 3], mask)


def test_depth_is_the_distance_along_the_axis_in_steps_of_the_json(tmp_path):
    mesh, cameras = write_square(tmp_path), write_cameras(tmp_path)
    _, out = run(tmp_path, mesh, cameras, "--layers", "depth")
    unit = json.loads((out / "depth.json").read_text())["scene_units_per_step"]
    depth = load(out, "depth")
    assert depth.dtype == np.uint16
    assert np.abs(depth[QUARTER, QUARTER] * unit - DISTANCE).max() <= unit
    assert (depth > 0).sum() == (SIZE // 2) ** 2


def test_npy_is_float32_without_scaling(tmp_path):
    mesh, cameras = write_square(tmp_path), write_cameras(tmp_path)
    _, out = run(tmp_path, mesh, cameras, "--layers", "depth,normal", "--format", "npy")
    depth, normal = load(out, "depth", format="npy"), load(out, "normal", format="npy")
    assert depth.dtype == normal.dtype == np.float32
    assert np.allclose(depth[QUARTER, QUARTER], DISTANCE, rtol=1e-6)
    assert depth.shape == (SIZE, SIZE, 1) and depth[0, 0] == 0
    assert np.allclose(normal[QUARTER, QUARTER], [0, 0, 1]) and (normal[0, 0] == 0).all()
    assert not (out / "depth.json").exists()


@pytest.mark.parametrize("space, expected", [("camera", [0, 0, 1]), ("world", [0, 0, -1])])
def test_normals_of_the_back_point_outwards_in_the_asked_space(tmp_path, space, expected):
    pos, tri = grid(1, 1)
    save_mesh(tmp_path / "back.obj", Mesh(pos, tri.flip(1)))  # faces -z
    behind = np.diag([-1.0, 1, -1, 1])  # half a turn about y
    behind[2, 3] = -DISTANCE
    cameras = write_cameras(tmp_path, {"front": behind})
    words = ["--layers", "normal", "--format", "npy", "--normal-space", space]
    _, out = run(tmp_path, tmp_path / "back.obj", cameras, *words)
    assert np.allclose(load(out, "normal", format="npy")[QUARTER, QUARTER], expected, atol=1e-6)


def test_a_mesh_without_colors_is_grey_and_brightest_where_it_faces_the_camera(tmp_path):
    _, out = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path), "--layers", "color")
    assert (load(out, "color")[QUARTER, QUARTER] == 255).all()


def test_a_texture_lies_the_right_way_up(tmp_path):
    texture = torch.zeros(2, 2, 3)
    texture[0, 0] = torch.tensor([1.0, 0, 0])  # bottom left
    texture[1, 1] = torch.tensor([0.0, 1, 0])  # top right
    pos, tri = grid(1, 1)
    # the outer pixels see the centres of the outer texels: beyond them the texture's other end begins
    mesh = write_square(tmp_path, uv=pos[:, :2] * 4 / 15 + 0.5, uv_tri=tri, texture=texture)
    _, out = run(tmp_path, mesh, write_cameras(tmp_path), "--layers", "color")
    pixels = load(out, "color")[QUARTER, QUARTER, :3]
    assert pixels[-1, 0].tolist() == [255, 0, 0]
    assert pixels[0, -1].tolist() == [0, 255, 0]
    assert pixels[0, 0].tolist() == pixels[-1, -1].tolist() == [0, 0, 0]


def test_frames_with_the_same_file_name_do_not_overwrite_each_other(tmp_path):
    pose = np.eye(4)
    pose[2, 3] = DISTANCE
    cameras = write_cameras(tmp_path, {"left/0001": pose, "right/0001": pose})
    _, out = run(tmp_path, write_square(tmp_path), cameras)
    assert sorted(p.name for p in (out / "mask").iterdir()) == ["0000_0001.png", "0001_0001.png"]


@pytest.mark.parametrize("content", ["", "v 0 0 0\nv 1 0 0\nv 0 1 0\n"])
def test_a_mesh_without_triangles_is_refused(tmp_path, capsys, content):
    (tmp_path / "empty.obj").write_text(content)
    words = ["--cameras", str(write_cameras(tmp_path)), "--out", str(tmp_path / "out")]
    assert cli.main(["render", str(tmp_path / "empty.obj"), *words]) == 2
    assert "empty.obj has none; export it again with its faces" in capsys.readouterr().err


def test_a_camera_that_sees_nothing_is_reported_and_its_images_are_empty(tmp_path, capsys):
    away = np.eye(4)
    away[2, 3] = -DISTANCE
    code, out = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path, {"away": away}))
    assert code == 0
    assert "nothing of the mesh is in view of 1 of 1 cameras: away" in capsys.readouterr().out
    assert not load(out, "color", "away").any()


def test_resolution_n_is_the_longer_side_and_the_report_says_what_was_written(tmp_path, capsys):
    cameras = write_cameras(tmp_path, w=66, h=34)
    _, out = run(tmp_path, write_square(tmp_path), cameras, size=33)
    assert load(out, "mask").shape == (17, 33)
    text = capsys.readouterr().out
    assert str(out) in text and "color, mask as png" in text and "17x33" in text


@pytest.mark.parametrize(
    "words, size, message",
    [
        ((), "32x16", "--resolution must have the aspect of the camera 'front', 34x66"),
        (("--format", "exr"), 33, "--format exr needs OpenEXR"),
        (("--device", "vulkan"), 33, "--device must be auto, cpu, cuda or cuda:N; got 'vulkan'"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_written(
    tmp_path, capsys, monkeypatch, words, size, message
):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)  # even where it is installed
    cameras = write_cameras(tmp_path, w=66, h=34)
    code, out = run(tmp_path, write_square(tmp_path), cameras, *words, size=size)
    assert code == cli.WRONG_INPUT
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "words", [("--layers", "colour"), ("--layers", ""), ("--resolution", "0x8")]
)
def test_argparse_says_what_it_expected(tmp_path, capsys, words):
    with pytest.raises(SystemExit) as exit:
        run(tmp_path, "a.obj", "b.json", *words, size=None)
    assert exit.value.code == cli.WRONG_INPUT
    assert "expected" in capsys.readouterr().err


def test_without_images_and_sizes_the_camera_file_asks_for_a_resolution(tmp_path, capsys):
    code, _ = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path), size=None)
    assert code == cli.WRONG_INPUT
    assert "must tell the image's size" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    code, _ = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path))
    assert code == cli.WRONG_INPUT
    assert "--out must be a folder that can be written" in capsys.readouterr().err


def test_a_writer_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def fail(path, *_):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(render, "write", fail)
    code, out = run(tmp_path, write_square(tmp_path), write_cameras(tmp_path))
    assert code == cli.WRONG_INPUT
    assert [p for p in out.rglob("*") if p.is_file()] == []


def test_exr_has_linear_premultiplied_color(tmp_path, monkeypatch):
    written = {}

    class File:
        def __init__(self, header, channels):
            self.channels = channels

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, path):
            written.update(self.channels)

    fake = types.SimpleNamespace(File=File, ZIP_COMPRESSION=3, scanlineimage=0)
    monkeypatch.setitem(sys.modules, "OpenEXR", fake)
    color = torch.tensor([[[0.5, 1.0, 0.0, 0.5]] * 5] * 4)  # 4 x 5 pixels
    pictures.write(tmp_path / "a.exr", "color", color, "exr", 1.0)
    assert written["R"].shape == (4, 5)
    linear = ((0.5 + 0.055) / 1.055) ** 2.4
    for name, value in {"R": linear / 2, "G": 0.5, "B": 0.0, "A": 0.5}.items():
        assert np.allclose(written[name], value, atol=1e-6), name
