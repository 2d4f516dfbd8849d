"""Texture images: Pillow's (row 0 at the top, integers) and ours (row 0 at the BOTTOM, floats)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def open_picture(path: Path, key: str) -> Any:
    """The Pillow image at `path`, which `key` of a mesh file names."""
    if not path.is_file():
        raise FileNotFoundError(
            f"glrast.clip.load_mesh: {key} must be an image; found no {path}; "
            "add the file, or pass texture=False."
        )
    opener = pillow("load_mesh")
    try:
        image = opener.open(path)
        image.load()
    except Exception as error:  # Pillow raises what its plugins raise
        raise ValueError(
            f"glrast.clip.load_mesh: {key} must be an image; {path}: {error}; "
            "replace the file, or pass texture=False."
        ) from None
    return image


def to_texture(image: Any) -> np.ndarray:
    """float32 [Ht,Wt,C] from a Pillow image: C = 1, 2, 3 or 4 as it has channels."""
    if image.mode.startswith(("I", "F")):  # 16 bits, one channel
        pixels = np.asarray(image, dtype=np.float32) / 65535
    else:
        if image.mode not in MODES.values():
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        pixels = np.asarray(image, dtype=np.float32) / 255
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1)[::-1])


def to_picture(texture: np.ndarray) -> Any:
    """The 8-bit Pillow image of a texture."""
    channels = texture.shape[2]
    if channels not in MODES:
        raise ValueError(
            f"glrast.clip.save_mesh: texture must have 1 to 4 channels; got {channels}; "
            "an image file holds no more: replace(mesh, texture=mesh.texture[..., :3])."
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
