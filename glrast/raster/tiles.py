"""Large images: beyond the driver's limit drawn in tiles, and the same to the last bit whatever the tiles.

What OpenGL makes of a triangle depends, in the last bits, on where the window begins: it rounds the vertices' positions
in the window before it snaps them to a grid of 1/256 pixel, places new vertices where it clips, and extrapolates depth
from the window's corner (in steep slivers at a silhouette the error reaches 4e-4). Of a large image it therefore gets
pieces that are clipped and on that grid already and carry their depth (kernels/rasterize/place.cuh). A tile is a window
a whole number of pixels further, which float32 takes off without rounding. Of an image larger than a viewport, pieces
lie each in one cell of half a viewport's size, so that of those that a tile shows OpenGL need not clip any.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..gl.context import DeviceContext
from .batch import Batch, Window
from .draw import draw

_VIEWPORT = (
    1 << 14
)  # pixels, which every OpenGL 4.5 has; a power of two, as in shaders/rasterize.vert
_CELL = _VIEWPORT // 2
_LARGEST_TILE = 1 << 13  # 512 MiB of ids and depth; no larger than a cell
_GRID = (
    256  # positions of a piece per pixel; kernels/rasterize/place.cuh and the shader say the same
)


def is_large(context: DeviceContext, height: int, width: int) -> bool:
    """Whether the image is drawn from pieces: `draw_tiled`, or `draw` with the window `whole`."""
    return max(height, width) > min(context.limits["size"], context.largest_plain)


def cell(height: int, width: int) -> int:
    """Pixels on a side of the cells that pieces are cut into; 0: the image is one."""
    return _CELL if max(height, width) > _VIEWPORT else 0


def draw_tiled(
    context: DeviceContext, batch: Batch, height: int, width: int, device: torch.device
) -> torch.Tensor:
    """Rasterize pieces into int32 [N,H,W] triangle id + 1, tile by tile where the driver cannot do it at once."""
    limit = context.limits["size"]
    if max(height, width) <= limit:
        return draw(context, batch, "id", height, width, device, window=whole(height, width))
    out = torch.empty((len(batch.images), height, width), dtype=torch.int32, device=device)
    tile = min(limit // 2, _LARGEST_TILE)
    corners = batch.pos[:, :, :2]
    low, high = corners.amin(1), corners.amax(1)  # [K,2]
    for bottom in range(0, height, tile):
        for left in range(0, width, tile):
            part = out[:, bottom : bottom + tile, left : left + tile]
            h, w = part.shape[1:]
            begin = torch.tensor([left, bottom], device=device) * _GRID
            end = torch.tensor([left + w, bottom + h], device=device) * _GRID
            shown = _those(batch, ((high > begin) & (low < end)).all(1))
            window = _window(bottom, left, h, w, height, width)
            part.copy_(draw(context, shown, "id", h, w, device, window=window))
    return out


def _those(batch: Batch, which: torch.Tensor) -> Batch:
    """The batch with only some of its pieces [K], in the same order. Waits for a GPU."""
    kept = which.nonzero()[:, 0]
    # how many are kept of the pieces before each
    before = np.append(0, which.cumsum(0).cpu().numpy())
    images, (first, count) = batch.images.copy(), batch.images[:, 2:].T
    images[:, 2], images[:, 3] = before[first], before[first + count] - before[first]
    pos = batch.pos[kept] if len(kept) else batch.pos[:1]  # a buffer must not be empty
    return replace(batch, pos=pos, images=images)


def whole(height: int, width: int) -> Window:
    """The window that shows the whole image."""
    return _window(0, 0, height, width, height, width)


def _window(bottom: int, left: int, h: int, w: int, height: int, width: int) -> Window:
    x, y = (_viewport_begin(*at) for at in ((left, width), (bottom, height)))
    half = _VIEWPORT // 2
    viewport = (x - left, y - bottom, _VIEWPORT, _VIEWPORT)
    return Window((left, bottom), (x + half, y + half), viewport)


def _viewport_begin(begin: int, size: int) -> int:
    """The image's pixel where a viewport begins that holds all cells, or the two from the one that `begin` is in."""
    return 0 if size <= _VIEWPORT else begin // _CELL * _CELL
