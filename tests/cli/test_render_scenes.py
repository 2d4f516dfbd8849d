"""`glrast render` of scenes that cameras alone cannot guess: rooms, skies, far coordinates, tiny and huge ones."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from glrast.cli import main as cli
from glrast.cli import render
from glrast.clip import Mesh, cube, icosphere, load_mesh, look_at, save_mesh

SIZE = 32
UTM = np.array([5e5, 5e6, 300.0])


def pose(eye, target):
    matrix = np.linalg.inv(look_at(eye, target).double().numpy())
    matrix[:3, 3] = eye
    return matrix


def write_obj(path, pos, tri):
    """float64 text, as modellers write it."""
    lines = ["v {!r} {!r} {!r}".format(*(float(x) for x in p)) for p in np.asarray(pos)]
    lines += ["f {} {} {}".format(*(i + 1 for i in t)) for t in np.asarray(tri).tolist()]
    path.write_text("\n".join(lines))


def render_masks(folder, pos, tri, poses, *words, shift=0.0, fov=1.0):
    """[N,H,W] in 0..1 of `glrast render`, one mask a pose; the scene moved by `shift`."""
    folder.mkdir(exist_ok=True)
    write_obj(folder / "mesh.obj", np.asarray(pos, dtype=np.float64) + shift, tri)
    frames = []
    for k, matrix in enumerate(poses):
        matrix = matrix.copy()
        matrix[:3, 3] += shift
        frames.append({"file_path": f"{k}", "transform_matrix": matrix.tolist()})
    cameras = folder / "transforms.json"
    cameras.write_text(json.dumps({"camera_angle_x": fov, "w": SIZE, "h": SIZE, "frames": frames}))
    arguments = [
        "render",
        folder / "mesh.obj",
        "--cameras",
        cameras,
        "--out",
        folder / "out",
        "--layers",
        "mask",
    ]
    code = cli.main([str(a) for a in (*arguments, "--device", "cpu", *words)])
    assert code == 0
    return np.stack(
        [
            np.asarray(Image.open(folder / "out" / "mask" / f"{k}.png")) / 255
            for k in range(len(poses))
        ]
    )


def outward(radius=0.3):
    return [
        pose((radius * math.cos(a), radius * math.sin(a), 0), (9 * math.cos(a), 9 * math.sin(a), 1))
        for a in np.arange(6)
    ]


def test_a_room_seen_from_inside_fills_every_picture(tmp_path):
    pos, tri = cube()
    assert (render_masks(tmp_path, pos * 5, tri, outward()) == 1).all()


def test_a_sky_around_an_object_fills_every_picture(tmp_path):
    ball, faces = icosphere(2)
    pos = np.concatenate([ball, 1000 * ball])
    tri = np.concatenate([faces, faces + len(ball)])
    poses = [pose((4, 0, 1), (0, 0, 0)), pose((0, 5, 1), (0, 0, 0))]
    assert (render_masks(tmp_path, pos, tri, poses) == 1).all()


@pytest.mark.parametrize("count", [1, 3])
def test_cameras_side_by_side_and_a_single_one_see_the_object(tmp_path, count):
    pos, tri = cube()
    poses = [pose((0.1 * k, 0.0, 50.0), (0.1 * k, 0.0, 0.0)) for k in range(count)]
    masks = render_masks(tmp_path, pos, tri, poses, fov=0.15)
    # the front face is at 49: its share of the picture's side is 1 / (49 tan(0.075))
    share = (1 / (49 * math.tan(0.075))) ** 2
    assert masks.mean(axis=(1, 2)) == pytest.approx([share] * count, abs=0.01)


def test_a_camera_at_the_worlds_origin_needs_no_planes(tmp_path):
    pos, tri = cube()
    masks = render_masks(tmp_path, np.asarray(pos) * 0.5 - np.array([0, 0, 3]), tri, [np.eye(4)])
    assert masks.mean() == pytest.approx((0.5 / (2.5 * math.tan(0.5))) ** 2, abs=0.01)


def test_near_and_far_cut_what_they_say(tmp_path):
    pos, tri = cube()  # front at 4, back at 6
    poses = [pose((0.0, 0.0, 5.0), (0.0, 0.0, 0.0))]
    area = {d: (1 / (d * math.tan(0.5))) ** 2 for d in (4, 6)}
    for words, expected in (
        ((), area[4]),
        (("--near", "5.9"), area[6]),
        (("--far", "3.9"), 0.0),
        (("--near", "6.1"), 0.0),
        (("--near", "1", "--far", "4.5"), area[4]),
    ):
        masks = render_masks(tmp_path, pos, tri, poses, *words)
        assert masks.mean() == pytest.approx(expected, abs=0.02), words


def test_wrong_planes_are_named(tmp_path, capsys):
    pos, tri = cube()
    with pytest.raises(AssertionError):
        render_masks(tmp_path, pos, tri, [pose((0, 0, 5), (0, 0, 0))], "--near", "3", "--far", "2")
    assert "--near must be less than --far; got 3 and 2" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        render_masks(tmp_path, pos, tri, [pose((0, 0, 5), (0, 0, 0))], "--near", "0")
    assert "expected a distance above 0" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_tiny_and_huge_scenes_look_like_ones_of_size_one(tmp_path, scale):
    pos, tri = icosphere(2)
    eyes = [np.array([3.0, 0.5, 0.2]), np.array([0.3, -2.0, 2.0])]
    plain = render_masks(tmp_path / "a", pos, tri, [pose(e, (0, 0, 0)) for e in eyes])
    scaled = []
    for eye in eyes:
        matrix = pose(eye, (0, 0, 0))
        matrix[:3, 3] *= scale
        scaled.append(matrix)
    masks = render_masks(tmp_path / "b", np.asarray(pos, dtype=np.float64) * scale, tri, scaled)
    assert np.abs(masks - plain).max() <= 1 / 255 and plain.mean() > 0.1


def the_same_at_utm(tmp_path):
    pos, tri = icosphere(2)
    pos = np.asarray(pos, dtype=np.float64)
    eyes = [(3.0, 0.5, 0.25), (0.25, -2.0, 2.0), (-1.0, 2.0, 1.5)]
    poses = [pose(e, (0, 0, 0)) for e in eyes]
    plain = render_masks(tmp_path / "a", pos, tri, poses)
    moved = render_masks(tmp_path / "b", pos, tri, poses, shift=UTM)
    # float64 text of UTM coordinates holds 1e-9: what is left is a level of grey here and there
    assert np.abs(moved - plain).max() <= 2 / 255 and 0.1 < plain.mean() < 0.9


def test_the_same_scene_at_utm_has_the_same_masks(tmp_path, monkeypatch):
    """With a reader that subtracts an origin, as Mesh.origin says."""

    def read(path, texture=True):
        rows = [line.split()[1:] for line in open(path) if line.startswith("v ")]
        pos = np.array(rows, dtype=np.float64)
        origin = np.round(pos.mean(0)) if np.abs(pos).max() > 1e3 else np.zeros(3)
        tri = np.array([line.split()[1:] for line in open(path) if line.startswith("f ")], int) - 1
        return Mesh((pos - origin).astype(np.float32), tri.astype(np.int32), origin=tuple(origin))

    monkeypatch.setattr(render, "load_mesh", read)
    the_same_at_utm(tmp_path)


def test_an_obj_at_utm_has_the_same_masks(tmp_path):
    pos, tri = icosphere(0)
    write_obj(tmp_path / "far.obj", np.asarray(pos, dtype=np.float64) + UTM, tri)
    if not any(load_mesh(tmp_path / "far.obj").origin):
        pytest.skip("the obj reader does not subtract an origin yet")
    the_same_at_utm(tmp_path)


def test_depth_is_the_distance_in_a_room_as_well(tmp_path):
    pos, tri = cube()
    save_mesh(tmp_path / "room.obj", Mesh(pos * 8, tri))
    frame = {"file_path": "a", "transform_matrix": np.eye(4).tolist()}
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 1.0, "w": 9, "h": 9, "frames": [frame]}))
    words = ["--out", tmp_path / "out", "--layers", "depth", "--format", "npy", "--device", "cpu"]
    assert (
        cli.main([str(w) for w in ("render", tmp_path / "room.obj", "--cameras", path, *words)])
        == 0
    )
    assert np.load(tmp_path / "out" / "depth" / "a.npy") == pytest.approx(8.0, rel=1e-5)
