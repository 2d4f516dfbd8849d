"""Images beyond the driver's limit, drawn in tiles: OpenGL holds one tile at a time.

A tile is a viewport as large as the image and moved, so that clipping is the image's own. What a move can change is
rounding: OpenGL adds the viewport's offset in float32 before it snaps a vertex to a grid of 1/256 pixel, and a tile's
offset is another. A vertex so near the middle between two grid points that this could matter is therefore put on the
grid point that the whole image gives it, about which no tile can disagree.

So a tile covers the pixels that the image covers, bit for bit. What is left to rounding is depth, which the driver
extrapolates from the window's origin (in steep slivers at a silhouette the error reaches 4e-4), and the new vertices
where a triangle leaves the image or crosses the near plane. There a pixel may show the other of two neighbours:
measured on closed meshes on llvmpipe, 0 to 16 in 100,000 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from .context import DeviceContext
from .draw import Batch, draw

_GRID = 256  # sub-pixel positions per pixel: 8 bits, in llvmpipe and in GPUs
_ULPS = 4  # units in the last place of the image's size: what two sums with different offsets may differ by
_FLOAT_STEPS = 1 << 14  # the largest image whose pixels OpenGL's float32 places to half a grid step
_OFF_THE_GRID = (
    1 << 15
)  # pixels outside the image; beyond, float32 has no 1/256 pixel and there is nothing to keep
_LARGEST_TILE = 8192  # 512 MiB of ids and depth


def needed(context: DeviceContext, height: int, width: int) -> bool:
    """Whether the image is larger than the driver's textures and viewports."""
    return max(height, width) > context.limits["size"]


def draw_tiled(
    context: DeviceContext, batch: Batch, height: int, width: int, device: torch.device
) -> torch.Tensor:
    """Rasterize into int32 [N,H,W] triangle id + 1, tile by tile: what `draw` of kind "id" gives, at any size."""
    limit = context.limits["size"]
    tile = max(1, min(limit // 2, _LARGEST_TILE))  # half a viewport: few triangles reach out of it
    out = torch.empty((len(batch.images), height, width), dtype=torch.int32, device=device)
    columns = _axis(batch.pos[..., 0], batch.pos[..., 3], width, limit)
    rows = _axis(batch.pos[..., 1], batch.pos[..., 3], height, limit)
    pos = batch.pos.clone()
    for bottom in range(0, height, tile):
        h = min(tile, height - bottom)
        pos[..., 1], y, view_h = rows.tile(bottom, h)
        for left in range(0, width, tile):
            w = min(tile, width - left)
            pos[..., 0], x, view_w = columns.tile(left, w)
            moved = replace(batch, pos=pos)
            out[:, bottom : bottom + h, left : left + w] = draw(
                context, moved, "id", h, w, device, viewport=(x, y, view_w, view_h)
            )
    return out


@dataclass(frozen=True)
class _Axis:
    """One coordinate of all vertices [...] and the extents of image and viewport along it, in pixels."""

    clip: (
        torch.Tensor
    )  # float32: the image's clip coordinate, steadied where the viewport is the image
    w: torch.Tensor  # float64
    grid: torch.Tensor  # float64: pixels from the image's border, on the grid; NaN: not on it
    size: int
    view: int

    def tile(self, begin: int, extent: int) -> tuple[torch.Tensor, int, int]:
        """Clip coordinates, origin and extent of the viewport for the tile of pixels from `begin` on."""
        if self.view == self.size:
            return self.clip, -begin, self.size
        # No viewport is as large as the image: take the largest, around the tile, and move the vertices.
        center = begin + extent // 2
        free = (self.clip.double() * self.size + self.w * (self.size - 2 * center)) / self.view
        held = (self.grid - center) * self.w * (2 / self.view)
        return (
            torch.where(held.isnan(), free, held).float(),
            extent // 2 - self.view // 2,
            self.view,
        )


def _axis(clip: torch.Tensor, w: torch.Tensor, size: int, limit: int) -> _Axis:
    half, w64 = size / 2, w.double()
    if size <= _FLOAT_STEPS:  # in OpenGL's own steps
        position = ((clip * (1 / w)).double() * half + half).float()
        grid = ((position - 0.5) * _GRID).round().double() / _GRID + 0.5
    else:
        position = clip.double() / w64 * half + half
        grid = (position * _GRID).round() / _GRID
    on_grid = (w > 0) & ((position - half).abs() < _OFF_THE_GRID + half)
    grid = torch.where(on_grid, grid, torch.nan)
    if size > limit:
        return _Axis(clip, w64, grid, size, limit // 2 * 2)
    margin = 0.5 / _GRID - _ULPS * size * torch.finfo(torch.float32).eps
    at_risk = (position.double() - grid).abs() > margin  # false for NaN
    return _Axis(
        torch.where(at_risk, ((grid - half) / half * w64).float(), clip), w64, grid, size, size
    )
