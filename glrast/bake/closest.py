"""The nearest point of a mesh to each of many points."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..mesh.remesh_surface import Surface, ragged

# Points at once: each is compared with some twenty triangles, with 300 bytes each.
PORTION = 1 << 15
# Places on the surface that a search begins at: those of a triangle lie about the mean edge apart, at most this many
# on a side; and how many of the nearest are tried.
MOST_ON_A_SIDE, TRIED = 16, 4


class Closest:
    """A mesh to look for nearest points on: pos float64 [V,3], tri int64 [T,3], triangles without an area left out.

    The search begins at the triangles of the nearest of many places on the surface and goes downhill from triangle to
    touching triangle. So it finds the nearest point where the surface is sampled finely enough to begin in the right
    place, which two sheets closer to each other than half an edge may miss.
    """

    def __init__(self, pos: np.ndarray, tri: np.ndarray) -> None:
        side = np.linalg.norm(pos[np.roll(tri, -1, 1)] - pos[tri], axis=2)
        area = np.linalg.norm(
            np.cross(pos[tri[:, 1]] - pos[tri[:, 0]], pos[tri[:, 2]] - pos[tri[:, 0]]), axis=1
        )
        self.number = np.flatnonzero(np.isfinite(area) & (area > 0))
        tri, side = tri[self.number], side[self.number]
        self.surface = Surface(pos, tri)
        place, self._home = _places(pos, tri, side)
        self._tree = _tree(place)

    def find(
        self, points: np.ndarray, home: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(nearest points [P,3], their triangles [P] among `number`, their weights [P,3]).

        Args:
            points: [P,3].
            home: [P], triangles to begin at.
        """
        parts = []
        for first in range(0, len(points), PORTION):
            some = points[first : first + PORTION]
            begin = self._begin(some) if home is None else home[first : first + PORTION]
            parts.append(self.surface.closest(some, begin))
        if not parts:
            return np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros((0, 3))
        at, face, weight = (np.concatenate(x) for x in zip(*parts))
        return at, face, weight

    def _begin(self, points: np.ndarray) -> np.ndarray:
        tried = min(TRIED, len(self._home))
        face = self._home[self._tree.query(points, tried)[1].reshape(len(points), tried)]
        squared = self.surface.nearest_in(points.repeat(tried, 0), face.reshape(-1))[1]
        return face[np.arange(len(points)), squared.reshape(face.shape).argmin(1)]


def _places(pos: np.ndarray, tri: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places [S,3] all over the triangles, and the triangle of each [S]."""
    if not len(tri):
        return np.zeros((0, 3)), np.zeros(0, np.int64)
    n = np.clip(np.ceil(side.max(1) / side.mean()), 1, MOST_ON_A_SIDE).astype(np.int64)
    face, cell = ragged(np.zeros(len(tri), np.int64), n * n)
    i, j = cell // n[face], cell % n[face]
    # the square of cells folded onto the triangle
    u, v = (i + 1 / 3) / n[face], (j + 1 / 3) / n[face]
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    a, b, c = (pos[tri[face, k]] for k in range(3))
    return a + u[:, None] * (b - a) + v[:, None] * (c - a), face


def _tree(places: np.ndarray) -> Any:
    try:
        from scipy.spatial import KDTree
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'glrast.bake.transfer: it needs SciPy, which is not installed; run: pip install "glrast[fit]"',
            name="scipy",
        ) from error
    return KDTree(places)
