"""rasterize: triangles in clip space to triangle ids, barycentrics and depth, by the OpenGL pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ..context import Context
from ..core import check
from ..core.check import wrong
from ..core.rast import images_of, stride_of
from ..launch import launch_scatter
from .function import Operation, call, forward, once_differentiable
from .operator import operator
from .saved import save, saved

CULLED = ("none", "back", "front")
# What may be given; messages say what may not.
Resolution = Sequence[int] | Tensor
Ranges = Sequence[Sequence[int]] | Tensor


def rasterize(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    ranges: Ranges | None = None,
    grad_db: bool = True,
    cull: str = "none",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which triangle each pixel sees, and where on it.

    Args:
        ctx: a Context on the device of the tensors.
        pos: float32 [N,V,4] (N images of one mesh) or [V,4] (with `ranges`), clip space: visible where
            -w <= x,y,z <= w; z/w grows away from the viewer.
        tri: int32 or int64 [T,3], vertex indices.
        resolution: (height, width). Beyond the driver's limit (16384 on llvmpipe) it is drawn in tiles. From 8193 on a
            CPU draws in the way that makes those equal, with `buffers` 'id', in up to three times the time.
        ranges: [N,2] rows (first triangle, count) for pos [V,4]: image n draws those triangles. A tensor on any
            device (a CUDA one is waited for) or a list.
        grad_db: False: no gradient flows back through rast_db.
        cull: 'none', or 'back' or 'front': leave out triangles whose corners appear clockwise ('front':
            counter-clockwise) in the image. For closed meshes 'back' shows the same and costs less.

    Returns:
        rast [N,H,W,4] float32: (u, v, z/w, triangle id + 1); u, v weigh vertices 0 and 1, vertex 2 has 1-u-v.
        All 0 where no triangle is. Row 0 is the bottom. `triangle_id(rast)` gives the ids as int32.
        rast_db [N,H,W,4]: (du/dX, du/dY, dv/dX, dv/dY) per pixel, Y up; [N,H,W,0] with Context(output_db=False).

    Gradients: pos gets x, y, w from u, v and, with grad_db, from rast_db; z gets 0. Channels z/w and id carry none:
        for a differentiable depth interpolate it as an attribute. A triangle so thin that float32 cannot tell its
        orientation from the pixel gives no gradient there.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices.
        RuntimeError: a DepthPeeler is at work on ctx; in backward, pos or tri was replaced through `.data` (as
        module.half() does); second and forward-mode derivatives.

    Warns: pos in half precision, which autocast makes of a matrix product: its vertices are some pixels of 1024 off.
        glrast.clip.transform_points computes in float32.

    Note: triangles with zero area, an index outside [0,V) or a non-finite vertex draw nothing. At equal
        depth the lower triangle index wins. The gradient knows nothing of silhouettes: use `antialias`.

    Source: Laine et al. 2020, Modular Primitives for High-Performance Differentiable Rendering, section 3.1.
    """
    grad_db = check.flag("rasterize", "grad_db", grad_db)
    pos, tri, ranges, height, width = checked("rasterize", ctx, pos, tri, resolution, ranges, cull)
    if ctx.peeler is not None:
        raise RuntimeError(
            "glrast.rasterize: ctx is being peeled; rasterize with another Context (they are cheap), or after the "
            "`with` of its DepthPeeler"
        )
    given = Rasterize(pos, tri, ranges, ctx.handle, height, width, ctx.program, cull, ctx.output_db)
    return call(_Rasterize, given, grad_db and ctx.output_db)


def checked(
    function: str,
    ctx: object,
    pos: object,
    tri: object,
    resolution: object,
    ranges: object,
    cull: str,
) -> tuple[Tensor, Tensor, Tensor | None, int, int]:
    """(pos, tri, ranges, height, width) as the operators take them."""
    if not isinstance(ctx, Context):
        raise TypeError(
            wrong(f"{function}", "ctx must be a glrast.Context", f"{type(ctx).__name__}")
        )
    check.not_swapped(function, pos, tri)
    pos = check.positions(function, pos, device=ctx.device)
    tri = check.triangles(function, tri, device=ctx.device)
    height, width = check.resolution(function, resolution)
    check.choice(function, "cull", cull, CULLED)
    given = None
    if ranges is None:
        hint = "([V,4] needs ranges; for one image use pos[None])"
        check.shape(function, "pos", pos, "[N,V,4]", pos.ndim == 3 and pos.shape[2] == 4, hint)
    else:
        fits = pos.ndim == 2 and pos.shape[1] == 4
        check.shape(function, "pos", pos, "[V,4] when ranges is given", fits)
        given = checked_ranges(function, ranges)
    return pos, tri, given, height, width


def checked_ranges(function: str, ranges: Any) -> Tensor:
    """[N,2] int64 on the CPU."""
    try:
        given = (
            ranges if isinstance(ranges, torch.Tensor) else torch.as_tensor(ranges, device="cpu")
        )
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(
            wrong(
                f"{function}",
                "ranges must be [N,2] integers, a tensor or a list of rows (first triangle, count)",
                f"{type(ranges).__name__}",
                error,
            )
        ) from error
    check.tensor(function, "ranges", given)
    whole = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
    check.value(function, "ranges", "integers", whole or given.numel() == 0, str(given.dtype))
    given = given.to("cpu", torch.int64)
    if given.numel() == 0:
        given = given.reshape(0, 2)
    fits = given.ndim == 2 and given.shape[1] == 2
    check.shape(function, "ranges", given, "[N,2], rows (first triangle, count)", fits)
    return given


@dataclass
class Rasterize:
    pos: Tensor
    tri: Tensor
    ranges: Tensor | None
    context: int  # Context.handle
    height: int
    width: int
    program: str
    cull: str
    output_db: bool

    def fake(self) -> tuple[Tensor, Tensor, Tensor]:
        pixels, new = (
            (images_of(self.pos, self.ranges), self.height, self.width),
            self.pos.new_empty,
        )
        rast_db = new((*pixels, 4 if self.output_db else 0))
        return new((*pixels, 4)), rast_db, new(pixels, dtype=torch.int32)

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        # OpenGL is touched when something is first drawn.
        from ..raster.drawn import drawn  # pyright: ignore[reportUnknownVariableType] not yet

        return cast(Any, drawn(*vars(self).values()))


@dataclass
class RasterizeBackward:
    pos: Tensor
    tri: Tensor
    ids: Tensor
    grad_rast: Tensor | None
    grad_db: Tensor | None

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        pos, tri, grad_rast, grad_db = self.pos, self.tri, self.grad_rast, self.grad_db
        N, H, W = self.ids.shape
        return launch_scatter(
            "rasterize", "rasterize_backward", pos.shape, N if pos.ndim == 3 else 1, pos.device, width=W, rows=N * H,
            pos=pos, pos_stride=stride_of(pos), tri=tri, V=pos.shape[-2], T=tri.shape[0], H=H, ids=self.ids,
            grad_rast=None if grad_rast is None else grad_rast.contiguous(),
            grad_db=None if grad_db is None else grad_db.contiguous(),
            per_width=1 / max(W, 1), per_height=1 / max(H, 1),
        )  # fmt: skip


_forward = operator("rasterize", Rasterize, in_graphs=False)
_backward = operator("rasterize_backward", RasterizeBackward)


class _Rasterize(Operation):
    glrast = function = "rasterize"
    call, results = Rasterize, 2

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Rasterize, Rasterize, 2, ctx, inputs)

    @staticmethod
    def compute(given: Rasterize, grad_db: bool) -> tuple[Tensor, Tensor, Tensor]:
        return _forward(given)

    @staticmethod
    def keep(
        ctx: Any, given: Rasterize, outputs: tuple[Tensor, ...], grad_db: bool
    ) -> tuple[Tensor, ...]:
        return remember(ctx, given, outputs, grad_db)

    @staticmethod
    @once_differentiable("rasterize")
    def backward(
        ctx: Any, grad_rast: Tensor | None, grad_db: Tensor | None
    ) -> tuple[Tensor | None]:
        return (gradient(ctx, grad_rast, grad_db),)


def remember(
    ctx: Any, given: Rasterize, drawn: tuple[Tensor, ...], grad_db: bool
) -> tuple[Tensor, ...]:
    """What the gradient of one image (rast, rast_db, ids) needs, kept on its autograd node; the results without one."""
    _, rast_db, ids = drawn
    # The ids, not rast: clients edit rast in place (shift ids, flip), and it is four times as large.
    save(ctx, ids, pos=given.pos, tri=given.tri)
    ctx.grad_db = grad_db
    ctx.set_materialize_grads(False)
    return () if grad_db else (rast_db,)


def gradient(ctx: Any, grad_rast: Tensor | None, grad_db: Tensor | None) -> Tensor | None:
    """d loss / d pos from what was remembered."""
    if not ctx.grad_db:
        grad_db = None
    if not ctx.needs_input_grad[0] or (grad_rast is None and grad_db is None):
        return None
    pos, tri, ids = saved(ctx, "rasterize")
    return _backward(RasterizeBackward(pos, tri, ids, grad_rast, grad_db))
