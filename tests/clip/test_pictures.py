"""glrast.clip.files.pictures.py"""

import numpy as np
import pytest

from glrast.clip.files.pictures import to_picture, to_texture

image = pytest.importorskip("PIL.Image", reason="Pillow makes the pictures")


def test_row_zero_of_a_texture_is_the_bottom_of_the_picture():
    picture = image.new("RGB", (2, 3))
    picture.putpixel((1, 2), (255, 51, 0))  # right column, bottom row
    texture = to_texture(picture)
    assert texture.shape == (3, 2, 3) and texture.dtype == np.float32
    assert texture[0, 1].tolist() == pytest.approx([1, 0.2, 0]) and not texture[1:].any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_every_number_of_channels_come_back(channels):
    texture = np.random.default_rng(0).integers(0, 256, (3, 5, channels)).astype(np.float32) / 255
    assert np.allclose(to_texture(to_picture(texture)), texture, atol=1e-6)


def test_palettes_sixteen_bits_and_odd_modes_are_understood():
    palette = image.new("RGB", (2, 2), (255, 0, 0)).convert("P")
    assert to_texture(palette)[0, 0].tolist() == [1, 0, 0]
    deep = image.fromarray(np.full((2, 2), 65535, np.uint16))
    assert to_texture(deep).tolist() == [[[1], [1]]] * 2
    assert to_texture(image.new("CMYK", (1, 1))).shape == (1, 1, 3)
    assert to_texture(image.new("1", (1, 1), 1)).tolist() == [[[1, 1, 1]]]


def test_values_outside_the_range_are_clipped():
    texture = np.array([[[-1.0], [2.0], [np.nan]]], dtype=np.float32)
    assert np.asarray(to_picture(texture)).tolist() == [[0, 255, 0]]


def test_too_many_channels_are_named():
    with pytest.raises(ValueError, match=r"save_mesh: texture must have 1 to 4 channels; got 5"):
        to_picture(np.zeros((2, 2, 5), dtype=np.float32))
