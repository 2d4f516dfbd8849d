"""nmr: visibility's gradient by the rule of the neural 3D mesh renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .estimator import Checked, Estimator, Shaded, checked, kept, scatter, seen

EPS, EPS_SILHOUETTES = 1e-3, 1e-4  # as published, for colours and for silhouettes


def nmr(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    eps: float = EPS,
    fill_back: bool = False,
    supersample: int = 1,
) -> Tensor:
    """The image as it is, whose gradient moves edges towards all pixels of a scan line that the loss wants changed.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4].
        tri: int32 or int64 [T,3]. Faces whose corners turn counterclockwise in the image are front faces.
        eps: added to the distance between pixel and edge, in units of which the image's short side has 2;
            EPS_SILHOUETTES, 1e-4, is what is published for silhouettes.
        fill_back: back faces count too, as front faces turned over.
        supersample: 1, or 2 as published: color and rast are twice as large, and each pixel of the image is the mean of
            2 x 2 of theirs.

    Returns: [N,H,W,C], a copy of color; [N,H/2,W/2,C] with supersample 2.

    Gradients: color, as it comes (of a mean with supersample 2); pos x, y, w from the edges of the faces that are
        shown; z gets 0; none to rast. Of each edge, axis and scan line: where a change of a pixel d1 to the colour on
        the other side of the edge would lower the loss by delta > 0, the edge's ends get delta/dist, dist how far
        they would have to move for it.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; supersample 2 with an odd size.

    Note: as published, it is the derivative of nothing: pixels any distance away pull, with 1/distance, and what
        would raise the loss pushes nothing, so that the gradients of two losses do not add up. Its length is several
        times the true one, more in larger images. A face that reaches behind the camera gets nothing. Only front
        faces count: of a mesh that is wound the other way the gradient is 0.

    Source: Kato, Ushiku and Harada 2018, Neural 3D Mesh Renderer, section 3, and its library.
    """
    eps = check.number("nmr", "eps", eps)
    check.value("nmr", "eps", "greater than 0", eps > 0, str(eps))
    fill_back = check.flag("nmr", "fill_back", fill_back)
    supersample = check.whole("nmr", "supersample", supersample, 1, 2)
    given = checked("nmr", color, rast, pos, tri)
    N, H, W, C = given.color.shape
    fits = H % supersample == 0 and W % supersample == 0
    check.value("nmr", "color", "of even size with supersample=2", fits, f"{H} x {W}")
    image = call(_NMR, NMR(*given, eps, fill_back))
    if supersample == 1:
        return image
    return image.view(N, H // 2, 2, W // 2, 2, C).mean((2, 4))


@dataclass
class NMR(Shaded):
    eps: float
    fill_back: bool


@dataclass
class NMRBackward:
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    grad_out: Tensor
    eps: float
    fill_back: bool

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        members = seen(*Checked(self.color, self.rast, self.pos, self.tri))
        return scatter(
            "nmr", "nmr_backward", **members, grad_out=self.grad_out.contiguous(), eps=self.eps,
            fill_back=self.fill_back,
        )  # fmt: skip


_forward = operator("nmr", NMR)
_backward = operator("nmr_backward", NMRBackward)


class _NMR(Estimator):
    glrast = function = "nmr"
    call = NMR

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_NMR, NMR, 1, ctx, inputs)

    @staticmethod
    def compute(given: NMR) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    @once_differentiable("nmr")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[2]:
            return (grad_out,)
        given = NMRBackward(*kept(ctx, "nmr"), grad_out, **ctx.options)
        return grad_out, None, _backward(given)
