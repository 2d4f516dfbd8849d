"""fragments: what every pixel that a visible boundary crosses shows, exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core import check
from ..core.per_tensor import PerTensor
from ..ops.function import Operation, call, forward, once_differentiable
from ..ops.peel import layer_of
from ..ops.rasterize import CULLED, Ranges, checked_ranges
from ..ops.saved import save, saved
from .exact.operators import Find, FindBackward, Found, find, find_backward
from .nearest_faces import inside_tri

DISCONTINUITIES = ("near", "all")

# Of which fragments `resolve` need not ask whether their pixels come in order, all within images of this size.
ascending: PerTensor[tuple[int, ...]] = PerTensor()


class Fragments(NamedTuple):
    """What the crossed pixels show: shade `rast` as the pixels were shaded, then `resolve`."""

    rast: torch.Tensor  # [N,1,F,4]: (u, v, z/w, id + 1) at the fragments' centres of gravity
    rast_db: torch.Tensor  # [N,1,F,4]: (du/dX, du/dY, dv/dX, dv/dY)
    weight: torch.Tensor  # [N*F]: the part of its pixel that each takes; those of a pixel sum to 1
    pixel: torch.Tensor  # int64 [N*F]: its pixel, counted over all images from the lowest row
    shown: torch.Tensor  # bool [N,H,W]: the pixels that show a triangle at their centre


def fragments(
    rast: torch.Tensor,
    pos: torch.Tensor,
    tri: torch.Tensor,
    discontinuities: str = "near",
    ranges: Ranges | None = None,
    cull: str = "none",
) -> Fragments:
    """What the pixels show that boundaries cross: which triangles, how much of the pixel, and at which point.

    A fragment is the visible part of one triangle, or of the background, in one pixel: a weight, its area, and a
    point to shade it at, its centre of gravity. The image that `resolve` makes of them is the exact box-filtered one
    (with one sample of the shading for each fragment), and its gradient by pos is the exact derivative of this image,
    for boundaries of every kind: silhouettes, creases, intersections, slivers, the image's border, near and far plane.

    Args:
        rast: [N,H,W,4] from `rasterize` with the same pos, tri, ranges and cull.
        pos: clip positions [N,V,4], [1,V,4] (one set for all images), or [V,4] with `ranges`.
        tri: int32 or int64 [T,3].
        discontinuities: "near": pixels where a boundary is seen that is no crease (in those, creases count as well), a
            few in a hundred. "all": pixels that a crease crosses too; needed where the colour steps at creases (flat
            shading), and as dear as there are edges in the image.
        ranges, cull: as given to `rasterize`.

    Returns: Fragments. F is the most that one image has; images with fewer are filled up with empty ones of weight 0.
        F depends on what is seen: a GPU is waited for, and `torch.compile` breaks the graph here.

    Gradients: pos gets x, y, w from rast's u and v, from rast_db (with the motion of the point they are taken at) and
        from weight; z where intersections or the near or far plane move. rast gets none; z/w and ids carry none.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; rast is a layer of `peel` behind the first.

    Note: vertices in one place, to the last bit, are one vertex; where they part a surface, both sides share the
        gradient. Of surfaces in one plane (within 1e-11 of z/w) the lower triangle index is in front. An edge exactly
        on the border of two pixels moves the one on its right or upper side. Intersections are found where two
        neighbouring pixel centres see both triangles, and where an edge goes through one. Memory: docs/exact.md.

    Example:
        rast, rast_db = glrast.rasterize(ctx, pos, tri, (256, 256))
        frag = glrast.fragments(rast, pos, tri)
        color, inner = (glrast.interpolate(attr, r, tri)[0] for r in (rast, frag.rast))
        image = glrast.resolve(color, inner, frag)

    Source: Li et al. 2018, Differentiable Monte Carlo Ray Tracing through Edge Sampling, section 3 (the boundary
        integral), here in closed form; docs/exact.md.
    """
    rast, pos, tri, within = _checked(rast, pos, tri, ranges)
    check.choice("fragments", "cull", cull, CULLED)
    check.choice("fragments", "discontinuities", discontinuities, DISCONTINUITIES)
    with torch.no_grad():
        shown = rast[..., 3] > 0
    near = discontinuities == "near"
    given = Find(rast.detach(), pos, tri, within, cull, near)
    at, db, weight, pixel = call(_Fragments, given)
    ascending.remember(pixel, tuple(shown.shape))
    return Fragments(at, db, weight, pixel, shown)


def _checked(
    rast: torch.Tensor, pos: torch.Tensor, tri: torch.Tensor, ranges: Ranges | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """rast, pos and tri as kernels take them, and the ranges within tri."""
    rast = check.floats("fragments", "rast", rast)
    check.shape("fragments", "rast", rast, "[N,H,W,4]", rast.ndim == 4 and rast.shape[3] == 4)
    first_layer("fragments", rast)
    check.not_swapped("fragments", pos, tri)
    pos = check.positions("fragments", pos, device=rast.device)
    tri = check.triangles("fragments", tri, device=rast.device)
    N, within = rast.shape[0], None
    if ranges is None:
        hint = f"with N={N} (from rast); [V,4] needs the ranges that rasterize was given"
        fits = pos.ndim == 3 and pos.shape[0] in (1, N) and pos.shape[2] == 4
        check.shape("fragments", "pos", pos, "[N,V,4] or [1,V,4]", fits, hint)
    else:
        fits = pos.ndim == 2 and pos.shape[1] == 4
        check.shape("fragments", "pos", pos, "[V,4] when ranges is given", fits)
        within = ranges_of("fragments", ranges, N, tri.shape[0])
    return rast, pos, tri, within


def first_layer(function: str, rast: torch.Tensor) -> None:
    """Refuses layers of peeling behind the first: what a boundary parts there depends on how many surfaces lie before
    it, and fragments asks only whether there are any."""
    layer = layer_of(rast)
    check.value(
        function, "rast", "of rasterize, or the first layer of peeling", layer == 1, f"layer {layer}",
        "exact boundaries are those of the first surface; antialias with discontinuities='silhouettes' or 'all' takes "
        "any layer",
    )  # fmt: skip


def ranges_of(function: str, ranges: Ranges, N: int, T: int) -> torch.Tensor:
    """[N,2], within the T triangles."""
    given = checked_ranges(function, ranges)
    expected = f"[N,2] with N={N} (from rast)"
    check.value(function, "ranges", expected, len(given) == N, str(len(given)))
    inside_tri(function, given, T)
    return given


class _Fragments(Operation):
    glrast = function = "fragments"
    call, results = Find, 4
    one_after_another = True  # how many there are depends on what is drawn

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Fragments, Find, 4, ctx, inputs)

    @staticmethod
    def compute(given: Find) -> Found:
        return find(given)

    @staticmethod
    def keep(ctx: Any, given: Find, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, *outputs[4:], pos=given.pos)
        ctx.size = list(given.rast.shape[:3])
        ctx.set_materialize_grads(False)
        return (outputs[3],)

    @staticmethod
    @once_differentiable("fragments")
    def backward(
        ctx: Any,
        grad_rast: Tensor | None,
        grad_db: Tensor | None,
        grad_weight: Tensor | None,
        _: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        nothing = grad_rast is None and grad_db is None and grad_weight is None
        if nothing or not ctx.needs_input_grad[1]:
            return ()
        grads = grad_rast, grad_db, grad_weight
        return None, find_backward(FindBackward(*grads, ctx.size, *saved(ctx, "fragments")))


def shows_triangles(node: Any) -> list[bool]:
    """Of each image of a call in the graph, whether a fragment of it shows a triangle."""
    _, _, *state = node.saved_tensors
    triangle: Tensor = state[Found._fields.index("triangle") - _Fragments.results]
    N, F = node.size[0], len(triangle) // max(node.size[0], 1)
    return [bool((triangle[n * F : (n + 1) * F] >= 0).any()) for n in range(N)]
