"""render: the exact image of a mesh in one call."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..context import Context
from ..core import check
from ..ops.rasterize import Ranges, Resolution, rasterize
from .fragments import fragments
from .resolve import resolve


def render(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    shade: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    background: torch.Tensor | None = None,
    discontinuities: str = "near",
    ranges: Ranges | None = None,
    cull: str = "none",
) -> torch.Tensor:
    """The image [N,H,W,C] with exact edges, and with exact gradients from them: `rasterize`, `fragments`, `resolve`.

    Args:
        ctx, pos, tri, resolution, ranges, cull: as `rasterize` takes them.
        shade: a function of (rast, rast_db), both [N,h,w,4], that returns float32 colours [N,h,w,C]. It is called for
            the pixels [N,H,W] and, where any is crossed by a boundary, for the fragments [N,1,F].
        background: as `resolve` takes it.
        discontinuities: as `fragments` takes it: "all" where shade has steps at creases.

    Gradients: pos, whatever shade uses, and background.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; shade returns another shape.

    Example:
        def shade(rast, rast_db):
            return glrast.interpolate(vertex_color, rast, tri)[0]

        image = glrast.render(ctx, pos, tri, (256, 256), shade, background=torch.ones(3))
    """
    if not callable(shade):
        raise TypeError(
            f"glrast.render: shade must be a function of (rast, rast_db); got {type(shade).__name__}"
        )
    rast, rast_db = rasterize(ctx, pos, tri, resolution, ranges=ranges, cull=cull)
    frag = fragments(rast, pos, tri, discontinuities, ranges=ranges, cull=cull)
    color = _shaded(shade, rast, rast_db)
    if frag.rast.numel():
        inner = _shaded(shade, frag.rast, frag.rast_db)
    else:
        inner = color.new_empty((*frag.rast.shape[:3], color.shape[3]))
    return resolve(color, inner, frag, background)


def _shaded(
    shade: Callable[..., object], rast: torch.Tensor, rast_db: torch.Tensor
) -> torch.Tensor:
    color = check.tensor("render", "what shade returns", shade(rast, rast_db))
    fits = color.ndim == 4 and color.shape[:3] == rast.shape[:3]
    hint = f"for a rast of {check.show(rast)}"
    check.shape("render", "what shade returns", color, "[N,h,w,C]", fits, hint)
    return color
