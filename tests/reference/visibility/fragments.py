"""The float64 twin of glrast.fragments(discontinuities="all"): polygons are clipped, and autograd differentiates that.

What a triangle shows of a pixel is a set of convex polygons (reference/visibility/clipped.py). Each corner of these is
a rational function of the clip positions, so area and centre of gravity are too, and their derivatives come from
nothing but the chain rule: there are no edges, no runs and no boundary integral here.

    weight_f = area of what triangle f shows of the pixel       background: what is left of 1
    u, v     = b_0 / sum b, b_1 / sum b at its centre of gravity; b = (fx, fy, 1) M^-1, M the rows (X,Y,W) of a triangle
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import clipped

LIGHTEST = 1e-7  # of a pixel: what shows less is left out


class Fragments(NamedTuple):
    """Of one image, by pixel, then by triangle; the background first."""

    pixel: Tensor  # int64 [F], from the lowest row
    triangle: Tensor  # int64 [F], -1: background
    weight: Tensor  # [F]
    point: Tensor  # [F,2], in pixels
    uv: Tensor  # [F,2]
    db: Tensor  # [F,4]: du/dX, du/dY, dv/dX, dv/dY


def fragments(pos: Tensor, tri: Tensor, resolution) -> Fragments:
    """What each pixel shows that shows more than one thing. pos [V,4] float64, tri [T,3] in range.

    Gradients: pos, from weight, point, uv and db.
    """
    faces = tri.numpy().astype(np.int64)
    planes, drawn = affine(pos, tri, resolution)
    height, width = resolution
    outlines = {}
    for t in np.nonzero(drawn)[0]:
        q = clipped.outline(pos[faces[t]], resolution)
        for axis, size in ((0, width), (1, height)):
            q = clipped.clip(q, q[:, axis]) if len(q) else q
            q = clipped.clip(q, size - q[:, axis]) if len(q) else q
        if len(q) >= 3:
            outlines[t] = q
    seen: dict[int, dict[int, Tensor]] = {}
    for t, q in outlines.items():
        front = [clipped.in_front(planes, faces, outlines, t, o) for o in outlines if o != t]
        for piece in clipped.without(q, [f for f in front if f is not None]):
            for (x, y), part in clipped.cut_pixels(piece):
                area = clipped.area_of(part)
                moment = area * clipped.center_of(part)
                pixel = seen.setdefault(y * width + x, {})
                pixel[t] = pixel.get(t, 0) + torch.cat([area[None], moment])
    return _listed(seen, planes, width)


def _listed(seen, planes, width: int) -> Fragments:
    rows = []
    for pixel, parts in sorted(seen.items()):
        middle = torch.tensor([pixel % width + 0.5, pixel // width + 0.5], dtype=torch.float64)
        rest = torch.cat([torch.ones(1), middle]) - sum(parts.values())
        shown = {t: p for t, p in sorted({-1: rest, **parts}.items()) if p[0] > LIGHTEST}
        rows += [(pixel, t, p) for t, p in shown.items()] if len(shown) > 1 else []
    if not rows:
        none = torch.zeros(0, dtype=torch.int64)
        return Fragments(none, none, *(torch.zeros(0, k).double() for k in (1, 2, 2, 4)))
    pixels, triangles, parts = zip(*rows)
    pixel, triangle = torch.tensor(pixels), torch.tensor(triangles)
    parts = torch.stack(parts)
    weight, point = parts[:, 0], parts[:, 1:] / parts[:, :1]
    b = planes[triangle, :3]  # of the background: of some triangle, and masked
    at = b[..., 0] * point[:, :1] + b[..., 1] * point[:, 1:] + b[..., 2]
    total = at.sum(1, keepdim=True)
    uv = at[:, :2] / total
    slopes = (b[:, :2, :2] - uv[..., None] * b[..., :2].sum(1, keepdim=True)) / total[..., None]
    drawn = (triangle >= 0)[:, None]
    return Fragments(pixel, triangle, weight, point, uv * drawn, slopes.reshape(-1, 4) * drawn)


def affine(pos: Tensor, tri: Tensor, resolution) -> tuple[Tensor, np.ndarray]:
    """clipped.affine with derivatives."""
    _, drawn = clipped.affine(pos.detach().numpy(), tri.numpy().astype(np.int64), resolution)
    height, width = resolution
    size = torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64)
    at = pos[tri.long()]
    rows = torch.where(torch.from_numpy(drawn)[:, None, None], at[:, :, [0, 1, 3]], torch.eye(3))
    b = torch.linalg.inv(rows).transpose(1, 2)  # [T,k,3] by fx, fy, 1
    b = torch.stack([b[..., 0], b[..., 1], b[..., 2] - b[..., 0] - b[..., 1]], -1) / size
    return torch.cat([b, (at[:, None, :, 2] @ b)], 1), drawn
