"""Light from all around: a cube map, or a panorama, as Mitsuba's `envmap` takes it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..core import check
from ..ops.texture import texture


def panorama(function: str, environment: Tensor, device: torch.device) -> Tensor:
    """[H,W,3], row 0 straight down, the last row straight up; columns from -z through +x, +z and -x.

    Args:
        environment: float32, a cube map [6,S,S,3] as `texture` takes it, or a panorama of that order.
    Gradients: to environment.
    """
    environment = check.floats(function, "environment", environment, device=device)
    shape = environment.shape
    is_cube = environment.ndim == 4 and shape[0] == 6 and shape[1] == shape[2] and shape[3] == 3
    holds = is_cube or (environment.ndim == 3 and shape[2] == 3 and min(shape[:2]) >= 2)
    expected = "a cube map [6,S,S,3] or a panorama [H,W,3] with H, W >= 2"
    check.shape(function, "environment", environment, expected, holds and environment.numel() > 0)
    if not is_cube:
        return environment
    # A face covers a quarter of the horizon: so the columns are as wide as the texels in its middle.
    size = max(int(shape[1]), 2)
    way = directions(2 * size + 1, 4 * size, device)
    return texture(environment[None], way[None], boundary_mode="cube")[0]


def directions(height: int, width: int, device: torch.device | str | None = None) -> Tensor:
    """[H,W,3]: where the middle of each texel of a panorama lies; the first and the last row are the poles."""
    polar = torch.linspace(math.pi, 0, height, dtype=torch.float64)[:, None]
    turn = (torch.arange(width, dtype=torch.float64) + 0.5) * (2 * math.pi / width)
    ways = [polar.sin() * turn.sin(), polar.cos().expand(-1, width), -polar.sin() * turn.cos()]
    return torch.stack(ways, 2).to(device=device, dtype=torch.float32)


def padded(panorama: Tensor, width: int) -> Tensor:
    """The rows from the top, as Mitsuba counts them, and columns repeated past the ends until there are `width`."""
    return panorama.flip(0)[:, _columns(panorama.shape[1], width, panorama.device)]


def gathered(gradient: Tensor, width: int) -> Tensor:
    """The gradient of `padded`: what repeated columns got is their texels' too."""
    out = gradient.new_zeros((gradient.shape[0], width, gradient.shape[2]))
    columns = _columns(width, gradient.shape[1], gradient.device)
    return out.index_add_(1, columns, gradient).flip(0)


def _columns(width: int, padded: int, device: torch.device) -> Tensor:
    """Which column stands at each place: one more on the right, or one on either side."""
    first = -((padded - width) // 2)
    return torch.arange(first, first + padded, device=device) % width
