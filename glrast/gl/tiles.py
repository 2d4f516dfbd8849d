"""Large images: beyond the driver's limit drawn in tiles, and the same to the last bit whatever the tiles.

What OpenGL makes of a triangle depends, in the last bits, on where the window begins: it rounds the vertices' positions
in the window before it snaps them to a grid of 1/256 pixel, places new vertices where it clips, and extrapolates depth
from the window's corner (in steep slivers at a silhouette the error reaches 4e-4). Of a large image it therefore gets
pieces that are clipped and on that grid already and carry their depth (kernels/rasterize_place.cuh). A tile is a window
a whole number of pixels further, which float32 takes off without rounding; the viewport, as large as the image or
larger, moves with the image, so that nothing is clipped.

Only where an image is larger than the viewport are pieces that reach far out of a tile clipped there, by OpenGL. Such
an image can be drawn in tiles alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .context import DeviceContext
from .draw import Batch, draw

_VIEWPORT = (
    1 << 14
)  # pixels, which every OpenGL 4.5 has; a power of two, as in shaders/rasterize.vert
_LARGEST_TILE = 1 << 13  # 512 MiB of ids and depth


@dataclass(frozen=True)
class Window:
    """The part of an image that a target shows."""

    origin: tuple[int, int]  # the image's pixel (x, y) at the target's lower left
    centre: tuple[int, int]  # and at the middle of the viewport
    viewport: tuple[int, int, int, int]  # x, y, width, height in the target's pixels


def is_large(context: DeviceContext, height: int, width: int) -> bool:
    """Whether the image is drawn from pieces: `draw_tiled`, or `draw` with the window `whole`."""
    return max(height, width) > min(context.limits["size"], context.largest_plain)


def draw_tiled(
    context: DeviceContext, batch: Batch, height: int, width: int, device: torch.device
) -> torch.Tensor:
    """Rasterize pieces into int32 [N,H,W] triangle id + 1, tile by tile where the driver cannot do it at once."""
    limit = context.limits["size"]
    out = torch.empty((len(batch.images), height, width), dtype=torch.int32, device=device)
    # Half a viewport: few pieces reach out of it.
    tile = max(height, width) if max(height, width) <= limit else min(limit // 2, _LARGEST_TILE)
    for bottom in range(0, height, tile):
        for left in range(0, width, tile):
            part = out[:, bottom : bottom + tile, left : left + tile]
            h, w = part.shape[1:]
            window = _window(bottom, left, h, w, height, width)
            part.copy_(draw(context, batch, "id", h, w, device, window=window))
    return out


def whole(height: int, width: int) -> Window:
    """The window that shows the whole image."""
    return _window(0, 0, height, width, height, width)


def _window(bottom: int, left: int, h: int, w: int, height: int, width: int) -> Window:
    x, y = _centre(left, w, width), _centre(bottom, h, height)
    corner = (x - left - _VIEWPORT // 2, y - bottom - _VIEWPORT // 2)
    return Window((left, bottom), (x, y), (*corner, _VIEWPORT, _VIEWPORT))


def _centre(begin: int, extent: int, size: int) -> int:
    """The image's pixel in the middle of a viewport: one that holds the whole image, or one around the tile."""
    return _VIEWPORT // 2 if size <= _VIEWPORT else begin + extent // 2
