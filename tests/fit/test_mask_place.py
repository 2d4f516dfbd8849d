"""Masks are found wherever people and programs put them, and nothing else is taken for one."""

import pytest

from glrast.fit.mask_place import MaskPlaces


def touched(folder, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    "image, mask",
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/a.jpg", "masks/a.jpg.png"),
        ("images/a.png", "masks/a.png.png"),
        ("images/a.jpg", "mask/a.JPG"),
        ("images/a.JPG", "Masks/A.png"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("images/a.jpg", "masks/mask_a.png"),
        ("images/a.jpg", "silhouettes/a.pgm"),
        ("images/a.jpg", "segmentation/a_seg.png"),
        ("images/a.jpg", "images_mask/a.png"),
        ("images/a.jpg", "images/a_mask.png"),
        ("images/a.jpg", "images/a.mask.png"),
        ("images/a.jpg", "images/masks/a.png"),
        ("images/cam1/a.jpg", "masks/cam1/a.png"),
        ("images/left/cam1/a.jpg", "masks/left/cam1/a.jpg.png"),
        ("images/cam1/a.jpg", "images/masks/a.png"),
        ("a.jpg", "masks/a.png"),
        ("a.jpg", "a_silhouette.png"),
    ],
)
def test_masks_are_found(tmp_path, image, mask):
    touched(tmp_path, image, mask)
    assert MaskPlaces(tmp_path)(str(tmp_path / image)) == str(tmp_path / mask)


@pytest.mark.parametrize(
    "image, other",
    [
        ("images/a.jpg", "masks/b.png"),
        ("images/a.jpg", "images/a.png"),
        ("images/a.jpg", "depth/a.png"),
        ("images/a.jpg", "masks/a.txt"),
        ("images/a.jpg", "masks/a.png/x.png"),
    ],
)
def test_what_is_no_mask_is_not_taken_for_one(tmp_path, image, other):
    touched(tmp_path, image, other)
    assert MaskPlaces(tmp_path)(str(tmp_path / image)) is None


def test_nothing_above_the_data_set_is_looked_at(tmp_path):
    touched(tmp_path, "capture/images/a.jpg", "masks/a.png", "masks/images/a.png")
    image = str(tmp_path / "capture" / "images" / "a.jpg")
    assert MaskPlaces(tmp_path / "capture")(image) is None


def test_a_folder_of_masks_goes_before_a_mask_beside_the_picture(tmp_path):
    touched(tmp_path, "images/a.jpg", "images/a_mask.png", "masks/a.png")
    assert MaskPlaces(tmp_path)(str(tmp_path / "images/a.jpg")) == str(tmp_path / "masks/a.png")
