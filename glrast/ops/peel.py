"""peel: the surfaces behind the visible one, layer by layer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ..context import Context
from ..core import check, switch
from ..core.per_tensor import PerTensor, unchanged
from . import guard
from .function import Operation, call, forward, once_differentiable, refuse_vmap
from .rasterize import Ranges, Rasterize, Resolution, checked, gradient, remember

if TYPE_CHECKING:
    from ..raster.layers import Peeling


def peel(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    ranges: Ranges | None = None,
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
    layers: list[tuple[Tensor, Tensor]] = []
    if max_layers is not None:
        max_layers = check.whole("peel", "max_layers", max_layers, 0, also="None or ")
    given: tuple[Any, Any] = pos, tri
    if any(isinstance(t, Tensor) and check.is_mapped(t) for t in given):
        refuse_vmap("peel")
    with _All(ctx, pos, tri, resolution, ranges, grad_db, cull) as peeler:
        while max_layers is None or len(layers) < max_layers:
            rast, rast_db = peeler.rasterize_next_layer()
            if not (rast.detach()[..., 3] != 0).any():
                break
            layers.append((rast, rast_db))
    return layers


_behind: PerTensor[int] = PerTensor()  # which layer a rast is, from the second on


def layer_of(rast: torch.Tensor) -> int:
    """2 and more for the very tensors that peeling gave as the layers behind the first, else 1."""
    return _behind.found(rast) or 1


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
        resolution: Resolution,
        ranges: Ranges | None = None,
        grad_db: bool = True,
        cull: str = "none",
    ):
        grad_db = check.flag(self._function, "grad_db", grad_db)
        given = checked(self._function, ctx, pos, tri, resolution, ranges, cull)
        self._pos, self._tri, self._ranges, self._height, self._width = given
        self._ctx, self._grad_db, self._cull = ctx, grad_db and ctx.output_db, cull
        self._state = self._seen()
        self._peeling: Peeling | None = None
        self._finished, self._drawn = False, 0

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
        from ..raster.layers import Peeling  # OpenGL is touched when something is first drawn

        self._peeling = Peeling(self._ctx.handle, self._function)
        self._ctx.peeler = self
        return self

    def __exit__(self, *exception: object) -> None:
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
        given = Rasterize(
            self._pos, self._tri, self._ranges, ctx.handle, self._height, self._width, ctx.program, self._cull,
            ctx.output_db,
        )  # fmt: skip
        # Where nobody has compiled anything, the compiler is not even imported.
        step = _next_layer_uncompiled() if "torch._dynamo" in sys.modules else _next_layer
        rast, rast_db = step(given, self._peeling, self._grad_db)
        self._drawn += 1
        if self._drawn > 1:
            _behind.remember(rast, self._drawn)
        return rast, rast_db

    def _seen(self) -> tuple[Any, ...]:
        """What a change in place of pos or tri changes; nothing where PyTorch does not count them."""
        counted = (t for t in (self._pos, self._tri) if not t.is_inference())
        return () if torch.compiler.is_compiling() else tuple(map(unchanged, counted))


def _next_layer(given: Rasterize, peeling: Peeling, grad_db: bool) -> tuple[Tensor, Tensor]:
    return call(_Layer, given, peeling, grad_db)


class _All(DepthPeeler):
    """The peeler of `peel`, which is named where it was called wrongly."""

    _function = "peel"


@cache
def _next_layer_uncompiled() -> Callable[..., Any]:
    """Traced by the compiler, the layers lose their gradient."""
    disable = cast(Callable[..., Any], torch.compiler.disable)  # pyright: ignore[reportUnknownMemberType] no types
    return disable(_next_layer)


class _Layer(Operation):
    glrast, function = "peel", "DepthPeeler"
    call, results, one_after_another = Rasterize, 2, True

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Layer, Rasterize, 2, ctx, inputs)

    @staticmethod
    def compute(given: Rasterize, peeling: Peeling, grad_db: bool) -> tuple[Tensor, Tensor, Tensor]:
        from ..raster.drawn import drawn  # pyright: ignore[reportUnknownVariableType] not yet

        def run() -> tuple[Tensor, Tensor, Tensor]:
            return cast(Any, drawn(*vars(given).values(), peeling=peeling))

        seen = dict(pos=given.pos, tri=given.tri)
        return guard.checked("peel", seen, run) if switch.active else run()

    @staticmethod
    def keep(
        ctx: Any, given: Rasterize, outputs: tuple[Tensor, ...], peeling: Peeling, grad_db: bool
    ) -> tuple[Tensor, ...]:
        return remember(ctx, given, outputs, grad_db)

    @staticmethod
    @once_differentiable("DepthPeeler")
    def backward(
        ctx: Any, grad_rast: Tensor | None, grad_db: Tensor | None
    ) -> tuple[Tensor | None]:
        return (gradient(ctx, grad_rast, grad_db),)
