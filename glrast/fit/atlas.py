"""A UV atlas: the surface cut into charts that lie side by side in one square texture.

xatlas cuts and packs; here it is told how many texels the pictures are worth, and how far apart the
charts must lie so that mipmaps do not mix them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import xatlas
from torch import Tensor

from ..clip import transform_points
from .dataset import Views

# Mip levels above the texture. The texture has about a texel for each pixel, so these serve views
# from four times as far, and surfaces seen at a slant that shortens them to a quarter.
LEVELS = 2
# Texels between charts. A bilinear lookup of the last level at a chart's border reads 1.5 of that
# level's texels beyond it, 6 of ours; each of two neighbours has that much before the other begins.
GUTTER = 2 * (3 << LEVELS >> 1)
# Texels for each pixel of the view that shows a triangle largest (an area). Fewer blur fine patterns;
# more learn the noise of the few pixels that see each, which the loss on the texture's variation
# holds down (without it a cow in noisy pictures had 38.8, 38.7 and 38.3 dB with 0.6, 1 and 2).
TEXELS_PER_PIXEL = 1.5
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

    def to(self, device: torch.device) -> "Atlas":
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


def _packing(texels: float, size: int | None) -> xatlas.PackOptions:
    options = xatlas.PackOptions()
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


def texels_seen(pos: Tensor, tri: Tensor, views: Views) -> float:
    """How many texels the views are worth: of each triangle the pixels of its largest picture, summed.

    Triangles hidden behind others count: what hides them has about as many pixels there.
    """
    height, width = views.resolution
    half = torch.tensor([width / 2, height / 2], device=pos.device)
    largest = pos.new_zeros(len(tri))
    for matrix in views.world_to_clip.float().to(pos.device):
        clip = transform_points(matrix, pos)
        pix = clip[:, :2] / clip[:, 3:].clamp_min(1e-6) * half
        a, b, c = pix[tri.long()].unbind(1)
        (x1, y1), (x2, y2) = (b - a).unbind(1), (c - a).unbind(1)
        pixels = (x1 * y2 - y1 * x2).abs() / 2
        in_front = (clip[:, 3][tri.long()] > 0).all(dim=1)
        # A triangle that fills more than the picture stands beside the camera, not before it.
        largest = torch.maximum(largest, torch.where(in_front, pixels, 0).clamp(max=height * width))
    wanted = TEXELS_PER_PIXEL * float(largest.double().sum())
    # The limits are meant for the side of the square.
    return min(max(wanted, PACKED * SMALLEST**2), PACKED * LARGEST**2)


def largest_side(views: Views) -> int:
    """The side of a texture with a texel for every pixel that shows the object in any of the views.

    More cannot be learned from them, however large the shape is that they were taken to show.
    """
    pixels = int((views.rgba[..., 3] > 127).sum())
    return min(max(math.isqrt(pixels), SMALLEST), LARGEST)
