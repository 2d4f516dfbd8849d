"""opendr: visibility's gradient by differences of the image, aware of silhouettes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..launch import launch
from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .estimator import Checked, Estimator, Shaded, checked, kept, scatter, seen, silhouettes
from .topology import Topology, topology


def opendr(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    overdraw: bool = True,
    topology_hash: Topology | None = None,
) -> Tensor:
    """The image as it is, whose gradient moves positions by the differences between neighbouring pixels.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast.detach()`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4].
        tri: int32 or int64 [T,3]; neighbours are found by vertex index.
        overdraw: whether silhouettes are told from the rest, as lines one pixel wide that belong to the occluder.
        topology_hash: from `antialias_construct_topology_hash(tri)`; without it the neighbours are found here.

    Returns: [N,H,W,C], a copy of color.

    Gradients: color, as it comes; pos x, y, w: the place of vertex k in the image, in pixels, gets - b_k sum_c g grad
        I from each pixel that shows its triangle, b the pixel's barycentrics; z gets 0; none to rast. grad I, for
        each axis: inside, the mean of the differences to the next and from the previous pixel, without those that
        touch a boundary pixel; in boundary pixels, and where none is left, twice the central difference. Without
        overdraw the central difference everywhere. At the image's border the one difference there is.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; a topology_hash of another tri.

    Note: the slope of the image inside a triangle counts too: shade from `rast.detach()`, or what moves inside
        triangles counts twice. Depth is a channel like any other: color = interpolate(depth[..., None],
        rast.detach(), tri) has its own gradient along the viewing direction. As published: without overdraw
        silhouettes get half of the truth, and only on the side of the object; barycentrics are those of the surface
        (perspective-correct), where those of the image would be right: equal under one w; a silhouette gets up to
        twice the truth along the axis on which it is flat; creases and intersections count as slopes, half of them on
        either side. A silhouette edge that reaches behind the camera is no boundary.

    Source: Loper and Black 2014, OpenDR: An Approximate Differentiable Renderer, section 4.
    """
    overdraw = check.flag("opendr", "overdraw", overdraw)
    given = checked("opendr", color, rast, pos, tri)
    opposite = topology(tri, given.tri, topology_hash).opposite if overdraw else None
    return call(_OpenDR, OpenDR(*given, opposite))


@dataclass
class OpenDR(Shaded):
    opposite: Tensor | None  # None: no overdraw


@dataclass
class OpenDRBackward:
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    opposite: Tensor | None
    grad_out: Tensor

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        members = seen(*Checked(self.color, self.rast, self.pos, self.tri))
        flags = pair = None
        T = self.tri.shape[0]
        if self.opposite is not None:
            flags = silhouettes(self.pos, self.tri, self.opposite)
            pair = torch.empty(self.color.shape[:3], dtype=torch.int8, device=self.color.device)
            found = {k: v for k, v in members.items() if k not in ("color", "C")}
            launch(
                "opendr", "opendr_boundaries", self.color.device, **found, flags=flags,
                flags_stride=T if len(flags) > 1 else 0, pair=pair,
            )  # fmt: skip
        many = flags is not None and len(flags) > 1
        return scatter(
            "opendr", "opendr_backward", **members, grad_out=self.grad_out.contiguous(), flags=flags,
            flags_stride=T if many else 0, pair=pair,
        )  # fmt: skip


_forward = operator("opendr", OpenDR)
_backward = operator("opendr_backward", OpenDRBackward)


class _OpenDR(Estimator):
    glrast = function = "opendr"
    call = OpenDR

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_OpenDR, OpenDR, 1, ctx, inputs)

    @staticmethod
    def compute(given: OpenDR) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    @once_differentiable("opendr")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[2]:
            return (grad_out,)
        given = OpenDRBackward(*kept(ctx, "opendr"), ctx.options["opposite"], grad_out)
        return grad_out, None, _backward(given)
