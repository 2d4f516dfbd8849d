"""Polygons cut into triangles: convex ones as fans from their first corner, concave ones without losing area.

Each polygon is looked at in its own plane: the one across Newell's normal, of which the coordinate that turns it least
is dropped, so that corners keep their digits. Nothing is random: the same polygon gives the same triangles.
"""

from __future__ import annotations

import numpy as np

from .ears import clip_ears

FLAT = 1e-7  # radians; a smaller turn to the right is the rounding of a file's digits: the corner is straight

NO_AREA = 1e-12  # of the squared size


def triangulate(
    pos: np.ndarray, corners: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons.

    Args:
        pos: float64 [V,3].
        corners: integers [C], the vertices of all polygons, one after the other.
        counts: integers [F], how many corners each has, 3 at least; their sum is C.
    Returns: (int64 [T,3] into `corners`, int64 [T] the polygon of each), in the polygons' order.
    """
    if (counts == 3).all():
        return np.arange(len(corners)).reshape(-1, 3), np.arange(len(counts))
    starts = np.cumsum(counts) - counts
    found, owner = [], []
    for n in np.unique(counts).tolist():
        of = np.flatnonzero(counts == n)
        local, which = _of_size(pos, corners[starts[of, None] + np.arange(n)])
        found.append(starts[of[which], None] + local)
        owner.append(of[which])
    face = np.concatenate(owner)
    order = np.argsort(face, kind="stable")
    return np.concatenate(found)[order], face[order]


def _of_size(pos: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [T,3] of polygons that all have n corners [F,n], with indices 0..n-1, and their polygons [T]."""
    F, n = corners.shape
    fan = np.stack([np.zeros(n - 2, dtype=np.int64), np.arange(1, n - 1), np.arange(2, n)], 1)
    if n == 3:
        return np.tile(fan, (F, 1)), np.arange(F)
    step = max(1, (1 << 20) // n)  # a few tens of megabytes at a time
    found, owner = [], []
    for low in range(0, F, step):
        flat = _in_plane(pos[corners[low : low + step]])
        first, clipped = _first_corners(flat)
        whole = np.flatnonzero(~clipped)
        found.append(((fan[None] + first[whole, None, None]) % n).reshape(-1, 3))
        owner.append(low + np.repeat(whole, n - 2))
        for i in np.flatnonzero(clipped).tolist():
            triangles = _clipped(flat[i])
            found.append(triangles)
            owner.append(np.full(len(triangles), low + i))
    return np.concatenate(found), np.concatenate(owner)


def _in_plane(points: np.ndarray) -> np.ndarray:
    """float64 [F,n,2], counter-clockwise, of polygons [F,n,3]."""
    local = points - points[:, :1]
    following = np.roll(local, -1, 1)
    normal = np.cross(local, following).sum(1)  # Newell's, twice the area
    axis = np.abs(normal).argmax(1)
    # u x v is the dropped axis; the other way round where the normal points against it
    kept = np.array([[1, 2], [2, 0], [0, 1]])[axis]
    against = np.take_along_axis(normal, axis[:, None], 1)[:, 0] < 0
    kept[against] = kept[against][:, ::-1]
    return np.take_along_axis(local, kept[:, None, :].repeat(local.shape[1], 1), 2)


def _first_corners(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the fan of each polygon [F,n,2] begins, and which polygons need more than a fan."""
    n = flat.shape[1]
    edge = np.roll(flat, -1, 1) - flat
    incoming = np.roll(edge, 1, 1)
    cross = incoming[..., 0] * edge[..., 1] - incoming[..., 1] * edge[..., 0]
    turn = np.arctan2(cross, (incoming * edge).sum(2))
    right = turn < -FLAT
    around = turn.sum(1)
    convex = ~right.any(1) & (around < 2 * np.pi + 0.1)  # once around, not twice as a star
    convex &= (edge != 0).any(2).all(1)  # between two corners at one place a turn goes unseen
    following = np.roll(flat, -1, 1)
    area = (flat[..., 0] * following[..., 1] - following[..., 0] * flat[..., 1]).sum(1)
    convex |= area <= NO_AREA * np.ptp(flat, axis=1).max(1) ** 2  # a line, a bow tie: no inside
    first = np.zeros(len(flat), dtype=np.int64)
    if n == 4:  # one corner that turns right: the diagonal through it; a fan is never wrong in area
        bent = (right.sum(1) == 1) & ~convex
        first[bent] = right[bent].argmax(1)
        convex[:] = True
    return first, ~convex


def _clipped(flat: np.ndarray) -> np.ndarray:
    """[T,3], corners of one polygon [n,2], those left out that lie where the one before them does."""
    kept = np.flatnonzero((flat != np.roll(flat, 1, 0)).any(1))
    if len(kept) < 3:
        return np.array([[0, 1, 2]])  # a point: a triangle without area
    return kept[clip_ears(flat[kept])]
