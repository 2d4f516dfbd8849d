"""Edges of a mesh with all the triangles on each, and vertices that lie in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch


class Edges(NamedTuple):
    """The edges of one or more images' triangles, as kernels/visibility/fragments/edges.cuh takes them."""

    vertices: torch.Tensor  # int32 [E,2], the lower index first
    starts: torch.Tensor  # int64 [E+1]: where each edge's triangles begin in faces
    faces: torch.Tensor  # int32: 2 * number in its image, + 1 where it runs along the edge from first to second vertex
    sides: (
        torch.Tensor
    )  # int64 [.,3]: the edge across from each corner of each triangle, counted in its image
    neighbours: (
        torch.Tensor
    )  # int32 [.,3]: 2 * number of the one triangle across it, + 1 where wound otherwise; or -1
    regions: (
        torch.Tensor
    )  # int64 [N,4]: an image's first edge, their number, the place of the first among all images',
    # and its first row of sides
    most: int  # edges of one image
    total: int  # of all images


def edges_of(tri: torch.Tensor, images: torch.Tensor) -> Edges:
    """Args: tri int32 [T,3], the same triangles in each image, or [N,T,3], or those that images [N,3] (first
    triangle, number of triangles, ...; on the CPU) name."""
    for known_tri, known_images, edges in _remembered:
        same = known_tri.shape == tri.shape and known_tri.device == tri.device
        if same and torch.equal(known_images, images) and torch.equal(known_tri, tri):
            return edges
    edges = _find(tri, images)
    _remembered.insert(0, (tri.clone(), images, edges))
    del _remembered[_MOST_REMEMBERED:]
    return edges


# The meshes of the last calls, with what was found: finding it takes ten times as long as comparing.
_remembered: list[tuple[torch.Tensor, torch.Tensor, Edges]] = []
_MOST_REMEMBERED = 4


def _find(tri: torch.Tensor, images: torch.Tensor) -> Edges:
    rows = cast(list[list[int]], images.tolist() or [[0, 0, 0]])  # pyright: ignore[reportUnknownMemberType] no types
    shared = tri.ndim == 2 and len({tuple(row[:2]) for row in rows}) == 1
    parts: list[tuple[torch.Tensor, ...]] = []
    for n, (first, count, *_) in enumerate(rows[:1] if shared else rows):
        image = tri if tri.ndim == 2 else tri[n]
        parts.append(_edges(image[first : first + count]))
    counts = [len(part[0]) for part in parts]
    firsts = [sum(counts[:n]) for n in range(len(counts))]
    triangles = [sum(len(part[3]) for part in parts[:n]) for n in range(len(parts))]
    if shared:
        firsts, counts, triangles = (x * len(rows) for x in (firsts, counts, triangles))
    places = [sum(counts[:n]) for n in range(len(counts))]
    vertices, numbers, faces, sides, neighbours = (torch.cat(part) for part in zip(*parts))
    columns = [firsts, counts, places, triangles]
    regions = torch.tensor(columns, dtype=torch.int64, device="cpu").T.contiguous()
    return Edges(
        vertices, torch.nn.functional.pad(numbers.cumsum(0), (1, 0)), faces, sides, neighbours,
        regions.to(tri.device), max(counts), sum(counts),
    )  # fmt: skip


def _edges(tri: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """vertices int32 [E,2], number of each edge's triangles int64 [E], and faces, sides, neighbours of Edges."""
    corners = tri.long()
    start, end = corners.roll(-1, 1).reshape(-1), corners.roll(-2, 1).reshape(-1)
    key = (torch.minimum(start, end) << 32) + torch.maximum(start, end)
    key, order = torch.sort(key, stable=True)  # stable: triangles of an edge in order
    unique = cast(Callable[..., Any], torch.unique_consecutive)  # pyright: ignore[reportUnknownMemberType] no types
    key, edge, counts = unique(key, return_inverse=True, return_counts=True)
    vertices = torch.stack([key >> 32, key & 0xFFFFFFFF], 1).to(torch.int32)
    number, along = order // 3, (start <= end)[order].long()
    sides = torch.empty_like(order).index_copy_(0, order, edge)
    first = torch.nn.functional.pad(counts.cumsum(0), (1, 0))[:-1]
    place = torch.arange(len(order), device=tri.device)
    partner = torch.where(place == first[edge], place + 1, place - 1).clamp(max=len(order) - 1)
    wound_otherwise = (
        along == along[partner]
    ).long()  # neighbours run along their edge opposite ways
    across = torch.where(counts[edge] == 2, 2 * number[partner] + wound_otherwise, -1)
    neighbours = torch.empty_like(order).index_copy_(0, order, across)
    return (
        vertices, counts, (2 * number + along).to(torch.int32),
        sides.to(torch.int32).reshape(-1, 3), neighbours.to(torch.int32).reshape(-1, 3),
    )  # fmt: skip


def welded(pos: torch.Tensor, tri: torch.Tensor) -> torch.Tensor:
    """tri with the vertices of one place, to the last bit, named alike: tri itself where there are none, else [T,3], or
    [N,T,3] where images differ."""
    lowest = _lowest_in_place(pos)
    if lowest is None:
        return tri
    inside = (tri >= 0) & (tri < lowest.shape[-1])
    at = torch.where(inside, tri, 0).long()
    return torch.where(inside, lowest[..., at].to(torch.int32), tri).contiguous()


def _lowest_in_place(pos: torch.Tensor) -> torch.Tensor | None:
    """int64 [V] or [N,V]: for each vertex the lowest index of those in its place; None where each has its own."""
    if pos.numel() == 0:
        return None
    bits = (pos + 0.0).view(torch.int32).long()  # -0 is 0
    key = bits[..., 0]
    for axis in range(1, 4):  # collisions are no harm: places are compared
        key = (key * -7046029254386353131) ^ (key >> 29) ^ bits[..., axis]
    key = key & 0x7FFFFFFFFFFFFFFF  # PyTorch sorts numbers from 0 on faster
    key, order = torch.sort(key, dim=-1, stable=True)
    if not bool((key[..., 1:] == key[..., :-1]).any()):
        return None  # one place has one key
    placed = torch.gather(pos, -2, order[..., None].expand(*order.shape, 4))
    again = torch.zeros_like(order, dtype=torch.bool)
    again[..., 1:] = (placed[..., 1:, :] == placed[..., :-1, :]).all(-1)
    if not bool(again.any()):
        return None
    number = torch.arange(order.shape[-1], device=pos.device).expand_as(order)
    first = torch.where(again, 0, number).cummax(-1).values
    lowest = torch.empty_like(order).scatter_(-1, order, torch.gather(order, -1, first))
    if lowest.ndim == 2 and torch.equal(lowest, lowest[:1].expand_as(lowest)):
        return lowest[0]
    return lowest
