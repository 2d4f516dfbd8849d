"""The mask of a picture: where the object is, from the kinds of files that people have.

    grey, 8 or 16 bits      white on the object; what is between is soft coverage
    two values, 0 and any   labels: the other value is the object (0 and 1, 0 and 128 ...)
    palette, two colours    black is the background, else index 0, else what most of the border has
    colour on black         one hue, such as green: how bright it is
    RGBA, LA                the alpha, where it is not the same everywhere; else the colours as above

Whatever is none of them is refused with what was found: a mask misread is a wrong shape without a word.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from ..camera.image_file import Head
from .picture_file import ALPHA, LOSSY, open_picture, turned

HALF = 128  # of 255: from here on a pixel counts as covered
FEW = 32  # distinct values: a label map has few, a soft mask many
MANY = 300  # colours: a soft edge of one hue has 256
# What compression may do to a colour, in levels of 255; at edges, where colour has half the pixels, more.
CLEAN, NOISY, NOISY_SHARE = 3, 48, 0.02
# A mask drawn on the picture at another scale; closer to 1 it is one cut differently.
LEAST_SCALE = 1.05
ASPECT = 0.05  # and so many pixels that its aspect can be told
INVERSE = {6: 8, 8: 6}  # of EXIF orientations; the others are their own


def read_mask(path: Path) -> np.ndarray:
    """Coverage of the object, uint8 or uint16 [H,W], row 0 at the top.

    Raises: FileNotFoundError, ValueError with the values, labels or colours that were found.
    """
    image = open_picture(path, palette=True)
    if image.mode in ALPHA:
        alpha = image.getchannel("A")
        low, high = alpha.getextrema()
        if low != high or high == 0:
            return _grey(path, alpha, lossy=False)
        image = image.convert("L" if image.mode == "LA" else "RGB")
    lossy = _format(path) in LOSSY
    if image.mode == "P":
        return _palette(path, image)
    return _colour(path, image, lossy) if image.mode == "RGB" else _grey(path, image, lossy)


def fit_to(path: Path, mask: np.ndarray, picture: Path, head: Head, orientation: int) -> np.ndarray:
    """The mask [H,W] as large as its picture, turned as the picture is.

    Args:
        head: of the picture's file. orientation: what the picture is turned by, 1 or head.orientation.
    Raises: ValueError where the mask has neither the picture's size nor its aspect at another scale.
    """
    height, width = size = head.size if orientation == 1 else head.turned
    quarter = head.turned != head.size
    if quarter and not _fits(mask.shape, size) and _fits(mask.shape, (width, height)):
        # one of the two was saved by a program that turns pictures by their EXIF orientation, the other was not
        back = INVERSE.get(head.orientation, head.orientation)
        mask = np.asarray(turned(Image.fromarray(mask), orientation if orientation != 1 else back))
    if mask.shape == size:
        return mask
    if not _fits(mask.shape, size):
        exif = f" (EXIF orientation {head.orientation})" if head.orientation != 1 else ""
        raise ValueError(
            f"glrast fit: the mask {path} must have the size of {picture}, {width}x{height}{exif}, or its aspect "
            f"at another scale; found {mask.shape[1]}x{mask.shape[0]}."
        )
    if mask.dtype == np.uint16:
        mask = (mask >> 8).astype(np.uint8)
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR))


def _fits(mask: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether the two are one size, or one aspect up to the rounding of the sides."""
    if mask == size:
        return True
    (h, w), (height, width) = mask, size
    off = abs(h * width - w * height)
    scaled = not any(1 / LEAST_SCALE < s < LEAST_SCALE for s in (h / height, w / width))
    return scaled and off <= (width + height) / 2 and off <= ASPECT * h * width


def _format(path: Path) -> str | None:
    with Image.open(path) as image:
        return image.format


def _grey(path: Path, image: Image.Image, lossy: bool) -> np.ndarray:
    values = np.asarray(image)
    whole = int(np.iinfo(values.dtype).max)
    counts = np.array(image.histogram()) if image.mode == "L" else _counts(values)
    used = np.flatnonzero(counts)
    if len(used) <= 1 or lossy:
        return values
    if len(used) == 2 and used[0] == 0:
        return np.where(values > 0, np.uint8(255), np.uint8(0))
    if whole > 255 and used[-1] <= 255:  # 8 bits in a file of 16
        values, whole = values.astype(np.uint8), 255
    half = (whole + 1) // 2
    faint, strong = int(counts[1:half].sum()), int(counts[half:].sum())
    labels = len(used) <= FEW and 10 * faint > strong and _flat(values, half) > faint / 2
    if not strong or labels:
        raise _unclear(path, "values", [str(v) for v in used], f"up to {used[-1]} of {whole}")
    return values


def _flat(values: np.ndarray, half: int) -> int:
    """How many pixels below `half` but not 0 equal the next ones: areas have them, soft edges hardly."""
    here = values[:-1, :-1]
    same = (here == values[1:, :-1]) & (here == values[:-1, 1:])
    return int((same & (here > 0) & (here < half)).sum())


def _counts(values: np.ndarray) -> np.ndarray:
    counts = np.zeros(int(np.iinfo(values.dtype).max) + 1, dtype=np.int64)
    for row in values:  # in one go it would become 8 bytes a pixel
        counts += np.bincount(row, minlength=len(counts))
    return counts


def _palette(path: Path, image: Image.Image) -> np.ndarray:
    index = np.asarray(image)
    labels = np.flatnonzero(np.array(image.histogram()[:256]))
    palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
    colours = np.array([palette[label] if label < len(palette) else (0, 0, 0) for label in labels])
    grey = bool((colours == colours[:, :1]).all())
    named = [
        f"{label} {tuple(int(v) for v in c)}" for label, c in zip(labels, colours, strict=True)
    ]
    if len(labels) == 2:
        return np.where(index == _object(index, labels, colours, grey), np.uint8(255), np.uint8(0))
    if grey:
        return _grey(path, image.convert("L"), lossy=False)
    raise _unclear(path, "labels of its palette", named, f"{len(labels)} labels")


def _object(index: np.ndarray, labels: np.ndarray, colours: np.ndarray, grey: bool) -> int:
    """Which of two labels is the object."""
    black = (colours == 0).all(axis=1)
    if grey and colours[0, 0] != colours[1, 0]:
        return int(labels[colours[:, 0].argmax()])
    if black.sum() == 1:
        return int(labels[~black][0])
    if labels[0] == 0:
        return int(labels[1])
    border = np.concatenate([index[0], index[-1], index[:, 0], index[:, -1]])
    counts = [(border == label).sum() for label in labels]
    return int(labels[int(np.argmin(counts))])


def _colour(path: Path, image: Image.Image, lossy: bool) -> np.ndarray:
    """The brightness of the one hue that lies on black; grey is the hue without colour."""
    # more colours than a drawing has come from compression, though the file may be a PNG by now
    noisy = lossy or image.getcolors(MANY) is None
    noise = NOISY if noisy else CLEAN
    red, green, blue = image.split()
    chroma = max(np.asarray(ImageChops.difference(red, c)).max() for c in (green, blue))
    if chroma <= noise:
        return _grey(path, red, lossy)
    bright = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    values, pixels = np.asarray(bright), np.asarray(image)
    top = int(values.max())
    hue = pixels[values >= 0.9 * top].mean(axis=0)
    strange = 0
    for rows in np.array_split(np.arange(len(pixels)), max(1, pixels.size >> 22)):
        expected = values[rows, :, None] * (hue / hue.max()).astype(np.float32)
        strange += int((np.abs(pixels[rows] - expected).max(axis=2) > noise).sum())
    if strange > (NOISY_SHARE * values.size if noisy else 0):
        colours = sorted(image.getcolors(MANY) or [], reverse=True)
        found = [str(colour) for _, colour in colours]
        raise _unclear(path, "colours", found, "colours of more than one hue, or none on black")
    scaled = (np.arange(256) * (255.0 / top)).clip(max=255).round()
    return _grey(path, Image.fromarray(scaled.astype(np.uint8)[values]), lossy)


def _unclear(path: Path, what: str, found: list[str], summary: str) -> ValueError:
    listed = f": {', '.join(found[:8])}{', ...' if len(found) > 8 else ''}" if found else ""
    return ValueError(
        f"glrast fit: the mask {path} must be black and white, or tell the object from the background by two "
        f"{what}; found {summary}{listed}. Write it with 255 on the object and 0 elsewhere."
    )
