"""Colours of vertices as numbers of a file, made 0..1."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-3  # above 1: the digits of an exporter


def unit_colours(values: np.ndarray) -> np.ndarray | None:
    """float32 0..1 of floats [.., C]: as they are, or from 0..255 where any is above 1 and all are whole.

    None where they are neither, which is for the caller to refuse.
    """
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        return x.astype(np.float32)
    if not (x >= -ROUNDING).all():  # nan too
        return None
    if x.max() > 1 + ROUNDING:
        if x.max() > 255 or (x != np.round(x)).any():
            return None
        x = x / 255
    return np.clip(x, 0, 1).astype(np.float32)
