"""A disc as the object of small pictures and masks, and files of them."""

from pathlib import Path

import numpy as np
from PIL import Image

H, W = 17, 33


def disc(height: int = H, width: int = W) -> np.ndarray:
    """bool [H,W]: an object, not in the middle, clear of the border."""
    y, x = np.mgrid[:height, :width]
    return (y - 7 * height / 17) ** 2 + (x - 20 * width / 33) ** 2 < (5 * height / 17) ** 2


def palette(colours: dict[int, tuple[int, int, int]], index: np.ndarray) -> Image.Image:
    image = Image.fromarray(index.astype(np.uint8))
    table = [0] * 768
    for label, colour in colours.items():
        table[3 * label : 3 * label + 3] = colour
    image.putpalette(table)
    return image


def save(path: Path, image: Image.Image | np.ndarray, **how) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **how)
    return path


def on(value: int, off: int = 0, dtype=np.uint8) -> np.ndarray:
    return np.where(disc(), value, off).astype(dtype)


def coloured(colour, background=(0, 0, 0)) -> np.ndarray:
    return np.where(disc()[..., None], colour, background).astype(np.uint8)
