"""World coordinates that float32 cannot hold: an origin in float64, and what is left, in float32."""

from __future__ import annotations

import math

import numpy as np

TOLERANCE = 1e-5  # of the box's diagonal: what float32 may round a coordinate by, without an origin


def split_origin(pos: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float]]:
    """(float32 [V,3], origin x, y, z), with `pos` = the first + the second.

    Args:
        pos: float64 [V,3], finite, in the world.
    Returns: the origin is (0,0,0) unless the spacing of float32 at the largest coordinate is more than
        1e-5 of the diagonal of the box around `pos`. Then it is the box's centre, rounded to whole numbers.
    """
    zero = (0.0, 0.0, 0.0)
    if len(pos) == 0:
        return pos.astype(np.float32).reshape(-1, 3), zero
    low, high = pos.min(0).astype(np.float64), pos.max(0).astype(np.float64)
    diagonal = math.hypot(*(high - low))
    largest = float(np.maximum(np.abs(low), np.abs(high)).max())
    # a point, and what is beyond float32's range, have no diagonal to compare with
    if largest > np.finfo(np.float32).max or diagonal == 0:
        return pos.astype(np.float32), zero
    if float(np.spacing(np.float32(largest))) <= TOLERANCE * diagonal:
        return pos.astype(np.float32), zero
    origin = np.round((low + high) / 2) + 0.0  # never -0
    x, y, z = (float(value) for value in origin)
    return (pos - origin).astype(np.float32), (x, y, z)
