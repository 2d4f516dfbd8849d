"""The float64 twin of glrast.visibility.dirt: one convolution, and which surface each pixel's response goes to."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..rasterize import triangle_id
from .surface import pixels, shown, still

# left minus right; transposed, lower minus upper (row 0 is the bottom)
FILTER = torch.tensor([[3.0, 0, -3], [10, 0, -10], [3, 0, -3]], dtype=torch.float64) / 32


def dirt(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
    """color, with the derivative S . place of the surface that each pixel gives its response to."""
    color = color.double()
    N, H, W, C = color.shape
    if not color.numel():
        return color
    response = scharr(color.detach())
    at = takers(response, rast, pos, tri)
    points, known = shown(rast, pos, tri, at)
    place = points.place((H, W))[:, :2]
    place = torch.where((known & (points.clip()[:, 3] > 0))[:, None], place, 0.0)
    return color + (response.reshape(-1, 2, C) * still(place)[..., None]).sum(1).view(N, H, W, C)


def scharr(color: Tensor) -> Tensor:
    """[N,H,W,2,C]: S_x and S_y; the nearest pixel stands for what is beyond the border."""
    N, H, W, C = color.shape
    images = pad(color.permute(0, 3, 1, 2).reshape(N * C, 1, H, W), (1, 1, 1, 1), mode="replicate")
    both = conv2d(images, torch.stack([FILTER, FILTER.T])[:, None])
    return both.view(N, C, 2, H, W).permute(0, 3, 4, 2, 1)


def takers(response: Tensor, rast: Tensor, pos: Tensor, tri: Tensor):
    """(n, y, x) for every pixel: the pixel whose surface takes its response, itself or a nearer neighbour."""
    N, H, W = rast.shape[:3]
    n, y, x = pixels(rast)
    ids = triangle_id(rast).reshape(-1)
    points, known = shown(rast, pos.detach(), tri, (n, y, x))
    ids = torch.where(known, ids, -1)
    w = torch.where(known, points.clip()[:, 3], torch.inf)
    size = response.abs().sum(-1).reshape(-1, 2)
    horizontal = size[:, 0] > size[:, 1]
    inside = (x > 0) & (y > 0) & (x < W - 1) & (y < H - 1)
    sign = torch.where((x + H - 1 - y) % 2 == 1, -1, 1)
    chosen = torch.arange(N * H * W)
    for turn in (-1, 1):  # the one that is asked first overrules
        step = turn * sign * torch.where(horizontal, 1, W)
        other = torch.where(inside, torch.arange(N * H * W) + step, 0)
        nearer = inside & (ids[other] >= 0) & (ids[other] != ids) & (w > w[other])
        chosen = torch.where(nearer, other, chosen)
    return n, chosen // W % H, chosen % W


def fragile_pixels(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
    """bool [N,H,W]: pixels whose axis, or whose nearer surface, rounding may decide."""
    N, H, W = rast.shape[:3]
    if not color.numel():
        return torch.zeros(N, H, W, dtype=torch.bool)
    size = scharr(color.double()).abs().sum(-1)
    fragile = ((size[..., 0] - size[..., 1]).abs() < 1e-5) & (size.sum(-1) > 0)
    points, known = shown(rast, pos, tri, pixels(rast))
    w = torch.where(known, points.clip()[:, 3], torch.inf).view(N, H, W)
    for axis, size in ((1, H), (2, W)):
        one, other = w.narrow(axis, 0, size - 1), w.narrow(axis, 1, size - 1)
        tie = ((one - other).abs() < 1e-5 * one).nan_to_num() & one.isfinite()
        fragile.narrow(axis, 0, size - 1).logical_or_(tie & _differ(rast, axis))
        fragile.narrow(axis, 1, size - 1).logical_or_(tie & _differ(rast, axis))
    return fragile


def _differ(rast: Tensor, axis: int) -> Tensor:
    return triangle_id(rast).diff(dim=axis) != 0
