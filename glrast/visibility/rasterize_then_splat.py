"""rasterize_then_splat: layers of shaded surface, splatted so that positions move colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..core import check
from ..launch import Argument, launch
from ..ops.function import Operation, call, forward, once_differentiable
from ..ops.interpolate import interpolate
from ..ops.operator import operator
from ..ops.saved import save, saved

_NAME = "rasterize_then_splat"


def rasterize_then_splat(
    layers: Sequence[Tensor | tuple[Tensor, Tensor]],
    colors: Sequence[Tensor],
    pos: Tensor,
    tri: Tensor,
    background: Tensor | None = None,
    opacities: Sequence[Tensor] | None = None,
) -> Tensor:
    """The image of surface points in layers, each spread over 3 x 3 pixels by a Gaussian of half a pixel.

    Args:
        layers: of L layers, front to back, the rast [N,H,W,4], or what `DepthPeeler` and `peel` give: (rast, rast_db).
            Draw them with cull="back": back faces would count as surfaces that hide and are hidden.
        colors: of each layer float32 [N,H,W,C], any C: what was shaded from its `rast.detach()`.
        pos, tri: as `rasterize` got them.
        background: a colour [C], or a picture [N,H,W,C], [1,H,W,C] or [H,W,C], behind everything; None: see Returns.
        opacities: of each layer float32 [N,H,W,1], 0 to 1; None: opaque.

    Returns: [N,H,W,C] over the background; without one [N,H,W,C+1], colours times alpha, and alpha.

    Gradients: colors, opacities (where not 0), background; pos x, y, w of every layer's points, as far as it moves
        them over the pixels; z gets 0, none to the layers. What is drawn is the point at a pixel's centre; its
        derivative is that of the surface's point there.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; no layer; not a colour for each layer.

    Note: a point keeps its colour when it moves: shade from `rast.detach()`, or what moves inside triangles counts
        twice, by the points and by u and v. As published, the image is blurred, edges to about three pixels; where
        splats overlap by more than 1.05 they are divided, and where by less, at outlines, they are not. Which
        accumulator a point belongs to is decided by depths, without a gradient: intersections and creases move nothing
        but through the blur. One layer is enough before a background; where surfaces hide each other two let what is
        hidden appear from behind.

    Example:
        layers = glrast.peel(ctx, pos, tri, (64, 64), cull="back", max_layers=2)
        colors = [glrast.interpolate(attr, rast.detach(), tri)[0] for rast, _ in layers]
        image = glrast.visibility.rasterize_then_splat(layers, colors, pos, tri, background=torch.ones(3))

    Source: Cole et al. 2021, Differentiable Surface Rendering via Non-Differentiable Sampling, and its library.
    """
    rasts = [layer if isinstance(layer, Tensor) else layer[0] for layer in layers]
    check.value(_NAME, "layers", "at least one layer", len(rasts) > 0, "none")
    many = f"one for each of the {len(rasts)} layers"
    check.value(_NAME, "colors", many, len(colors) == len(rasts), str(len(colors)))
    if opacities is not None:
        check.value(_NAME, "opacities", many, len(opacities) == len(rasts), str(len(opacities)))
    check.not_swapped(_NAME, pos, tri)
    parts = [
        _layer(
            rast, color, None if opacities is None else opacities[i], pos, tri, rasts[0], colors[0]
        )
        for i, (rast, color) in enumerate(zip(rasts, colors))
    ]
    at, color, alpha = (torch.stack(part, 3).contiguous() for part in zip(*parts))
    image = call(_Splat, Splat(at, color, alpha))
    if background is None:
        return image
    C = color.shape[-1]
    behind = check.floats(_NAME, "background", background, device=color.device)
    N, H, W = image.shape[:3]
    fits = behind.shape in ((C,), (H, W, C), (1, H, W, C), (N, H, W, C))
    hint = f"with N={N}, H={H}, W={W}, C={C} (from colors)"
    check.shape(_NAME, "background", behind, "[C], [H,W,C] or [N,H,W,C]", fits, hint)
    return image[..., :C] + (1 - image[..., C:]) * behind


def _layer(
    rast: Tensor, color: Tensor, opacity: Tensor | None, pos: Tensor, tri: Tensor, first: Tensor,
    first_color: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Of one layer: x, y in pixels and z [N,H,W,3], colours [N,H,W,C], and opacity [N,H,W]."""
    rast = check.floats(_NAME, "layers", rast).detach()
    fits = rast.ndim == 4 and rast.shape[3] == 4 and rast.shape == first.shape
    check.shape(_NAME, "layers", rast, "[N,H,W,4], all of one shape", fits)
    color = check.floats(_NAME, "colors", color, device=rast.device)
    fits = (
        color.ndim == 4 and color.shape[:3] == rast.shape[:3] and color.shape == first_color.shape
    )
    check.shape(
        _NAME, "colors", color, "[N,H,W,C] for each layer", fits, f"for layers {check.show(rast)}"
    )
    shown = rast[..., 3] > 0
    alpha = shown.to(rast)
    if opacity is not None:
        opacity = check.floats(_NAME, "opacities", opacity, device=rast.device)
        fits = opacity.shape == (*rast.shape[:3], 1)
        check.shape(_NAME, "opacities", opacity, "[N,H,W,1] for each layer", fits)
        alpha = alpha * opacity[..., 0]
    pos = check.positions(_NAME, pos, device=rast.device)
    clip, _ = interpolate(pos, rast, tri)
    far = rast.new_tensor([0.0, 0.0, 1.0, 1.0])
    clip = torch.where(shown[..., None], clip, far)  # the far plane, where nothing is
    H, W = rast.shape[1:3]
    places = (clip[..., :3] / clip[..., 3:] + 1) * rast.new_tensor([W / 2, H / 2, 0.5])
    return places, color, alpha


class Grads(NamedTuple):
    at: Tensor
    color: Tensor
    alpha: Tensor


@dataclass
class Splat:
    at: Tensor  # [N,H,W,L,3]: x, y in pixels, z from 0 to 1
    color: Tensor  # [N,H,W,L,C]
    alpha: Tensor  # [N,H,W,L]

    def fake(self) -> Tensor:
        return self.color.new_empty((*self.color.shape[:3], self.color.shape[4] + 1))

    def run(self) -> Tensor:
        out = self.fake()
        launch(_NAME, "rasterize_then_splat_forward", out.device, **_members(self), out=out)
        return out


@dataclass
class SplatBackward:
    at: Tensor
    color: Tensor
    alpha: Tensor
    grad_out: Tensor

    def fake(self) -> Grads:
        return Grads(*(torch.empty_like(t) for t in (self.at, self.color, self.alpha)))

    def run(self) -> Grads:
        made = self.fake()
        members, grad_out = _members(self), self.grad_out.contiguous()
        changes = self.color.new_empty((*self.color.shape[:3], 9))
        launch(
            _NAME,
            "rasterize_then_splat_pixels",
            grad_out.device,
            **members,
            grad_out=grad_out,
            changes=changes,
        )
        launch(
            _NAME, "rasterize_then_splat_backward", grad_out.device, **members, grad_out=grad_out, changes=changes,
            grad_at=made.at, grad_color=made.color, grad_alpha=made.alpha,
        )  # fmt: skip
        return made


def _members(given: Splat | SplatBackward) -> dict[str, Argument]:
    N, H, W, L, C = given.color.shape
    return dict(
        width=W, H=H, rows=N * H, layers=L, C=C, at=given.at, color=given.color, alpha=given.alpha
    )


_forward = operator(_NAME, Splat)
_backward = operator(f"{_NAME}_backward", SplatBackward)


class _Splat(Operation):
    glrast = function = "rasterize_then_splat"
    call = Splat

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Splat, Splat, 1, ctx, inputs)

    @staticmethod
    def compute(given: Splat) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    def keep(ctx: Any, given: Splat, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, at=given.at, color=given.color, alpha=given.alpha)
        return ()

    @staticmethod
    @once_differentiable("rasterize_then_splat")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        at, color, alpha = saved(ctx, _NAME)
        grads = _backward(SplatBackward(at, color, alpha, grad_out))
        return cast("tuple[Tensor | None, ...]", tuple(grads))
