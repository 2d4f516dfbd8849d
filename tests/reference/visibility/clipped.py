"""The exact box-filtered image of a mesh by clipping polygons, and its derivative: the oracle of what boundaries do.

Nothing here knows of edges between triangles, samples or derivatives. A triangle's outline on the screen, cut by
the camera and by the near and far planes, loses whatever lies in front of it: with each other triangle the part where
that one's z/w is smaller, which is a convex polygon since depth is affine over the image. What is left is cut by every
pixel; each piece is shaded once, at its centre of gravity, and counts by its area:

    image_p = sum over visible pieces in p of area * colour(centre of gravity)

Pixels: x in [0,W], y in [0,H], row 0 at the bottom, pixel (i,j) = [i,i+1] x [j,j+1]. All in float64.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

NEAREST_W = 1e-6  # outlines end this far before the camera
COPLANAR = (
    1e-12  # of z/w: two surfaces no further apart lie in one plane, and the lower index is seen
)
SMALLEST = 1e-13  # pixels of area: rounding
SAME_POINT = 1e-11  # pixels
ON_SIDE = 1e-10  # pixels: a point is on a polygon's side
Points = np.ndarray | Tensor  # polygons of tensors have derivatives
STEP_PIX = 1e-4  # of central differences


def image(
    pos: np.ndarray, tri: np.ndarray, corners: np.ndarray, resolution, window=None
) -> np.ndarray:
    """[H,W,C]: the exact image over a black background.

    Args:
        pos: [V,4] clip positions. tri: [T,3]. corners: [3T,C], the colours of each triangle's corners.
        window: (x0, y0, x1, y1) in whole pixels; the rest of the image stays 0.
    """
    height, width = resolution
    x0, y0, x1, y1 = window or (0, 0, width, height)
    planes, drawn = affine(pos, tri, resolution)
    sides = (
        lambda q: q[:, 0] - x0,
        lambda q: x1 - q[:, 0],
        lambda q: q[:, 1] - y0,
        lambda q: y1 - q[:, 1],
    )
    outlines = {}
    for t in np.nonzero(drawn)[0]:
        q = outline(pos[tri[t]], resolution)
        for side in sides:
            q = clip(q, side(q))
        if len(q) >= 3:
            outlines[t] = q
    out = np.zeros((height, width, corners.shape[-1]))
    numbers = np.array(list(outlines), dtype=int)
    boxes = np.array([[q.min(0), q.max(0)] for q in outlines.values()]).reshape(-1, 2, 2)
    for (t, q), box in zip(outlines.items(), boxes):
        others = numbers[(boxes[:, 0] < box[1]).all(1) & (boxes[:, 1] > box[0]).all(1)]
        front = [in_front(planes, tri, outlines, t, o) for o in others if o != t]
        region = without(q, [f for f in front if f is not None])
        _paint(out, region, planes, corners, t)
    return out


def _paint(out, region: list[np.ndarray], planes, corners, t) -> None:
    """Adds what convex polygons that do not overlap show of triangle t, each pixel shaded once."""
    area, moment = np.zeros(out.shape[:2]), np.zeros((*out.shape[:2], 2))
    for piece in region:
        x, y = whole_pixels(piece)
        area[y, x] += 1
        moment[y, x] += np.stack([x, y], -1) + 0.5
        for (x, y), part in cut_pixels(piece):
            size = area_of(part)
            area[y, x] += size
            moment[y, x] += size * center_of(part)
    y, x = np.nonzero(area > SMALLEST / 100)
    center = moment[y, x] / area[y, x, None]
    out[y, x] += area[y, x, None] * colors_at(planes, corners, np.full(len(x), t), *center.T)


def whole_pixels(q: Points) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the pixels that lie wholly in convex q."""
    q = plain(q)
    x, y = (
        np.arange(np.floor(lo), np.ceil(hi) + 1).astype(int) for lo, hi in zip(q.min(0), q.max(0))
    )
    points = np.stack(np.meshgrid(x, y), -1)
    holds = np.all([side(points.reshape(-1, 2)) >= 0 for side in sides_of(q)], 0)
    holds = holds.reshape(points.shape[:2])
    row, column = np.nonzero(holds[1:, 1:] & holds[1:, :-1] & holds[:-1, 1:] & holds[:-1, :-1])
    return x[column], y[row]


def cut_pixels(q: Points):
    """((x, y), the part of convex q in that pixel) for the others that it touches."""
    whole = set(zip(*(c.tolist() for c in whole_pixels(q))))
    for x in between(q[:, 0]):
        column = clip(q, x + 1 - q[:, 0])
        column = clip(column, column[:, 0] - x)
        for y in between(column[:, 1]) if len(column) >= 3 else ():
            if (x, y) in whole:
                continue
            part = clip(column, y + 1 - column[:, 1])
            part = clip(part, part[:, 1] - y)
            if len(part) >= 3:
                yield (x, y), part


def between(values: Points) -> range:
    """The pixels from the least to the greatest of these coordinates."""
    return range(int(np.floor(plain(values).min())), int(np.ceil(plain(values).max())))


def gradient(
    pos: np.ndarray,
    tri: np.ndarray,
    corners: np.ndarray,
    resolution,
    weights: Sequence[np.ndarray],
    entries: Sequence[tuple[int, int]],
    step_pix: float = STEP_PIX,
) -> np.ndarray:
    """[len(weights), len(entries)]: central differences of sum(weight * image) by those entries (vertex, axis) of pos.

    Only the window that holds the moving triangles is drawn.
    """
    height, width = resolution
    found = np.zeros((len(weights), len(entries)))
    for n, (v, axis) in enumerate(entries):
        size = width if axis == 0 else height
        step = step_pix * 2 / size * max(abs(pos[v, 3]), 0.1)
        moving = np.nonzero((tri == v).any(1))[0]
        reached = [outline(pos[tri[t]], resolution) for t in moving]
        reached = [q for q in reached if len(q)]
        if not reached:
            continue
        low = np.floor(np.concatenate(reached).min(0) - 0.01)
        high = np.ceil(np.concatenate(reached).max(0) + 0.01)
        x0, y0 = np.maximum(low, 0).astype(int)
        x1, y1 = np.minimum(high, (width, height)).astype(int)
        if x0 >= x1 or y0 >= y1:
            continue
        move = np.zeros_like(pos)
        move[v, axis] = step
        up, down = (
            image(p, tri, corners, resolution, (x0, y0, x1, y1)) for p in (pos + move, pos - move)
        )
        found[:, n] = [((up - down) * w).sum() / (2 * step) for w in weights]
    return found


# ---- triangles on the screen -----------------------------------------------------------------------------


def affine(pos: np.ndarray, tri: np.ndarray, resolution) -> tuple[np.ndarray, np.ndarray]:
    """([T,4,3], bool [T]): rows b_0, b_1, b_2, z/w of each triangle as A x + B y + C in pixels; and which are drawn.

    sum b_k (X_k, Y_k, W_k) = (fx, fy, 1), so that a point is inside where all b_k >= 0, for any sign of w;
    u = b_0 / sum b_k.
    """
    height, width = resolution
    out = np.zeros((len(tri), 4, 3))
    drawn = ((tri >= 0) & (tri < len(pos))).all(1)
    at = pos[np.where(drawn[:, None], tri, 0)]
    drawn &= np.isfinite(at).all((1, 2))
    rows = np.where(drawn[:, None, None], at[:, :, [0, 1, 3]], np.eye(3))
    lengths = np.linalg.norm(rows, axis=2).prod(1)
    drawn &= np.abs(np.linalg.det(rows)) > 1e-14 * lengths
    rows[~drawn] = np.eye(3)
    inverse = np.linalg.inv(rows)
    out[:, :3, 0] = 2 / width * inverse[:, 0]
    out[:, :3, 1] = 2 / height * inverse[:, 1]
    out[:, :3, 2] = inverse[:, 2] - inverse[:, 0] - inverse[:, 1]
    out[:, 3] = (np.where(np.isfinite(at), at, 0)[:, :, 2:3] * out[:, :3]).sum(1)
    out[~drawn] = 0
    return out, drawn


def outline(corners: Points, resolution) -> Points:
    """[n,2]: the screen polygon of a triangle [3,4], cut by w > 0 and by the near and far planes."""
    p = corners
    planes = (
        lambda p: p[:, 3] - NEAREST_W,
        lambda p: p[:, 3] + p[:, 2],
        lambda p: p[:, 3] - p[:, 2],
    )
    for plane in planes:
        p = clip(p, plane(p))
    if len(p) < 3:
        return p[:0, :2]
    half = np.array(resolution[::-1]) / 2
    half = torch.from_numpy(half) if isinstance(p, Tensor) else half
    return (p[:, :2] / p[:, 3:] + 1) * half


def clip(polygon: Points, c: Points) -> Points:
    """The part of a convex polygon [n,d] where the affine c, [n] at its corners, is >= 0."""
    inside = plain(c) >= 0
    if len(polygon) < 3 or inside.all():
        return polygon
    if not inside.any():
        return polygon[:0]
    out = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if inside[i]:
            out.append(polygon[i])
        if inside[i] != inside[j]:
            out.append(polygon[i] + c[i] / (c[i] - c[j]) * (polygon[j] - polygon[i]))
    return torch.stack(out) if isinstance(polygon, Tensor) else np.stack(out)


def plain(x: Points) -> np.ndarray:
    """For decisions, which have no derivative."""
    return x.detach().numpy() if isinstance(x, Tensor) else x


def colors_at(planes, corners, t, x, y) -> np.ndarray:
    """[n,C]: the colours of triangles t [n] at the points x, y [n] in pixels."""
    b = planes[t][:, :3, 0] * x[:, None] + planes[t][:, :3, 1] * y[:, None] + planes[t][:, :3, 2]
    b = b / b.sum(1, keepdims=True)
    return (b[:, :, None] * corners.reshape(-1, 3, corners.shape[-1])[t]).sum(1)


# ---- what is in front ------------------------------------------------------------------------------------


def in_front(planes: Points, tri: np.ndarray, outlines: dict, t: int, other: int) -> Points | None:
    """The polygon in which `other` hides t, or None."""
    q = outlines[other]
    d = planes[t, 3] - planes[other, 3]
    gap = d[0] * q[:, 0] + d[1] * q[:, 1] + d[2]
    if np.isin(tri[other], tri[t]).sum() >= 2:  # equal along the edge that they share
        near = abs(gap) < 10 * COPLANAR
        gap = gap * ~near
    if plain(abs(gap)).max() < COPLANAR:
        return None if other > t else q
    if (plain(gap) <= 0).all():
        return None
    q = clip(q, gap)
    return q if len(q) >= 3 and area_of(plain(q)) > 100 * SMALLEST else None


def without(q: Points, front: list[Points]) -> list[Points]:
    """Convex pieces that make up convex q minus all of front, which are convex as well.

    (GEOS, which cuts any polygons, takes one of some thousand configurations wrong, without a word.)
    """
    pieces = [q]
    for f in front:
        pieces = [rest for piece in pieces for rest in outside(piece, f)]
    return pieces


def sides_of(f: Points):
    """For each side of convex f: a function of points [n,2], how far they are on its inner side, in pixels."""
    turn = np.sign(signed_area(plain(f)))
    for i in range(len(f)):
        p, d = f[i], f[(i + 1) % len(f)] - f[i]
        length = np.linalg.norm(plain(d))
        if length < SAME_POINT:
            continue  # its direction is rounding
        yield partial(_distance, p=p, d=d * (turn / length))


def _distance(q: Points, p: Points, d: Points) -> Points:
    c = d[0] * (q[:, 1] - p[1]) - d[1] * (q[:, 0] - p[0])
    return c * (abs(c) > ON_SIDE)


def outside(q: Points, f: Points) -> list[Points]:
    """Convex pieces of q minus f."""
    out = []
    for side in sides_of(f):
        rest = clip(q, -side(q))
        if len(rest) >= 3 and area_of(plain(rest)) > SMALLEST:
            out.append(rest)
        q = clip(q, side(q))
    return out


def signed_area(q: Points):
    d = q - q[0]  # from a corner of its own: small polygons keep their digits
    return (d[1:-1, 0] * d[2:, 1] - d[2:, 0] * d[1:-1, 1]).sum() / 2


def area_of(q: Points):
    return abs(signed_area(q)) if len(q) >= 3 else 0.0


def center_of(q: Points) -> Points:
    """The centre of gravity of a convex polygon."""
    d = q - q[0]
    twice = d[1:-1, 0] * d[2:, 1] - d[2:, 0] * d[1:-1, 1]
    if abs(twice.sum()) < 1e-30:
        return q.mean(0)
    return q[0] + (twice[:, None] * (d[1:-1] + d[2:])).sum(0) / 3 / twice.sum()


def as_arrays(pos: Tensor, tri: Tensor, corners: Tensor):
    """A scene of tensors as this file takes it."""
    return pos.detach().double().numpy(), tri.long().numpy(), corners.double().numpy()
