"""One vertex instead of several at the same place."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.arguments import positions, triangles
from ..core.check import wrong
from .topology import label_components

PAIRS_LIMIT = 50_000_000  # of one cell neighbour: 800 MB of indices


def weld(
    pos: Tensor, tri: Tensor, tolerance: float = 0.0, keep_collapsed: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The mesh with vertices at the same place made one, so that its triangles know each other.

    Args:
        pos: [V,3].
        tri: integer [T,3].
        tolerance: vertices at most this far apart (world units) become the one with the lowest
            index; 0 joins equal positions only. Chains join too: choose it far below an edge.
        keep_collapsed: True keeps triangles that lost a corner, so that rows of other arrays
            with a row for each triangle (uv_tri) still belong to the rows of tri.
    Returns: (pos [V',3], tri int32 [T',3], index int64 [V']); pos = old pos[index], and
        attr[index] brings any attribute along. The order of vertices is kept.
    Gradients: to pos.
    """
    name = "weld"
    pos = positions(name, pos)
    tri = triangles(name, tri, len(pos))
    tolerance = check.number(
        f"clip.{name}", "tolerance", tolerance, "0 joins vertices at equal positions", finite=False
    )
    if not 0 <= tolerance < float("inf"):
        raise ValueError(
            wrong(
                f"clip.{name}",
                "tolerance must be a distance of 0 or more",
                tolerance,
                "0 joins vertices at equal positions",
            )
        )
    place = pos.detach().cpu().numpy()
    found, new = unique_rows(place)
    if tolerance > 0:
        i, j = _close_pairs(place[found].astype(np.float64), tolerance)
        lowest = label_components(len(found), i, j)
        kept, newer = np.unique(lowest, return_inverse=True)
        found, new = found[kept], newer[new]
    index = torch.from_numpy(found).to(pos.device)
    tri = torch.from_numpy(new).to(tri.device)[tri]
    if not keep_collapsed:
        tri = tri[(tri != tri.roll(1, 1)).all(1)]
    return pos.index_select(0, index), tri.int(), index


def unique_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index [R] of the first of each kind of row, in their order; the kind of each row [V])."""
    order = np.lexsort(rows.T[::-1])  # stable
    ordered = rows[order]
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(1)  # -0 equals 0
    first = np.empty_like(order)
    # within a kind the order is that of the rows, so its first entry is the lowest
    first[order] = order[starts][starts.cumsum() - 1]
    return np.unique(first, return_inverse=True)


def _close_pairs(place: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i, j) at most `tolerance` apart: cells of that size, each with its 26 neighbours."""
    weights = np.array([1, 1 << 21, 1 << 42])
    # three coordinates in one number; cells 2^21 apart may share one: the distance tells them apart
    cell = np.floor((place - place.min(0, initial=0)) / tolerance).astype(np.int64) @ weights
    order = np.argsort(cell, kind="stable")
    keys = cell[order]
    pairs = []
    for step in np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) @ weights:
        low = np.searchsorted(keys, keys + step)
        count = np.searchsorted(keys, keys + step, side="right") - low
        if count.sum() > PAIRS_LIMIT:
            raise ValueError(
                wrong(
                    "clip.weld",
                    "tolerance must be far below an edge's length",
                    f"{tolerance:g}, with more than {PAIRS_LIMIT} pairs in reach",
                    "divide it by 10",
                )
            )
        i = np.repeat(np.arange(len(keys)), count)
        j = np.arange(len(i)) + np.repeat(low - (count.cumsum() - count), count)
        i, j = order[i], order[j]
        near = (i < j) & (np.linalg.norm(place[i] - place[j], axis=1) <= tolerance)
        pairs.append((i[near], j[near]))
    return np.concatenate([i for i, _ in pairs]), np.concatenate([j for _, j in pairs])
