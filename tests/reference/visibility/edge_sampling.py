"""The float64 twin of glrast.visibility.edge_sampling: the same points on edges, chosen by the same numbers.

An edge's part in the image is clipped in clip space; the term that a point adds is the colour step times how far the
edge moves there, a torch function of its ends by the distance of a point from a line.
"""

import torch
from torch import Tensor

from ..rasterize import determinant, triangle_id
from .surface import per_image, screen, still

BESIDE = 1.001


def edge_sampling(
    color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, chosen: Tensor, silhouettes_only: bool = False
) -> Tensor:  # fmt: skip
    """color, with the derivative of the samples; `chosen` [N,M] in [0,1) says where along the length of all edges."""
    image = color.double()
    N, H, W, C = color.shape
    clip = per_image(pos.double(), N)
    table = edges(tri)
    for n in range(N):
        if not table or not len(chosen[n]):
            continue
        kept = [segment(clip[n].detach(), e, (H, W), silhouettes_only) for e in table]
        lengths = torch.stack(
            [torch.zeros(()).double() if s is None else (s[1] - s[0]).norm() for s in kept]
        )
        ends, ids = lengths.cumsum(0), triangle_id(rast)[n]
        for u in chosen[n].double():
            at = u * ends[-1]
            e = int(torch.searchsorted(ends, at, right=True).clamp(max=len(table) - 1))
            if not lengths[e] > 0:
                continue
            t = 1 + (at - ends[e]) / lengths[e]
            p = kept[e][0] + t * (kept[e][1] - kept[e][0])
            v0, v1, triangles, _ = table[e]
            term = sample(color[n].double(), ids, clip[n][[v0, v1]], p, triangles)
            if term is not None:
                here, step, moved = term
                weight = ends[-1] / len(chosen[n])
                image = image.index_put(
                    (torch.tensor(n), *here), weight * step * still(moved), accumulate=True
                )
    return image


def edges(tri: Tensor):
    """(v0, v1, [triangles], [their third vertices]) of every edge, in order of the vertices; at most two triangles."""
    found: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for t, corners in enumerate(tri.tolist()):
        if len(set(corners)) < 3 or min(corners) < 0:
            continue
        for k in range(3):
            ends = tuple(sorted((corners[k - 2], corners[k - 1])))
            triangles, thirds = found.setdefault(ends, ([], []))
            triangles.append(t)
            thirds.append(corners[k])
    return [(*ends, t[:2], c[:2]) for ends, (t, c) in sorted(found.items())]


def segment(clip: Tensor, edge, size, silhouettes_only):
    """(from, to) in pixels: the part of an edge that the image shows; None where it is not sampled."""
    v0, v1, _, thirds = edge
    if max(v0, v1, thirds[0]) >= len(clip):
        return None
    p, q = clip[v0], clip[v1]
    corners = [p, q, *(clip[c] for c in thirds if c < len(clip) and clip[c].isfinite().all())]
    if not torch.stack([p, q, clip[thirds[0]]]).isfinite().all():
        return None
    if len(corners) == 4:
        lengths = torch.stack([corners[0], *(c - corners[0] for c in corners[1:])])
        flat = torch.linalg.det(lengths).abs() <= 1e-6 * lengths.norm(dim=1).prod()
        sides = [determinant(torch.stack([p, q, c])[None]) for c in corners[2:]]
        folds = bool(sides[0] * sides[1] >= 0)
        if (silhouettes_only and not folds) or (not silhouettes_only and bool(flat) and not folds):
            return None
    low, high = 0.0, 1.0
    for axis in range(3):
        for sign in (1, -1):
            a, b = p[3] + sign * p[axis], q[3] + sign * q[axis]
            if a < 0 and b < 0:
                return None
            if a < 0:
                low = max(low, float(a / (a - b)))
            elif b < 0:
                high = min(high, float(a / (a - b)))
    ends = [p + t * (q - p) for t in (low, high)]
    if low >= high or min(float(e[3]) for e in ends) <= 0:
        return None
    return tuple(screen(e, size)[:2] for e in ends)


def sample(color, ids, ends: Tensor, p: Tensor, triangles):
    """((y, x) of the pixel, step of colours [C], how far the edge moves outward there, in pixels), or None."""
    H, W = ids.shape
    half = torch.tensor([W / 2, H / 2], dtype=torch.float64)
    f = torch.cat([p / half - 1, torch.ones(1, dtype=torch.float64)])
    line = torch.linalg.cross(ends[0, [0, 1, 3]], ends[1, [0, 1, 3]])
    value, slope = line @ f, line.detach()[:2] / half
    if not slope.norm() > 0:
        return None
    axis = int(slope[0].abs() < slope[1].abs())
    beside = torch.zeros(2, dtype=torch.float64)
    beside[axis] = BESIDE * 0.5 * (1 + (slope[1 - axis] / slope[axis]).abs()) * slope[axis].sign()
    pixels = [(p + s * beside).floor().long() for s in (0, 1, -1)]
    if any(x < 0 or y < 0 or x >= W or y >= H for x, y in (q.tolist() for q in pixels)):
        return None
    here, inner, outer = ((q[1], q[0]) for q in pixels)
    if int(ids[inner]) not in triangles and int(ids[outer]) not in triangles:
        return None
    return here, color[inner] - color[outer], value / slope.norm()
