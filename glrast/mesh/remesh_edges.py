"""The two steps of remeshing that change which vertices are joined: collapse and flip.

Both pick edges that do not touch each other's surroundings, so that all of them can be changed at
once and each check, made before, still holds after. Among edges that do touch, the one of the
lowest rank wins; ranks are all different, so every pass changes something and the result is one.
"""

from __future__ import annotations

import numpy as np

from .remesh_surface import cross, normal_axes, ragged
from .topology import edge_table

COLLAPSE_PASSES = 40
FLIP_PASSES = 12
COLLAPSE_TURN = 0.2  # least cosine between a triangle's normals before and after a collapse: 78 deg
BORDER = 4  # sharper than a corner: never moves
FLIP_TURN = 0.5  # least cosine between the normals of a pair, and of new and old pair: 60 degrees


def collapse_short(
    pos: np.ndarray, tri: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Edges shorter than `low` made one vertex in their middle, where the surface stays a surface.

    Refused where the link condition fails, where a triangle would turn over, or where an edge
    longer than `high` would come out. Vertices of borders stay, and a vertex on a crease or corner
    draws a smoother one to its own place. Dropped vertices are not removed from pos, only from tri.
    """
    pos = pos.copy()
    sharp = normal_axes(pos, tri)[1].sum(1)  # 1 smooth, 2 crease, 3 corner
    refused = np.zeros(0, dtype=np.int64)
    for _ in range(COLLAPSE_PASSES):
        ends, _, count = edge_table(tri)
        a, b = ends.T
        sharp[ends[count != 2].reshape(-1)] = BORDER
        length = np.linalg.norm(pos[a] - pos[b], axis=1)
        key = a * len(pos) + b
        short = (
            (length < low)
            & (sharp[a] + sharp[b] < 2 * BORDER)
            & (count == 2)
            & ~np.isin(key, refused)
        )
        short = np.flatnonzero(short)
        if len(short) == 0:
            break
        p, q = a[short], b[short]
        middle = (pos[p] + pos[q]) / 2
        middle = np.where((sharp[p] > sharp[q])[:, None], pos[p], middle)
        middle = np.where((sharp[p] < sharp[q])[:, None], pos[q], middle)
        good = _link_is_two(p, q, ends, len(pos)) & _stays_sound(p, q, middle, pos, tri, high)
        refused = np.concatenate([refused, key[short[~good]]])
        order = np.argsort(length[short[good]], kind="stable")
        picked = _apart(short[good][order], ends, len(pos))
        good = np.searchsorted(short, picked)
        pos[p[good]] = middle[good]
        sharp[p[good]] = np.maximum(sharp[p[good]], sharp[q[good]])
        new = np.arange(len(pos))
        new[q[good]] = p[good]
        tri = new[tri]
        tri = tri[(tri != np.roll(tri, 1, 1)).all(1)]
    return pos, tri


def flip_to_valence(pos: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """Edges turned in their quads where that brings valences nearer to 6, on borders to 4."""
    tri = tri.copy()
    for _ in range(FLIP_PASSES):
        ends, edge_of, count = edge_table(tri)
        valence = np.bincount(ends.reshape(-1), minlength=len(pos))
        ideal = np.full(len(pos), 6)
        ideal[ends[count != 2].reshape(-1)] = 4
        # the two corners (3 t + k) opposite each inner edge; p -> q is the edge's way in the first
        order = np.argsort(edge_of.reshape(-1), kind="stable")
        first = (np.cumsum(count) - count)[count == 2]
        one, two = order[first], order[first + 1]
        flat = tri.reshape(-1)
        c, d = flat[one], flat[two]
        p, q = flat[one - one % 3 + (one + 1) % 3], flat[one - one % 3 + (one + 2) % 3]
        oriented = flat[two - two % 3 + (two + 1) % 3] == q
        excess = valence - ideal
        # change of the sum of squares when p, q lose one and c, d gain one: (x+1)^2 - x^2 = 1 + 2x
        loss = 4 + 2 * (excess[c] + excess[d] - excess[p] - excess[q])
        wanted = (loss < 0) & oriented & (c != d) & (valence[p] > 3) & (valence[q] > 3)
        wanted = np.flatnonzero(wanted)
        wanted = wanted[~_joined(c[wanted], d[wanted], ends, len(pos))]
        quad = np.stack([c, p, d, q], 1)
        wanted = wanted[_flips_flat(pos, quad[wanted])]
        if len(wanted) == 0:
            break
        wanted = wanted[np.argsort(loss[wanted], kind="stable")]
        rank = np.arange(len(wanted))
        best = np.full(len(pos), len(wanted))
        for v in quad[wanted].T:
            np.minimum.at(best, v, rank)
        wanted = wanted[(best[quad[wanted]] == rank[:, None]).all(1)]
        tri[one[wanted] // 3] = quad[wanted][:, [0, 1, 2]]
        tri[two[wanted] // 3] = quad[wanted][:, [0, 2, 3]]
    return tri


def _apart(some: np.ndarray, ends: np.ndarray, V: int) -> np.ndarray:
    """Those of the edges `some` (best first) to take together: more than one edge from each other.

    Then no triangle has vertices of two of them, and none is in the link of another.
    """
    taken = []
    near = np.zeros(V, dtype=bool)  # vertices of taken edges and their neighbours
    while len(some):
        rank = np.arange(len(some))
        best = np.full(V, len(some))
        for v in ends[some].T:
            np.minimum.at(best, v, rank)
        around = best.copy()
        np.minimum.at(around, ends[:, 0], best[ends[:, 1]])
        np.minimum.at(around, ends[:, 1], best[ends[:, 0]])
        wins = (around[ends[some]] == rank[:, None]).all(1)
        taken.append(some[wins])
        touched = np.zeros(V, dtype=bool)
        touched[ends[some[wins]].reshape(-1)] = True
        near[ends[touched[ends].any(1)].reshape(-1)] = True
        some = some[~near[ends[some]].any(1)]
    return np.concatenate(taken) if taken else some


def _link_is_two(p: np.ndarray, q: np.ndarray, ends: np.ndarray, V: int) -> np.ndarray:
    """The link condition of inner edges p-q: exactly two common neighbours, each with a third.

    Source: Dey et al. 1999, "Topology Preserving Edge Contraction".
    """
    both = np.concatenate([ends, ends[:, ::-1]])
    both = both[np.argsort(both[:, 0])]  # the order within a vertex does not matter
    valence = np.bincount(both[:, 0], minlength=V)
    edge, entry = ragged((np.cumsum(valence) - valence)[p], valence[p])
    neighbour = both[entry, 1]
    common = (neighbour != q[edge]) & _joined(neighbour, q[edge], ends, V)
    few = np.bincount(edge[common & (valence[neighbour] <= 3)], minlength=len(p))
    return (np.bincount(edge[common], minlength=len(p)) == 2) & (few == 0)


def _stays_sound(
    p: np.ndarray, q: np.ndarray, middle: np.ndarray, pos: np.ndarray, tri: np.ndarray, high: float
) -> np.ndarray:
    """No triangle around p or q turns over or gets an edge longer than `high` at `middle`."""
    corner = np.argsort(tri.reshape(-1))  # the order within a vertex does not matter
    count = np.bincount(tri.reshape(-1), minlength=len(pos))
    begin = np.cumsum(count) - count
    sound = np.ones(len(p), dtype=bool)
    for end, other in ((p, q), (q, p)):
        edge, entry = ragged(begin[end], count[end])
        face, k = corner[entry] // 3, corner[entry] % 3
        kept = ~(tri[face] == other[edge][:, None]).any(1)
        edge, face, k = edge[kept], face[kept], k[kept]
        b, c = pos[tri[face, (k + 1) % 3]], pos[tri[face, (k + 2) % 3]]
        a, new = pos[end[edge]], middle[edge]
        before, after = np.cross(b - a, c - a), np.cross(b - new, c - new)
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        turned = (before * after).sum(1) <= COLLAPSE_TURN * lengths
        turned &= before.any(1)  # a degenerate triangle has no side to keep
        stretched = (np.linalg.norm(b - new, axis=1) > high) | (
            np.linalg.norm(c - new, axis=1) > high
        )
        sound[edge[turned | stretched]] = False
    return sound


def _flips_flat(pos: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Whether the quads c p d q, cut c-d instead of p-q, keep facing where they faced."""
    one, two = cross(pos, quad[:, [0, 1, 3]]), cross(pos, quad[:, [1, 2, 3]])
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    flat = (one * two).sum(1) >= FLIP_TURN * sizes  # no crease is flipped away
    old = one + two
    size = np.linalg.norm(old, axis=1)
    flat &= size > 0
    for half in ([0, 1, 2], [0, 2, 3]):
        new = cross(pos, quad[:, half])
        flat &= (new * old).sum(1) > FLIP_TURN * size * np.linalg.norm(new, axis=1)
    return flat


def _joined(a: np.ndarray, b: np.ndarray, ends: np.ndarray, V: int) -> np.ndarray:
    """Whether a-b is one of the (sorted) edges."""
    keys = ends[:, 0] * V + ends[:, 1]
    key = np.minimum(a, b) * V + np.maximum(a, b)
    return keys[np.minimum(np.searchsorted(keys, key), len(keys) - 1)] == key
