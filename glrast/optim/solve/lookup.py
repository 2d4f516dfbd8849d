"""Which texels a pixel's colour is made of, and with which weights: `texture`'s lookup, written out.

The texels of all mip levels are counted through, level 0 first, row by row, as `texture` has them in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import check
from ...ops import mipmap
from ...ops.texture import BOUNDARIES, chosen_filter

_NEAREST, _LINEAR, _MIPMAP_NEAREST, _ = range(4)  # of FILTERS


@dataclass(frozen=True)
class Pyramid:
    """The levels of a texture of Ht x Wt texels, down to `last`."""

    size: tuple[int, int]
    last: int

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [self._size(level) for level in range(self.last + 1)]

    @property
    def offsets(self) -> list[int]:
        """Texels before each level, and in all."""
        offsets = [0]
        for height, width in self.sizes:
            offsets.append(offsets[-1] + height * width)
        return offsets

    def _size(self, level: int) -> tuple[int, int]:
        height, width = (max(extent >> level, 1) for extent in self.size)
        return height, width

    def up(self, texels: Tensor) -> Tensor:
        """All levels [texels in all, C] of level 0 [Ht*Wt,C]: each the mean of 2 x 2 of the one below."""
        grid, levels = texels.reshape(*self.size, -1), [texels]
        for below, above in zip(self.sizes, self.sizes[1:]):
            grid = halved(grid) * _share(below, above)
            levels.append(grid.flatten(0, 1))
        return torch.cat(levels)

    def down(self, texels: Tensor) -> Tensor:
        """The transpose of `up`: what all levels [...,C] give to level 0."""
        parts = texels.split([height * width for height, width in self.sizes])
        grids = [part.reshape(*size, -1) for part, size in zip(parts, self.sizes)]
        given = grids[-1]
        for level in range(self.last - 1, -1, -1):
            below, above = self.sizes[level], self.sizes[level + 1]
            given = torch.add(grids[level], doubled(given, below), alpha=_share(below, above))
        return given.flatten(0, 1)


def halved(grid: Tensor) -> Tensor:
    """Sums over blocks of 2 x 2 of [h,w,C]; the last of an odd number stand alone."""
    height, width, _ = grid.shape
    if height % 2 or width % 2:
        grid = torch.nn.functional.pad(grid, (0, 0, 0, width % 2, 0, height % 2))
    return (grid[0::2, 0::2] + grid[0::2, 1::2]).add_(grid[1::2, 0::2]).add_(grid[1::2, 1::2])


def doubled(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """The transpose of `halved`, to height and width `size`: each value to all of its block."""
    height, width, channels = grid.shape
    blocks = grid[:, None, :, None].expand(height, 2, width, 2, channels)
    return blocks.reshape(2 * height, 2 * width, channels)[: size[0], : size[1]]


def _share(below: tuple[int, int], above: tuple[int, int]) -> float:
    """Of a texel in the mean of those that the one above covers."""
    return above[0] * above[1] / (below[0] * below[1])


@dataclass(frozen=True)
class Lookup:
    """A pixel's texels: level, x and y of each int64 [P,K], and weights float32 [P,K], 0 where there is none.

    Between two levels the first half is on the finer one, the second on the next; at the last level both are on it, and
    the second half has weight 0.
    """

    pyramid: Pyramid
    level: Tensor
    x: Tensor
    y: Tensor
    weight: Tensor
    two_levels: bool

    @property
    def heights(self) -> Tensor:
        """Texels of the level, int64 [P,K]."""
        return self._of_level([height for height, _ in self.pyramid.sizes])

    @property
    def widths(self) -> Tensor:
        return self._of_level([width for _, width in self.pyramid.sizes])

    def columns(self) -> Tensor:
        """The texels' places among those of all levels, int64 [P,K]."""
        return self._of_level(self.pyramid.offsets[:-1]) + self.y * self.widths + self.x

    def neighbours(self) -> list[tuple[range, range, int]]:
        """Texels that meet in a product, and where their part of a row of 9 + 9 begins: on one level, on two."""
        texels = self.x.shape[1]
        if not self.two_levels:
            every = range(texels)
            return [(every, every, 0)]
        fine, coarse = range(texels // 2), range(texels // 2, texels)
        return [(fine, fine, 0), (coarse, coarse, 0), (fine, coarse, 9)]

    def _of_level(self, values: list[int]) -> Tensor:
        return torch.tensor(values, device=self.level.device)[self.level]


def lookup(
    name: str,
    size: tuple[int, int],
    uv: Tensor,
    uv_da: Tensor | None,
    mip_level_bias: Tensor | None,
    filter_mode: str,
    boundary_mode: str,
    max_mip_level: int | str | None,
) -> Lookup:
    """Of every pixel; arguments as `texture_matrix` takes them."""
    check.choice(name, "boundary_mode", boundary_mode, tuple(b for b in BOUNDARIES if b != "cube"))
    height, width = check.resolution(name, size)
    uv = check.floats(name, "uv", uv)
    check.shape(name, "uv", uv, "[N,H,W,2]", uv.ndim == 4 and uv.shape[3] == 2)
    filter, uv_da, bias = chosen_filter(name, filter_mode, uv, uv_da, mip_level_bias)
    last = (
        mipmap.last_level(name, (1, height, width, 1), max_mip_level)
        if filter >= _MIPMAP_NEAREST
        else 0
    )
    if last == 0 and filter >= _MIPMAP_NEAREST:
        filter = _LINEAR
    pyramid = Pyramid((height, width), last)
    uv = uv.detach().reshape(-1, 2)
    found = uv.isfinite().all(dim=1)
    uv = torch.where(found[:, None], uv, 0.0)
    if filter <= _LINEAR:
        first = torch.zeros(len(uv), dtype=torch.int64, device=uv.device)
        around = _nearest if filter == _NEAREST else _linear
        parts = [around(uv, pyramid, first, boundary_mode)]
    else:
        parts = _between_levels(uv, _level(uv_da, bias, pyramid), pyramid, boundary_mode, filter)
    level, x, y, weight = (torch.cat(part, dim=1) for part in zip(*parts))
    return Lookup(pyramid, level, x, y, weight * found[:, None], len(parts) > 1)


def _level(uv_da: Tensor | None, bias: Tensor | None, pyramid: Pyramid) -> Tensor:
    """[P], from 0 to the last: log2 of the footprint's longer semi-axis (docs of `texture`), and the bias."""
    level = 0.0
    if uv_da is not None:
        height, width = pyramid.size
        scale = torch.tensor([width, width, height, height], device=uv_da.device)
        sx, sy, tx, ty = (uv_da.detach().reshape(-1, 4) * scale).unbind(1)
        a, b, c = sx * sx + tx * tx, sy * sy + ty * ty, sx * sy + tx * ty
        half = 0.5 * (a - b)
        level = 0.5 * torch.log2(0.5 * (a + b) + torch.sqrt(half * half + c * c))
    if bias is not None:
        level = level + bias.detach().reshape(-1)
    assert isinstance(level, Tensor)  # one of the two is given
    return level.nan_to_num(0.0).clamp(0.0, float(pyramid.last))


_Part = tuple[Tensor, Tensor, Tensor, Tensor]  # level, x, y, weight, each [P,K]


def _between_levels(
    uv: Tensor, level: Tensor, pyramid: Pyramid, boundary: str, filter: int
) -> list[_Part]:
    base = level.long()
    if filter == _MIPMAP_NEAREST:
        return [_linear(uv, pyramid, base, boundary)]
    fraction = (level - base)[:, None]
    low = _linear(uv, pyramid, base, boundary)
    high = _linear(uv, pyramid, (base + 1).clamp(max=pyramid.last), boundary)
    return [(*low[:3], low[3] * (1.0 - fraction)), (*high[:3], high[3] * fraction)]


def _linear(uv: Tensor, pyramid: Pyramid, level: Tensor, boundary: str) -> _Part:
    """The 2 x 2 texels around each point, on its level."""
    (x, width), (y, height) = _coordinates(uv, pyramid, level, boundary)
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    xs = torch.stack([x0, x0 + 1, x0, x0 + 1], 1).long()
    ys = torch.stack([y0, y0, y0 + 1, y0 + 1], 1).long()
    weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], 1)
    return _held(level, xs, ys, weight, width, height, boundary)


def _nearest(uv: Tensor, pyramid: Pyramid, level: Tensor, boundary: str) -> _Part:
    (x, width), (y, height) = _coordinates(uv, pyramid, level, boundary)
    xs, ys = ((t + 0.5).floor().long()[:, None] for t in (x, y))
    return _held(level, xs, ys, torch.ones_like(x)[:, None], width, height, boundary)


def _coordinates(
    uv: Tensor, pyramid: Pyramid, level: Tensor, boundary: str
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Along x and y: the position between texel centres, where texel i's is i, and the texels there are."""
    heights, widths = torch.tensor(pyramid.sizes, device=uv.device).unbind(1)
    found = []
    for t, extents in zip(uv.unbind(1), (widths, heights)):
        extent = extents[level]
        if boundary == "wrap":
            t = t - t.floor()
        if boundary == "mirror":
            t = 1.0 - (t - 2.0 * (t / 2.0).floor() - 1.0).abs()
        at = t * extent - 0.5
        low, high = (
            (0.0 * at, extent - 1.0) if boundary == "clamp" else (0.0 * at - 2.0, extent + 1.0)
        )
        found.append((torch.minimum(torch.maximum(at, low), high), extent[:, None]))
    return found[0], found[1]


def _held(
    level: Tensor,
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    width: Tensor,
    height: Tensor,
    boundary: str,
) -> _Part:
    """Places beyond the texture, brought back as the boundary mode says, or left out."""
    if boundary == "wrap":
        x, y = x % width, y % height
    if boundary == "zero":
        weight = weight * ((x >= 0) & (x < width) & (y >= 0) & (y < height))
    none = torch.zeros_like(width)
    x = torch.minimum(torch.maximum(x, none), width - 1)
    y = torch.minimum(torch.maximum(y, none), height - 1)
    return level[:, None].expand_as(x), x, y, weight
