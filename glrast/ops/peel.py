"""peel: the surfaces behind the visible one, layer by layer."""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable

from ..context import Context
from .rasterize import checked, forward, gradient, remember


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
        max_layers: stop after so many; None: go on until nothing is left.

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
    with DepthPeeler(ctx, pos, tri, resolution, ranges, grad_db, cull) as peeler:
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

    Note: between two layers the depths and ids of the last one stay in OpenGL textures, 8 (buffers='full': 20) bytes a
        pixel, twice. Each layer draws the whole mesh again: K layers cost about K times `rasterize`.

    Source: Everitt 2001, Interactive Order-Independent Transparency.
    """

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
        given = checked("DepthPeeler", ctx, pos, tri, resolution, ranges, cull)
        self._pos, self._tri, self._ranges, self._height, self._width = given
        self._ctx, self._grad_db, self._cull = ctx, grad_db and ctx.output_db, cull
        self._peeled = None  # what stays on the OpenGL side between two layers
        self._finished = False

    def __enter__(self) -> DepthPeeler:
        from ..gl.context import by_handle
        from ..gl.peeled import Peeled

        if self._finished:
            raise RuntimeError(
                "glrast.DepthPeeler: this peeler is finished; make a new one to start again"
            )
        if self._ctx.peeler is not None:
            raise RuntimeError(
                "glrast.DepthPeeler: ctx is being peeled by another DepthPeeler; leave its `with` first, or use "
                "another Context (they are cheap)"
            )
        self._peeled = Peeled(by_handle(self._ctx.handle))
        self._ctx.peeler = self
        return self

    def __exit__(self, *exception) -> None:
        peeled, self._peeled = self._peeled, None
        self._finished, self._ctx.peeler = True, None
        if peeled is not None:
            peeled.close()

    def rasterize_next_layer(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest surfaces behind those of the layer before; the first layer is what `rasterize` gives.

        Returns: (rast, rast_db), as `rasterize` does; all 0 where nothing is left. Surfaces at equal depth follow
            each other by triangle id.

        Gradients: as those of `rasterize`; each layer is an autograd node of its own.

        Raises:
            RuntimeError: outside the `with` of this peeler.
        """
        if self._peeled is None:
            raise RuntimeError(
                "glrast.DepthPeeler: rasterize_next_layer must be called inside `with DepthPeeler(...) as peeler:`"
            )
        ctx = self._ctx
        arguments = (ctx.handle, self._height, self._width, ctx.program, self._cull, ctx.output_db)
        with torch.no_grad():
            drawn = forward(self._pos, self._tri, self._ranges, *arguments, self._peeled)
        return _Layer.apply(self._pos, self._tri, drawn, self._grad_db)


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pos, tri, drawn, grad_db):
        return remember(ctx, pos, tri, drawn, grad_db)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_rast, grad_db):
        return gradient(ctx, grad_rast, grad_db), None, None, None
