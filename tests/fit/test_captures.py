"""One object in every convention, through bent lenses, in several sizes: the same views, the same hull."""

import json
import math
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.camera.distortion import Distortion
from glrast.clip import from_intrinsics, transform_points
from glrast.fit.dataset import load_dataset
from glrast.fit.hull import carved, settled
from glrast.fit.loading import on_canvas, within
from glrast.fit.views import Views
from tests.camera.colmap_files import Scene, Shot, pose_of, write_binary, write_text
from tests.fit.bent import ball, photograph
from tests.fit.sphere import CENTRE, RADIUS, cameras, sphere_views, write_dataset, write_png

COUNT = 9
# lens (fx, fy, cx, cy), (height, width), distortion: a wide camera, an upright one, a fisheye
WIDE = (
    (48.0, 49.0, 30.6, 20.2),
    (41, 61),
    Distortion("radial", (-0.08, 0.01, 0.002, -0.003, 0, 0, 0, 0)),
)
TALL = ((60.0, 60.0, 22.5, 33.5), (67, 45), None)
ROUND = ((40.0, 40.0, 25.5, 25.5), (51, 51), Distortion("fisheye", (-0.02, 0.004, 0.0, 0.0)))
MIXED = [(WIDE, TALL, ROUND)[k % 3] for k in range(COUNT)]


def shots(setups):
    """(world to camera, lens, size, distortion, picture) for each."""
    return shots_once(tuple(setups))


@cache
def shots_once(setups):
    views = zip(cameras(len(setups)), setups, strict=True)
    return [
        (view, lens, size, bend, photograph(ball, view, lens, size, bend))
        for view, (lens, size, bend) in views
    ]


def write_nerfstudio(folder, setups) -> None:
    frames = []
    for k, (view, (fx, fy, cx, cy), (h, w), bend, picture) in enumerate(shots(setups)):
        write_png(folder / "images" / f"{k}.png", picture)
        frame = {
            "file_path": f"images/{k}.png",
            "transform_matrix": torch.linalg.inv(view.double()).tolist(),
        }
        frame |= {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "w": w, "h": h}
        if bend and bend.kind == "radial":
            frame |= dict(
                zip(("k1", "k2", "p1", "p2"), bend.values, strict=False), camera_model="OPENCV"
            )
        elif bend:
            frame |= dict(
                zip(("k1", "k2", "k3", "k4"), bend.values, strict=True),
                camera_model="OPENCV_FISHEYE",
            )
        frames.append(frame)
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))


def write_colmap(folder, setups, write=write_binary) -> None:
    names = {"radial": "OPENCV", "fisheye": "OPENCV_FISHEYE"}
    scene = Scene({}, [])
    for k, (view, lens, (h, w), bend, picture) in enumerate(shots(setups)):
        write_png(folder / "images" / f"{k}.png", picture)
        model, bends = (names[bend.kind], list(bend.values[:4])) if bend else ("PINHOLE", [])
        scene.cameras[k + 1] = (model, w, h, [float(v) for v in (*lens, *bends)])
        scene.shots.append(Shot(f"{k}.png", k + 1, *pose_of(view)))
    write(folder / "sparse" / "0", scene)


def hull_error(views: Views) -> float:
    """The mean distance of the hull's vertices from the sphere, in radii."""
    alpha = views.rgba[..., 3].float() / 255
    agreed = settled(alpha, views.world_to_clip, views.names, views.known)
    pos, _ = carved(agreed.inside, views.world_to_clip, views.names, agreed.known)
    off = (pos.double() + torch.tensor(views.origin).double() - torch.tensor(CENTRE).double()).norm(
        dim=1
    )
    return float((off / RADIUS - 1).abs().mean())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    write_nerfstudio(folder, MIXED)
    return folder


@pytest.mark.slow
def test_pictures_of_three_lenses_and_sizes_lie_on_one_canvas(mixed):
    views = load_dataset(mixed, 512).train
    assert views.resolution == (67, 61) and views.known is not None
    by_name = dict(zip(views.names, range(len(views)), strict=True))
    for k, (view, lens, (h, w), _, _) in enumerate(shots(MIXED)):
        if f"{k}.png" not in by_name:
            continue
        n = by_name[f"{k}.png"]
        expected = photograph(ball, view, lens, (h, w))  # what a pinhole would have taken
        known = views.known[n, :h, :w]
        assert not views.known[n, h:].any() and not views.known[n, :, w:].any()
        assert known[h // 2, w // 2] and known.float().mean() > 0.8
        # where the ball does not end, colours agree to three levels
        inner = (expected[..., 3] == 255) & (views.rgba[n, :h, :w, 3] == 255) & known
        off = (views.rgba[n, :h, :w].int() - expected.int()).abs()[inner]
        assert inner.sum() > 200 and off.float().mean() < 0.6
        apart = (expected[..., 3] > 127) ^ (views.rgba[n, :h, :w, 3] > 127)
        assert (apart & known).sum() < 0.04 * inner.sum()
        # and the projection of the canvas puts the ball's middle where the picture's own does
        clip = transform_points(
            from_intrinsics(*lens, (h, w), 0.1, 9.0).double() @ view.double(),
            torch.tensor([CENTRE]).double(),
        )
        at = (clip[0, :2] / clip[0, 3] + 1) / 2 * torch.tensor([w, h])
        clip = transform_points(views.world_to_clip[n], torch.tensor([CENTRE]).double())
        found = (clip[0, :2] / clip[0, 3] + 1) / 2 * torch.tensor([61, 67])
        torch.testing.assert_close(found.double(), at.double(), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_hull_of_mixed_pictures_is_that_of_plain_ones(mixed, tmp_path):
    write_nerfstudio(tmp_path, [TALL] * COUNT)
    plain, found = (hull_error(load_dataset(folder, 512).train) for folder in (tmp_path, mixed))
    assert found < 1.25 * plain + 0.005


def test_unequal_reduction_keeps_the_shares(mixed):
    views = load_dataset(mixed, 32).train
    assert views.resolution == (32, 32) and views.known is not None
    smaller = views.reduced(16)
    assert smaller.known is not None and smaller.known.shape[1:] == (16, 16)
    grown = smaller.known.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert not (grown & ~views.known).any()  # known is what is known in whole


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_binary, write_text])
def test_a_colmap_model_gives_the_views_of_the_json(mixed, tmp_path, write):
    write_colmap(tmp_path, MIXED, write)
    ours, theirs = load_dataset(tmp_path, 512), load_dataset(mixed, 512)
    for a, b in ((ours.train, theirs.train), (ours.test, theirs.test)):
        assert a.names == b.names and torch.equal(a.rgba, b.rgba) and torch.equal(a.known, b.known)
        torch.testing.assert_close(
            a.world_to_clip[:, :2], b.world_to_clip[:, :2], atol=1e-5, rtol=0
        )
    assert ours.held_out == "every 8th frame"
    # the model's own folder is as good
    assert len(load_dataset(tmp_path / "sparse" / "0", 32).train) == len(ours.train)


def test_the_file_itself_is_as_good_as_its_folder(mixed):
    a, b = load_dataset(mixed, 64), load_dataset(mixed / "transforms.json", 64)
    assert a.train.fingerprint() == b.train.fingerprint()


@pytest.mark.slow
def test_matrices_in_text_files_give_the_same_views(tmp_path):
    write_nerfstudio(tmp_path / "json", [TALL] * COUNT)
    (tmp_path / "text" / "cameras").mkdir(parents=True)
    lines = []
    for k, (view, (fx, fy, cx, cy), _, _, picture) in enumerate(shots([TALL] * COUNT)):
        write_png(tmp_path / "text" / "images" / f"{k}.png", picture)
        write_png(tmp_path / "list" / f"{k}.png", picture)
        K = np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])
        Rt = view.double().numpy()[:3] * np.array([[1.0], [-1.0], [-1.0]])
        (tmp_path / "text" / "cameras" / f"{k}.txt").write_text(
            " ".join(map(repr, (K @ Rt).ravel().tolist()))
        )
        parts = (*K.ravel(), *Rt[:, :3].ravel(), *Rt[:, 3])
        lines.append(f"{k}.png " + " ".join(repr(float(v)) for v in parts))
    (tmp_path / "list" / "ball_par.txt").write_text("\n".join([str(COUNT), *lines]))
    expected = load_dataset(tmp_path / "json", 64).train
    for name in ("text", "list", "list/ball_par.txt"):
        views = load_dataset(tmp_path / name, 64).train
        assert views.names == expected.names and torch.equal(views.rgba, expected.rgba)
        torch.testing.assert_close(
            views.world_to_clip[:, :2], expected.world_to_clip[:, :2], atol=1e-5, rtol=0
        )


def test_pictures_without_any_mask_are_one_error_that_says_what_to_do(tmp_path):
    write_nerfstudio(tmp_path, [TALL] * COUNT)
    for path in (tmp_path / "images").iterdir():
        with Image.open(path) as image:
            image.convert("RGB").save(path)
    with pytest.raises(
        ValueError,
        match=r"none of the 9 pictures has a mask: .*masks/0.png.*Put a mask .*glrast data",
    ):
        load_dataset(tmp_path, 64)
    views = load_dataset(tmp_path, 64, need_masks=False).train
    assert bool((views.rgba[..., 3] == 255).all())


def test_what_is_no_data_set_is_told_with_what_was_found(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.JPG").touch()
    with pytest.raises(
        FileNotFoundError,
        match=r"has none of them but images/. Pictures without cameras: docs/",
    ):
        load_dataset(tmp_path, 64)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"notes.txt is another file|has none of them but"):
        load_dataset(tmp_path / "notes.txt", 64)


def cut_views(padded: bool) -> Views:
    """Views of the sphere that end in its middle, on their own or on a wider canvas; the last two see it whole."""
    whole = sphere_views(8, 33, 33)
    pictures = []
    for k, rgba in enumerate(whole.rgba):
        picture = rgba[:, : 33 if k >= 6 else 17]
        pictures.append((picture, torch.ones(picture.shape[:2], dtype=torch.bool)))
    if padded:
        rgba, known, _ = on_canvas(pictures)
        return Views(rgba, whole.world_to_camera, whole.projection, whole.names, known=known)
    return whole


@pytest.mark.slow
def test_a_mask_cut_by_the_border_of_a_smaller_picture_does_not_carve_beyond_it():
    """The halves say nothing of the other half: with the padding believed as empty, the hull would lose it."""
    views = cut_views(padded=True)
    alpha = views.rgba[..., 3].float() / 255
    agreed = settled(alpha, views.world_to_clip, views.names, views.known)
    assert not agreed.distrusted.any()
    pos, _ = carved(agreed.inside, views.world_to_clip, views.names, agreed.known)
    extent = (pos.amax(0) - pos.amin(0)) / (2 * RADIUS)
    assert float(extent.min()) > 0.97
    believed, _ = carved(agreed.inside, views.world_to_clip, views.names)
    assert float(((believed.amax(0) - believed.amin(0)) / (2 * RADIUS)).min()) < 0.8


def test_a_share_of_the_canvas_moves_pixels_by_nothing():
    projection = from_intrinsics(20.0, 21.0, 8.0, 7.0, (15, 17), 0.1, 9.0).double()[None]
    moved = within(projection, torch.tensor([[17 / 40, 15 / 30]], dtype=torch.float64))
    point = torch.tensor([0.1, -0.2, -1.5, 1.0], dtype=torch.float64)
    a, b = ((p[0] @ point) for p in (projection, moved))
    pixels = (a[:2] / a[3] + 1) / 2 * torch.tensor([17.0, 15.0]).double()
    torch.testing.assert_close((b[:2] / b[3] + 1) / 2 * torch.tensor([40.0, 30.0]).double(), pixels)
    assert torch.equal(a[2:], b[2:])


def test_a_data_set_of_one_size_keeps_its_bits(tmp_path):
    write_dataset(tmp_path, sphere_views(5))
    views = load_dataset(tmp_path, 64).train
    assert views.known is None and views.doubted(0, None) is None
    assert math.isclose(
        float(views.projection[0, 0, 0]), 1 / math.tan(math.radians(20)), rel_tol=1e-6
    )
