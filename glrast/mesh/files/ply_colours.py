"""Colours in a ply file, under the names and types that programs give them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .colours import unit_colours

NAMES = (
    ("red", "green", "blue", "alpha"),
    ("r", "g", "b", "a"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", "diffuse_alpha"),
    ("red", "green", "blue", "a"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", "alpha"),
)
WIDE = {"u1": 255, "u2": 65535}  # what is white in these types


def colours_of(columns: dict[str, Any], element: str) -> np.ndarray | None:
    """float32 [rows,3], or [rows,4] where an alpha is below 1; None without colours."""
    sets = [names for names in NAMES if set(names[:3]) <= set(columns)]
    if not sets:
        some = [n for n in ("red", "green", "blue") if n in columns]
        if some:
            raise ValueError(
                f"its element {element} has {', '.join(some)} without the other colours"
            )
        return None
    names = next((names for names in sets if names[3] in columns), sets[0])
    given = [columns[name] for name in names if name in columns]
    if not all(isinstance(column, np.ndarray) for column in given):
        raise ValueError(f"the colours of its element {element} are lists")
    color = np.stack([_unit(given[:3], element)[i] for i in range(3)], 1)
    if len(given) == 4:
        alpha = _unit(given[3:], element)[0]
        if (alpha < 1).any():
            color = np.concatenate([color, alpha[:, None]], 1)
    return color.astype(np.float32)


def _unit(columns: list[np.ndarray], element: str) -> list[np.ndarray]:
    """0..1 of columns that are scaled alike."""
    types = {column.dtype.str[1:] for column in columns}
    if len(types) == 1 and types <= set(WIDE):
        return [column / WIDE[next(iter(types))] for column in columns]
    values = np.stack([column.astype(np.float64) for column in columns], 1)
    whole = all(column.dtype.kind in "iu" for column in columns)
    if whole and values.size and values.min() >= 0 and values.max() <= 65535:
        # 8 bits in a wider type, or 16; a 1 is a 1 of 255
        return list((values / (255 if values.max() <= 255 else 65535)).T)
    found = None if whole and values.size else unit_colours(values)
    if found is None:
        raise ValueError(
            f"the colours of its element {element} are from {values.min():g} to {values.max():g}, "
            "not all in 0..1, nor whole numbers in 0..255"
        )
    return list(found.T)


def spread(
    tri: np.ndarray, colors: np.ndarray, V: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours of triangles [T,C] as those of vertices: one between two colours is split, the others keep their index.

    Returns: (int64 [V'], the old index of each vertex; tri [T,3]; float32 [V',C]). Vertices of no triangle are white.
    """
    kinds, kind = np.unique(colors, axis=0, return_inverse=True)
    K = max(len(kinds), 1)
    pairs, inverse = np.unique(tri * K + kind.reshape(-1, 1), return_inverse=True)
    of = pairs // K
    first = np.diff(of, prepend=-1) != 0
    place = np.where(first, of, V + np.cumsum(~first) - 1)
    index = np.concatenate([np.arange(V), of[~first]])
    color = np.ones((len(index), colors.shape[1]), dtype=np.float32)
    color[place] = kinds[pairs % K]
    return index, place[inverse.reshape(-1)].reshape(-1, 3), color
