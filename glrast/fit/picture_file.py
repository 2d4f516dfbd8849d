"""Opening a picture's file: one still picture of a kind that we know, or an error that says what it is."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

# Formats whose files hold one photograph and perhaps a preview of it as a second picture.
WITH_PREVIEW = ("MPO",)
LOSSY = ("JPEG", "MPO", "WEBP", "JPEG2000", "AVIF")
FLOATING = (".exr", ".hdr", ".pfm", ".rgbe")
ALPHA = ("LA", "RGBA")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Decoding at a half, a quarter or an eighth is part of JPEG; this many times the wanted size keeps the detail.
DRAFT_FINENESS = 2


def open_picture(path: Path, longest: int | None = None, palette: bool = False) -> Image.Image:
    """The decoded picture, in Pillow's mode L, LA, RGB, RGBA (8 bits) or I;16.

    Args:
        longest: what the longer side will be reduced to: a JPEG may then be decoded smaller, by 2, 4 or 8.
        palette: leave a picture with a palette as it is, mode P.
    Raises: FileNotFoundError, ValueError: each names the file and what to do about it.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"glrast fit: the image {path} is missing. Correct its file_path in the transforms "
            "file, or put the image there."
        )
    try:
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames == 1 or image.format in WITH_PREVIEW:
                _draft(image, longest)
                image.load()
    except Exception as error:
        if isinstance(error, UnidentifiedImageError) and path.suffix.lower() in FLOATING:
            raise _refused(path, "a picture of floating point numbers") from None
        raise ValueError(
            f"glrast fit: {path} could not be read as an image ({type(error).__name__}: {error}). "
            "The file is damaged or of an unknown format; replace it, or take the frame out."
        ) from error
    if frames > 1 and image.format not in WITH_PREVIEW:
        raise _refused(path, f"{frames} pictures in one {image.format}")
    return _known_mode(path, image, palette)


def has_alpha(path: Path) -> bool:
    """Whether the picture says by itself what of it is transparent; True where it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.mode in (*ALPHA, "PA", "La", "RGBa") or "transparency" in image.info
    except Exception:  # whoever reads the picture says what is wrong with it
        return True


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation says; 1 leaves it."""
    return image if orientation == 1 else image.transpose(TURNS[orientation])


def _draft(image: Image.Image, longest: int | None) -> None:
    """Let a JPEG be decoded smaller, where its size divides: else the last pixel's column would be cut."""
    if image.format != "JPEG" or longest is None:
        return
    width, height = image.size
    for scale in (8, 4, 2):
        enough = max(width, height) >= scale * DRAFT_FINENESS * longest
        if enough and width % scale == 0 and height % scale == 0:
            image.draft(None, (width // scale, height // scale))
            return


def _known_mode(path: Path, image: Image.Image, palette: bool) -> Image.Image:
    clear = "transparency" in image.info
    if image.mode == "P" and palette and not clear:
        return image
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if clear or image.mode == "PA" else "RGB")
    if clear and image.mode in ("1", "L", "RGB"):  # one colour of the file stands for nothing
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode in ("L", "RGB", "I;16", *ALPHA):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("RGBX", "CMYK", "YCbCr", "LAB", "HSV"):
        return image.convert("RGB")
    if image.mode in ("RGBa", "La"):
        return image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() >= 0 and values.max() <= 0xFFFF:
            return Image.fromarray(values.astype(np.uint16))
        raise _refused(path, f"integers from {values.min()} to {values.max()}")
    kind = "floating point numbers" if image.mode == "F" else f"pixels of the kind {image.mode}"
    raise _refused(path, f"a picture of {kind}")


def _refused(path: Path, found: str) -> ValueError:
    return ValueError(
        f"glrast fit: {path} must be one picture with 1 to 4 channels of 8 or 16 bits; found {found}. "
        "Convert it to an 8-bit PNG."
    )
