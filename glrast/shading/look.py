"""The surfaces that each pixel sees, from front to back, until what lies behind cannot be seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..context import Context
from ..ops.peel import DepthPeeler
from ..ops.rasterize import rasterize
from ..visibility.antialias import antialias
from .paint import Paint

# Less than this of what lies behind would not change a step of an image file.
_HIDDEN = 0.5 / 255


@dataclass(frozen=True)
class Sight:
    """What the pixels see.

    Args:
        rast, rast_db: [N,H,W,4], the first surface at each pixel's centre that is not cut out there.
        behind: [N,H,W,4], where that one lets light through, the first one that does not; else 0. None: all is opaque.
        rgba: [N,H,W,4], colour (sRGB) multiplied by alpha, not antialiased at the silhouettes; None: nobody asked.
    """

    rast: Tensor
    rast_db: Tensor
    behind: Tensor | None
    rgba: Tensor | None

    def antialiased(self, image: Tensor, pos_clip: Tensor, tri: Tensor, topology=None) -> Tensor:
        """`glrast.antialias` of an image [N,H,W,C] of what is seen, at the silhouettes in front and at those behind."""
        image = antialias(image, self.rast, pos_clip, tri, topology)
        if self.behind is None or not bool((self.behind[..., 3] > 0).any()):
            return image
        return antialias(image, self.behind, pos_clip, tri, topology)


def look(
    ctx: Context,
    paint: Paint,
    pos_clip: Tensor,
    world_to_camera: Tensor,
    resolution: tuple[int, int],
    color: bool = True,
) -> Sight:
    """What is seen of a mesh. Where all is opaque, the one layer that `rasterize` gives; else all those that show.

    Args:
        pos_clip: [N,V,4], the mesh's positions.
        world_to_camera: [4,4] or [N,4,4].
        color: False leaves rgba out, where finding the surfaces does not need it.
    Note: colours are mixed as image files hold them, in sRGB: so do viewers of pictures, and browsers.
    """
    tri = paint.mesh.tri
    if paint.opaque:
        rast, rast_db = rasterize(ctx, pos_clip, tri, resolution)
        rgba = paint.at(rast, rast_db, world_to_camera)[0] if color else None
        return Sight(rast, rast_db, None, rgba)
    with DepthPeeler(ctx, pos_clip, tri, resolution) as peeler:
        rast, rast_db = peeler.rasterize_next_layer()
        front, front_db = torch.zeros_like(rast), torch.zeros_like(rast_db)
        behind = torch.zeros_like(rast)
        rgba, through = torch.zeros_like(rast), torch.ones_like(rast[..., :1])
        while bool(((rast[..., 3:] > 0) & (through > _HIDDEN)).any()):
            straight, shown = paint.at(rast, rast_db, world_to_camera)
            alpha = straight[..., 3:]
            rgba = rgba + through * torch.cat([straight[..., :3] * alpha, alpha], -1)
            before, through = through, through * (1 - alpha)
            first = shown[..., None] & (front[..., 3:] == 0)
            front, front_db = torch.where(first, rast, front), torch.where(first, rast_db, front_db)
            last = (before > _HIDDEN) & (through <= _HIDDEN) & ~first
            behind = torch.where(last, rast, behind)
            rast, rast_db = peeler.rasterize_next_layer()
    return Sight(front, front_db, behind, rgba)
