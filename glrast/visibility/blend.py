"""The operators of softras: the blending of K faces in one kernel, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..launch import Argument, launch
from ..ops.function import Operation, call, forward, once_differentiable
from ..ops.operator import operator
from ..ops.saved import save, saved

COLORS = {"none": 0, "softmax": 1, "over": 2, "hard": 3}
ALPHAS = {"product": 0, "sum": 1, "hard": 2}


@dataclass
class Blended:
    """What a call and its gradient have in common: kernels/visibility/softras.cu."""

    id: Tensor  # int32 [N,H,W,K]
    inner: Tensor  # [N,H,W,K]
    zhat: Tensor  # [N,H,W,K]
    colors: Tensor  # [N,H,W,K,C]
    background: Tensor  # [C] or [N,H,W,C]
    color: str
    alpha: str
    share: float
    gamma: float
    eps: float

    def members(self) -> dict[str, Argument]:
        N, H, W, K = self.id.shape
        C = self.colors.shape[-1]
        return dict(
            width=W, H=H, rows=N * H, id=self.id, inner=self.inner, zhat=self.zhat, colors=self.colors,
            background=self.background, background_stride=C if self.background.ndim == 4 else 0, K=K, C=C,
            color=COLORS[self.color], alpha=ALPHAS[self.alpha], share=self.share, gamma=self.gamma, eps=self.eps,
        )  # fmt: skip


@dataclass
class Blend(Blended):
    def fake(self) -> Tensor:
        return self.colors.new_empty((*self.id.shape[:3], self.colors.shape[-1] + 1))

    def run(self) -> Tensor:
        out = self.fake()
        launch("softras", "softras_forward", out.device, out=out, **self.members())
        return out


@dataclass
class BlendBackward(Blended):
    out: Tensor
    grad_out: Tensor

    def fake(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        new = torch.empty_like
        shape = (*self.id.shape[:3], self.colors.shape[-1])
        return new(self.inner), new(self.zhat), new(self.colors), self.colors.new_empty(shape)

    def run(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        made = grad_inner, grad_zhat, grad_colors, grad_background = self.fake()
        launch(
            "softras", "softras_backward", self.id.device, out=self.out, grad_out=self.grad_out.contiguous(),
            grad_inner=grad_inner, grad_zhat=grad_zhat, grad_colors=grad_colors, grad_background=grad_background,
            **self.members(),
        )  # fmt: skip
        return made


_forward = operator("softras", Blend)
_backward = operator("softras_backward", BlendBackward)


def blend(given: Blend) -> Tensor:
    """The image [N,H,W,C+1] of a checked call, in the graph."""
    return call(_Softras, given)


class _Softras(Operation):
    glrast, function = "softras", "visibility.softras"
    call, results = Blend, 1

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Softras, Blend, 1, ctx, inputs)

    @staticmethod
    def compute(given: Blend) -> tuple[Tensor]:
        return (_forward(given),)

    @staticmethod
    def keep(ctx: Any, given: Blend, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(
            ctx, outputs[0], id=given.id, inner=given.inner, zhat=given.zhat, colors=given.colors,
            background=given.background,
        )  # fmt: skip
        ctx.options = given.color, given.alpha, given.share, given.gamma, given.eps
        return ()

    @staticmethod
    @once_differentiable("visibility.softras")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        id, inner, zhat, colors, background, out = saved(ctx, "visibility.softras")
        given = BlendBackward(
            id, inner, zhat, colors, background, *ctx.options, out=out, grad_out=grad_out
        )
        by_inner, by_zhat, by_colors, by_background = _backward(given)
        if background.ndim == 1:
            by_background = by_background.sum((0, 1, 2))
        grads = None, by_inner, by_zhat, by_colors, by_background
        return tuple(g if n else None for g, n in zip(grads, ctx.needs_input_grad))
