"""Colours carried into a texture: from vertices, and from the charts into the gutters between them."""

import torch
from torch import Tensor

import glrast

from ..bake.pad import spread
from ..bake.unwrap import PACKED, Atlas, unwrap
from .atlas import largest_side, texels_seen
from .dataset import Views
from .model import ColoredMesh


@torch.no_grad()
def textured(mesh: ColoredMesh, views: Views, size: int | None = None) -> ColoredMesh:
    """The mesh with the texture that shows its vertex colours.

    Args:
        mesh: without an atlas.
        views: choose the number of texels where `size` does not.
        size: texels a side.
    """
    largest = largest_side(views)
    wanted = min(texels_seen(mesh.pos, mesh.tri, views), PACKED * largest**2)
    atlas = unwrap(mesh.pos, mesh.tri, wanted, size, largest)
    ctx = glrast.Context(mesh.pos.device, output_db=False)
    return ColoredMesh(mesh.pos, mesh.tri, bake(ctx, atlas, mesh.tri, mesh.color), atlas)


@torch.no_grad()
def bake(ctx: glrast.Context, atlas: Atlas, tri: Tensor, color: Tensor) -> Tensor:
    """The texture [S,S,3] that shows the vertex colours [V,3]; gutters hold the nearest chart's."""
    rast = _charts(ctx, atlas, atlas.size)
    texture, _ = glrast.interpolate(color.contiguous(), rast, tri)
    return spread(texture[0], rast[0, ..., 3] > 0)


@torch.no_grad()
def padded(ctx: glrast.Context, atlas: Atlas, texture: Tensor) -> Tensor:
    """The texture with gutters that continue the charts, whatever the texels there held.

    Texels that a bilinear lookup in a chart can read keep what they have learned, also those whose
    centre lies beyond the chart's border.
    """
    inside = _charts(ctx, atlas, atlas.size)[0, ..., 3] > 0
    # Twice as fine: a chart may pass through a texel and miss its centre.
    finer = (_charts(ctx, atlas, 2 * atlas.size)[0, ..., 3] > 0).float()
    read = torch.nn.functional.max_pool2d(finer[None, None], kernel_size=2)
    read = torch.nn.functional.max_pool2d(read, kernel_size=3, stride=1, padding=1)[0, 0] > 0
    return torch.where(read[..., None], texture, spread(texture, inside))


def _charts(ctx: glrast.Context, atlas: Atlas, size: int) -> Tensor:
    """rast [1,size,size,4] of the atlas itself."""
    uv = atlas.uv
    place = torch.cat([2 * uv - 1, torch.zeros_like(uv[:, :1]), torch.ones_like(uv[:, :1])], dim=1)
    return glrast.rasterize(ctx, place[None], atlas.uv_tri, (size, size), grad_db=False)[0]
