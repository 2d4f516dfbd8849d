"""antialias: blend pixels across silhouette edges, which is what gives positions a gradient from visibility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from ..ops.rasterize import CULLED, Ranges
from .continued import continued, extremes
from .fragments import first_layer, fragments, ranges_of
from .inner import inner_boundaries
from .pairs import Blended, Kernels, PairOperation, Pairs, PairsBackward, gradients
from .resolve import resolve
from .topology import Topology, topology

_EXACT = {"exact": "all", "exact near": "near"}  # and what `fragments` calls it
DISCONTINUITIES = ("silhouettes", "all", *_EXACT)


def antialias(
    color: torch.Tensor,
    rast: torch.Tensor,
    pos: torch.Tensor,
    tri: torch.Tensor,
    topology_hash: Topology | None = None,
    pos_gradient_boost: float = 1.0,
    cull: str = "none",
    discontinuities: str = "silhouettes",
    ranges: Ranges | None = None,
) -> torch.Tensor:
    """The image with its silhouette edges antialiased by how far they reach between two pixel centres.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4], as `rasterize` got them.
        tri: int32 or int64 [T,3]; neighbours are found by vertex index, so duplicated vertices are open edges.
        topology_hash: from `antialias_construct_topology_hash(tri)`; without it the neighbours are found here and
            remembered for as long as this tri lives unchanged.
        pos_gradient_boost: scales the gradient of pos, nothing else.
        cull: as given to `rasterize`. Matters where neighbours are wound differently: the one of the two that is
            culled no longer continues the surface, so their edge is a silhouette.
        discontinuities: "silhouettes", or "all": also creases (a step of colour across the edge that two visible
            triangles share) and intersections (triangles that pass through each other) are blended. The step is what
            is left of the difference of colours after each side's own slope, read off the next pixel: colours should
            vary about linearly over two pixels, or their curvature is taken for a step. docs/accuracy.md.
            "exact": areas and their gradient are exact, of boundaries of every kind and triangles of any size, as those
            of `fragments`; what a triangle shows of a pixel is continued from the pixels around that show it, linearly
            in u and v, or, where none within two pixels does, taken from the nearest that shows a neighbour. "exact
            near": but only in pixels where a boundary is seen that is no crease, which costs less. docs/exact.md.
        ranges: as given to `rasterize`; "exact" needs it to know which triangles an image has.

    Returns: [N,H,W,C] like color.

    Gradients: color; pos x, y, w from visibility (z gets 0, with "all" and "exact" what moves intersections); none to
        rast, but with "exact" to its u and v, where colours are read off that a triangle is continued by.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; a topology_hash of another tri; "exact" where rast is a
            layer of `peel` behind the first, or pos is [V,4] without ranges.

    Note: coverage stays in [0,1]: a pixel gives away no more than itself, and "exact" leaves no channel's range. Of
        triangles that reach behind the camera the part before it counts. But for "exact" the gradient sees silhouettes
        only (or also intersections and creases, see discontinuities), nothing narrower than a pixel (of fine closed
        meshes that is most of it, docs/accuracy.md), and no motion across the image's border, and edges flatter than
        45 degrees move pixels vertically, steeper ones horizontally. Apply masks after, not before: a blended pixel
        needs both sides.

    Source: Laine et al. 2020, section 3.5; "exact": docs/exact.md.
    """
    check.choice("antialias", "cull", cull, CULLED)
    check.choice("antialias", "discontinuities", discontinuities, DISCONTINUITIES)
    boost = check.number("antialias", "pos_gradient_boost", pos_gradient_boost)
    color, rast, pos, checked = _checked(color, rast, pos, tri)
    if discontinuities in _EXACT:
        if topology_hash is not None:
            topology(tri, checked, topology_hash)
        near = _EXACT[discontinuities]
        return _exact(color, rast, pos, checked, boost, cull, near, ranges)
    opposite = topology(tri, checked, topology_hash).across(cull)
    given = Antialias(color, rast, pos, checked, opposite)
    out = call(_Antialias, given, boost)
    return out if discontinuities == "silhouettes" else out + inner_boundaries(given, boost)


def _exact(
    color: torch.Tensor,
    rast: torch.Tensor,
    pos: torch.Tensor,
    tri: torch.Tensor,
    boost: float,
    cull: str,
    discontinuities: str,
    ranges: Ranges | None,
) -> torch.Tensor:
    """What `resolve` makes of fragments in the colours of the pixels around."""
    first_layer("antialias", rast)
    if ranges is None:
        hint = "with discontinuities='exact'; [V,4] needs the ranges that rasterize was given, or is pos[None]"
        check.shape("antialias", "pos", pos, "[N,V,4] or [1,V,4]", pos.ndim == 3, hint)
    else:
        check.shape("antialias", "pos", pos, "[V,4] when ranges is given", pos.ndim == 2)
        ranges = ranges_of("antialias", ranges, rast.shape[0], tri.shape[0])
    frag = fragments(rast, pos, tri, discontinuities, ranges=ranges, cull=cull)
    if boost != 1.0:
        scaled = (torch.lerp(x.detach(), x, boost) for x in (frag.rast, frag.rast_db, frag.weight))
        frag = frag._replace(**dict(zip(("rast", "rast_db", "weight"), scaled)))
    if not color.numel():
        return color
    image = resolve(color, continued(color, rast, frag, pos, tri), frag)
    with (
        torch.no_grad()
    ):  # areas of a pixel add up to 1 but for rounding: a mask in [0,1] must stay there
        beyond = image.clamp(*extremes(color)) - image
    return image + beyond.nan_to_num(0.0, 0.0, 0.0)


def _checked(
    color: torch.Tensor, rast: torch.Tensor, pos: torch.Tensor, tri: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The four as kernels take them."""
    color = check.floats("antialias", "color", color)
    device = color.device
    rast = check.floats("antialias", "rast", rast, device=device)
    check.not_swapped("antialias", pos, tri)
    pos = check.positions("antialias", pos, device=device)
    tri = check.triangles("antialias", tri, device=device)
    if color.ndim != 4 or tuple(rast.shape) != (*color.shape[:3], 4):
        _refuse_images(color, rast)
    N, H, W = color.shape[:3]
    hint = f"with N={N}, H={H}, W={W} (from color)"
    shaped = pos.ndim == 2 or (pos.ndim == 3 and pos.shape[0] in (1, N))
    fits = shaped and pos.shape[-1] == 4
    check.shape("antialias", "pos", pos, "[N,V,4], [1,V,4] or [V,4]", fits, hint)
    return color, rast, pos, tri


def _refuse_images(color: torch.Tensor, rast: torch.Tensor) -> None:
    """color or rast is to blame: color where it would do with its channels last."""
    remedy, found = "", tuple(color.shape)
    images = tuple(rast.shape[:3])
    if rast.ndim == 4 and found[:3] != images and found[-2:] == images[1:]:
        if len(found) == 3:
            remedy = "its channels come first; pass color.permute(1, 2, 0)[None]"
        elif len(found) == 4 and found[0] == images[0]:
            remedy = "its channels come first; pass color.permute(0, 2, 3, 1)"
    holds = color.ndim == 4 and not remedy
    check.shape("antialias", "color", color, "[N,H,W,C]", holds, remedy=remedy)
    N, H, W = found[:3]
    hint = f"with N={N}, H={H}, W={W} (from color [N,H,W,C], which is {check.show(color)})"
    check.shape("antialias", "rast", rast, "[N,H,W,4]", False, hint)


@dataclass
class Antialias(Pairs):
    kernels = Kernels("antialias", inner=False)


@dataclass
class AntialiasBackward(PairsBackward):
    kernels = Antialias.kernels


blend = operator("antialias", Antialias)
_backward = operator("antialias_backward", AntialiasBackward)


class _Antialias(PairOperation):
    glrast = function = "antialias"
    call = Antialias

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Antialias, Antialias, 1, ctx, inputs)

    @staticmethod
    def compute(given: Antialias, boost: float) -> Blended:
        return blend(given)

    @staticmethod
    @once_differentiable("antialias")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        return gradients(_backward, AntialiasBackward, ctx, grad_out)
