"""The float64 twin of glrast.visibility.rasterize_then_splat: images of layers, shifted by each tap and summed.

Autograd differentiates it; nothing of the kernel's backward pass is written here.
"""

import math

import torch
from torch import Tensor

from .surface import pixels, shown

TAPS = [(u, v) for u in (-1, 0, 1) for v in (-1, 0, 1)]
KAPPA = 1.05 / sum(math.exp(-2 * (u * u + v * v)) for u, v in TAPS)


def rasterize_then_splat(layers, colors, pos: Tensor, tri: Tensor, opacities=None) -> Tensor:
    """[N,H,W,C+1]: colours times alpha, and alpha."""
    at = [places(rast, pos, tri) for rast in layers]
    colors = [color.double() for color in colors]
    alphas = [(rast[..., 3:] > 0).double() for rast in layers]
    if opacities is not None:
        alphas = [a * o.double() for a, o in zip(alphas, opacities)]
    z = torch.stack([p[..., 2] for p in at]).detach()  # [L,N,H,W]
    sums = [0.0, 0.0, 0.0]
    weights = [0.0, 0.0, 0.0]
    for u, v in TAPS:
        surface = shared(z, u, v)
        for i, (p, color, alpha) in enumerate(zip(at, colors, alphas)):
            o = p[..., :2].detach().floor() + 0.5 - p[..., :2] + torch.tensor([u, v]).double()
            w = alpha * KAPPA * torch.exp(-2 * o.square().sum(-1, keepdim=True))
            rgba = shifted(w * torch.cat([color, alpha], -1), u, v)
            w = shifted(w, u, v)
            for k, member in enumerate((surface > i, surface == i, surface < i)):
                sums[k] = sums[k] + rgba * member[..., None]
                weights[k] = weights[k] + w * member[..., None]
    front, middle, back = (s / ((w - 1).clamp(min=0) + 1) for s, w in zip(sums, weights))
    return front + (1 - front[..., -1:]) * (middle + (1 - middle[..., -1:]) * back)


def shared(z: Tensor, u: int, v: int) -> Tensor:
    """[N,H,W] by the pixel that is reached: the layer of the source, at -(u,v) from it, that both share; -k where it
    is layer k of the pixel reached."""
    source = torch.stack([shifted(layer[..., None], u, v, 1.0)[..., 0] for layer in z])
    by_source, by_reached = (source - z[0]).abs().min(0), (z - source[0]).abs().min(0)
    return torch.where(by_reached.values < by_source.values, -by_reached.indices, by_source.indices)


def shifted(image: Tensor, u: int, v: int, fill: float = 0.0) -> Tensor:
    """[N,H,W,C]: what is at (y, x) comes to (y + v, x + u)."""
    H, W = image.shape[1:3]
    padded = torch.nn.functional.pad(image, (0, 0, 1, 1, 1, 1), value=fill)
    return padded[:, 1 - v : 1 - v + H, 1 - u : 1 - u + W]


def places(rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
    """[N,H,W,3]: x, y in pixels and z from 0 to 1 of the points; of the far plane where there are none."""
    N, H, W = rast.shape[:3]
    points, known = shown(rast, pos, tri, pixels(rast))
    clip = torch.where(known[:, None], points.clip(), torch.tensor([0.0, 0, 1, 1]).double())
    scale = torch.tensor([W / 2, H / 2, 0.5], dtype=torch.float64)
    return ((clip[:, :3] / clip[:, 3:] + 1) * scale).view(N, H, W, 3)
