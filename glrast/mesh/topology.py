"""What a list of triangles says about its surface: edges, closedness, pieces, the Laplacian.

Edge k of a triangle is the one opposite its corner k. Vertices are told apart by index only:
`weld` first where a file has several vertices at one place. The work on indices is NumPy's, whose
sorts were measured 25 times as fast as torch's; results go back to the device of tri.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.arguments import positions, triangles
from ..core.check import wrong

MOST_VERTICES = 2**31 - 1  # what an int32 tri can name


def edges(tri: Tensor) -> Tensor:
    """int64 [E,2], every edge once, lower index first, sorted."""
    tri = triangles("edges", tri)
    return torch.from_numpy(edge_table(tri.cpu().numpy())[0]).to(tri.device)


def edge_lengths(pos: Tensor, tri: Tensor) -> Tensor:
    """[E], in the order of `edges`. Gradients: to pos, 0 from an edge of length 0."""
    name = "edge_lengths"
    pos = positions(name, pos)
    ends = edges(triangles(name, tri, len(pos))).to(pos.device)
    difference = pos.index_select(0, ends[:, 1]) - pos.index_select(0, ends[:, 0])
    return torch.linalg.vector_norm(difference, dim=1)


def is_closed(tri: Tensor) -> bool:
    """Whether every edge has exactly two triangles: no holes, no fins. True for no triangles."""
    count = edge_table(triangles("is_closed", tri).cpu().numpy())[2]
    return bool((count == 2).all())


def is_oriented(tri: Tensor) -> bool:
    """Whether triangles that share an edge run along it in opposite directions."""
    corners = triangles("is_oriented", tri).cpu().numpy()
    directed = np.roll(corners, -1, 1) * (corners.max(initial=0) + 1) + corners
    directed = np.sort(directed, axis=None)
    return not (directed[1:] == directed[:-1]).any()


def is_manifold(tri: Tensor) -> bool:
    """Whether the surface is a disc or half a disc everywhere.

    No degenerate triangle, no edge with more than two triangles, and around each vertex one fan
    of triangles. A surface with a border can be manifold; orientation is `is_oriented`'s matter.
    """
    corners = triangles("is_manifold", tri).cpu().numpy()
    T = len(corners)
    _, edge_of, count = edge_table(corners)
    if (corners == np.roll(corners, 1, 1)).any() or (count > 2).any():
        return False
    # corners (numbered k T + t) of two triangles are linked if the triangles share an edge that
    # ends there; then a fan is one piece, and there must be as many pieces as vertices
    order = np.argsort(edge_of.T.reshape(-1), kind="stable")  # entry k T + t: edge k of triangle t
    along = edge_of.T.reshape(-1)[order]
    pair = np.flatnonzero(along[1:] == along[:-1])
    one, other = order[pair], order[pair + 1]
    links = []
    for step in (1, 2):  # the two ends of the edge, as corners of `one`
        corner = (one // T + step) % 3
        match = (corners[other % T] == corners[one % T, corner][:, None]).argmax(1)
        links.append((corner * T + one % T, match * T + other % T))
    i, j = (np.concatenate(ends) for ends in zip(*links, strict=True))
    pieces = (label_components(3 * T, i, j) == np.arange(3 * T)).sum()
    return bool(pieces == (np.bincount(corners.reshape(-1)) > 0).sum())


def laplacian(tri: Tensor, V: int) -> Tensor:
    """The combinatorial Laplacian, sparse COO float32 [V,V]: degree on the diagonal, -1 for edges.

    Args:
        tri: integer [T,3].
        V: number of vertices; those of no triangle have an empty row.
    Returns: symmetric, positive semidefinite, rows add up to 0; coalesced.
    Source: Nicolet et al. 2021, "Large Steps in Inverse Rendering of Geometry", section 3, L.
    """
    V = check.whole("clip.laplacian", "V", V, 0, MOST_VERTICES, remedy="pass len(pos)")
    tri = triangles("laplacian", tri, V)
    a, b = edge_table(tri.cpu().numpy())[0].T
    degree = np.bincount(np.concatenate([a, b]), minlength=V)
    diagonal = np.flatnonzero(degree)
    row, column = np.concatenate([a, b, diagonal]), np.concatenate([b, a, diagonal])
    value = np.concatenate([np.full(2 * len(a), -1.0), degree[diagonal]]).astype(np.float32)
    order = np.argsort(row * V + column)
    place = torch.from_numpy(np.stack([row, column])[:, order]).to(tri.device)
    values = torch.from_numpy(value[order]).to(tri.device)
    return torch.sparse_coo_tensor(
        place, values, (V, V), device=tri.device, is_coalesced=True, check_invariants=False
    )


def connected_components(tri: Tensor, V: int) -> Tensor:
    """int64 [V], the piece each vertex belongs to: 0, 1, ... in the order of their first vertices.

    A vertex of no triangle is a piece of its own.
    """
    V = check.whole("clip.connected_components", "V", V, 0, MOST_VERTICES, remedy="pass len(pos)")
    tri = triangles("connected_components", tri, V)
    corners = tri.cpu().numpy()
    label = label_components(V, corners[:, :2].reshape(-1), corners[:, 1:].reshape(-1))
    return torch.from_numpy(np.unique(label, return_inverse=True)[1]).to(tri.device)


def remove_small_components(
    pos: Tensor, tri: Tensor, fraction: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """The mesh without its crumbs and without vertices of no triangle.

    Args:
        pos: [V,3].
        tri: integer [T,3].
        fraction: pieces with fewer triangles than this share of the largest piece's go.
    Returns: (pos [V',3], tri int32 [T',3], index int64 [V']); attr[index] brings attributes along.
    Gradients: to pos.
    """
    name = "remove_small_components"
    pos = positions(name, pos)
    tri = triangles(name, tri, len(pos))
    fraction = check.number(
        f"clip.{name}",
        "fraction",
        fraction,
        "it is a share of the largest piece's triangles",
        finite=False,
    )
    if not 0 <= fraction <= 1:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "fraction must be in [0,1]",
                fraction,
                "it is a share of the largest piece's triangles",
            )
        )
    if len(tri):
        piece = connected_components(tri, len(pos))[tri[:, 0]]
        size = torch.bincount(piece)
        tri = tri[size[piece] >= fraction * size.max()]
    found, new = np.unique(tri.cpu().numpy().reshape(-1), return_inverse=True)
    index = torch.from_numpy(found).to(pos.device)
    tri = torch.from_numpy(new.reshape(-1, 3)).to(tri.device).int()
    return pos.index_select(0, index), tri, index


def edge_table(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(edges [E,2], the edge opposite each corner [T,3], number of triangles of each edge [E])."""
    start, end = np.roll(corners, -1, 1), np.roll(corners, -2, 1)  # of the edge opposite corner k
    base = corners.max(initial=0) + 1
    key = np.minimum(start, end) * base + np.maximum(start, end)
    key, edge_of, count = np.unique(key.reshape(-1), return_inverse=True, return_counts=True)
    return np.stack([key // base, key % base], 1), edge_of.reshape(-1, 3), count


def label_components(n: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """[n], the lowest node reachable from each over links (i, j); about log n rounds."""
    label = np.arange(n)
    while True:
        low = np.minimum(label[i], label[j])
        hooked = label.copy()  # the roots of both ends learn the lower label; then paths shorten
        np.minimum.at(hooked, label[i], low)
        np.minimum.at(hooked, label[j], low)
        while not np.array_equal(hooked, shorter := hooked[hooked]):
            hooked = shorter
        if np.array_equal(hooked, label):
            return label
        label = hooked
