"""How far one surface lies from another: the yardstick where the true shape is known."""

import numpy as np
from scipy.spatial import cKDTree
from torch import Tensor

# Triangles looked at for each point: those that own the nearest of the samples.
CANDIDATES = 8


def surface_distance(
    pos: Tensor, tri: Tensor, true_pos: Tensor, true_tri: Tensor, samples: int = 20_000
) -> tuple[float, float]:
    """Mean distance of [V,3], [T,3] to the true surface and of the true one to it, in percent.

    The unit is a hundredth of the diagonal of the true surface's box. Points are drawn evenly by
    area, always the same ones.
    """
    box = true_pos.max(dim=0).values - true_pos.min(dim=0).values
    fitted, true = (
        (p.double().numpy(), t.long().numpy()) for p, t in ((pos, tri), (true_pos, true_tri))
    )
    scale = 100.0 / float(box.double().norm())
    return scale * _mean_distance(fitted, true, samples), scale * _mean_distance(
        true, fitted, samples
    )


def _mean_distance(
    source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray], samples: int
) -> float:
    points, _ = _drawn(*source, samples)
    near, owner = _drawn(*target, 5 * samples)
    candidates = owner[cKDTree(near).query(points, k=CANDIDATES)[1]]
    corners = target[0][target[1][candidates]]
    distance = _to_triangle(points[:, None, :], *np.moveaxis(corners, 2, 0))
    return float(distance.min(axis=1).mean())


def _drawn(pos: np.ndarray, tri: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` points [count,3] on the surface, and their triangles."""
    generator = np.random.default_rng(0)
    a, b, c = np.moveaxis(pos[tri], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    owner = generator.choice(len(tri), size=count, p=area / area.sum())
    u, v = generator.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[owner] + u * (b - a)[owner] + v * (c - a)[owner], owner


def _to_triangle(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Distance of points [...,3] to triangles: to the plane where the foot lies inside, else to an edge."""
    normal = np.cross(b - a, c - a)
    length = np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-30)
    normal = normal / length
    height = ((p - a) * normal).sum(axis=-1)
    inside = np.ones(height.shape, dtype=bool)
    edges = []
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        inside &= (np.cross(along, p - start) * normal).sum(axis=-1) >= 0
        share = ((p - start) * along).sum(axis=-1) / np.maximum((along**2).sum(axis=-1), 1e-30)
        foot = start + np.clip(share, 0, 1)[..., None] * along
        edges.append(np.linalg.norm(p - foot, axis=-1))
    return np.where(inside, np.abs(height), np.min(edges, axis=0))
