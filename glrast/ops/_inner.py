"""antialias, discontinuities="all": what creases and intersections change in the image, and its gradients.

An operator of its own, beside the published method's: its kernels run when it is asked for, and only then.
"""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable

from ..launch import launch, launch_scatter
from ._library import operator
from ._pairs import pair_arguments, sets, silhouettes


def inner_boundaries(color, rast, pos, tri, opposite, boost: float) -> torch.Tensor:
    """[N,H,W,C]: what is added to the antialiased image. Arguments as checked by `antialias`.

    Gradients: color; pos in all four of x, y, z, w, since depth moves an intersection.
    """
    return _InnerBoundaries.apply(color, rast, pos, tri, opposite, boost)


class _InnerBoundaries(torch.autograd.Function):
    @staticmethod
    def forward(ctx, color, rast, pos, tri, opposite, boost):
        change, flags, alpha = _forward_operator(color, rast, pos, tri, opposite)
        ctx.save_for_backward(color, rast, pos, tri, flags, alpha)
        ctx.boost = boost
        return change

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_change):
        wanted = [bool(ctx.needs_input_grad[0]), bool(ctx.needs_input_grad[2])]
        grads = _backward_operator(*ctx.saved_tensors, grad_change, ctx.boost, wanted)
        grad_color, grad_pos = (g if w else None for g, w in zip(grads, wanted))
        return grad_color, None, grad_pos, None, None, None


def _forward(color, rast, pos, tri, opposite):
    change, alpha = torch.empty_like(color), color.new_empty((*color.shape[:3], 2))
    flags = silhouettes(pos, tri, opposite)
    arguments = pair_arguments(rast, pos, tri, flags)
    arguments.update(C=color.shape[3], color=color, alpha=alpha)
    launch("antialias", "antialias_inner_pairs", color.device, **arguments)
    arguments = _blend_arguments(rast, color, alpha, change)
    launch("antialias", "antialias_inner_blend", color.device, **arguments)
    return change, flags, alpha


def _blend_arguments(rast, color, alpha, out) -> dict:
    N, H, W, C = color.shape
    return dict(width=W, H=H, rows=N * H, rast=rast, color=color, alpha=alpha, C=C, out=out)


def _forward_fake(color, rast, pos, tri, opposite):
    flags = color.new_empty((sets(pos), tri.shape[0]), dtype=torch.int8)
    return torch.empty_like(color), flags, color.new_empty((*color.shape[:3], 2))


def _backward(color, rast, pos, tri, flags, alpha, grad_change, boost, wanted):
    want_color, want_pos = wanted
    grad_change = grad_change.contiguous()
    grad_color, grad_pos = color.new_empty(0), pos.new_empty(0)
    if want_color:
        grad_color = torch.empty_like(color)
        arguments = _blend_arguments(rast, grad_change, alpha, grad_color)
        launch("antialias", "antialias_inner_backward_color", color.device, **arguments)
    if want_pos:
        arguments = pair_arguments(rast, pos, tri, flags)
        arguments.update(C=color.shape[3], alpha=alpha, color=color)
        arguments.update(grad_out=grad_change, boost=boost)
        grad_pos = launch_scatter(
            "antialias",
            "antialias_inner_backward_pos",
            pos.shape,
            flags.shape[0],
            color.device,
            **arguments,
        )
    return grad_color, grad_pos


def _backward_fake(color, rast, pos, tri, flags, alpha, grad_change, boost, wanted):
    return tuple(torch.empty_like(t) if w else t.new_empty(0) for t, w in zip((color, pos), wanted))


_forward_operator = operator(
    "antialias_inner(Tensor color, Tensor rast, Tensor pos, Tensor tri, Tensor opposite) "
    "-> (Tensor, Tensor, Tensor)",
    _forward,
    _forward_fake,
)
_backward_operator = operator(
    "antialias_inner_backward(Tensor color, Tensor rast, Tensor pos, Tensor tri, Tensor flags, "
    "Tensor alpha, Tensor grad_change, float boost, bool[] wanted) -> (Tensor, Tensor)",
    _backward,
    _backward_fake,
)
