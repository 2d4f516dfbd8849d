"""Every kind of picture gives its true colours, at the size asked for, without a second copy; others are named."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.fit.images import read_image, reduced

H, W = 16, 24
RAMP = np.stack(np.meshgrid(np.linspace(40, 240, W), np.linspace(40, 240, H)), 2)
COLOUR = np.concatenate([RAMP, 140 + 0 * RAMP[..., :1]], 2).round().astype(np.uint8)
ALPHA = np.where(np.arange(W)[None] + np.zeros((H, 1)) > 8, 255, 0).astype(np.uint8)


def save(path: Path, image, **how) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **how)
    return path


def rgba() -> np.ndarray:
    return np.concatenate([COLOUR, ALPHA[..., None]], 2)


def seen(path: Path, mask: Path | None = None, **how) -> np.ndarray:
    """The picture, row 0 at the top."""
    return read_image(path, mask, **how).flip(0).numpy()


@pytest.mark.parametrize(
    "mode, suffix, levels",
    [
        ("RGB", ".png", 0), ("RGB", ".bmp", 0), ("RGB", ".tif", 0), ("RGB", ".jpg", 6), ("CMYK", ".jpg", 6),
        ("CMYK", ".tif", 1), ("YCbCr", ".jpg", 6), ("P", ".png", 6), ("P", ".gif", 6), ("RGB", ".webp", 12),
    ],
)  # fmt: skip
def test_colours_are_those_that_were_saved_whatever_the_file(tmp_path, mode, suffix, levels):
    image = Image.fromarray(COLOUR)
    image = image.quantize(256) if mode == "P" else image.convert(mode)
    how = {"quality": 95, "subsampling": 0} if suffix == ".jpg" else {}
    mask = save(tmp_path / "m.png", ALPHA)
    found = seen(save(tmp_path / f"a{suffix}", image, **how), mask)
    assert np.array_equal(found[..., 3], ALPHA)
    on = ALPHA > 0
    difference = np.abs(found[on][:, :3].astype(int) - COLOUR[on])
    assert difference.max() <= levels + (6 if mode == "P" else 0)
    assert (found[~on] == 0).all()


def test_a_palette_with_transparency_has_an_alpha(tmp_path):
    index = np.where(ALPHA > 0, 1 + np.arange(W) % 3, 0).astype(np.uint8)
    image = Image.fromarray(index)
    image.putpalette([9, 9, 9, 250, 0, 0, 0, 250, 0, 0, 0, 250] + [0] * 756)
    found = seen(save(tmp_path / "a.png", image, transparency=0))
    assert np.array_equal(found[..., 3], ALPHA)
    assert found[0, 9].tolist() == [250, 0, 0, 255] and found[0, 10].tolist() == [0, 250, 0, 255]


def test_a_colour_that_stands_for_nothing_is_an_alpha(tmp_path):
    pixels = np.where(ALPHA[..., None] > 0, (10, 200, 30), (1, 2, 3)).astype(np.uint8)
    found = seen(save(tmp_path / "a.png", pixels, transparency=(1, 2, 3)))
    assert np.array_equal(found[..., 3], ALPHA) and found[0, 20].tolist() == [10, 200, 30, 255]
    found = seen(
        save(tmp_path / "b.png", np.where(ALPHA > 0, 77, 3).astype(np.uint8), transparency=3)
    )
    assert np.array_equal(found[..., 3], ALPHA) and found[0, 20].tolist() == [77, 77, 77, 255]


def test_grey_with_alpha_and_sixteen_bits_are_read(tmp_path):
    grey = Image.merge("LA", [Image.new("L", (W, H), 90), Image.fromarray(ALPHA)])
    assert seen(save(tmp_path / "a.png", grey))[0, 20].tolist() == [90, 90, 90, 255]
    deep = save(tmp_path / "b.png", np.full((H, W), 90 * 257, np.uint16))
    assert seen(deep, save(tmp_path / "m.png", ALPHA))[0, 20].tolist() == [90, 90, 90, 255]
    half = save(tmp_path / "h.png", np.full((H, W), 32768, np.uint16))
    white = save(tmp_path / "w.png", np.full((H, W), 65535, np.uint16))
    assert seen(white, half)[0, 20].tolist() == [128, 128, 128, 128]


def test_a_phones_jpeg_with_a_preview_is_one_picture(tmp_path):
    image = Image.fromarray(COLOUR)
    path = save(
        tmp_path / "a.jpg", image, format="MPO", save_all=True, append_images=[image.reduce(2)]
    )
    with Image.open(path) as opened:
        assert opened.format == "MPO" and opened.n_frames == 2
    assert seen(path, save(tmp_path / "m.png", ALPHA)).shape == (H, W, 4)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".tif", ".webp"])
def test_a_film_is_refused_with_its_length(tmp_path, suffix):
    frames = [Image.fromarray(np.full((8, 8, 3), 60 * k, np.uint8)) for k in range(3)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(
        ValueError,
        match=rf"a\{suffix} must be one picture with 1 to 4 channels.*found 3 pictures in one",
    ):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    "name, content", [("a.exr", b"v/1\x01" + bytes(200)), ("a.hdr", b"#?RADIANCE\n" + bytes(200))]
)
def test_floating_formats_are_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} must be one picture.*floating point numbers"):
        read_image(tmp_path / name)
    with pytest.raises(ValueError, match=r"b\.tif must be one picture.*floating point numbers"):
        read_image(save(tmp_path / "b.tif", np.ones((4, 4), np.float32)))


def test_an_empty_file_and_a_bomb_are_named(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.png could not be read as an image"):
        read_image(tmp_path / "a.png")
    Image.new("1", (300, 300)).save(tmp_path / "b.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30000)
    with pytest.raises(ValueError, match=r"b\.png could not be read .*90000 pixels"):
        read_image(tmp_path / "b.png")


@pytest.mark.parametrize("size", [(16, 24), (17, 33), (64, 48), (101, 67)])
@pytest.mark.parametrize("longest", [1, 7, 16, 23, 40, 64, 500])
def test_reading_at_a_size_gives_the_bits_of_reducing_the_whole(tmp_path, size, longest):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 4), dtype=np.uint8)
    path = save(tmp_path / "a.png", pixels)
    whole = read_image(path)
    assert torch.equal(read_image(path, longest=longest), reduced(whole[None], longest)[0])


def test_reducing_in_strips_gives_the_same_bits(tmp_path, monkeypatch):
    pixels = np.random.default_rng(1).integers(0, 256, (101, 67, 4), dtype=np.uint8)
    path = save(tmp_path / "a.png", pixels)
    expected = read_image(path, longest=30)
    for strip in (1, 500, 1500):
        monkeypatch.setattr("glrast.fit.images.STRIP", strip)
        assert torch.equal(read_image(path, longest=30), expected)


def test_colour_times_coverage_is_the_product_of_fractions_rounded(tmp_path):
    alpha, colour = np.mgrid[:256, :256].astype(np.uint8)
    path = save(tmp_path / "a.png", np.stack([colour, colour, colour, alpha], 2))
    expected = np.round(alpha.astype(np.float64) * colour / 255)
    assert np.array_equal(seen(path)[..., 1], expected)


@pytest.mark.parametrize("size", [(400, 600), (401, 600), (400, 601)])
def test_a_jpeg_decoded_smaller_looks_like_one_that_was_reduced(tmp_path, size):
    y, x = np.mgrid[: size[0], : size[1]] / size[0]
    pixels = (
        np.stack([y * 200, x * 130, 128 + 60 * np.sin(20 * x)], 2)
        .clip(0, 255)
        .round()
        .astype(np.uint8)
    )
    path = save(tmp_path / "a.jpg", pixels, quality=95)
    mask = save(tmp_path / "m.png", np.where(x > 0.5, 255, 0).astype(np.uint8))
    small = read_image(path, mask, longest=50).int()
    expected = reduced(read_image(path, mask)[None], 50)[0].int()
    assert small.shape == expected.shape and (small - expected).abs().max() <= 3


@pytest.mark.slow
def test_a_huge_picture_takes_no_float_copy(tmp_path):
    """Beside Pillow's own 4 bytes a pixel, what NumPy and PyTorch take is far below a byte a pixel."""
    side = 4000
    image = Image.new("RGBA", (side, side), (9, 99, 199, 255))
    path = save(tmp_path / "a.png", image, compress_level=1)
    del image
    tracemalloc.start()
    out = read_image(path, longest=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out[3, 3].tolist() == [9, 99, 199, 255]
    assert peak < 3 * side * side  # the alpha, and strips
