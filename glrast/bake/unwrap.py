"""A UV atlas: the surface cut into charts that lie side by side in one square texture.

xatlas cuts and packs; here it is told how many texels the pictures are worth, and how far apart the
charts must lie so that mipmaps do not mix them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Mip levels above the texture. The texture has about a texel for each pixel, so these serve views
# from four times as far, and surfaces seen at a slant that shortens them to a quarter.
LEVELS = 2
# Texels between charts. A bilinear lookup of the last level at a chart's border reads 1.5 of that
# level's texels beyond it, 6 of ours; each of two neighbours has that much before the other begins.
GUTTER = 2 * (3 << LEVELS >> 1)
# Sides of the texture. The optimiser holds 16 bytes per channel and texel: 0.8 GB at the largest.
# The smallest is one of halving_size.
SMALLEST, LARGEST = 68, 4096
# The share of the square that the packing fills, about.
PACKED = 0.7
# Packings to try until the side is within its limit; then xatlas is told the side.
PACKINGS = 4
# What a chart may cost in xatlas' measure of stretch and border. Its default, 2, cuts a cow into 101
# charts; with 8 they are 40, in the same time, and fewer borders need gutters and triangles at seams.
CHART_COST = 8.0


@dataclass(frozen=True)
class Atlas:
    """uv float32 [U,2] in 0..1, (0,0) the bottom left; uv_tri int32 [T,3] into it; texels a side."""

    uv: Tensor
    uv_tri: Tensor
    size: int

    def to(self, device: torch.device) -> Atlas:
        return Atlas(self.uv.to(device), self.uv_tri.to(device), self.size)


def unwrap(
    pos: Tensor, tri: Tensor, texels: float, size: int | None = None, largest: int = LARGEST
) -> Atlas:
    """The atlas of a mesh; the same mesh gives the same atlas to the bit.

    Args:
        pos: [V,3].
        tri: [T,3]; the rows of uv_tri belong to the same triangles.
        texels: how many the whole surface shall have; the size follows.
        size: texels a side instead, a multiple of 2^LEVELS.
        largest: where `texels` asks for a larger side than this, the charts get fewer.
    """
    xatlas = _xatlas()
    corners = pos.detach().cpu().double()[tri.cpu().long()]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # xatlas has thresholds in absolute units: it gets a surface of area 1.
    unit = float(area.norm(dim=1).sum() / 2) ** -0.5
    chart_options = xatlas.ChartOptions()
    chart_options.max_cost = CHART_COST
    maker = xatlas.Atlas()
    maker.add_mesh((pos.detach().cpu() * unit).numpy(), tri.cpu().numpy().astype(np.uint32))
    side = 0
    for _ in range(PACKINGS):
        maker.generate(chart_options, _packing(texels, size))
        side = max(maker.width, maker.height)
        if size is not None or halving_size(side) <= largest:
            break
        # Charts shrink with the side, their gutters do not: a little less than the rule of three.
        texels *= 0.95 * (largest / halving_size(side)) ** 2
    else:
        return unwrap(pos, tri, texels, halving_size(largest, at_most=True))
    _, uv_tri, uv = maker[0]
    # In texels, then in the square: packing ends at any width and height, and near a wanted size.
    packed = uv.astype(np.float64) * (maker.width, maker.height)
    if size is None:
        size = side = halving_size(side)
    in_square = torch.from_numpy((packed / side).astype(np.float32))
    return Atlas(in_square, torch.from_numpy(uv_tri.astype(np.int32)), size).to(pos.device)


def _xatlas() -> Any:
    try:
        import xatlas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "glrast.bake.atlas: a new atlas needs xatlas, which is not installed; run: "
            'pip install "glrast[fit]", or give the mesh a uv of its own',
            name="xatlas",
        ) from error
    return xatlas


def _packing(texels: float, size: int | None) -> Any:
    options = _xatlas().PackOptions()
    options.padding, options.bilinear, options.create_image = GUTTER, True, False
    if size is None:
        options.texels_per_unit = math.sqrt(texels)
    else:
        options.resolution = size
    return options


def halving_size(side: int, at_most: bool = False) -> int:
    """The least size from `side` on (or the largest up to it) that can be halved LEVELS times and no more.

    So whoever builds as many mip levels as exist builds those that the fit had.
    """
    step = 1 << LEVELS
    if at_most:
        return max((side // step - 1) | 1, 1) * step
    return (-(-side // step) | 1) * step
