"""What remeshing asks of a surface: the nearest point on it, its creases, its normals."""

from __future__ import annotations

import numpy as np

# normals t apart on the two sides of a crease have the variance sin(t/2)^2: this is 55 degrees
CREASE = 0.213


class Surface:
    """A fixed mesh, pos float64 [V,3] and tri int64 [T,3], to find closest points on."""

    def __init__(self, pos: np.ndarray, tri: np.ndarray) -> None:
        self.pos, self.tri = pos, tri
        a, b, c = (pos[tri[:, k]] for k in range(3))
        self._origin, self._ab, self._ac = a, b - a, c - a
        self._e = (self._ab * self._ab).sum(1)
        self._f = (self._ab * self._ac).sum(1)
        self._g = (self._ac * self._ac).sum(1)
        order = np.argsort(tri.reshape(-1), kind="stable")
        self._around = order // 3  # triangles of vertex 0, of vertex 1, ...
        self._count = np.bincount(tri.reshape(-1), minlength=len(pos))
        self._begin = np.cumsum(self._count) - self._count

    def any_triangle_of_vertices(self) -> np.ndarray:
        """[V], a triangle at each vertex; every vertex has one."""
        home = np.zeros(len(self.pos), dtype=np.int64)
        home[self.tri[:, ::-1].reshape(-1)] = np.repeat(np.arange(len(self.tri)), 3)
        return home

    def closest(
        self, points: np.ndarray, home: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Downhill from triangle to touching triangle, from home [P] to where none is nearer.

        Returns: (closest points [P,3], their triangles [P], their weights [P,3]).
        """
        home = home.copy()
        weight, squared = self.nearest_in(points, home)
        active = np.arange(len(points))
        while len(active):
            # every triangle that shares a vertex with the present one
            corners = self.tri[home[active]].reshape(-1)
            row, entry = ragged(self._begin[corners], self._count[corners])
            row, candidate = row // 3, self._around[entry]
            w, distance = self.nearest_in(points[active[row]], candidate)
            begin = np.flatnonzero(np.diff(row, prepend=-1))
            least = np.minimum.reduceat(distance, begin)
            first = np.flatnonzero(distance == least[row])
            winner = first[np.unique(row[first], return_index=True)[1]]
            # strictly nearer by more than rounding, so that the walk ends
            better = least < squared[active] * (1 - 1e-9) - 1e-30
            active, winner = active[better], winner[better]
            home[active], weight[active] = candidate[winner], w[winner]
            squared[active] = least[better]
        corners = self.pos[self.tri[home]]
        return (corners * weight[:, :, None]).sum(1), home, weight

    def nearest_in(self, points: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(weights [P,3] of the nearest point of one triangle each, squared distance [P]).

        Source: Ericson 2005, "Real-Time Collision Detection", section 5.1.5.
        """
        e, f, g = self._e[face], self._f[face], self._g[face]
        away = points - self._origin[face]
        d1, d2 = (self._ab[face] * away).sum(1), (self._ac[face] * away).sum(1)
        d3, d4, d5, d6 = d1 - e, d2 - f, d1 - f, d2 - g
        va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
        with np.errstate(divide="ignore", invalid="ignore"):
            # inside; then the edges, then the corners overwrite where the point is outside
            v, w = vb / (va + vb + vc), vc / (va + vb + vc)
            on_bc = (va <= 0) & (d4 >= d3) & (d5 >= d6)
            t = (d4 - d3) / (d4 - d3 + d5 - d6)
            v, w = np.where(on_bc, 1 - t, v), np.where(on_bc, t, w)
            on_ac = (vb <= 0) & (d2 >= 0) & (d6 <= 0)
            v, w = np.where(on_ac, 0, v), np.where(on_ac, d2 / g, w)
            on_ab = (vc <= 0) & (d1 >= 0) & (d3 <= 0)
            v, w = np.where(on_ab, d1 / e, v), np.where(on_ab, 0, w)
        at_c = (d6 >= 0) & (d5 <= d6)
        v, w = np.where(at_c, 0, v), np.where(at_c, 1, w)
        at_b = (d3 >= 0) & (d4 <= d3)
        v, w = np.where(at_b, 1, v), np.where(at_b, 0, w)
        at_a = (d1 <= 0) & (d2 <= 0)
        v, w = np.where(at_a, 0, v), np.where(at_a, 0, w)
        # rounding in a degenerate triangle can say anything: keep the point on it
        v = np.clip(np.nan_to_num(v), 0, 1)
        w = np.clip(np.nan_to_num(w), 0, 1 - v)
        squared = (away * away).sum(1) - 2 * (v * d1 + w * d2)
        squared += v * v * e + 2 * v * w * f + w * w * g
        return np.stack([1 - v - w, v, w], 1), np.maximum(squared, 0)


def normal_axes(pos: np.ndarray, tri: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions that lead off the surface at each vertex: (axes [V,3,3] in columns, off [V,3]).

    One axis on a smooth surface (the mean normal), two on a crease (all but its own direction),
    three at a corner: the mean normal, and what the normals spread along. Their second moment
    about 0 would not see the edge of a blade, whose normals are opposite.
    """
    normal = cross(pos, tri)
    area = np.linalg.norm(normal, axis=1)
    normal /= np.where(area > 0, area, 1)[:, None]
    corners = pos[tri]
    u, v = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    # weights are angles: areas would not see the wall of a thin plate
    weight = np.arctan2(area[:, None], (u * v).sum(2)).reshape(-1)
    vertex, n = tri.reshape(-1), np.repeat(normal, 3, 0)
    total = np.maximum(np.bincount(vertex, weight, len(pos)), 1e-12)
    mean = np.stack([np.bincount(vertex, weight * n[:, i], len(pos)) for i in range(3)], 1)
    mean /= total[:, None]
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    unit = mean / np.where(length > 0, length, 1)
    tensor = np.empty((len(pos), 3, 3))
    for i in range(3):
        for j in range(i + 1):
            square = np.bincount(vertex, weight * n[:, i] * n[:, j], len(pos)) / total
            spread = (square - mean[:, i] * mean[:, j]) / CREASE
            tensor[:, i, j] = tensor[:, j, i] = spread + unit[:, i] * unit[:, j]
    size, axes = np.linalg.eigh(tensor)
    return axes, size > 1 - 1e-9


def cross(pos: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """[T,3], the normal of each triangle, twice its area long."""
    a = pos[tri[:, 0]]
    return np.cross(pos[tri[:, 1]] - a, pos[tri[:, 2]] - a)


def ragged(begin: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, entry) for all entries begin[row], ..., begin[row] + count[row] - 1, row after row."""
    row = np.repeat(np.arange(len(begin)), count)
    return row, np.arange(len(row)) + np.repeat(begin - (np.cumsum(count) - count), count)
