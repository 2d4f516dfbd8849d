"""Inner boundaries, discontinuities="all" of antialias: creases and intersections between two visible triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .pairs import Blended, Kernels, PairOperation, Pairs, PairsBackward, gradients


def inner_boundaries(given: Pairs, boost: float) -> Tensor:
    """[N,H,W,C]: what creases and intersections add to the image that `antialias` makes of the same call.

    Gradients: color; pos in all four of x, y, z, w, since depth moves an intersection.
    """
    return call(_InnerBoundaries, given, boost)


@dataclass
class InnerBoundaries(Pairs):
    kernels = Kernels("antialias_inner", inner=True)


@dataclass
class InnerBoundariesBackward(PairsBackward):
    kernels = InnerBoundaries.kernels


_forward = operator("antialias_inner", InnerBoundaries)
_backward = operator("antialias_inner_backward", InnerBoundariesBackward)


class _InnerBoundaries(PairOperation):
    glrast, function = "antialias_inner", "antialias"
    call = InnerBoundaries

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_InnerBoundaries, InnerBoundaries, 1, ctx, inputs)

    @staticmethod
    def compute(given: InnerBoundaries, boost: float) -> Blended:
        return _forward(given)

    @staticmethod
    @once_differentiable("antialias")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        return gradients(_backward, InnerBoundariesBackward, ctx, grad_out)
