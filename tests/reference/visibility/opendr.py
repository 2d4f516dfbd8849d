"""The float64 twin of glrast.visibility.opendr: differences of the whole image, and who owns its boundary pixels.

Boundaries are the crossings of antialias' twin, of edges wholly before the camera.
"""

import torch
from torch import Tensor

from . import antialias
from .surface import per_image, pixels, screen, shown, still


def opendr(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, overdraw: bool = True) -> Tensor:
    """color, with the derivative - grad I . place of each pixel's point."""
    color = color.double()
    H, W = color.shape[1:3]
    if not color.numel():
        return color
    boundary, edges = boundaries(rast, pos, tri) if overdraw else (None, None)
    slopes = torch.stack([slope(color.detach(), boundary, axis) for axis in (2, 1)], -1)

    corners, weights, known = surface(rast, pos, tri)
    if overdraw:
        at = boundary.reshape(-1).nonzero()[:, 0]
        corners, weights = corners.index_copy(0, at, edges[0]), weights.index_copy(0, at, edges[1])
        known = known | boundary.reshape(-1)
    place = (weights[..., None] * screen(corners, (H, W))[..., :2]).sum(1)
    place = torch.where(known[:, None], still(place), 0.0)
    moved = (slopes.reshape(-1, color.shape[3], 2) * place[:, None]).sum(-1)
    return color - moved.view(color.shape)


def surface(rast, pos, tri):
    """Corners [P,3,4], weights and whether there are any, of the triangles that pixels show."""
    points, known = shown(rast, pos, tri, pixels(rast))
    front = (points.corners[..., 3] > 0).all(1)
    # A corner behind the camera has no place: all three are then the point itself, which moves as the surface does.
    clip = points.clip()[:, None].expand(-1, 3, -1)
    corners = torch.where(front[:, None, None], points.corners, clip)
    weights = torch.where(front[:, None], points.weights, 1 / 3)
    corners = torch.where(known[:, None, None], corners, torch.ones((), dtype=torch.float64))
    return corners, torch.where(known[:, None], weights, 0.0), known


def boundaries(rast: Tensor, pos: Tensor, tri: Tensor):
    """bool [N,H,W], and of those pixels the corners [B,3,4] and weights [B,3] of the point on the silhouette (the third
    weighs nothing); of several the nearest triangle's, then that found by the right, upper, left, lower neighbour."""
    N, H, W = rast.shape[:3]
    pairs = antialias.crossed_pairs(rast, pos, tri)
    alpha = antialias.coverage(pairs, pos.detach(), (H, W))
    clip = per_image(pos.double(), N)
    whole = (clip[pairs.own[0][:, None], pairs.edge][..., 3] > 0).all(1)
    first = (alpha > 0) & (alpha.abs() > 0)
    order = torch.where(first, 1, 3) + pairs.vertical.long()
    at = [torch.where(first, p, q) for p, q in zip(pairs.p, pairs.q)]
    depth = rast.double()[pairs.own][:, 2]
    best: dict[tuple[int, ...], tuple[float, int, int]] = {}
    for i in whole.nonzero()[:, 0].tolist():
        key = tuple(int(a[i]) for a in at)
        best[key] = min(best.get(key, (torch.inf, 9, -1)), (float(depth[i]), int(order[i]), i))
    found = torch.zeros(N, H, W, dtype=torch.bool)
    chosen = torch.tensor([best[key][2] for key in sorted(best)], dtype=torch.long)
    for key in best:
        found[key] = True
    n, edge = pairs.own[0][chosen], pairs.edge[chosen]
    ends = clip[n[:, None], edge]  # [B,2,4]
    _, (_, across, w), _ = antialias._crossing(pairs, pos.detach(), (H, W))
    y = (across / w)[chosen]
    t = y[:, 0] / (y[:, 0] - y[:, 1])
    w = ends[..., 3].detach()
    share = torch.stack([(1 - t) / w[:, 0], t / w[:, 1]], 1)
    share = share / share.sum(1, keepdim=True)
    corners = torch.cat([ends, ends[:, :1]], 1)
    return found, (corners, torch.cat([share, torch.zeros_like(share[:, :1])], 1))


def slope(color: Tensor, boundary: Tensor | None, axis: int) -> Tensor:
    """[N,H,W,C]: the image's slope along an axis of the tensor."""
    size = color.shape[axis]
    step = color.diff(dim=axis)
    none = torch.zeros_like(color.narrow(axis, 0, 1))
    ahead, back = torch.cat([step, none], axis), torch.cat([none, step], axis)
    has_ahead = torch.arange(size) < size - 1
    has_back = torch.arange(size) > 0
    shape = [1] * 4
    shape[axis] = size
    has_ahead, has_back = has_ahead.view(shape), has_back.view(shape)
    central = _mean(ahead, back, has_ahead, has_back)
    if boundary is None:
        return central
    b = boundary[..., None]
    no = torch.ones_like(b.narrow(axis, 0, 1))
    next_b = torch.cat([b.narrow(axis, 1, size - 1), no], axis)
    last_b = torch.cat([no, b.narrow(axis, 0, size - 1)], axis)
    use_ahead, use_back = ~b & ~next_b, ~b & ~last_b
    inside = _mean(ahead, back, use_ahead, use_back)
    return torch.where(use_ahead | use_back, inside, 2 * central)


def _mean(ahead, back, has_ahead, has_back):
    count = has_ahead.long() + has_back.long()
    return (ahead * has_ahead + back * has_back) / count.clamp(min=1)
