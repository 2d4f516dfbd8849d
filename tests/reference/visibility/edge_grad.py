"""The float64 twin of glrast.visibility.edge_grad: pairs of pixels, and the place of the border between them.

The place of an intersection comes from the planes themselves: where two depths, each a function of positions, are
    equal.
"""

import torch
from torch import Tensor

from ..rasterize import triangle_id
from .surface import Shown, screen, shown, still


def edge_grad(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, units: str = "same") -> Tensor:
    """color, with the derivative of moving each border at half of it in either of its pixels."""
    image = color.double()
    for vertical in (False, True):
        for (left_pixel, right_pixel), move in borders(rast, pos, tri, vertical, units):
            step = (
                (color[left_pixel] - color[right_pixel]).detach().double()
                * still(move)[:, None]
                / 2
            )
            image = image.index_put(left_pixel, step, accumulate=True)
            image = image.index_put(right_pixel, step, accumulate=True)
    return image


def borders(rast, pos, tri, vertical, units):
    """((l, r) pixels, [P] where the border between them is, to first order): by what moves it."""
    one, other = pairs(rast, vertical)
    size = rast.shape[1:3]
    (left, known_l), (right, known_r) = (shown(rast, pos, tri, at) for at in (one, other))
    A = known_l & known_r & covers(right, one, size)
    B = known_l & known_r & covers(left, other, size)
    place = published_place if units == "published" else Shown.place
    axis = 1 if vertical else 0
    for side, alone in (
        (left, (known_l & ~known_r) | (A & ~B)),
        (right, (known_r & ~known_l) | (B & ~A)),
    ):
        side, at = _where(side, alone), (_at(one, alone), _at(other, alone))
        if units == "published":
            at, side = _in_front(at, side)
        yield at, place(side, size)[:, axis]
    both = A & B
    at, left, right = (_at(one, both), _at(other, both)), _where(left, both), _where(right, both)
    if units == "published":
        yield from published_intersections(at, left, right, size, axis)
        return
    slopes = [depth_slopes(side, size) for side in (left, right)]
    apart = slopes[0] - slopes[1]
    steep = apart[:, axis].abs() > 1e-6
    for side, (m, f) in ((left, slopes), (right, slopes[::-1])):
        p = side.place(size)
        d = m - f
        # p = (m r_x - r_z)/(m - f); z by n_axis^2 of it
        share = d[:, axis] ** 2 / (d * d).sum(1)
        move = (m[:, axis] * p[:, axis] - share * p[:, 2]) / torch.where(steep, d[:, axis], 1.0)
        yield (_at(at[0], steep), _at(at[1], steep)), move[steep]


def pairs(rast, vertical):
    """(l, r), each (n, y, x), of neighbours whose ids differ."""
    ids = triangle_id(rast)
    n, y, x = ids.diff(dim=1 if vertical else 2).nonzero().unbind(1)
    return (n, y, x), ((n, y + 1, x) if vertical else (n, y, x + 1))


def covers(side: Shown, at, size) -> Tensor:
    """bool [P]: the triangles cover the centres of those pixels."""
    H, W = size
    fx, fy = (2 * at[2].double() + 1) / W - 1, (2 * at[1].double() + 1) / H - 1
    rows = side.corners.detach()[..., [0, 1, 3]]
    point = torch.stack([fx, fy, torch.ones_like(fx)], 1)
    drawn = torch.linalg.det(rows).abs() > 0
    rows = torch.where(drawn[:, None, None], rows, torch.eye(3, dtype=torch.float64))
    weights = torch.linalg.solve(rows.transpose(1, 2), point)
    return drawn & (weights >= 0).all(1)


def depth_slopes(side: Shown, size) -> Tensor:
    """[P,2]: of z/w by x and y in pixels."""
    rows = side.corners.detach()[..., [0, 1, 3]]
    plane = torch.linalg.solve(rows, side.corners.detach()[..., 2:3])[..., 0]  # z = a X + b Y + c W
    return plane[:, :2] * torch.tensor([2 / size[1], 2 / size[0]], dtype=torch.float64)


# ---- as published ----------------------------------------------------------------------------------------


def published_place(side: Shown, size) -> Tensor:
    """[P,3]: x and y in pixels and w, interpolated by the weights as they are."""
    flat = screen(side.corners, size)
    return (side.weights[..., None] * torch.cat([flat[..., :2], side.corners[..., 3:]], -1)).sum(1)


def published_intersections(at, left: Shown, right: Shown, size, axis):
    at, left, right = _in_front(at, left, right)
    slopes = []
    for side in (left, right):
        flat = screen(side.corners.detach(), size)
        points = torch.cat([flat[..., :2], side.corners.detach()[..., 3:]], -1)
        normal = torch.linalg.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        slopes.append(-normal[:, axis] / normal[:, 2])
    for side, (m, f) in ((left, slopes), (right, slopes[::-1])):
        p, d = published_place(side, size), m - f
        by_z = -1 / d if axis == 0 else m / d
        yield at, m / d * p[:, axis] + by_z * p[:, 2]


def _in_front(at, *sides: Shown):
    """Of sides whose corners are all before the camera."""
    keep = torch.stack([(side.corners[..., 3] > 0).all(1) for side in sides]).all(0)
    return (_at(at[0], keep), _at(at[1], keep)), *(_where(side, keep) for side in sides)


def _where(side: Shown, keep: Tensor) -> Shown:
    return Shown(side.corners[keep], side.weights[keep])


def _at(pixels, keep: Tensor):
    return tuple(x[keep] for x in pixels)


def fragile_pixels(rast: Tensor, pos: Tensor, tri: Tensor, by: float = 1e-4) -> Tensor:
    """bool [N,H,W]: pixels of pairs in which a centre is within `by` (relative weights) of an outline."""
    fragile = torch.zeros(rast.shape[:3], dtype=torch.bool)
    H, W = rast.shape[1:3]
    for vertical in (False, True):
        both = pairs(rast, vertical)
        for own, other in (both, both[::-1]):
            side, known = shown(rast, pos, tri, own)
            shifted = [
                covers(side, (other[0], other[1] + dy, other[2] + dx), (H, W))
                for dx, dy in _around(by)
            ]
            unsure = known & ~(torch.stack(shifted).all(0) | ~torch.stack(shifted).any(0))
            for at in both:
                fragile[_at(at, unsure)] = True
    return fragile


def _around(by: float):
    return [(dx * by * 10, dy * by * 10) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
