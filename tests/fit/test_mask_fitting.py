"""A mask and its picture: inverted, scaled, turned, or of another size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from glrast.fit.images import read_image
from tests.fit.discs import H, W, disc, on, save

PHOTO = np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)


def picture(folder: Path, size=(H, W), name: str = "a.png", **how) -> Path:
    return save(folder / name, np.full((*size, 3), 200, np.uint8), **how)


def test_an_inverted_mask_is_turned_over(tmp_path):
    image, mask = picture(tmp_path), save(tmp_path / "m.png", 255 - on(255))
    found = read_image(image, mask, invert_mask=True).flip(0)[..., 3].numpy()
    assert ((found == 255) == disc()).all() and ((found == 0) == ~disc()).all()


@pytest.mark.parametrize("scale", [0.5, 2, 3])
def test_a_mask_of_the_same_aspect_is_scaled(tmp_path, scale):
    size = (2 * H, 2 * W)
    drawn = disc(round(2 * H * scale), round(2 * W * scale))
    mask = save(tmp_path / "m.png", np.where(drawn, 255, 0).astype(np.uint8))
    found = read_image(picture(tmp_path, size), mask).flip(0)[..., 3].numpy()
    assert found.shape == size
    assert ((found > 127) != disc(*size)).mean() < 0.02


@pytest.mark.parametrize(
    "size", [(H, W - 1), (H - 1, W - 1), (W, H), (H // 2, W), (1, 1), (H + 1, W + 1)]
)
def test_a_mask_of_another_aspect_or_cut_differently_is_refused(tmp_path, size):
    mask = save(tmp_path / "m.png", np.full(size, 255, np.uint8))
    with pytest.raises(
        ValueError,
        match=rf"m\.png must have the size of .*a\.png, 33x17, .*; found {size[1]}x{size[0]}",
    ):
        read_image(picture(tmp_path), mask)


def test_a_mask_goes_before_the_pictures_own_alpha(tmp_path):
    image = save(tmp_path / "a.png", np.dstack([PHOTO, 255 - on(255)]))
    mask = save(tmp_path / "m.png", on(255))
    found = read_image(image, mask).flip(0)[..., 3].numpy()
    assert ((found == 255) == disc()).all()


def test_an_empty_mask_says_how_empty(tmp_path):
    image = picture(tmp_path)
    for value in (0, 1, 127):
        mask = save(tmp_path / "m.png", np.full((H, W), value, np.uint8))
        with pytest.raises(ValueError, match=rf"a\.png is empty .*largest value is {value} of 255"):
            read_image(image, mask)


# Of a half turn or a mirror the size does not tell which of the two was turned.
TURNS = [
    (o, p, m) for o in range(2, 9) for p in (False, True) for m in (False, True) if o >= 5 or p == m
]


@pytest.mark.parametrize("orientation, turned_picture, turned_mask", TURNS)
def test_mask_and_picture_meet_whichever_of_them_was_turned(
    tmp_path, orientation, turned_picture, turned_mask
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(
        np.where(disc()[..., None], (250, 250, 250), (5, 5, 5)).astype(np.uint8)
    )
    stored.save(tmp_path / "a.png", exif=exif)
    viewed = Image.open(tmp_path / "a.png")
    viewed = ImageOps.exif_transpose(viewed)
    mask = (viewed if turned_mask else stored).convert("L").point(lambda v: 255 if v > 127 else 0)
    path = save(tmp_path / "m.png", mask)
    found = read_image(
        tmp_path / "a.png", path, orientation=orientation if turned_picture else 1
    ).flip(0)
    expected = np.asarray((viewed if turned_picture else stored).convert("L")) > 127
    assert ((found[..., 3].numpy() == 255) == expected).all()
    assert ((found[..., 0].numpy() == 250) == expected).all()
