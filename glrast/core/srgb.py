"""The curve between linear light and what an image file holds."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def srgb_to_linear(x: Floats) -> Floats:
    """IEC 61966-2-1, the first three columns; alpha is linear already."""
    c = np.minimum(np.maximum(x[:, :3].astype(np.float64), 0), 1)
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.concatenate([c, x[:, 3:]], 1).astype(np.float32)


def linear_to_srgb(x: Floats) -> Floats:
    """The way back."""
    c = np.minimum(np.maximum(x[:, :3].astype(np.float64), 0), 1)
    c = np.where(c <= 0.04045 / 12.92, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055)
    return np.concatenate([c, x[:, 3:]], 1).astype(np.float32)
