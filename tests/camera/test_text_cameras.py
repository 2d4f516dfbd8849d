"""Cameras of text files give the pixels that their matrices give, whichever way the matrices are written."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.camera.distortion import Distortion
from glrast.camera.lens import projections
from glrast.camera.matrices import split_matrix
from glrast.camera.pose import from_poses
from glrast.camera.text_cameras import middlebury_file, pictures_with_files, read_files, read_list

H, W = 17, 33
K = np.array([[52.0, 0, 15.25], [0, 50.0, 9.5], [0, 0, 1]])
POINTS = np.array([[0.1, 0.2, 0.3], [-0.3, 0.1, -0.2], [0.0, -0.25, 0.1]])
FOLDERS = ("images", ".")


def turn(k: int) -> tuple[np.ndarray, np.ndarray]:
    """R, t of a camera that looks at the origin."""
    c, s = math.cos(0.7 * k), math.sin(0.7 * k)
    tilt = np.array(
        [[1, 0, 0], [0, math.cos(0.3), -math.sin(0.3)], [0, math.sin(0.3), math.cos(0.3)]]
    )
    return tilt @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), np.array([0.05 * k, -0.1, 3.0])


def row(values) -> str:
    return " ".join(repr(float(v)) for v in np.ravel(values))


def pinhole_pixels(matrix: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Where the points land by the definition; whole numbers are middles of pixels."""
    x = (matrix @ (R @ POINTS.T + t[:, None])).T
    return x[:, :2] / x[:, 2:]


def landed(drafts, index: int) -> np.ndarray:
    """Where they land in the picture by pose and lens: pixels from the corner, less a half."""
    view = from_poses(drafts.poses)[index].double()
    lens = drafts.files[index].lens
    clip = (projections(np.array([lens]), 0.1, 9.0)[0].double() @ view).numpy() @ np.vstack(
        [POINTS.T, np.ones(3)]
    )
    x, y = clip[:2] / clip[3]
    return np.stack([(x + 1) / 2 * W, (1 - y) / 2 * H], axis=1) - 0.5


def pictures(folder, count: int = 3):
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.new("RGB", (W, H), (k, 0, 0)).save(folder / f"v{k}.png")


def mvsnet(R, t) -> str:
    E = np.vstack([np.hstack([R, t[:, None]]), [0, 0, 0, 1]])
    return f"extrinsic\n{row(E)}\n\nintrinsic\n{row(K)}\n\n425.0 2.5"


def product(R, t, scale: float = 1.0) -> np.ndarray:
    return scale * K @ np.hstack([R, t[:, None]])


WAYS = {
    "P": lambda R, t: row(product(R, t)),
    "P of a negative scale": lambda R, t: row(product(R, t, -0.37)),
    "P, 4 x 4": lambda R, t: row(np.vstack([product(R, t), [0, 0, 0, 1]])),
    "CONTOUR": lambda R, t: f"CONTOUR\n{row(product(R, t, 7.0))}",
    "K R t": lambda R, t: f"{row(K)} {row(R)}\n{row(t)}",
    "labels": lambda R, t: (
        f"# a camera\nt: {row(t)}\nR = [{row(R)}]\nK = [{row(K).replace(' ', ', ')}]"
    ),
    "MVSNet": mvsnet,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_a_camera_puts_points_where_it_says(tmp_path, way):
    pictures(tmp_path / "images")
    (tmp_path / "cameras").mkdir()
    for k in range(3):
        (tmp_path / "cameras" / f"v{k}.txt").write_text(WAYS[way](*turn(k)))
    drafts = read_files(pictures_with_files(tmp_path, FOLDERS), "error", None)
    for k in range(3):
        np.testing.assert_allclose(landed(drafts, k), pinhole_pixels(K, *turn(k)), atol=2e-5)
    assert all(file.distortion is None and file.orientation == 1 for file in drafts.files)


def test_middleburys_list_is_read(tmp_path):
    pictures(tmp_path)
    lines = [f"v{k}.png {row(K)} {row(turn(k)[0])} {row(turn(k)[1])}" for k in range(3)]
    (tmp_path / "dino_par.txt").write_text("\n".join(["3", *lines]) + "\n")
    path = middlebury_file(tmp_path)
    assert path is not None
    drafts = read_list(path, "error", None)
    for k in range(3):
        np.testing.assert_allclose(landed(drafts, k), pinhole_pixels(K, *turn(k)), atol=2e-5)
    (tmp_path / "v1.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"dino_par.txt: 1 of 3 pictures is missing: frame 1 \(.*v1.png"
    ):
        read_list(path, "error", None)
    assert len(read_list(path, "skip", None).files) == 2


@pytest.mark.parametrize(
    "place",
    ["cameras/v{}.txt", "cams/v{}_cam.txt", "images/v{}.png.P", "images/v{}.txt", "v{}.txt"],
)
def test_cameras_are_found_where_people_put_them(tmp_path, place):
    pictures(tmp_path / "images" if place != "v{}.txt" else tmp_path)
    for k in range(3):
        path = tmp_path / place.format(k)
        path.parent.mkdir(exist_ok=True)
        path.write_text(row(product(*turn(k))))
    found = pictures_with_files(tmp_path, FOLDERS)
    assert [picture.name for picture in found] == ["v0.png", "v1.png", "v2.png"]
    assert all(text == tmp_path / place.format(k) for k, text in enumerate(found.values()))


def test_axes_that_are_not_at_right_angles_are_a_bend_to_undo(tmp_path):
    pictures(tmp_path, 1)
    slanted = K.copy()
    slanted[0, 1] = 5.2
    (tmp_path / "v0.txt").write_text(row(slanted @ np.hstack([turn(1)[0], turn(1)[1][:, None]])))
    file = read_files(pictures_with_files(tmp_path, FOLDERS), "error", None).files[0]
    assert isinstance(file.distortion, Distortion) and file.distortion.kind == "skew"
    assert file.distortion.values[0] == pytest.approx(0.1, abs=1e-9)


def test_a_product_is_split_into_its_factors():
    R, t = turn(2)
    found = split_matrix(product(R, t, -2.5))
    for value, expected in zip(found, (K, R, t), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-9)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"must have 12 numbers \(P\), 21 .*found no number"),
        ("1 2 3", r"found {'numbers': 3}"),
        ("K 1 2 3 R 1 0 0 0 1 0 0 0 1 t 0 0 1", r"found {'K': 3, 'R': 9, 't': 3}"),
        ("1 2 nan " * 4, r"must have finite numbers; got 'nan'"),
        ("0 0 0 0 " * 3, r"have no inverse"),
        (row(np.hstack([np.eye(3), [[0], [0], [3]]])), r"focal lengths in pixels; got 1 and 1; .*K \[R\|t\]"),
        (f"{row(K)} {row(2 * np.eye(3))} 0 0 3", r"R must be a rotation, .*is scaled"),
        (f"{row(K)} {row(np.diag([1, 1, -1]))} 0 0 3", r"R must be a rotation, .*mirrors"),
    ],
)  # fmt: skip
def test_what_is_no_camera_is_refused_by_name(tmp_path, text, message):
    pictures(tmp_path, 1)
    (tmp_path / "v0.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"(?s)glrast.*v0.*{message}"):
        read_files(pictures_with_files(tmp_path, FOLDERS), "error", None)


@pytest.mark.parametrize(
    "text, message",
    [
        ("2\nv0.png 1 2", r"line 1 must be the number of lines that follow, 1; got '2'"),
        ("1\nv0.png 1 2", r"line 2: must be a name, K \(9\), R \(9\) and t \(3\); got 3 words"),
        ("", r"must have a line for each picture; found none"),
        (f"v0.png {row(K)} {row(np.eye(3))} 0 x 3", r"must have finite numbers; got 'x'"),
    ],
)
def test_a_broken_list_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "a_par.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"glrast.*a_par.txt: .*{message}"):
        read_list(path, "error", None)


def test_torch_and_numpy_agree_on_the_pose(tmp_path):
    pictures(tmp_path, 1)
    R, t = turn(1)
    (tmp_path / "v0.txt").write_text(f"{row(K)} {row(R)} {row(t)}")
    pose = read_files(pictures_with_files(tmp_path, FOLDERS), "error", None).poses[0]
    centre = torch.from_numpy(pose[:3, 3])
    torch.testing.assert_close(centre, torch.from_numpy(-R.T @ t))
