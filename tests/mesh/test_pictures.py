"""glrast/mesh/files/pictures.py"""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from glrast.mesh.files.pictures import open_picture, picture_in, to_picture, to_texture

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


def test_a_transparent_colour_of_a_png_is_transparent(tmp_path):
    gray = image.fromarray(np.array([[10, 200]], np.uint8))
    gray.save(tmp_path / "a.png", transparency=200)
    texture = to_texture(open_picture(tmp_path / "a.png", "map_Kd"))
    assert texture.shape == (1, 2, 4) and texture[0, :, 3].tolist() == [1, 0]


def test_alpha_of_palettes_and_of_multiplied_colours_is_kept():
    palette = image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 51, 0, 255, 0, 255], "RGBA")
    palette.putpixel((1, 0), 1)
    assert to_texture(palette)[0].tolist() == [[1, 0, 0, pytest.approx(0.2)], [0, 1, 0, 1]]
    multiplied = image.new("RGBa", (1, 1), (51, 0, 0, 51))
    assert to_texture(multiplied)[0, 0].tolist() == [1, 0, 0, pytest.approx(0.2)]


@pytest.mark.slow
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(tmp_path):
    size = 13_000
    row = zlib.compress(bytes(size + 1) * size, 1)
    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    )
    (tmp_path / "a.png").write_bytes(content)
    for load in (
        lambda: open_picture(tmp_path / "a.png", "map_Kd"),
        lambda: picture_in(content, "x"),
    ):
        with pytest.warns(image.DecompressionBombWarning):
            with pytest.raises(ValueError, match=r"13000 x 13000 pixels, more than 67108864; make"):
                load()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def test_a_texture_is_made_with_one_array_of_floats():
    picture = image.new("RGB", (1000, 1000), (255, 0, 51))
    tracemalloc.start()
    texture = to_texture(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        texture.nbytes == 12_000_000 and peak < 1.8 * texture.nbytes
    )  # the pixels as bytes, besides


def test_a_picture_cannot_start_an_interpreter(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(ValueError, match=r"map_Kd must be an image; .*cannot identify"):
        open_picture(tmp_path / "a.png", "map_Kd")
