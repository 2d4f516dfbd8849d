"""What antialias and its inner boundaries share: both look at pairs of neighbouring pixels and blend where a boundary
passes between them.

They differ in their kernels, NAME_pairs (which pairs have a boundary between them, and where), NAME_blend,
NAME_backward_color and NAME_backward_pos, and in what these look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ..launch import Argument, launch, launch_scatter
from ..ops.function import Operation
from ..ops.saved import save, saved


class Blended(NamedTuple):
    out: Tensor  # [N,H,W,C]
    flags: Tensor  # int8 [1 or N,T]: bit k is set where the edge opposite vertex k is a silhouette
    alpha: Tensor  # [N,H,W,2]: how much the pair with the right and the upper neighbour blends


class Kernels(NamedTuple):
    name: str
    inner: bool  # NAME_pairs looks at colours as well, and the blends at rast


@dataclass
class Pairs:
    """A call, arguments checked by `antialias`."""

    kernels: ClassVar[Kernels]
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    opposite: Tensor

    def fake(self) -> Blended:
        flags = self.color.new_empty((_sets(self.pos), self.tri.shape[0]), dtype=torch.int8)
        alpha = self.color.new_empty((*self.color.shape[:3], 2))
        return Blended(torch.empty_like(self.color), flags, alpha)

    def run(self) -> Blended:
        out, flags, alpha = made = self.fake()
        color, rast, pos, tri, (name, inner) = (
            self.color,
            self.rast,
            self.pos,
            self.tri,
            self.kernels,
        )
        launch(
            "antialias", "antialias_silhouettes", pos.device, width=tri.shape[0], H=1, rows=flags.shape[0], pos=pos,
            pos_stride=pos.shape[-2] * 4, tri=tri, opposite=self.opposite, V=pos.shape[-2], flags=flags,
        )  # fmt: skip
        pairs = _pair_members(color, rast, pos, tri, flags, alpha)
        if inner:
            pairs.update(color=color, C=color.shape[3])
        launch("antialias", f"{name}_pairs", color.device, **pairs)
        _blend(self.kernels, "blend", color, rast, alpha, out)
        return made


@dataclass
class PairsBackward:
    kernels: ClassVar[Kernels]
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    flags: Tensor
    alpha: Tensor
    grad_out: Tensor
    boost: float  # of the gradient of pos
    wanted: list[bool]  # the gradients of color and pos

    def fake(self) -> tuple[Tensor, Tensor]:
        grad_color, grad_pos = (
            torch.empty_like(t) if w else t.new_empty(0)
            for t, w in zip((self.color, self.pos), self.wanted)
        )
        return grad_color, grad_pos

    def run(self) -> tuple[Tensor, Tensor]:
        color, rast, pos, flags, alpha = self.color, self.rast, self.pos, self.flags, self.alpha
        grad_out, (want_color, want_pos) = self.grad_out.contiguous(), self.wanted
        grad_color, grad_pos = color.new_empty(0), pos.new_empty(0)
        if want_color:
            grad_color = torch.empty_like(color)
            _blend(self.kernels, "backward_color", grad_out, rast, alpha, grad_color)
        if want_pos:
            pairs = _pair_members(color, rast, pos, self.tri, flags, alpha)
            grad_pos = launch_scatter(
                "antialias", f"{self.kernels.name}_backward_pos", pos.shape, flags.shape[0], color.device,
                **pairs, color=color, C=color.shape[3], grad_out=grad_out, boost=self.boost,
            )  # fmt: skip
        return grad_color, grad_pos


def _pair_members(
    color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, flags: Tensor, alpha: Tensor
) -> dict[str, Argument]:
    """What the kernels that look at pixel pairs have in common."""
    N, H, W = color.shape[:3]
    V, T = pos.shape[-2], tri.shape[0]
    many = flags.shape[0] > 1
    return dict(
        width=W, rows=N * H, rast=rast, pos=pos, pos_stride=V * 4 if many else 0, tri=tri, flags=flags,
        flags_stride=T if many else 0, V=V, T=T, H=H, alpha=alpha,
    )  # fmt: skip


def _blend(
    kernels: Kernels, step: str, color: Tensor, rast: Tensor, alpha: Tensor, out: Tensor
) -> None:
    """From colours, or from gradients."""
    N, H, W, C = color.shape
    more: dict[str, Argument] = dict(rast=rast) if kernels.inner else {}
    launch(
        "antialias", f"{kernels.name}_{step}", color.device, width=W, rows=N * H, H=H, C=C, color=color,
        alpha=alpha, out=out, **more,
    )  # fmt: skip


def _sets(pos: Tensor) -> int:
    """Sets of vertices: one for all images, or one each."""
    return pos.shape[0] if pos.ndim == 3 else 1


class PairOperation(Operation):
    """In the graph: its inputs are the call and the boost of pos' gradient."""

    @staticmethod
    def keep(
        ctx: Any, given: Pairs, outputs: tuple[Tensor, ...], boost: float
    ) -> tuple[Tensor, ...]:
        _, flags, alpha = outputs
        save(
            ctx, flags, alpha, color=given.color, rast=given.rast, pos=given.pos, tri=given.tri
        )  # fmt: skip
        ctx.boost = boost
        return ()


def gradients(
    backward: Callable[[Any], tuple[Tensor, Tensor]],
    call: type[PairsBackward],
    ctx: Any,
    grad_out: Tensor,
) -> tuple[Tensor | None, ...]:
    """Of color and pos, where they are wanted."""
    needed = ctx.needs_input_grad
    wanted = [bool(needed[0]), bool(needed[2])]
    color, rast, pos, tri, flags, alpha = saved(ctx, "antialias")
    grads = backward(call(color, rast, pos, tri, flags, alpha, grad_out, ctx.boost, wanted))
    grad_color, grad_pos = (g if w else None for g, w in zip(grads, wanted))
    return grad_color, None, grad_pos
