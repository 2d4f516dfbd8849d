"""Every triangle into four: at the midpoints, or with Loop's smoothing."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.arguments import plain, positions, triangles
from ..core.check import show, wrong
from .topology import edge_table


def subdivide(pos: Tensor, tri: Tensor, *attrs: Tensor) -> tuple[Tensor, ...]:
    """The same surface with four triangles for each: every edge gets its midpoint.

    Args:
        pos: [V,3].
        tri: integer [T,3].
        attrs: any number of [V,A]; midpoints take the mean of the ends.
    Returns: (pos [V+E,3], tri int32 [4T,3], *attrs [V+E,A]). Old vertices keep their index, the
        midpoint of edge e of `edges(tri)` is vertex V+e; triangle t becomes 4t (at its corner
        0), 4t+1, 4t+2 and 4t+3 (the middle), oriented as before.
    Gradients: to pos and attrs.
    """
    name = "subdivide"
    pos = positions(name, pos)
    tri = triangles(name, tri, len(pos))
    attrs = tuple(plain(name, f"attrs[{k}]", attr) for k, attr in enumerate(attrs))
    for k, attr in enumerate(attrs):
        if attr.ndim != 2 or len(attr) != len(pos) or not attr.dtype.is_floating_point:
            raise ValueError(
                wrong(
                    f"clip.{name}",
                    f"attrs[{k}] must be float [V,A] with V={len(pos)} (from pos)",
                    f"{attr.dtype} {show(attr)}",
                    "give every vertex a row",
                )
            )
    ends, edge_of, _ = _edges(tri)
    split = [torch.cat([x, _pair(x, ends) / 2]) for x in (pos, *attrs)]
    return split[0], _four(tri, edge_of, len(pos)), *split[1:]


def subdivide_loop(pos: Tensor, tri: Tensor) -> tuple[Tensor, Tensor]:
    """One step towards the smooth surface whose control mesh this is, four triangles for each.

    Args:
        pos: [V,3].
        tri: integer [T,3]; an edge with one triangle is a border and becomes a smooth curve. An
            edge with more than two counts as a border too.
    Returns: (pos [V+E,3], tri int32 [4T,3]), numbered as `subdivide` does.
    Gradients: to pos.
    Source: Loop 1987, "Smooth Subdivision Surfaces Based on Triangles"; borders as in Hoppe et al.
        1994, "Piecewise Smooth Surface Reconstruction".
    """
    name = "subdivide_loop"
    pos = positions(name, pos)
    tri = triangles(name, tri, len(pos))
    ends, edge_of, count = _edges(tri)
    border = count != 2

    # edge points: 3/8 of each end and 1/8 of each opposite corner; on borders the midpoint
    opposite = pos.new_zeros(len(ends), 3)
    opposite = opposite.index_add(0, edge_of.reshape(-1), pos.index_select(0, tri.reshape(-1)))
    both = _pair(pos, ends)
    new = torch.where(border[:, None], both / 2, both * 0.375 + opposite * 0.125)

    # old vertices: (1 - n beta) p + beta (sum of the n neighbours)
    degree = torch.bincount(ends.reshape(-1), minlength=len(pos)).to(pos.dtype)
    n = degree.clamp(min=1)
    beta = (0.625 - (0.375 + 0.25 * torch.cos(2 * torch.pi / n)).square()) / n
    inner = (1 - degree * beta)[:, None] * pos + beta[:, None] * _neighbours(pos, ends)

    # on a border 3/4 p and 1/8 of the two neighbours along it; a vertex where borders meet, or of
    # no triangle, stays
    along = ends[border]
    borders = torch.bincount(along.reshape(-1), minlength=len(pos))
    curve = 0.75 * pos + 0.125 * _neighbours(pos, along)
    smooth = torch.where((borders == 2)[:, None], curve, pos)
    smooth = torch.where((borders == 0)[:, None], inner, smooth)
    return torch.cat([smooth, new]), _four(tri, edge_of, len(pos))


def _edges(tri: Tensor) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(x).to(tri.device) for x in edge_table(tri.cpu().numpy()))


def _pair(x: Tensor, ends: Tensor) -> Tensor:
    """[E,..], the sum over the two ends of each edge."""
    return x.index_select(0, ends[:, 0]) + x.index_select(0, ends[:, 1])


def _neighbours(x: Tensor, ends: Tensor) -> Tensor:
    """[V,..], the sum over the neighbours of each vertex."""
    out = torch.zeros_like(x)
    out = out.index_add(0, ends[:, 0], x.index_select(0, ends[:, 1]))
    return out.index_add(0, ends[:, 1], x.index_select(0, ends[:, 0]))


def _four(tri: Tensor, edge_of: Tensor, V: int) -> Tensor:
    a, b, c = tri.unbind(1)
    bc, ca, ab = (V + edge_of).unbind(1)
    rows = [a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca]
    return torch.stack(rows, 1).reshape(-1, 3).int()
