"""Layers to image files: png, npy, and exr where OpenEXR is installed. Files have the top row first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from ..core.srgb import srgb_to_linear

SUFFIXES = ("png", "exr", "npy")
DEPTH_STEPS = 65535
_EXR_NAMES = {"color": "RGBA", "mask": "Y", "depth": "Z", "normal": "XYZ"}


def check_writer(format: str) -> None:
    """RuntimeError, before anything is rendered, if the format's writer is missing."""
    package = {"png": "PIL", "exr": "OpenEXR", "npy": "numpy"}[format]
    try:
        __import__(package)
    except ImportError as error:
        raise RuntimeError(
            f"glrast render: --format {format} needs {package}, which is not installed; run: pip install "
            f"{'OpenEXR' if format == 'exr' else 'pillow'}, or use --format npy, which needs nothing"
        ) from error


def write(path: Path, layer: str, image: Tensor, format: str, depth_unit: float) -> None:
    """Write one layer [H,W,C], row 0 at the bottom, to `path`.

    Args:
        layer: its name: png has it in 8 bits, but depth in 16, in steps of depth_unit (0 is background), and
            normals as (n + 1) / 2 on black.
        depth_unit: scene units.
    """
    pixels = np.ascontiguousarray(image.flip(0).cpu().numpy())
    if format == "npy":
        with path.open("wb") as file:  # np.save would append .npy to another name
            np.save(file, pixels)
    elif format == "exr":
        _write_exr(path, layer, pixels)
    else:
        _write_png(path, layer, pixels, depth_unit)


def _write_png(path: Path, layer: str, pixels: np.ndarray, depth_unit: float) -> None:
    from PIL import Image

    if layer == "depth":
        steps = np.round(pixels / depth_unit)
        # the surface at the camera is not background
        steps = np.where(pixels > 0, np.clip(steps, 1, DEPTH_STEPS), 0)
        Image.fromarray(steps[..., 0].astype(np.uint16)).save(path, format="png")
        return
    if layer == "normal":
        surface = (pixels != 0).any(-1, keepdims=True)
        pixels = np.where(surface, pixels * 0.5 + 0.5, 0)
    bytes_ = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(bytes_[..., 0] if bytes_.shape[2] == 1 else bytes_).save(path, format="png")


def _write_exr(path: Path, layer: str, pixels: np.ndarray) -> None:
    """Float32. Colours linear and multiplied by alpha, as OpenEXR defines them."""
    import OpenEXR  # pyright: ignore[reportMissingImports]

    if layer == "color":
        alpha = pixels[..., 3:]
        linear = srgb_to_linear(pixels[..., :3].reshape(-1, 3)).reshape(*alpha.shape[:2], 3)
        pixels = np.concatenate([linear * alpha, alpha], -1)
    channels = {
        name: np.ascontiguousarray(pixels[..., i]) for i, name in enumerate(_EXR_NAMES[layer])
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
