"""What the losses of meshes need to know of a list of triangles; found once for a `tri` that stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.per_tensor import PerTensor
from ..mesh.topology import edge_table, laplacian


@dataclass(frozen=True)
class Adjacency:
    """The edges of a mesh and what lies on them, on the device of the vertices; int64.

    Args:
        tri: [T,3].
        edges: [E,2], each once; none from a vertex to itself.
        edge_of: [T,3], the edge opposite each corner; E where that is none.
        pairs: [P,4], the edges with exactly two triangles: its ends, and the third corner of either triangle.
        lowest, highest: vertex that is named.
    """

    tri: Tensor
    edges: Tensor
    edge_of: Tensor
    pairs: Tensor
    lowest: int
    highest: int
    laplacians: dict[int, Tensor] = field(default_factory=dict)  # by the number of vertices


_adjacencies: PerTensor[Adjacency] = PerTensor()


def adjacency(function: str, tri: Tensor, attr: Tensor) -> Adjacency:
    """Of the mesh whose vertices carry `attr` [..,V,A]."""
    given, V = tri, attr.shape[-2]
    tri = check.triangles(function, tri, device=attr.device)
    near = _adjacencies.of(given, lambda: _found(tri))
    if len(near.tri):
        expected = f"[T,3] of vertex indices in [0,{V})"
        found = f"{near.lowest} to {near.highest}"
        held = 0 <= near.lowest and near.highest < V
        check.value(function, "tri", expected, held, found, "pass the vertices that tri belongs to")
    return near


def laplacian_of(near: Adjacency, V: int) -> Tensor:
    """`glrast.clip.laplacian`, sparse float32 [V,V]."""
    if V not in near.laplacians:
        near.laplacians[V] = laplacian(near.tri, V)
    return near.laplacians[V]


def _found(tri: Tensor) -> Adjacency:
    # On the host: NumPy's sorts are quicker than torch's, and this happens once.
    corners = tri.cpu().numpy().astype(np.int64)
    ends, edge_of, _ = edge_table(np.maximum(corners, 0))
    real = ends[:, 0] != ends[:, 1]
    number = np.where(
        real, np.cumsum(real) - 1, real.sum()
    )  # without edges from a vertex to itself
    ends, edge_of = ends[real], number[edge_of]
    found = (corners, ends, edge_of, _pairs(corners, ends, edge_of))
    return Adjacency(
        *(torch.from_numpy(part).to(tri.device) for part in found),
        lowest=int(corners.min(initial=0)),
        highest=int(corners.max(initial=-1)),
    )


def _pairs(corners: np.ndarray, ends: np.ndarray, edge_of: np.ndarray) -> np.ndarray:
    a, b, c = corners.T
    flat = ((a == b) | (b == c) | (c == a))[:, None]  # lies on no side of an edge
    edge_of = np.where(flat, len(ends), edge_of)
    order = np.argsort(edge_of.reshape(-1), kind="stable")  # corners, by the edge opposite them
    count = np.bincount(edge_of.reshape(-1), minlength=len(ends) + 1)[: len(ends)]
    first = (np.cumsum(count) - count)[count == 2]
    apex = corners.reshape(-1)[order]
    return np.concatenate(
        [ends[count == 2], np.stack([apex[first], apex[first + 1]], axis=1)], axis=1
    )
