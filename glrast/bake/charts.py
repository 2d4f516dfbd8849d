"""Charts: triangles that hang together on the texture, and the edges where they end.

Two triangles hang together where they share an edge on the texture, told by its places, not by indices, and lie on its
two sides. What folds over ends there: another chart begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..mesh.topology import label_components


@dataclass(frozen=True)
class Rims:
    """Edges that end a chart: of E of them the triangle [E] and the corner [E] that each begins at (it ends at the next
    corner, counter-clockwise on the texture or clockwise)."""

    triangle: np.ndarray
    corner: np.ndarray


def charts(uv: Tensor, uv_tri: Tensor) -> Tensor:
    """int32 [T], the chart of each triangle: 0, 1, ... in the order of their first triangles.

    Args:
        uv: [U,2].
        uv_tri: [T,3] into it.
    Triangles without an area on the texture are charts of their own.
    """
    T = len(uv_tri)
    triangle, _, meets = _edges(uv, uv_tri)
    inner = np.flatnonzero(meets >= 0)
    label = label_components(T, triangle[inner], triangle[meets[inner]])
    number = np.unique(label, return_inverse=True)[1].reshape(-1)
    return torch.from_numpy(number.astype(np.int32)).to(uv_tri.device)


def rims(uv: Tensor, uv_tri: Tensor) -> Rims:
    """The edges at which charts end."""
    triangle, corner, meets = _edges(uv, uv_tri)
    ends = meets < 0
    return Rims(triangle[ends], corner[ends])


def signed_areas(uv: Tensor, uv_tri: Tensor) -> Tensor:
    """float64 [T], of each triangle on the texture, in shares of the unit square: negative where it is mirrored."""
    a, b, c = uv.detach().double()[uv_tri.long()].unbind(1)
    (x1, y1), (x2, y2) = (b - a).unbind(1), (c - a).unbind(1)
    return (x1 * y2 - y1 * x2) / 2


def _edges(uv: Tensor, uv_tri: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the edges of triangles with an area: triangle [E], first corner [E], the edge that it meets [E], or -1."""
    area = signed_areas(uv, uv_tri).cpu().numpy()
    kept = np.flatnonzero(np.isfinite(area) & (area != 0))
    place = _places(uv)[uv_tri.cpu().numpy()[kept]]  # [K,3]
    corner = np.tile(np.arange(3), len(kept))
    begin, end = place.reshape(-1), np.roll(place, -1, 1).reshape(-1)
    mirrored = np.repeat(area[kept] < 0, 3)  # all as if they ran counter-clockwise
    begin, end = np.where(mirrored, end, begin), np.where(mirrored, begin, end)
    count = int(place.max(initial=0)) + 1
    key, reverse = begin * count + end, end * count + begin
    order = np.argsort(key, kind="stable")
    found = np.searchsorted(key, reverse, sorter=order)
    found = order[np.minimum(found, len(order) - 1)] if len(order) else found
    meets = np.where(key[found] == reverse, found, -1) if len(order) else found
    return np.repeat(kept, 3), corner, meets


def _places(uv: Tensor) -> np.ndarray:
    """int64 [U], equal for equal places: seams that a file splits without need are none."""
    bits = np.ascontiguousarray(uv.detach().cpu().float().numpy() + 0.0)  # -0 is 0
    return np.unique(bits.view(np.int64).reshape(-1), return_inverse=True)[1].reshape(-1)
