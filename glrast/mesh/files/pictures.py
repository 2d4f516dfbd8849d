"""Texture images: Pillow's (row 0 at the top, integers) and ours (row 0 at the BOTTOM, floats)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ...core.check import wrong

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# Of a texture. A PNG of half a megabyte can hold 13,000 x 13,000 pixels of one colour: 2.7 GB as float32.
PIXELS_LIMIT = 8192 * 8192
# Of Pillow's formats those that hold a picture and nothing else: no EPS, which would start an interpreter.
FORMATS = "PNG JPEG MPO WEBP AVIF BMP TGA TIFF GIF PPM DDS JPEG2000 PCX SGI".split()


def open_picture(path: Path, key: str) -> Any:
    """The Pillow image at `path`, which `key` of a mesh file names."""
    if not path.is_file():
        raise FileNotFoundError(
            f"glrast.clip.load_mesh: {key} must be an image; found no {path}; "
            "add the file, or pass texture=False (glrast render: --no-texture)."
        )
    return picture_of(path, key)


def picture_of(path: Path, key: str) -> Any:
    """The Pillow image in a file that is there."""
    return _opened(path, key, f"{path}: ")


def picture_in(content: bytes | memoryview, key: str) -> Any:
    """The Pillow image in the bytes of a file."""
    if bytes(content[:7]) == b"\xabKTX 20":
        _refuse(key, "it is a KTX2 file, as KHR_texture_basisu has it")
    return _opened(io.BytesIO(content), key, "")


def to_texture(image: Any) -> np.ndarray:
    """float32 [Ht,Wt,C] from a Pillow image: C = 1, 2, 3 or 4 as it has channels."""
    top = 255.0
    if image.mode.startswith(("I", "F")):  # 16 bits, one channel
        top = 65535.0
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in MODES.values():
        # also a palette of four channels, and alpha that the colours were multiplied with
        image = image.convert("RGBA" if getattr(image, "has_transparency_data", False) else "RGB")
    pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)[::-1]
    texture = np.empty(pixels.shape, dtype=np.float32)  # the one copy in floats
    return np.divide(pixels, np.float32(top), out=texture, dtype=np.float32, casting="unsafe")


def to_picture(texture: np.ndarray) -> Any:
    """The 8-bit Pillow image of a texture."""
    channels = texture.shape[2]
    if channels not in MODES:
        raise ValueError(
            wrong(
                "clip.save_mesh",
                "texture must have 1 to 4 channels",
                f"{channels}",
                "an image file holds no more: replace(mesh, texture=mesh.texture[..., :3])",
            )
        )
    pixels = np.round(np.clip(np.nan_to_num(texture), 0, 1) * 255).astype(np.uint8)[::-1]
    return pillow("save_mesh").fromarray(
        np.ascontiguousarray(pixels.squeeze(2) if channels == 1 else pixels)
    )


def png_bytes(texture: np.ndarray) -> bytes:
    """The texture as a PNG file."""
    stream = io.BytesIO()
    to_picture(texture).save(stream, format="png")
    return stream.getvalue()


def pillow(function: str) -> Any:
    """The module PIL.Image."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            f"glrast.clip.{function}: image files need Pillow; it is not installed; "
            "pip install glrast[fit]."
        ) from None
    return Image


def decodes(kind: str) -> bool:
    """Whether the Pillow that is installed reads pictures of this kind, e.g. WEBP."""
    opener = pillow("load_mesh")
    opener.init()
    return kind in opener.OPEN


def _opened(source: Any, key: str, name: str) -> Any:
    opener = pillow("load_mesh")
    opener.init()  # before `formats` may be asked for
    try:
        image = opener.open(source, formats=[x for x in FORMATS if x in opener.OPEN])
        if image.width * image.height <= PIXELS_LIMIT:
            image.load()
            return image
        wrong = f"it has {image.width} x {image.height} pixels, more than {PIXELS_LIMIT}"
    except opener.DecompressionBombError:
        wrong = f"it has far more than {PIXELS_LIMIT} pixels"
    except Exception as error:  # Pillow raises what its plugins raise
        wrong = str(error) or type(error).__name__
    _refuse(key, f"{name}{wrong}")


def _refuse(key: str, wrong: str) -> None:
    remedy = "make the picture smaller" if " pixels" in wrong else "replace the picture"
    raise ValueError(
        f"glrast.clip.load_mesh: {key} must be an image; {wrong}; "
        f"{remedy} or pass texture=False (glrast render: --no-texture)."
    )
