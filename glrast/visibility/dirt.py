"""dirt: visibility's gradient by a Scharr filter of the image, occluders first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .estimator import Checked, Estimator, Shaded, checked, kept, scatter, seen


def dirt(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Tensor:
    """The image as it is, whose gradient moves positions by the slope of the image, of 3 x 3 pixels each.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast.detach()`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4].
        tri: int32 or int64 [T,3].

    Returns: [N,H,W,C], a copy of color.

    Gradients: color, as it comes; pos x, y, w from the filter's response, in pixels; z gets 0; none to rast. A pixel
        gives its response to the three vertices of its own triangle by its barycentrics, or to those of a nearer
        triangle next to it along the axis of the larger response, so that an occluder owns the pixels beside its
        outline, those of the background too.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices.

    Note: the slope of the image inside a triangle counts too: shade from `rast.detach()`, or what moves inside
        triangles counts twice. As published: of the two neighbours a chessboard says which is asked first; pixels on
        the image's border give to their own triangle only, and the nearest pixel stands for what is beyond it;
        neighbours across a corner are not asked, so that triangles one pixel wide and corners miss a part; where the
        responses of both axes are equal the vertical one counts.

    Source: Henderson and Ferrari 2018, Learning to Generate and Reconstruct 3D Meshes with only 2D Supervision, and its
        library DIRT.
    """
    return call(_Dirt, Dirt(*checked("dirt", color, rast, pos, tri)))


@dataclass
class Dirt(Shaded):
    pass


@dataclass
class DirtBackward:
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    grad_out: Tensor

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        members = seen(*Checked(self.color, self.rast, self.pos, self.tri))
        grad_out = self.grad_out.contiguous()
        return scatter("dirt", "dirt_backward", **members, grad_out=grad_out)


_forward = operator("dirt", Dirt)
_backward = operator("dirt_backward", DirtBackward)


class _Dirt(Estimator):
    glrast = function = "dirt"
    call = Dirt

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Dirt, Dirt, 1, ctx, inputs)

    @staticmethod
    def compute(given: Dirt) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    @once_differentiable("dirt")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[2]:
            return (grad_out,)
        return grad_out, None, _backward(DirtBackward(*kept(ctx, "dirt"), grad_out))
