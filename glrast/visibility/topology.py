"""Which triangle lies across each edge: what tells silhouettes from the inside of a mesh."""

from __future__ import annotations

import torch

from ..core import check
from ..core.check import wrong
from ..core.per_tensor import PerTensor, in_transform


def antialias_construct_topology_hash(tri: torch.Tensor) -> Topology:
    """The neighbours of every triangle, to be made once per mesh and passed to `antialias`.

    Args:
        tri: int32 or int64 [T,3].

    Returns: an opaque handle that belongs to this tri. 12 bytes per triangle.
    """
    tri = check.triangles("antialias_construct_topology_hash", tri)
    return Topology(tri)


class Topology:
    """Handle of a mesh's connectivity: for each triangle and edge, the apex of the triangle across it."""

    def __init__(self, tri: torch.Tensor):
        self.tri = tri.clone()
        self.opposite = opposite_vertices(tri)
        self._opposite_culled: torch.Tensor | None = None
        self._equal: PerTensor[bool] = PerTensor()  # other tensors, whether they hold the same

    def across(self, cull: str) -> torch.Tensor:
        """`opposite`, made for culled meshes when one is first drawn."""
        if cull == "none":
            return self.opposite
        if in_transform():
            return opposite_vertices(self.tri, culled=True)
        if self._opposite_culled is None:
            self._opposite_culled = opposite_vertices(self.tri, culled=True)
        return self._opposite_culled

    def belongs_to(self, tri: torch.Tensor) -> bool:
        """Compared on the CPU; on a GPU only the shape is, since a comparison would wait for it."""
        if tri.shape != self.tri.shape or tri.device != self.tri.device:
            return False
        if torch.compiler.is_compiling() or tri.device.type != "cpu" or check.is_mapped(tri):
            return True
        return self._equal.of(tri, lambda: torch.equal(tri, self.tri))


def opposite_vertices(tri: torch.Tensor, culled: bool = False) -> torch.Tensor:
    """int32 [T,3]: the vertex across the edge opposite vertex k of triangle t, -1 where the edge is open.

    Edges are pairs of vertex indices. Where more than two triangles share one, the two with the lowest indices
    count: they see each other, the others see the lowest. Triangles that name a vertex twice, or a
    negative one, have no edges.

    With `culled` the mesh is drawn without one kind of face. Wound alike, a visible triangle's neighbour is culled
    exactly where it folds back, a silhouette anyway. Wound differently it is culled exactly where it does *not*
    fold back, so every edge of such a pair is a silhouette wherever either is visible: it is open.
    """
    T = tri.shape[0]
    corners = tri.long()
    # edge k is opposite vertex k; rolled, for a list as an index is copied to a GPU and waited for
    after, before = corners.roll(-1, 1), corners.roll(-2, 1)
    start, end = after.reshape(-1), before.reshape(-1)
    undrawn = (corners == after).any(1) | (corners < 0).any(1)
    undrawn = undrawn.repeat_interleave(3)
    edge = torch.arange(3 * T, device=tri.device)
    key = torch.where(
        undrawn, -1 - edge, (torch.minimum(start, end) << 32) + torch.maximum(start, end)
    )
    key, order = torch.sort(key, stable=True)  # stable: within an edge, triangles stay in order
    place = edge  # positions in the sorted list
    new = torch.ones_like(key, dtype=torch.bool)
    new[1:] = key[1:] != key[:-1]
    first = torch.cummax(torch.where(new, place, 0), 0).values if T else place
    following = torch.clamp(first + 1, max=max(3 * T - 1, 0))
    has_second = (first + 1 < 3 * T) & ~new[following] if T else new
    partner = torch.where(place != first, first, torch.where(has_second, following, -1))
    apex = corners.reshape(-1)[order]
    if culled and T:  # neighbours that run along their edge the same way are wound differently
        way = (start < end)[order]
        partner = torch.where(way == way[partner.clamp(min=0)], -1, partner)
    other = torch.where(partner >= 0, apex[partner.clamp(min=0)], -1) if T else apex
    out = torch.empty_like(other)
    out[order] = other
    return out.to(torch.int32).reshape(T, 3)


_topologies: PerTensor[Topology] = PerTensor()


def topology(given: torch.Tensor, tri: torch.Tensor, handle: Topology | None) -> Topology:
    if handle is None:
        return _remembered_topology(given, tri)
    if not isinstance(handle, Topology):  # pyright: ignore[reportUnnecessaryIsInstance] callers have none
        raise TypeError(
            wrong(
                "antialias",
                "topology_hash must come from antialias_construct_topology_hash(tri)",
                f"{type(handle).__name__}",
            )
        )
    check.value(
        "antialias", "topology_hash", "made from this tri", handle.belongs_to(tri),
        f"one made from a tri {check.show(handle.tri)}", "construct it again when the triangles change",
    )  # fmt: skip
    return handle


def _remembered_topology(given: torch.Tensor, tri: torch.Tensor) -> Topology:
    """Made once for a tri that stays as it is. The CPU compares where that is uncertain; a GPU would be waited for."""

    def is_same(known: Topology) -> bool:
        return torch.equal(known.tri, tri)

    same = is_same if tri.device.type == "cpu" else None
    return _topologies.of(given, lambda: Topology(tri), still=same)
