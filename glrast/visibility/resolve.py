"""resolve: the image from pixels and fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core import check
from ..launch import launch
from ..ops.function import Operation, call, forward
from ..ops.operator import operator
from ..ops.saved import save, saved
from .fragments import Fragments, ascending


def resolve(
    color: torch.Tensor,
    frag_color: torch.Tensor,
    frag: Fragments,
    background: torch.Tensor | None = None,
) -> torch.Tensor:
    """The image in which crossed pixels show their fragments by area, and the others their own colour.

    Args:
        color: float32 [N,H,W,C], shaded from `rast`.
        frag_color: [N,1,F,C] (or [N*F,C]), shaded from `frag.rast` in the same way.
        frag: from `fragments`.
        background: a colour [C], or a picture [N,H,W,C], [1,H,W,C] or [H,W,C], seen where no triangle is; None: color
            and frag_color hold the background already.

    Returns: [N,H,W,C].

    Gradients: color, frag_color, background, and frag.weight.

    Raises:
        TypeError, ValueError: wrong types or shapes.
    """
    if not isinstance(frag, Fragments):  # pyright: ignore[reportUnnecessaryIsInstance] callers have none
        raise TypeError(
            f"glrast.resolve: frag must be what fragments returns; got {type(frag).__name__}"
        )
    color = check.floats("resolve", "color", color, device=frag.weight.device)
    frag_color = check.floats("resolve", "frag_color", frag_color, device=color.device)
    pixels = tuple(frag.shown.shape)
    fits = color.ndim == 4 and tuple(color.shape[:3]) == pixels
    hint = f"with N={pixels[0]}, H={pixels[1]}, W={pixels[2]} (from frag)"
    check.shape("resolve", "color", color, "[N,H,W,C]", fits, hint)
    C, (N, _, F, _) = color.shape[3], frag.rast.shape
    fits = tuple(frag_color.shape) in ((N, 1, F, C), (N * F, C))
    hint = f"with N={N}, F={F} (from frag), C={C} (from color)"
    check.shape("resolve", "frag_color", frag_color, "[N,1,F,C]", fits, hint)
    parts = frag_color.reshape(N * F, C)
    if background is not None:
        background = _picture(background, color)
        color = torch.where(frag.shown[..., None], color, background)
        empty = (frag.rast.detach()[..., 3] > 0).reshape(-1, 1)
        parts = torch.where(empty, parts, background.flatten(0, 2)[frag.pixel])
    if _are_by_pixel(frag, color, parts):
        return call(_Resolve, Resolve(color, parts, frag.weight, frag.pixel))
    return _summed(color, parts, frag.weight, frag.pixel)


def _are_by_pixel(frag: Fragments, color: Tensor, parts: Tensor) -> bool:
    """Are they as `fragments` made them? Kernels ask nothing of what the caller put in their place."""
    given = (frag.pixel.shape, torch.float32, frag.pixel.device)
    fits = (frag.weight.shape, frag.weight.dtype, frag.weight.device) == given
    known = ascending.found(frag.pixel)
    fits = fits and len(parts) == len(frag.pixel) and color.shape[3] > 0
    return fits and known == tuple(color.shape[:3])


def _summed(color: Tensor, parts: Tensor, weight: Tensor, pixel: Tensor) -> Tensor:
    """By PyTorch's operators, which take pixels in any order, and which compilers and transforms see through."""
    whole = _unsummed(color, pixel).flatten(0, 2)  # a copy, which may be added to
    return whole.index_add_(0, pixel, weight[:, None] * parts).reshape(color.shape)


def _picture(background: torch.Tensor, color: torch.Tensor) -> torch.Tensor:
    background = check.floats("resolve", "background", background, device=color.device)
    H, W, C = color.shape[1:]
    fits = background.shape == (C,) or background.shape in ((H, W, C), (1, H, W, C), color.shape)
    hint = f"with N={color.shape[0]}, H={H}, W={W}, C={C} (from color)"
    check.shape("resolve", "background", background, "[C], [H,W,C] or [N,H,W,C]", fits, hint)
    return background.expand(color.shape)


# ---- where fragments lie by pixel, as `fragments` makes them --------------------------------------------


@dataclass
class Resolve:
    color: Tensor  # [N,H,W,C]
    parts: Tensor  # [F,C]
    weight: Tensor  # [F]
    pixel: Tensor  # int64 [F], ascending

    def fake(self) -> Tensor:
        return torch.empty_like(self.color, memory_format=torch.contiguous_format)

    def run(self) -> Tensor:
        color, out = self.color, self.fake()
        N, H, W, C = color.shape
        launch(
            "fragments", "fragments_resolve", color.device, width=W, H=H, rows=N * H, C=C, frag_color=self.parts,
            weight=self.weight, pixel=self.pixel, lines_at=_lines(self.pixel, N * H, W), color=color, out=out,
        )  # fmt: skip
        return out


class Grads(NamedTuple):
    color: Tensor  # [N,H,W,C], or empty where nobody asks
    parts: Tensor
    weight: Tensor


@dataclass
class ResolveBackward:
    grad: Tensor  # [N,H,W,C]
    parts: Tensor
    weight: Tensor
    pixel: Tensor
    wanted: list[bool]  # of the gradients

    def fake(self) -> Grads:
        made = zip((self.grad, self.parts, self.weight), self.wanted)
        return Grads(*(torch.empty_like(x) if wanted else x.new_empty(0) for x, wanted in made))

    def run(self) -> Grads:
        grad, found = self.grad, self.fake()
        N, H, W, C = grad.shape
        color, parts, weight = (x if wanted else None for x, wanted in zip(found, self.wanted))
        launch(
            "fragments", "fragments_resolve_backward", grad.device, width=W, H=H, rows=N * H, C=C,
            frag_color=self.parts, weight=self.weight, pixel=self.pixel,
            lines_at=_lines(self.pixel, N * H, W), grad=grad, grad_color=color, grad_frag_color=parts,
            grad_weight=weight,
        )  # fmt: skip
        return found


def _lines(pixel: Tensor, rows: int, W: int) -> Tensor:
    """int64 [rows + 1]: where the fragments of each line of each image begin."""
    return torch.searchsorted(pixel, torch.arange(rows + 1, device=pixel.device) * W)


_forward = operator("resolve", Resolve)
_backward = operator("resolve_backward", ResolveBackward)


class _Resolve(Operation):
    glrast = function = "resolve"
    call = Resolve

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Resolve, Resolve, 1, ctx, inputs)

    @staticmethod
    def compute(given: Resolve) -> tuple[Tensor]:
        color, parts, weight = (x.contiguous() for x in (given.color, given.parts, given.weight))
        return (_forward(Resolve(color, parts, weight, given.pixel)),)

    @staticmethod
    def keep(ctx: Any, given: Resolve, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, frag_color=given.parts, weight=given.weight, pixel=given.pixel)
        return ()

    @staticmethod  # takes one gradient, PyTorch's any number
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        parts, weight, pixel = saved(ctx, "resolve")
        wanted = list(ctx.needs_input_grad[:3])
        if torch.is_grad_enabled():  # that gradient is to have a gradient
            own = grad.flatten(0, 2).index_select(0, pixel)
            found = _unsummed(grad, pixel), weight[:, None] * own, (own * parts).sum(1)
        else:
            whole, parts, weight = (x.contiguous() for x in (grad, parts, weight))
            found = _backward(ResolveBackward(whole, parts, weight, pixel, wanted))
        color, parts, weight = (x if want else None for x, want in zip(found, wanted))
        return color, parts, weight, None


def _unsummed(color: Tensor, pixel: Tensor) -> Tensor:
    """[N,H,W,C], 0 where fragments are seen."""
    return color.flatten(0, 2).index_fill(0, pixel, 0.0).reshape(color.shape)
