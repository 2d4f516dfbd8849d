"""resolve: the image from pixels and fragments."""

from __future__ import annotations

import torch

from ..core import check
from .fragments import Fragments


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
    whole = color.flatten(0, 2).index_fill(0, frag.pixel, 0.0)  # a copy, which may be added to
    return whole.index_add_(0, frag.pixel, frag.weight[:, None] * parts).reshape(color.shape)


def _picture(background: torch.Tensor, color: torch.Tensor) -> torch.Tensor:
    background = check.floats("resolve", "background", background, device=color.device)
    H, W, C = color.shape[1:]
    fits = background.shape == (C,) or background.shape in ((H, W, C), (1, H, W, C), color.shape)
    hint = f"with N={color.shape[0]}, H={H}, W={W}, C={C} (from color)"
    check.shape("resolve", "background", background, "[C], [H,W,C] or [N,H,W,C]", fits, hint)
    return background.expand(color.shape)
