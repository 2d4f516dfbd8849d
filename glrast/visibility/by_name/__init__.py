"""render: the image by any answer to the discontinuity problem, by its name: the same call for all of them."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from ...context import Context
from ...core import check
from ...ops.rasterize import CULLED, Ranges, Resolution
from ..softras import ALPHAS
from .images import IMAGES
from .scene import NAME, Scene, Shade
from .soft import SOFT

MEMBERS = IMAGES | SOFT
NAMES = tuple(MEMBERS)


def render(
    name: str,
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    shade: Shade,
    resolution: Resolution,
    background: torch.Tensor | None = None,
    *,
    alpha: bool | str = False,
    ranges: Ranges | None = None,
    cull: str = "none",
    **options: Any,
) -> torch.Tensor:
    """The image [N,H,W,C] over the background, with the gradients of the method of that name.

    Args:
        name: of NAMES: image estimators "antialias", "exact", "exact near", "opendr", "dirt", "nmr", "edge_grad" and
            "edge_sampling"; "rasterize_then_splat"; soft renderers "softras", "sigmoid_alpha", "hard", "gendr" and
            "dibr".
        ctx, pos, tri, resolution, ranges, cull: as `rasterize` takes them.
        shade: a function of (rast, rast_db, tri), the first two [N,h,w,4], that returns float32 colours [N,h,w,C]. It
            is called for pixels; by rasterize_then_splat for each layer; by soft renderers for the K faces of every
            pixel, side by side: [N,H,W*K,4]; by exact for pixels and, where there are any, for fragments: [N,1,F,4].
        background: a colour [C], or a picture [H,W,C], [1,H,W,C] or [N,H,W,C]; None: 0.
        alpha: whether the mask follows as the last channel; for softras also how: "product", "sum" or "hard".
        options: keywords of the method, as its own function names them, with its paper's values where they are not
            given. Those of `nearest_faces` go to soft renderers (faces_per_pixel; reach_pix: None is what the method
            needs), `layers`, 2, to rasterize_then_splat, and discontinuities to antialias. nmr draws twice as large and
            fills back faces unless told not to (supersample=1, fill_back=False), as published; its mask has the eps
            that is published for silhouettes. `options_of(name)` has them all.

    Returns: [N,H,W,C], or [N,H,W,C+1] with alpha.

    Gradients: pos, background, and whatever shade uses. opendr and dirt, which see the slope of the image inside
        triangles, and rasterize_then_splat, whose points carry their colours along, shade from rast without its
        gradient: what moves inside triangles counts once.

    Raises:
        TypeError, ValueError: a name or an option that there is not; what shade returns; as the method's own function.

    Note: rast_db of soft renderers is of the face's plane at the pixel, and has no gradient; Context(output_db=False)
        saves its time where shade does not use it. The mask of image
        estimators is drawn like a colour that is 1 on triangles. Faces per pixel are 8: where more overlap, give more.

    Example:
        def shade(rast, rast_db, tri):
            return glrast.interpolate(vertex_color, rast, tri)[0]

        image = glrast.visibility.render("softras", ctx, pos, tri, shade, (256, 256), alpha=True, sigma_pix2=1.0)
    """
    check.choice(NAME, "name", name, NAMES)
    _known(name, options)
    if not callable(shade):
        what = "shade must be a function of (rast, rast_db, tri)"
        raise TypeError(check.wrong(NAME, what, type(shade).__name__))
    check.choice(NAME, "cull", cull, CULLED)
    size = check.resolution(NAME, resolution)
    if isinstance(alpha, str):
        check.choice(NAME, "alpha", alpha, ALPHAS)
        fits = name == "softras"
        check.value(NAME, "alpha", f"True or False for {name}", fits, f"{alpha!r}")
        options["aggregate"] = alpha
    wanted = True if isinstance(alpha, str) else check.flag(NAME, "alpha", alpha)
    scene = Scene(ctx, pos, tri, shade, size, background, wanted, ranges, cull)
    return MEMBERS[name](scene, **options)


def options_of(name: str) -> dict[str, Any]:
    """The options of a method by name, and what they are where they are not given.

    Raises:
        ValueError: a name that there is not.

    Example:
        >>> options_of("edge_grad")
        {'units': 'same'}
    """
    check.choice("visibility.options_of", "name", name, NAMES)
    given = inspect.signature(MEMBERS[name]).parameters.values()
    return {p.name: p.default for p in given if p.kind is p.KEYWORD_ONLY and p.name != "aggregate"}


def _known(name: str, options: dict[str, Any]) -> None:
    known = options_of(name)
    strange = sorted(set(options) - set(known))
    if strange:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise TypeError(
            check.wrong(NAME, f"options must be those of {name!r}", ", ".join(strange), has)
        )
