"""The float64 twin of glrast.visibility.nearest_faces: every face at every pixel centre, with autograd.

A face is cut by the near and the far plane, corner by corner (Sutherland and Hodgman), and projected: an outline on the
screen. A pixel centre is inside where it lies on the same side of all its edges; its distance is that to the nearest of
them. Barycentrics come from the inverse of the rows (X,Y,W), z from them. Nothing here knows of tiles or lists.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..rasterize import drawable

EYE = 1e-7  # of the largest |w|: a face that reaches the camera is cut so much before it


class NearestFaces(NamedTuple):
    """As glrast's; and what makes an answer doubtful."""

    id: Tensor
    z: Tensor
    bary: Tensor
    dist2: Tensor
    doubtful: (
        Tensor  # bool [N,H,W]: rounding decides which faces are among the K, or in which order
    )


def nearest_faces(
    pos: Tensor,
    tri: Tensor,
    resolution,
    faces_per_pixel: int = 8,
    reach_pix: float = 0.0,
    ranges=None,
    perspective_correct: bool = True,
    clip_barycentrics: bool | None = None,
    cull: str = "none",
) -> NearestFaces:
    """The K nearest faces of every pixel centre by z, ties by id. pos [N,V,4] or, with ranges, [V,4], float64.

    Gradients: pos, from z, bary and dist2.
    """
    clip = reach_pix > 0 if clip_barycentrics is None else clip_barycentrics
    images = [(p, 0, len(tri)) for p in pos] if ranges is None else [(pos, *row) for row in ranges]
    found = []
    for p, first, count in images:
        looked = [
            (t, look(p[tri[t].long()], resolution, reach_pix, perspective_correct, clip))
            for t in range(first, first + count)
            if is_drawn(p, tri[t], cull)
        ]
        found.append(_nearest(looked, resolution, faces_per_pixel, reach_pix))
    return NearestFaces(*(torch.stack(parts) for parts in zip(*found)))


def is_drawn(pos: Tensor, vertices: Tensor, cull: str) -> bool:
    if not drawable(pos.detach(), vertices[None]).item():
        return False
    area = torch.linalg.det(pos[vertices.long()][:, [0, 1, 3]]).item()
    return cull == "none" or (area > 0) == (cull == "back")


class Look(NamedTuple):
    """One face at all P pixels of an image."""

    counts: Tensor  # bool [P]: is it a candidate
    z: Tensor  # [P]
    bary: Tensor  # [P,3]
    dist2: Tensor  # [P]
    outline: Tensor  # [P]: distance to the outline


def look(corners: Tensor, resolution, reach: float, perspective: bool, clip: bool) -> Look | None:
    """A face [3,4] from all pixel centres; None where nothing of it is between the near and the far plane."""
    height, width = resolution
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack([x.reshape(-1), y.reshape(-1)], 1).double() + 0.5
    polygon = cut(corners)
    if len(polygon) < 3:
        return None
    is_cut = len(polygon) != 3 or not torch.equal(polygon, corners)
    outline = (polygon[:, :2] / polygon[:, 3:] + 1) / 2 * torch.tensor([width, height])
    inside = is_inside(outline.detach(), at)
    nearest = nearest_points(outline, at)
    distance2 = (at - nearest).square().sum(1)
    counts = inside | (distance2.detach() < reach**2)
    # where the barycentrics are taken: of a face that is cut, outside, at its nearest point
    taken = torch.where((is_cut & clip & ~inside)[:, None], nearest, at)
    f = 2 * taken / torch.tensor([width, height]) - 1
    rows = torch.cat([f, torch.ones(len(f), 1)], 1) @ torch.linalg.inv(corners[:, [0, 1, 3]])
    w = corners[:, 3]
    bary = rows / rows.sum(1, keepdim=True) if perspective else rows * w
    z = rows @ corners[:, 2]
    if clip and not is_cut:
        clipped = bary.clamp(0, 1)
        if perspective:  # beyond the horizon of the plane: the corners on that side
            horizon = rows.sum(1, keepdim=True) <= 0
            clipped = torch.where(horizon, (rows > 0).double(), clipped)
        clipped = clipped / clipped.sum(1, keepdim=True)
        if perspective:
            outer = (clipped @ corners[:, 2]) / (clipped @ w)
        else:
            outer = clipped @ (corners[:, 2] / w)
        bary = torch.where(inside[:, None], bary, clipped)
        z = torch.where(inside, z, outer)
    dist2 = torch.where(inside, -distance2, distance2)
    return Look(counts, z, bary, dist2, distance2.detach().sqrt())


def cut(polygon: Tensor) -> Tensor:
    """What of a polygon [n,4] in clip space lies between the near and the far plane."""
    w = polygon[:, 3].detach()
    eye = EYE * w.abs().max() if w.min() <= EYE * w.abs().max() else 0.0
    planes = (lambda p: p[:, 2] + p[:, 3] - eye), (lambda p: p[:, 3] - p[:, 2])
    for plane in planes:
        d, kept = plane(polygon), []
        for i in range(len(polygon)):
            j = (i + 1) % len(polygon)
            if d[i] >= 0:
                kept.append(polygon[i])
            if (d[i] < 0) != (d[j] < 0):
                t = d[i] / (d[i] - d[j])
                kept.append(polygon[i] + t * (polygon[j] - polygon[i]))
        if len(kept) < 3:
            return polygon[:0]
        polygon = torch.stack(kept)
    return polygon


def is_inside(outline: Tensor, at: Tensor) -> Tensor:
    """bool [P]: points [P,2] within a convex polygon [n,2], whichever way it turns."""
    edge = outline.roll(-1, 0) - outline
    to = at[:, None] - outline
    side = edge[:, 0] * to[..., 1] - edge[:, 1] * to[..., 0]
    return (side >= 0).all(1) | (side <= 0).all(1)


def nearest_points(outline: Tensor, at: Tensor) -> Tensor:
    """[P,2]: the points of a polygon's outline that are nearest to `at`."""
    edge = outline.roll(-1, 0) - outline
    length2 = edge.square().sum(1)
    along = ((at[:, None] - outline) * edge).sum(2) / torch.where(length2 > 0, length2, 1.0)
    points = outline + along.clamp(0, 1)[..., None] * edge
    best = (at[:, None] - points).square().sum(2).detach().argmin(1)
    return points[torch.arange(len(at)), best]


# Rounding of float32 results, relative for large numbers.
CLOSE_Z, CLOSE_PIX = 2e-6, 1e-6


def _nearest(looked, resolution, K: int, reach: float) -> tuple[Tensor, ...]:
    pixels = resolution[0] * resolution[1]
    looked = [(t, face) for t, face in looked if face is not None]
    ids = torch.tensor([t for t, _ in looked], dtype=torch.int64)
    nothing = -torch.ones(pixels, K, dtype=torch.float64)
    if not looked:
        empty = nothing.long(), nothing, nothing[..., None].expand(-1, -1, 3), nothing
        return tuple(
            t.reshape(*resolution, *t.shape[1:]) for t in (*empty, torch.zeros(pixels) > 0)
        )
    faces = [face for _, face in looked]
    counts, z, outline = (torch.stack([f[i] for f in faces], 1) for i in (0, 1, 4))
    bary, dist2 = (torch.stack([f[i] for f in faces], 1) for i in (2, 3))
    key = torch.where(counts, z.detach(), torch.inf)
    order = key.sort(dim=1, stable=True).indices[:, :K]
    there = counts.gather(1, order)
    missing = K - order.shape[1]

    def taken(values: Tensor) -> Tensor:
        chosen = torch.where(there, values.gather(1, order), -1)
        return torch.nn.functional.pad(chosen, (0, missing), value=-1)

    chosen = [taken(ids.expand(pixels, -1)), taken(z)]
    chosen += [torch.stack([taken(bary[..., k]) for k in range(3)], -1), taken(dist2)]
    # doubtful: a candidate at the limit of its reach (or an edge of no reach), or two depths that float32 confuses
    limit = (outline - reach).abs() if reach > 0 else outline
    near = (limit < CLOSE_PIX * (1 + reach)).any(1)
    first = key.sort(dim=1).values[:, : K + 1]
    gap = first.diff(dim=1) < CLOSE_Z * (1 + first[:, 1:].abs())
    doubtful = near | (gap & first[:, 1:].isfinite()).any(1)
    return tuple(t.reshape(*resolution, *t.shape[1:]) for t in (*chosen, doubtful))
