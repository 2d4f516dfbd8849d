"""One picture of the object: colour premultiplied by coverage, uint8, with its errors named."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..camera.image_file import read_head
from .masks import fit_to, read_mask
from .picture_file import ALPHA, open_picture, turned

# Pixels that are premultiplied and averaged at a time: there is no second copy of the whole picture.
STRIP = 1 << 20


def read_image(
    path: Path,
    mask_path: Path | None = None,
    longest: int | None = None,
    orientation: int = 1,
    invert_mask: bool = False,
    need_mask: bool = True,
) -> Tensor:
    """The picture at `path` as uint8 [H,W,4], row 0 at the bottom, colour premultiplied by alpha.

    Args:
        path: PNG or another format with 1 to 4 channels of 8 or 16 bits; alpha is straight.
        mask_path: needed where the picture has no alpha, used where it is given; see masks.py for its kinds.
        longest: the longer side is averaged down to this many pixels; colour weighs as much as it covers.
        orientation: EXIF orientation to turn the pixels by; 1: as they are stored.
        invert_mask: the mask, or alpha, is black on the object.
        need_mask: refuse a picture without mask and alpha; else it is the object everywhere.

    Raises:
        FileNotFoundError, ValueError: each names the file and what to do about it.
    """
    image = turned(open_picture(path, longest), orientation)
    if mask_path is not None:
        head = read_head(str(path))
        alpha = fit_to(mask_path, read_mask(mask_path), path, head, orientation)
    elif image.mode in ALPHA:
        alpha = np.asarray(image.getchannel("A"))
    elif need_mask:
        raise ValueError(
            f"glrast fit: {path} has no alpha channel and there is no mask for it; the object cannot be told from the "
            "background. Save it as RGBA, name a mask_path in the transforms file, or put one at "
            f"{path.parent.parent / 'masks' / (path.stem + '.png')}."
        )
    else:
        alpha = np.full((image.height, image.width), 255, dtype=np.uint8)
    if invert_mask and (mask_path is not None or image.mode in ALPHA):
        alpha = np.iinfo(alpha.dtype).max - alpha
    whole = int(np.iinfo(alpha.dtype).max)
    if alpha.max() <= whole // 2:
        raise ValueError(
            f"glrast fit: the mask of {path} is empty (no pixel is half covered; the largest value is "
            f"{int(alpha.max())} of {whole}). Correct the mask, or take the frame out of the transforms file."
        )
    if alpha.shape != (image.height, image.width):  # the picture was decoded smaller
        alpha = np.asarray(Image.fromarray(alpha).resize(image.size, Image.Resampling.BOX))
    size = _reduced_size((image.height, image.width), longest)
    return torch.from_numpy(_averaged(image, alpha, size)[::-1].copy())


def reduced(rgba: Tensor, longest: int) -> Tensor:
    """The pictures [N,H,W,4] averaged down so that the longer side has at most `longest` pixels."""
    height, width = rgba.shape[1:3]
    size = _reduced_size((height, width), longest)
    if size == (height, width):
        return rgba
    # One at a time: float32 copies of a whole set would be its largest memory.
    return torch.cat([_average(picture, size) for picture in rgba.split(1)])


def wholly(known: Tensor, longest: int) -> Tensor:
    """The masks bool [N,H,W] reduced as pictures are: true where all of a pixel is."""
    size = _reduced_size((known.shape[1], known.shape[2]), longest)
    if size == known.shape[1:]:
        return known
    lacking = (~known)[:, None].float()
    return torch.nn.functional.interpolate(lacking, size=size, mode="area")[:, 0] == 0


def to_bytes(image: Tensor) -> Tensor:
    """An image in 0..1 as uint8, on the CPU."""
    return (image.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu()


def _reduced_size(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    if longest is None or longest >= max(size):
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _average(rgba: Tensor, size: tuple[int, int]) -> Tensor:
    planes = rgba.permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(planes, size=size, mode="area")
    return small.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _averaged(image: Image.Image, alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Premultiplied uint8 [h,w,4], row 0 at the top: the same bits as `reduced` gives of the whole."""
    width = image.width
    top, bottom = _windows(image.height, size[0])
    left, right = _windows(width, size[1])
    out = np.empty((*size, 4), dtype=np.uint8)
    step = max(1, STRIP // width * size[0] // image.height)
    for first in range(0, size[0], step):
        rows = range(first, min(first + step, size[0]))
        low, high = int(top[rows[0]]), int(bottom[rows[-1]])
        strip = _premultiplied(image.crop((0, low, width, high)), alpha[low:high])
        if size == (image.height, width):
            out[low:high] = strip
            continue
        # down the columns first: there the memory is contiguous, and the sums across have few rows left
        down = np.zeros((len(rows), width + 1, 4), dtype=np.int64)
        for n, row in enumerate(rows):
            strip[top[row] - low : bottom[row] - low].sum(axis=0, dtype=np.uint32, out=down[n, 1:])
        np.cumsum(down, axis=1, out=down)
        area = (bottom - top)[rows, None, None] * (right - left)[:, None]
        out[rows] = np.rint((down[:, right] - down[:, left]) / area)
    return out


def _windows(pixels: int, fewer: int) -> tuple[np.ndarray, np.ndarray]:
    """First and one behind the last of the pixels that each of `fewer` touches."""
    index = np.arange(fewer)
    return index * pixels // fewer, -(-(index + 1) * pixels // fewer)


def _premultiplied(image: Image.Image, alpha: np.ndarray) -> np.ndarray:
    pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    colour = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    if colour.dtype == alpha.dtype == np.uint8:
        # round(a c / 255) in 16 bits: a / 255 is a / 256 + a / 65536, near enough for every product of two bytes
        product = colour.astype(np.uint16)
        product *= alpha[..., None]
        product += 128
        product += product >> 8
        product >>= 8
        return np.concatenate([product.astype(np.uint8), alpha[..., None]], axis=2)
    coverage = _fraction(alpha)[..., None]
    whole = np.concatenate([_fraction(colour) * coverage, coverage], axis=2)
    return np.round(whole * 255.0).astype(np.uint8)


def _fraction(values: np.ndarray) -> np.ndarray:
    """float32 in 0..1."""
    return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
