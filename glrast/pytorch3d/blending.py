"""PyTorch3D's three ways to blend the K faces of a pixel into its colour, with its constants."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

EPS = 1e-10


class BlendParams(NamedTuple):
    sigma: float = 1e-4  # of squared NDC distance
    gamma: float = 1e-4  # of depth, normalised
    background_color: Any = (1.0, 1.0, 1.0)


def softmax_rgb_blend(
    colors: Tensor,
    fragments: Any,
    blend_params: Any = None,
    znear: float | Tensor = 1.0,
    zfar: float | Tensor = 100,
) -> Tensor:
    """RGBA [N,H,W,4]: all K colours [N,H,W,K,3], weighted by depth and distance, over the background.

        w = sigmoid(-d/sigma) exp((zhat - m)/gamma), zhat = (zfar - z)/(zfar - znear), m the largest of them, >= 1e-10
        delta = max(exp((1e-10 - m)/gamma), 1e-10);  rgb = (sum w c + delta background) / (sum w + delta)
        alpha = 1 - prod(1 - sigmoid(-d/sigma))

    Gradients: colors, fragments.zbuf, fragments.dists.

    Note: with these constants delta is 1e-10 wherever some face is near: rgb knows practically nothing of silhouettes,
        alpha does. `glrast.visibility.softras` has the form that does (color="over").
    """
    given = BlendParams() if blend_params is None else blend_params
    znear, zfar = _per_image(znear), _per_image(zfar)
    mask = fragments.pix_to_face >= 0
    background = _background(given, colors)
    prob = torch.sigmoid(-fragments.dists / given.sigma) * mask
    alpha = 1 - torch.prod(1 - prob, -1)
    zhat = (zfar - fragments.zbuf) / (zfar - znear) * mask
    m = zhat.amax(-1, keepdim=True).clamp(min=EPS)
    weight = prob * torch.exp((zhat - m) / given.gamma)
    delta = torch.exp((EPS - m) / given.gamma).clamp(min=EPS)
    total = weight.sum(-1, keepdim=True) + delta
    rgb = ((weight[..., None] * colors).sum(-2) + delta * background) / total
    return torch.cat([rgb, alpha[..., None]], -1)


def sigmoid_alpha_blend(colors: Tensor, fragments: Any, blend_params: Any = None) -> Tensor:
    """RGBA [N,H,W,4]: the colour of the nearest face; alpha = 1 - prod(1 - sigmoid(-d/sigma)).

    Gradients: colors, fragments.dists.
    """
    given = BlendParams() if blend_params is None else blend_params
    mask = fragments.pix_to_face >= 0
    prob = torch.sigmoid(-fragments.dists / given.sigma) * mask
    alpha = 1 - torch.prod(1 - prob, -1)
    return torch.cat([colors[..., 0, :], alpha[..., None]], -1)


def hard_rgb_blend(colors: Tensor, fragments: Any, blend_params: Any = None) -> Tensor:
    """RGBA [N,H,W,4]: the colour of the nearest face, alpha 1; the background, alpha 0, where there is none.

    Gradients: colors.
    """
    given = BlendParams() if blend_params is None else blend_params
    there = fragments.pix_to_face[..., :1] >= 0
    rgb = torch.where(there, colors[..., 0, :], _background(given, colors))
    return torch.cat([rgb, there.to(colors.dtype)], -1)


def _per_image(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1, 1, 1, 1) if isinstance(value, Tensor) else value


def _background(params: Any, colors: Tensor) -> Tensor:
    return torch.as_tensor(params.background_color, dtype=colors.dtype, device=colors.device)
