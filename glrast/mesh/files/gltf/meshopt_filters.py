"""What the meshopt extensions do to a vertex after unpacking: uint8 [count,stride] to an array of numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def octahedral(values: np.ndarray) -> np.ndarray:
    """Unit vectors from two coordinates on an octahedron; the third number is what stands for 1."""
    kind = np.dtype("i1" if values.shape[1] == 4 else "<i2")
    stored = values.view(kind)
    one = np.where(stored[:, 2] == 0, 1, stored[:, 2]).astype(np.float32)
    x, y = stored[:, 0] / one, stored[:, 1] / one
    z = 1 - np.abs(x) - np.abs(y)
    fold = np.minimum(z, 0)  # the lower half lies folded outwards
    x, y = x - np.copysign(fold, x), y - np.copysign(fold, y)
    unit = np.stack([x, y, z], 1)
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    found = stored.copy()
    found[:, :3] = _rounded(unit / np.where(length > 0, length, 1) * np.iinfo(kind).max, kind)
    return found


def quaternion(values: np.ndarray) -> np.ndarray:
    """Unit quaternions from three of their numbers; the last says which is missing, and what stands for 1."""
    stored = values.view("<i2")
    one = (stored[:, 3] | 3).astype(np.float32)
    rest = stored[:, :3] / np.where(one == 0, 1, one)[:, None] * np.float32(0.5**0.5)
    largest = np.sqrt(np.maximum(1 - (rest * rest).sum(1), 0))
    numbers = _rounded(np.column_stack([largest, rest]) * 32767, stored.dtype)
    found = np.empty_like(stored)
    missing = (stored[:, 3] & 3).astype(np.int64)
    for step in range(4):
        found[np.arange(len(found)), (missing + step) % 4] = numbers[:, step]
    return found


def exponential(values: np.ndarray) -> np.ndarray:
    """Floats from a mantissa of 24 bits and an exponent of 8."""
    stored = values.view("<i4")
    mantissa = (stored << 8 >> 8).astype(np.float64)
    return np.ldexp(mantissa, stored >> 24).astype("<f4")


def color(values: np.ndarray) -> np.ndarray:
    """Red, green, blue, alpha from luma, two differences, and alpha below the bit that says the scale."""
    kind = np.dtype("u1" if values.shape[1] == 4 else "<u2")
    stored = values.view(kind).astype(np.int64)
    signed = values.view(kind.str.replace("u", "i")).astype(np.int64)
    y, orange, green, a = stored[:, 0], signed[:, 1], signed[:, 2], stored[:, 3]
    scale = (1 << np.frexp(a.astype(np.float64))[1].astype(np.int64)) - 1
    a = a & scale >> 1
    rgba = np.stack([y + orange - green, y + green, y - orange - green, a << 1 | a & 1], 1)
    top = np.iinfo(kind).max
    return _rounded(rgba * (top / np.maximum(scale, 1))[:, None], kind)


def _rounded(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Halves away from zero."""
    near = np.copysign(np.floor(np.abs(values) + 0.5), values)
    return np.clip(near, np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)


# name: (strides that it allows, function)
FILTERS: dict[str, tuple[tuple[int, ...] | range, Callable[[np.ndarray], np.ndarray]]] = {
    "OCTAHEDRAL": ((4, 8), octahedral),
    "QUATERNION": ((8,), quaternion),
    "EXPONENTIAL": (range(4, 257, 4), exponential),
    "COLOR": ((4, 8), color),
}
