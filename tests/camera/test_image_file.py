"""EXIF orientation: which of the two ways to see a photograph a camera file means."""

import json
import warnings

import numpy as np
import pytest

from glrast.camera.image_file import read_head
from glrast.clip import load_cameras

Image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
STORED, TURNED = (
    (17, 33),
    (33, 17),
)  # (height, width) of a picture whose orientation is a quarter turn


def photograph(path, orientation, size=STORED):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size[::-1], (200, 100, 50)).save(path, exif=exif)


def write(folder, **settings):
    frame = {"file_path": "a.jpg", "transform_matrix": np.eye(4).tolist()}
    path = folder / "transforms.json"
    path.write_text(json.dumps({"fl_x": 40.0, "frames": [frame]} | settings))
    return path


def load(path):
    return load_cameras(path, 0.1, 10.0)[0]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_w_and_h_tell_whether_the_pixels_are_turned(tmp_path, orientation):
    photograph(tmp_path / "a.jpg", orientation)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored = load(write(tmp_path, h=17, w=33))
        turned = load(write(tmp_path, h=330, w=170))  # of the picture before it was reduced
    assert (stored.camera.resolution, stored.orientation) == (STORED, 1)
    assert (turned.camera.resolution, turned.orientation) == (TURNED, orientation)
    assert float(turned.camera.projection[0, 0]) == pytest.approx(80 / 170, rel=1e-5)


def test_a_mask_tells_it_where_w_and_h_are_missing(tmp_path):
    photograph(tmp_path / "a.jpg", 6)
    for size, expected in ((STORED, 1), (TURNED, 6)):
        Image.new("L", size[::-1], 255).save(tmp_path / "mask.png")
        frame = load(write(tmp_path, mask_path="mask.png"))
        assert (frame.camera.resolution, frame.orientation) == (size, expected)


@pytest.mark.parametrize("orientation, size", [(6, (9, 9)), (3, STORED), (2, STORED), (6, STORED)])
def test_where_nothing_tells_the_pixels_stay_and_a_warning_names_exif(tmp_path, orientation, size):
    photograph(tmp_path / "a.jpg", orientation, size)
    with pytest.warns(
        UserWarning,
        match=rf"1 pictures have an EXIF orientation.*a.jpg \({orientation}\).*auto-orient",
    ):
        frame = load(write(tmp_path))
    assert (frame.camera.resolution, frame.orientation) == (size, 1)


def test_an_aspect_that_is_neither_names_exif(tmp_path):
    photograph(tmp_path / "a.jpg", 6)
    with pytest.raises(ValueError, match=r"w and h must have the aspect.*EXIF orientation is 6"):
        load(write(tmp_path, w=50, h=50))


def test_pictures_without_or_with_the_plain_orientation_are_as_they_are(tmp_path):
    for orientation in (1, 0, 77):
        photograph(tmp_path / "a.jpg", orientation)
        assert read_head(str(tmp_path / "a.jpg")).orientation == 1
    Image.new("RGB", (4, 5)).save(tmp_path / "b.png")
    assert read_head(str(tmp_path / "b.png")).size == (5, 4)


def test_a_tiff_which_pillow_turns_by_itself_is_not_turned_twice(tmp_path):
    photograph(tmp_path / "a.tif", 6)
    head = read_head(str(tmp_path / "a.tif"))
    with Image.open(tmp_path / "a.tif") as image:
        image.load()
        assert (head.orientation, head.size) == (1, (image.height, image.width))
