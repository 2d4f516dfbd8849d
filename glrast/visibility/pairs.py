"""The operators of antialias: the published method's, and those of its inner boundaries (discontinuities="all").

The two differ in their kernels alone, which have the same arguments and are NAME_pairs (which pairs of neighbouring
pixels have a boundary between them, and where), NAME_blend, NAME_backward_color and NAME_backward_pos, NAME being
antialias or antialias_inner. An operator's kernels run when it is asked for, and only then.
"""

from __future__ import annotations

import torch

from ..launch import launch, launch_scatter
from ..ops.function import call, once_differentiable
from ..ops.operator import operator
from ..ops.saved import save, saved


def blended(color, rast, pos, tri, opposite, boost: float) -> torch.Tensor:
    """[N,H,W,C]: color blended across silhouettes. Arguments as checked by `antialias`.

    Gradients: color; pos in x, y, w.
    """
    return call(_Antialias, color, rast, pos, tri, opposite, boost, False)


def inner_boundaries(color, rast, pos, tri, opposite, boost: float) -> torch.Tensor:
    """[N,H,W,C]: what creases and intersections add to that image. Arguments as checked by `antialias`.

    Gradients: color; pos in all four of x, y, z, w, since depth moves an intersection.
    """
    return call(_InnerBoundaries, color, rast, pos, tri, opposite, boost, True)


class _Antialias(torch.autograd.Function):
    function, results = "antialias", 1

    @staticmethod
    def forward(ctx, *inputs):
        outputs = _Antialias.compute(*inputs)
        _Antialias.keep(ctx, inputs, outputs)
        return outputs[0]

    @staticmethod
    def compute(color, rast, pos, tri, opposite, boost, inner):
        run = _inner_forward if inner else antialias_forward
        return run(color, rast, pos, tri, opposite)

    @staticmethod
    def keep(ctx, inputs, outputs):
        color, rast, pos, tri, _, ctx.boost, ctx.inner = inputs
        _, flags, alpha = outputs
        save(ctx, flags, alpha, color=color, rast=rast, pos=pos, tri=tri)
        return ()

    @staticmethod
    @once_differentiable("antialias")
    def backward(ctx, grad_out):
        run = _inner_backward if ctx.inner else _antialias_backward
        wanted = [bool(ctx.needs_input_grad[0]), bool(ctx.needs_input_grad[2])]
        grads = run(*saved(ctx, "antialias"), grad_out, ctx.boost, wanted)
        grad_color, grad_pos = (g if w else None for g, w in zip(grads, wanted))
        return grad_color, None, grad_pos, None, None, None, None


class _InnerBoundaries(_Antialias):
    """The same with a name of its own in the graph, where `explain` looks for antialias by its name."""


def _operators(name: str):
    """(forward, backward) that run the kernels NAME_*. A kernel takes of the arguments those that it declares."""

    def forward(color, rast, pos, tri, opposite):
        out, alpha = torch.empty_like(color), color.new_empty((*color.shape[:3], 2))
        flags = _silhouettes(pos, tri, opposite)
        pairs = _pair_arguments(color, rast, pos, tri, flags, alpha)
        launch("antialias", f"{name}_pairs", color.device, **pairs)
        blend = _blend_arguments(color, rast, alpha, out)
        launch("antialias", f"{name}_blend", color.device, **blend)
        return out, flags, alpha

    def backward(color, rast, pos, tri, flags, alpha, grad_out, boost, wanted):
        want_color, want_pos = wanted
        grad_out = grad_out.contiguous()
        grad_color, grad_pos = color.new_empty(0), pos.new_empty(0)
        if want_color:
            grad_color = torch.empty_like(color)
            blend = _blend_arguments(grad_out, rast, alpha, grad_color)
            launch("antialias", f"{name}_backward_color", color.device, **blend)
        if want_pos:
            pairs = _pair_arguments(color, rast, pos, tri, flags, alpha)
            grad_pos = launch_scatter(
                "antialias", f"{name}_backward_pos", pos.shape, flags.shape[0], color.device,
                **pairs, grad_out=grad_out, boost=boost,
            )  # fmt: skip
        return grad_color, grad_pos

    return (
        operator(
            f"{name}(Tensor color, Tensor rast, Tensor pos, Tensor tri, Tensor opposite) -> (Tensor, Tensor, Tensor)",
            forward,
            _forward_fake,
        ),
        operator(
            f"{name}_backward(Tensor color, Tensor rast, Tensor pos, Tensor tri, Tensor flags, Tensor alpha, "
            "Tensor grad_out, float boost, bool[] wanted) -> (Tensor, Tensor)",
            backward,
            _backward_fake,
        ),
    )


def _silhouettes(pos, tri, opposite) -> torch.Tensor:
    """int8 [1 or N,T]: bit k is set where the edge opposite vertex k is a silhouette."""
    flags = pos.new_empty((_sets(pos), tri.shape[0]), dtype=torch.int8)
    launch(
        "antialias", "antialias_silhouettes", pos.device, width=tri.shape[0], H=1,
        rows=flags.shape[0], pos=pos,
        pos_stride=pos.shape[-2] * 4, tri=tri, opposite=opposite, V=pos.shape[-2], flags=flags,
    )  # fmt: skip
    return flags


def _pair_arguments(color, rast, pos, tri, flags, alpha) -> dict:
    """What the kernels that look at pixel pairs have in common."""
    N, H, W, C = color.shape
    V, T = pos.shape[-2], tri.shape[0]
    many = flags.shape[0] > 1
    return dict(
        width=W, rows=N * H, rast=rast, pos=pos, pos_stride=V * 4 if many else 0, tri=tri, flags=flags,
        flags_stride=T if many else 0, V=V, T=T, H=H, C=C, color=color, alpha=alpha,
    )  # fmt: skip


def _blend_arguments(color, rast, alpha, out) -> dict:
    N, H, W, C = color.shape
    return dict(width=W, rows=N * H, H=H, C=C, rast=rast, color=color, alpha=alpha, out=out)


def _sets(pos: torch.Tensor) -> int:
    """Sets of vertices: one for all images, or one each."""
    return pos.shape[0] if pos.ndim == 3 else 1


def _forward_fake(color, rast, pos, tri, opposite):
    flags = color.new_empty((_sets(pos), tri.shape[0]), dtype=torch.int8)
    return torch.empty_like(color), flags, color.new_empty((*color.shape[:3], 2))


def _backward_fake(color, rast, pos, tri, flags, alpha, grad_out, boost, wanted):
    return tuple(torch.empty_like(t) if w else t.new_empty(0) for t, w in zip((color, pos), wanted))


antialias_forward, _antialias_backward = _operators("antialias")
_inner_forward, _inner_backward = _operators("antialias_inner")
