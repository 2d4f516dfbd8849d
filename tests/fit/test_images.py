"""Reading one picture: what comes out, and what each bad file is told."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from glrast.fit.images import read_image, reduced, to_bytes


def save(path: Path, pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, np.asarray(pixels, dtype=getattr(pixels, "dtype", np.uint8)))
    return path


def half_covered(height: int = 5, width: int = 7) -> np.ndarray:
    """RGBA: orange, the top row opaque, the second half covered, the rest empty."""
    rgba = np.zeros((height, width, 4), dtype=np.uint8)
    rgba[..., :3] = [200, 100, 50]
    rgba[0, :, 3], rgba[1, :, 3] = 255, 128
    return rgba


def test_rgba_is_premultiplied_and_its_bottom_row_comes_first(tmp_path: Path):
    image = read_image(save(tmp_path / "a.png", half_covered()))
    assert image.dtype == torch.uint8 and image.shape == (5, 7, 4)
    assert image[-1, 0].tolist() == [200, 100, 50, 255]
    assert image[-2, 0].tolist() == [100, 50, 25, 128]
    assert not image[:3].any()


def test_rgb_takes_its_alpha_from_the_mask(tmp_path: Path):
    rgba = half_covered()
    image = save(tmp_path / "a.png", rgba[..., :3].copy())
    mask = save(tmp_path / "m.png", rgba[..., 3].copy())
    whole = save(tmp_path / "b.png", rgba)
    assert torch.equal(read_image(image, mask), read_image(whole))


def test_a_cutout_serves_as_a_mask_by_its_alpha(tmp_path: Path):
    rgba = half_covered()
    image = save(tmp_path / "a.png", rgba[..., :3].copy())
    whole = save(tmp_path / "b.png", rgba)
    assert torch.equal(read_image(image, whole), read_image(whole))


def test_a_missing_picture_is_named(tmp_path: Path):
    with pytest.raises(
        FileNotFoundError, match=r"^glrast fit: the image .*a\.png is missing.*file_path"
    ):
        read_image(tmp_path / "a.png")


def test_a_cut_off_picture_is_named(tmp_path: Path):
    path = save(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (64, 64, 4), np.uint8)
    )
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"a\.png could not be read as an image .*damaged"):
        read_image(path)


def test_text_with_the_name_of_a_picture_is_named(tmp_path: Path):
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"a\.png could not be read as an image"):
        read_image(tmp_path / "a.png")


def test_rgb_without_a_mask_is_told_where_to_put_one(tmp_path: Path):
    path = save(tmp_path / "images" / "a.png", half_covered()[..., :3].copy())
    with pytest.raises(ValueError, match=r"no alpha channel and there is no mask.*masks/a\.png"):
        read_image(path)


def test_an_empty_mask_is_named(tmp_path: Path):
    rgba = half_covered()
    rgba[..., 3] = 0
    with pytest.raises(ValueError, match=r"the mask of .*a\.png is empty"):
        read_image(save(tmp_path / "a.png", rgba))


def test_a_mask_of_another_size_is_named_with_both_sizes(tmp_path: Path):
    image = save(tmp_path / "a.png", half_covered()[..., :3].copy())
    mask = save(tmp_path / "m.png", half_covered(4, 7)[..., 3].copy())
    with pytest.raises(
        ValueError, match=r"m\.png must have the size of .*a\.png, 7x5, .*; found 7x4"
    ):
        read_image(image, mask)


def test_a_film_is_not_a_picture(tmp_path: Path):
    with pytest.raises(ValueError, match=r"must be one picture with 1 to 4 channels"):
        film = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
        read_image(save(tmp_path / "a.gif", film))


def test_reduced_averages_and_never_enlarges():
    rgba = torch.arange(4 * 6 * 4, dtype=torch.uint8).reshape(1, 4, 6, 4)
    small = reduced(rgba, 3)
    assert small.shape == (1, 2, 3, 4) and small.dtype == torch.uint8
    block = rgba[0, :2, :2].float().mean(dim=(0, 1)).round()
    assert small[0, 0, 0].tolist() == block.tolist()
    assert reduced(rgba, 6) is rgba and reduced(rgba, 100) is rgba


def test_to_bytes_rounds_and_clamps():
    assert to_bytes(torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 128, 255, 255]
