"""fragments: what every pixel that a visible boundary crosses shows, exactly."""

from __future__ import annotations

import sys
from functools import wraps
from typing import NamedTuple

import torch

from ..core import check
from ..launch import launch_scatter
from ..ops.function import call, once_differentiable
from ..ops.operator import operator
from ..ops.rasterize import CULLED
from ..ops.rasterize import _ranges as checked_ranges
from ..ops.saved import save, saved
from .exact.boundaries import find_runs
from .exact.parts import parts_of
from .exact.screen import draw, each, stride_of

DISCONTINUITIES = ("near", "all")


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
    ranges=None,
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
        TypeError, ValueError: wrong types, shapes, devices.

    Note: vertices in one place, to the last bit, are one vertex; where they part a surface, both sides share the
        gradient. Of surfaces in one plane (within 1e-11 of z/w) the lower triangle index is in front. An edge exactly
        on the border of two pixels moves the one on its right or upper side. Intersections are found where two
        neighbouring pixel centres see both triangles, and where an edge goes through one. Memory: 97 bytes a triangle
        and 104 an edge of each image, about 65 a piece of an edge in a pixel, 16 a triangle in a crossed pixel.

    Example:
        rast, rast_db = glrast.rasterize(ctx, pos, tri, (256, 256))
        frag = glrast.fragments(rast, pos, tri)
        color, inner = (glrast.interpolate(attr, r, tri)[0] for r in (rast, frag.rast))
        image = glrast.resolve(color, inner, frag)

    Source: Li et al. 2018, Differentiable Monte Carlo Ray Tracing through Edge Sampling, section 3 (the boundary
        integral), here in closed form; docs/exact.md.
    """
    rast = check.floats("fragments", "rast", rast)
    check.shape("fragments", "rast", rast, "[N,H,W,4]", rast.ndim == 4 and rast.shape[3] == 4)
    check.not_swapped("fragments", pos, tri)
    pos = check.positions("fragments", pos, device=rast.device)
    tri = check.triangles("fragments", tri, device=rast.device)
    N = rast.shape[0]
    if ranges is None:
        hint = f"with N={N} (from rast); [V,4] needs the ranges that rasterize was given"
        fits = pos.ndim == 3 and pos.shape[0] in (1, N) and pos.shape[2] == 4
        check.shape("fragments", "pos", pos, "[N,V,4] or [1,V,4]", fits, hint)
    else:
        fits = pos.ndim == 2 and pos.shape[1] == 4
        check.shape("fragments", "pos", pos, "[V,4] when ranges is given", fits)
        ranges = _inside(checked_ranges("fragments", ranges), N, tri.shape[0])
    check.choice("fragments", "cull", cull, CULLED)
    check.choice("fragments", "discontinuities", discontinuities, DISCONTINUITIES)
    with torch.no_grad():
        shown = rast[..., 3] > 0
    near = discontinuities == "near"
    at, db, weight, pixel = call(_Fragments, pos, rast.detach(), tri, ranges, cull, near)
    return Fragments(at, db, weight, pixel, shown)


def _inside(ranges: torch.Tensor, N: int, T: int) -> torch.Tensor:
    check.value(
        "fragments", "ranges", f"[N,2] with N={N} (from rast)", len(ranges) == N, str(len(ranges))
    )
    first, count = ranges.unbind(1)
    fits = bool(((first >= 0) & (count >= 0) & (first + count <= T)).all())
    check.value(
        "fragments", "ranges", f"within the {T} triangles of tri", fits, str(ranges.tolist())
    )
    return ranges


class _Fragments(torch.autograd.Function):
    function, results = "fragments", 4
    one_after_another = True  # how many there are depends on what is drawn

    @staticmethod
    def forward(ctx, *inputs):
        outputs = _Fragments.compute(*inputs)
        ctx.mark_non_differentiable(*_Fragments.keep(ctx, inputs, outputs))
        return outputs[:4]

    @staticmethod
    def compute(pos, rast, tri, ranges, cull, near):
        return _forward_operator(rast, pos, tri, ranges, cull, near)

    @staticmethod
    def keep(ctx, inputs, outputs):
        pos, rast, tri, *_ = inputs
        save(ctx, *outputs[4:], pos=pos, tri=tri)
        ctx.size = tuple(rast.shape[:3])
        ctx.set_materialize_grads(False)
        return (outputs[3],)

    @staticmethod
    @once_differentiable("fragments")
    def backward(ctx, grad_rast, grad_db, grad_weight, _=None):
        nothing = grad_rast is None and grad_db is None and grad_weight is None
        if nothing or not ctx.needs_input_grad[0]:
            return None, None, None, None, None, None
        grads = grad_rast, grad_db, grad_weight
        grad = _backward_operator(*grads, list(ctx.size), *saved(ctx, "fragments"))
        return grad, None, None, None, None, None


# ---- forward ---------------------------------------------------------------------------------------------

# What the backward pass needs, in this order: see Drawn, Runs and Parts.
_STATE = (
    "welded", "images", "planes", "edges", "info", "run_edge", "run_ends", "run_parts", "triangles", "numbers",
    "image", "points", "weights",
)  # fmt: skip


def _forward(rast, pos, tri, ranges, cull, near):
    N = rast.shape[0]
    images = _images(N, tri.shape[0], ranges)
    drawn = draw(pos, tri, images, tuple(rast.shape[:3]), cull)
    runs = find_runs(drawn, rast, images, near)
    parts = parts_of(drawn, runs)
    F = len(parts.pixel)
    at, db = (torch.empty((N, 1, F // max(N, 1), 4), device=pos.device) for _ in range(2))
    each(
        "fragments_place", F, pos.device, triangles=parts.triangles, numbers=parts.numbers, points=parts.points,
        planes=drawn.planes, rast=at, rast_db=db,
    )  # fmt: skip
    welded = tri.new_empty(0) if drawn.welded is tri else drawn.welded
    state = vars(parts) | dict(
        welded=welded, images=drawn.images, planes=drawn.planes, edges=runs.edges, info=runs.info,
        run_edge=runs.edge, run_ends=runs.ends,
    )  # fmt: skip
    return at, db, parts.weights.float(), parts.pixel, *(state[name] for name in _STATE)


def _images(N: int, T: int, ranges) -> torch.Tensor:
    """int64 [N,3]: first triangle, number of triangles, place of the first among all images'."""
    if ranges is None:
        return torch.tensor([[0, T, n * T] for n in range(N)], dtype=torch.int64).reshape(N, 3)
    count = ranges[:, 1]
    return torch.stack([ranges[:, 0], count, count.cumsum(0) - count], 1)


def _forward_fake(rast, pos, tri, ranges, cull, near):
    context = torch.library.get_ctx()
    N, T = rast.shape[0], tri.shape[0]
    F, R, K, welded = (context.new_dynamic_size() for _ in range(4))
    M = N * T if ranges is None else context.new_dynamic_size()

    def made(*shape, dtype=torch.float64):
        return rast.new_empty(shape, dtype=dtype)

    whole, number = torch.int64, torch.int32
    results = made(N, 1, F, 4, dtype=rast.dtype), made(N, 1, F, 4, dtype=rast.dtype)
    results += made(N * F, dtype=rast.dtype), made(N * F, dtype=whole)
    mesh = made(welded, dtype=number), made(N, 3, dtype=whole), made(M, 12)
    runs = made(K, 10), made(K, 6, dtype=number), made(R, dtype=number), made(R, 2)
    parts = [made(N * F, dtype=number) for _ in range(3)]
    return *results, *mesh, *runs, made(R, 2, dtype=whole), *parts, made(N * F, 2), made(N * F)


# ---- backward --------------------------------------------------------------------------------------------


def _backward(grad_rast, grad_db, grad_weight, size, pos, tri, *state):
    s = dict(zip(_STATE, state))
    (N, H, W), device, F, R = size, pos.device, len(s["points"]), len(s["run_edge"])
    motion = torch.empty((F, 2), dtype=torch.float64, device=device)
    screen = dict(pos_stride=stride_of(pos, N), planes=s["planes"], columns=W, lines=H)
    grad = _scatter(
        "fragments_backward_points", F, pos, triangles=s["triangles"], numbers=s["numbers"], image=s["image"],
        points=s["points"], weights=s["weights"], tri=tri, grad_rast=_contiguous(grad_rast),
        grad_db=_contiguous(grad_db), motion=motion, **screen,
    )  # fmt: skip
    welded = s["welded"] if s["welded"].numel() else None
    moved = _scatter(
        "fragments_backward_runs", R, pos, edges=s["edges"], info=s["info"], run_edge=s["run_edge"],
        run_ends=s["run_ends"], run_parts=s["run_parts"], points=s["points"],
        grad_weight=_contiguous(grad_weight), motion=motion, tri=tri, welded=welded,
        welded_stride=tri.numel() if s["welded"].ndim == 3 else 0, images=s["images"], M=len(s["planes"]), **screen,
    )  # fmt: skip
    return grad.add_(moved)


_ROW = 32  # elements that lie in one row: the CPU shares out rows


def _scatter(kernel: str, count: int, pos, **arguments) -> torch.Tensor:
    rows = -(-count // _ROW)
    return launch_scatter(
        "fragments", kernel, tuple(pos.shape), 1, pos.device, width=_ROW, H=1, rows=rows, count=count, **arguments
    )  # fmt: skip


def _contiguous(grad):
    return None if grad is None else grad.contiguous()


def _untraced(function):
    """`function`, which torch.compile, having broken the graph here, does not look into. Importing its part of PyTorch
    takes seconds: where nobody has, nobody compiles."""
    disabled = torch._disable_dynamo(function)  # pyright: ignore[reportPrivateImportUsage]

    @wraps(function)
    def called(*arguments):
        return (disabled if "torch._dynamo" in sys.modules else function)(*arguments)

    return called


_forward_operator = operator(
    "fragments(Tensor rast, Tensor pos, Tensor tri, Tensor? ranges, str cull, bool near) -> ("
    + ", ".join(["Tensor"] * (4 + len(_STATE)))
    + ")",
    _untraced(_forward),
    _forward_fake,
)
_backward_operator = operator(
    "fragments_backward(Tensor? grad_rast, Tensor? grad_db, Tensor? grad_weight, int[] size, Tensor pos, Tensor tri, "
    + ", ".join(f"Tensor {name}" for name in _STATE)
    + ") -> Tensor",
    _untraced(_backward),
    lambda grad_rast, grad_db, grad_weight, size, pos, *rest: torch.empty_like(pos),
)
