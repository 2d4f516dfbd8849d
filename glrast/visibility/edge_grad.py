"""edge_grad: visibility's gradient at the borders between pixels, intersections included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .estimator import Checked, Estimator, Shaded, checked, kept, scatter, seen

UNITS = ("same", "published")


def edge_grad(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, units: str = "same") -> Tensor:
    """The image as it is, whose gradient moves the borders between pixels that show different triangles.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4].
        tri: int32 or int64 [T,3].
        units: "same": place in pixels and depth as z/w, each in the units of its gradient; "published": as the authors'
            library has it, below.

    Returns: [N,H,W,C], a copy of color.

    Gradients: color, as it comes; pos x, y, w of the surface in front, by the barycentrics of its pixel, and z where
        surfaces intersect; none to rast. Which of two neighbouring pixels shows the surface in front is told in the
        image
        plane: the one whose triangle does not cover the other's centre. If both cover, they intersect, and the line on
        which their depths are equal moves with either.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices.

    Note: as published, triangles that share an edge get nothing, so that creases have no gradient; the loss is taken
        half from either pixel, wherever between them the edge is. "published" further measures depth as w, between
        vertices, not at the pixel, so that in perspective the slopes of large triangles are those of chords; it
        counts depth at both the borders along x and those along y, the latter with the factor of y; and it divides
        each vertex by its own w. There z/w gets no gradient and w gets that of depth.

    Source: Pidhorskyi et al. 2024, Rasterized Edge Gradients: Handling Discontinuities Differentiably, and its library.
    """
    check.choice("edge_grad", "units", units, UNITS)
    given = checked("edge_grad", color, rast, pos, tri)
    return call(_EdgeGrad, EdgeGrad(*given, units == "published"))


@dataclass
class EdgeGrad(Shaded):
    published: bool


@dataclass
class EdgeGradBackward:
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    grad_out: Tensor
    published: bool

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        members = seen(*Checked(self.color, self.rast, self.pos, self.tri))
        grad_out = self.grad_out.contiguous()
        return scatter(
            "edge_grad",
            "edge_grad_backward",
            **members,
            grad_out=grad_out,
            published=self.published,
        )


_forward = operator("edge_grad", EdgeGrad)
_backward = operator("edge_grad_backward", EdgeGradBackward)


class _EdgeGrad(Estimator):
    glrast = function = "edge_grad"
    call = EdgeGrad

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_EdgeGrad, EdgeGrad, 1, ctx, inputs)

    @staticmethod
    def compute(given: EdgeGrad) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    @once_differentiable("edge_grad")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[2]:
            return (grad_out,)
        given = EdgeGradBackward(*kept(ctx, "edge_grad"), grad_out, **ctx.options)
        return grad_out, None, _backward(given)
