"""One picture of the object: colour premultiplied by coverage, uint8, with its errors named."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from torch import Tensor


def read_image(path: Path, mask_path: Path | None = None) -> Tensor:
    """The picture at `path` as uint8 [H,W,4], row 0 at the bottom, colour premultiplied by alpha.

    Args:
        path: PNG or another format with 1 to 4 channels of 8 or 16 bits; alpha is straight.
        mask_path: white on the object; needed where the picture has no alpha, used where it is
            given.

    Raises:
        FileNotFoundError, ValueError: each names the file and what to do about it.
    """
    pixels = _read(path)
    height, width, channels = pixels.shape
    color = pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    if mask_path is not None:
        alpha = _read(mask_path)
        # A mask may be grey, colour or itself a cut-out: its first channel, or its alpha.
        alpha = alpha[..., -1:] if alpha.shape[2] in (2, 4) else alpha[..., :1]
        if alpha.shape[:2] != (height, width):
            raise ValueError(
                f"glrast fit: the mask {mask_path} must have the size of {path}, {width}x{height}; "
                f"found {alpha.shape[1]}x{alpha.shape[0]}."
            )
    elif channels in (2, 4):
        alpha = pixels[..., -1:]
    else:
        raise ValueError(
            f"glrast fit: {path} has no alpha channel and there is no mask for it; the object "
            "cannot be told from the background. Save it as RGBA, name a mask_path in the "
            f"transforms file, or put one at {path.parent.parent / 'masks' / (path.stem + '.png')}."
        )
    if not (alpha > 0.5).any():
        raise ValueError(
            f"glrast fit: the mask of {path} is empty (no pixel is half covered). Correct the "
            "mask, or take the frame out of the transforms file."
        )
    premultiplied = np.concatenate([color * alpha, alpha], axis=2)
    return torch.from_numpy(np.round(premultiplied[::-1] * 255.0).astype(np.uint8))


def reduced(rgba: Tensor, longest: int) -> Tensor:
    """The pictures [N,H,W,4] averaged down so that the longer side has at most `longest` pixels."""
    height, width = rgba.shape[1:3]
    scale = longest / max(height, width)
    if scale >= 1.0:
        return rgba
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    # One at a time: float32 copies of a whole set would be its largest memory.
    return torch.cat([_average(picture, size) for picture in rgba.split(1)])


def to_bytes(image: Tensor) -> Tensor:
    """An image in 0..1 as uint8, on the CPU."""
    return (image.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu()


def _average(rgba: Tensor, size: tuple[int, int]) -> Tensor:
    planes = rgba.permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(planes, size=size, mode="area")
    return small.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _read(path: Path) -> np.ndarray:
    """Pixels [H,W,C] as float32 in 0..1, row 0 at the top."""
    if not path.is_file():
        raise FileNotFoundError(
            f"glrast fit: the image {path} is missing. Correct its file_path in the transforms "
            "file, or put the image there."
        )
    try:
        pixels = np.asarray(iio.imread(path, plugin="pillow"))
    except Exception as error:
        raise ValueError(
            f"glrast fit: {path} could not be read as an image ({type(error).__name__}: {error}). "
            "The file is damaged or of an unknown format; replace it, or take the frame out."
        ) from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] > 4 or pixels.dtype not in (np.uint8, np.uint16, bool):
        raise ValueError(
            f"glrast fit: {path} must be one picture with 1 to 4 channels of 8 or 16 bits; found "
            f"shape {pixels.shape} of {pixels.dtype}. Convert it to an 8-bit PNG."
        )
    whole = 1.0 if pixels.dtype == bool else np.iinfo(pixels.dtype).max
    return pixels.astype(np.float32) / np.float32(whole)
