"""peel: the surfaces behind the visible one, layer by layer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from .. import _check, _debug
from ..context import Context
from ..launch import launch
from ._function import call, once_differentiable, refuse_vmap
from .rasterize import checked, gradient, remember


def peel(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution,
    ranges=None,
    grad_db: bool = True,
    cull: str = "none",
    max_layers: int | None = None,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """All layers of surface, from the nearest to the one behind which nothing is left in any image.

    Args:
        ctx, pos, tri, resolution, ranges, grad_db, cull: as for `rasterize`.
        max_layers: stop after so many, a whole number from 0; None: go on until nothing is left.

    Returns: [(rast, rast_db), ...] as `DepthPeeler.rasterize_next_layer` gives them, without empty layers.

    Gradients: each layer's as those of `rasterize`.

    Raises:
        TypeError, ValueError: as `rasterize`. RuntimeError: ctx is being peeled already.

    Note: waits for the device after each layer, to see whether it is empty.

    Example:
        >>> import torch, glrast
        >>> pos = torch.tensor([[[-1, -1, z, 1], [1, -1, z, 1], [0, 1, z, 1]] for z in (0.5, 0.0)]).reshape(1, 6, 4)
        >>> layers = glrast.peel(glrast.Context("cpu"), pos, torch.tensor([[0, 1, 2], [3, 4, 5]]), (8, 8))
        >>> [float(rast[0, 2, 4, 3]) for rast, _ in layers]
        [2.0, 1.0]
    """
    layers = []
    if max_layers is not None:
        max_layers = _check.whole("peel", "max_layers", max_layers, 0, "None or ")
    if any(isinstance(t, torch.Tensor) and _check.is_mapped(t) for t in (pos, tri)):
        refuse_vmap("peel")
    with _All(ctx, pos, tri, resolution, ranges, grad_db, cull) as peeler:
        while max_layers is None or len(layers) < max_layers:
            rast, rast_db = peeler.rasterize_next_layer()
            if not (rast.detach()[..., 3] != 0).any():
                break
            layers.append((rast, rast_db))
    return layers


class DepthPeeler:
    """Surfaces in the order in which a ray meets them: `with DepthPeeler(...) as peeler:`, then layer by layer.

    Args: as for `rasterize`.

    Raises:
        TypeError, ValueError: as `rasterize`.
        RuntimeError: on `with`, when another peeler is at work on ctx or this one has been used before. Until the
            `with` ends, `rasterize` on ctx is refused too: use another Context for it.

    Note: ids and depths of two layers stay in OpenGL textures meanwhile: 24 (buffers='full': 40) bytes a pixel. A layer
        costs up to 1.5 times (buffers='full': 1.8) as much as `rasterize`, and less than it once half of the mesh lies
        before it (not beyond 8192 pixels on a side).

    Source: Everitt 2001, Interactive Order-Independent Transparency.
    """

    _function = "DepthPeeler"  # what messages call it

    def __init__(
        self,
        ctx: Context,
        pos: torch.Tensor,
        tri: torch.Tensor,
        resolution,
        ranges=None,
        grad_db: bool = True,
        cull: str = "none",
    ):
        grad_db = _check.flag(self._function, "grad_db", grad_db)
        given = checked(self._function, ctx, pos, tri, resolution, ranges, cull)
        self._pos, self._tri, self._ranges, self._height, self._width = given
        self._ctx, self._grad_db, self._cull = ctx, grad_db and ctx.output_db, cull
        self._state = self._seen()
        self._peeling: _Peeling | None = None
        self._finished = False

    def __enter__(self) -> DepthPeeler:
        if self._finished:
            raise RuntimeError(
                f"glrast.{self._function}: this peeler is finished; make a new one to start again"
            )
        if self._ctx.peeler is not None:
            raise RuntimeError(
                f"glrast.{self._function}: ctx is being peeled by another DepthPeeler; leave its `with` first, or use "
                "another Context (they are cheap)"
            )
        self._peeling = _Peeling(self._ctx.handle, self._function)
        self._ctx.peeler = self
        return self

    def __exit__(self, *exception) -> None:
        peeling, self._peeling = self._peeling, None
        self._finished, self._ctx.peeler = True, None
        if peeling is not None:
            peeling.targets.close()

    def rasterize_next_layer(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest surfaces behind those of the layer before; the first layer is what `rasterize` gives.

        Returns: (rast, rast_db), as `rasterize` does; all 0 where nothing is left. Surfaces at equal depth follow
            each other by triangle id.

        Gradients: as those of `rasterize`; each layer is an autograd node of its own.

        Raises:
            RuntimeError: outside the `with` of this peeler.

        Note: torch.compile breaks its graph here: what is drawn depends on what was drawn before.
        """
        if self._peeling is None:
            raise RuntimeError(
                "glrast.DepthPeeler: rasterize_next_layer must be called inside `with DepthPeeler(...) as peeler:`"
            )
        if self._seen() != self._state:
            raise RuntimeError(
                "glrast.DepthPeeler: pos and tri must stay as they were until the last layer; they were changed in "
                "place: pass a clone, or make a new DepthPeeler"
            )
        ctx = self._ctx
        drawing = (ctx.handle, self._height, self._width, ctx.program, self._cull, ctx.output_db)
        drawing = (self._ranges, *drawing, self._peeling)
        # Where nobody has compiled anything, the compiler is not even imported.
        step = _next_layer_uncompiled() if "torch._dynamo" in sys.modules else _next_layer
        return step(self._pos, self._tri, drawing, self._grad_db)

    def _seen(self) -> tuple:
        """What a change in place of pos or tri changes; nothing where PyTorch does not count them."""
        counted = (t for t in (self._pos, self._tri) if not t.is_inference())
        return () if torch.compiler.is_compiling() else tuple(map(_check.unchanged, counted))


def _next_layer(pos, tri, drawing: tuple, grad_db: bool) -> tuple[torch.Tensor, torch.Tensor]:
    return call(_Layer, pos, tri, drawing, grad_db)


class _All(DepthPeeler):
    """The peeler of `peel`, which is named where it was called wrongly."""

    _function = "peel"


@cache
def _next_layer_uncompiled() -> Callable[..., Any]:
    """Traced by the compiler, the layers lose their gradient."""
    return torch.compiler.disable(_next_layer)


_TILE = 8  # pixels; kernels/peel.cu says the same
_MOST_EMPTY = 8  # index sets of all images may hold so many times the triangles that are drawn


class _Peeling:
    """What is known of the last layer: ids and depths in OpenGL textures, and the nearest depth in each tile."""

    def __init__(self, handle: int, function: str = "DepthPeeler"):
        from ..gl.context import by_handle
        from ..gl.peeled import Peeled

        self.function = function  # for messages
        self.targets = Peeled(by_handle(handle))
        self.nearest: torch.Tensor | None = (
            None  # [N,tiles,tiles], 0 to 1; 2 where the layer is empty
        )
        self.size = (0, 0)
        self.drawn = None  # what the first layer was drawn from
        self.boxes = (
            None  # [N,T,2] and [N,T]: the tiles of each of its triangles, and the farthest depth
        )

    def remember(self, drawn: torch.Tensor) -> torch.Tensor:
        """Notes the depths of a drawn layer; returns it as it would be without them."""
        N, H, W, channels = drawn.shape
        across, down = -(-W // _TILE), -(-H // _TILE)
        self.size = (H, W)
        self.nearest = drawn.new_empty((N, down, across), dtype=torch.float32)
        ids = drawn.new_empty((N, H, W)) if channels == 2 else None
        launch(
            "peel", "peel_nearest", drawn.device, width=across, H=down, rows=N * down, drawn=drawn.view(torch.int32),
            channels=channels, image_width=W, image_height=H, ids=ids, nearest=self.nearest,
        )  # fmt: skip
        return drawn if ids is None else ids

    def drawable(self, context, pos, tri, ranges, height: int, width: int, cull: str):
        """What `rasterize` would draw, without triangles that are wholly before the last layer."""
        from ._drawable import drawable

        most = context.limits["size"]
        _check.value(
            self.function, "resolution", f"at most {most} on a side on this OpenGL driver",
            max(height, width) <= most, f"{height} x {width}", "peel it in parts",
        )  # fmt: skip
        if self.drawn is None:
            self.drawn = drawable(context, pos, tri, ranges, height, width, cull)
        return self.without_what_lies_before(self.drawn, ranges)

    def without_what_lies_before(self, batch, ranges):
        """The batch with an index set for each image, where triangles that need not be drawn are (0, 0, 0); or with
        the corners of those only that need."""
        if self.nearest is None or batch.placed:
            return batch
        if batch.indices is None:
            return self._corners_that_stay(batch)
        N, T = self.nearest.shape[0], batch.indices.shape[1]
        if ranges is not None and N * T > _MOST_EMPTY * int(ranges[:, 1].sum()):
            return batch
        stride = T * 3 if len(batch.indices) > 1 else 0
        indices = dict(indices=batch.indices, indices_stride=stride)
        known = self._boxes(batch.pos, N, T, indices)
        out = batch.indices.new_empty((N, T, 3))
        launch(
            "peel",
            "peel_prepare",
            batch.pos.device,
            width=T,
            H=1,
            rows=N,
            **indices,
            **known,
            out=out,
        )
        images = batch.images.copy()
        images[:, 0] = np.arange(N)
        return replace(batch, indices=out, images=images)

    def _corners_that_stay(self, batch):
        from ..gl.draw import BLOCK

        known = self._boxes(batch.pos, 1, len(batch.pos), dict(indices=None, indices_stride=0))
        counts, out = torch.from_numpy(batch.blocks), torch.empty_like(batch.pos)
        kept = torch.empty_like(counts)
        launch(
            "peel", "peel_keep", out.device, width=counts.shape[1], H=1, rows=len(counts), corners=batch.pos,
            places=torch.from_numpy(batch.images[:, 2].copy()), counts=counts, block=BLOCK, **known, out=out, kept=kept,
        )  # fmt: skip
        return replace(batch, pos=out, blocks=kept.numpy())

    def _boxes(self, pos, rows: int, width: int, indices: dict) -> dict:
        """What the kernels know of triangles and layer; the triangles' boxes are found once."""
        assert self.nearest is not None
        _, down, across = self.nearest.shape
        tiles = dict(tiles_x=across, tiles_y=down)
        if self.boxes is None:
            boxes = pos.new_empty((rows, width, 2), dtype=torch.int32), pos.new_empty((rows, width))
            launch(
                "peel", "peel_boxes", pos.device, width=width, H=1, rows=rows, **indices, pos=pos,
                pos_stride=pos.shape[1] * 4 if pos.ndim == 3 else 0, **tiles, image_width=self.size[1],
                image_height=self.size[0], boxes=boxes[0], farthest=boxes[1],
            )  # fmt: skip
            self.boxes = boxes
        return dict(boxes=self.boxes[0], farthest=self.boxes[1], nearest=self.nearest, **tiles)


class _Layer(torch.autograd.Function):
    function, results, one_after_another = "DepthPeeler", 2, True

    @staticmethod
    def forward(ctx, *inputs):
        outputs = _Layer.compute(*inputs)
        ctx.mark_non_differentiable(*_Layer.keep(ctx, inputs, outputs))
        return outputs[:2]

    @staticmethod
    def compute(pos, tri, drawing, grad_db):
        from ._drawn import drawn

        arguments = (pos, tri, *drawing)
        if _debug.active:
            return _debug.run("peel", ["pos", "tri"], drawn, arguments)
        return drawn(*arguments)

    @staticmethod
    def keep(ctx, inputs, outputs):
        return remember(ctx, inputs[0], inputs[1], outputs, grad_db=inputs[-1])

    @staticmethod
    @once_differentiable("DepthPeeler")
    def backward(ctx, grad_rast, grad_db):
        return gradient(ctx, grad_rast, grad_db), None, None, None
