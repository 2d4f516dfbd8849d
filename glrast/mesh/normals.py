"""Normals of triangles and of vertices, differentiable in the positions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..core.arguments import plain
from ..core.check import show, wrong

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def face_normals(pos: Tensor, tri: Tensor, unit: bool = True) -> Tensor:
    """The normal of each triangle, on the side from which it runs counter-clockwise.

    Args:
        pos: [V,3] or [N,V,3].
        tri: integer [T,3].
        unit: False leaves the length at twice the area.
    Returns: [T,3] or [N,T,3]; 0 for a degenerate triangle.
    Gradients: to pos; 0 from a degenerate triangle.
    """
    a, b, c = _corners("face_normals", pos, tri)
    normal = torch.linalg.cross(b - a, c - a)
    return _normalize(normal) if unit else normal


def vertex_normals(pos: Tensor, tri: Tensor, weight: Literal["area", "angle"] = "area") -> Tensor:
    """The unit normal of each vertex: the weighted mean of its triangles' normals.

    Args:
        pos: [V,3] or [N,V,3].
        tri: integer [T,3].
        weight: 'area' (quick, and what an optimisation wants: slivers weigh nothing) or 'angle'
            (of the triangle at the vertex: independent of how the surface is cut into triangles).
    Returns: like pos; 0 where no triangle with an area touches the vertex.
    Gradients: to pos. On the CPU bit-identical from run to run.
    """
    name = "vertex_normals"
    if not isinstance(weight, str) or weight not in ("area", "angle"):
        raise ValueError(
            wrong(f"clip.{name}", "weight must be 'area' or 'angle'", f"{weight!r}", "pick one")
        )
    pos, tri = plain(name, "pos", pos), plain(name, "tri", tri)
    corners = _corners(name, pos, tri)
    a, b, c = corners
    normal = torch.linalg.cross(b - a, c - a)
    if weight == "area":
        shares = [normal, normal, normal]
    else:
        normal = _normalize(normal)
        shares = [normal * _angle(corners, k) for k in range(3)]
    index = tri.long().T.reshape(-1)  # the order of torch.cat(shares): all corners 0, 1, 2
    return _normalize(torch.zeros_like(pos).index_add(-2, index, torch.cat(shares, -2)))


def _corners(function: str, pos: Tensor, tri: Tensor) -> list[Tensor]:
    pos, tri = plain(function, "pos", pos), plain(function, "tri", tri)
    if pos.ndim not in (2, 3) or pos.shape[-1] != 3 or not pos.dtype.is_floating_point:
        raise ValueError(
            wrong(
                f"clip.{function}",
                "pos must be float [V,3] or [N,V,3]",
                f"{pos.dtype} {show(pos)}",
                "pass positions without the fourth coordinate",
            )
        )
    if tri.ndim != 2 or tri.shape[1] != 3 or tri.dtype not in _INTEGERS:
        raise ValueError(
            wrong(
                f"clip.{function}",
                "tri must be integer [T,3]",
                f"{tri.dtype} {show(tri)}",
                "split polygons into triangles first",
            )
        )
    try:
        # index_select, not pos[tri]: its backward adds in a fixed order on the CPU
        return [pos.index_select(-2, column) for column in tri.long().unbind(1)]
    except (IndexError, RuntimeError) as error:
        raise ValueError(
            wrong(
                f"clip.{function}",
                f"tri must hold vertex indices in [0,{pos.shape[-2]})",
                error,
                "pass the vertices that tri belongs to",
            )
        ) from None


def _angle(corners: list[Tensor], k: int) -> Tensor:
    """[..,T,1], the angle at corner k in radians; atan2 stays exact where acos does not."""
    p, q, r = corners[k], corners[(k + 1) % 3], corners[(k + 2) % 3]
    u, v = _normalize(q - p), _normalize(r - p)
    sine = _length(torch.linalg.cross(u, v))
    cosine = (u * v).sum(-1, keepdim=True)
    return torch.atan2(sine, cosine)


def _normalize(x: Tensor) -> Tensor:
    """x / |x|, and 0 with gradient 0 where x is 0."""
    length = _length(x)
    return torch.where(length > 0, x / torch.where(length > 0, length, 1), 0)


def _length(x: Tensor) -> Tensor:
    # the largest coordinate is taken out first: squares of 1e-23 would vanish in float32
    largest = x.detach().abs().amax(-1, keepdim=True)
    scale = torch.where(largest > 0, largest, 1)
    squared = (x / scale).square().sum(-1, keepdim=True)
    # where squared is 0 the root's infinite slope must not meet a zero gradient: that is a nan
    return torch.where(squared > 0, torch.where(squared > 0, squared, 1).sqrt() * scale, 0)
