"""softras: the K nearest faces of a pixel blended by distance and depth; relatives that share its signature."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor

from ..core import check
from ..ops.rasterize import Resolution
from .blend import Blend, blend
from .nearest_faces import NearestFaces

SIGMA_NDC, GAMMA, EPS, DIST_EPS = 1e-5, 1e-4, 1e-3, 1e-4  # of the paper's own implementation
COLORS = ("softmax", "over", "hard")
ALPHAS = ("product", "sum", "hard")
DISTANCES = ("euclidean", "barycentric")


def softras(
    near: NearestFaces,
    colors: torch.Tensor | None,
    background: torch.Tensor | None = None,
    sigma_pix2: float | None = None,
    sigma_ndc: float | None = None,
    gamma: float = GAMMA,
    color: str = "softmax",
    alpha: str = "product",
    distance: str = "euclidean",
    znear: float = -1.0,
    zfar: float = 1.0,
    eps: float = EPS,
    face_count: int | None = None,
) -> torch.Tensor:
    """The Soft Rasterizer's image and silhouette.

        D_k = sigmoid(-dist2_k / sigma), zhat_k = (zfar - z_k) / (zfar - znear)
        "softmax": w_k = D_k exp(zhat_k/gamma), of the background exp(eps/gamma); sum w c / sum w
        "over":    a_k = exp(-max(dist2_k, 0) / sigma), front to back prod(1 - a) over the background
        "hard":    the nearest face that covers the pixel
        alpha "product": 1 - prod(1 - D_k);  "sum": sum D_k / face_count;  "hard": 1 where some D_k > 1/2

    Args:
        near: from `nearest_faces` with reach_pix=softras_reach(...): beyond it faces weigh less than 1e-4.
        colors: [N,H,W,K,C] of those faces at near.bary; None: the silhouette alone.
        background: [C] or [N,H,W,C]; None: 0.
        sigma_pix2: softness in pixels squared; or sigma_ndc, that times (2 / min(H,W))^2. The paper's: sigma_ndc=1e-5.
        gamma: softness in depth, in zhat.
        distance: "euclidean", or "barycentric": D_k = sigmoid(+-min(bary)^2 / sigma_ndc), sigma without a unit; near
            with clip_barycentrics=False and, as published, perspective_correct=False.
        znear, zfar: of near.z, where zhat is 1 and 0; for depth from the camera give near._replace(z=depth).
        eps: zhat of the background.
        face_count: what "sum" divides by; None: K. The paper's implementation divides by the number of all faces.

    Returns: [N,H,W,C+1], alpha last.

    Gradients: colors, background, near.z, and near.dist2 or near.bary; none from "hard".

    Raises:
        TypeError, ValueError: wrong types, shapes, names; both sigmas; a sigma or gamma that is not positive.

    Note: with the published constants the background's weight, exp((eps - zhat)/gamma), underflows: near any face the
        colour is that of the face however small its D, and has practically no gradient by silhouettes (1e-6 of the
        truth). Its gradient comes from alpha. "over" has one for colour too.

    Source: Liu et al. 2019, Soft Rasterizer, equations 1 to 5.

    Example:
        reach = glrast.visibility.softras_reach((256, 256))
        near = glrast.visibility.nearest_faces(ctx, pos, tri, (256, 256), 8, reach)
        image = glrast.visibility.softras(near, glrast.visibility.shade_faces(vertex_color, near, tri))
    """
    name = "visibility.softras"
    check.choice(name, "color", color, COLORS)
    check.choice(name, "alpha", alpha, ALPHAS)
    check.choice(name, "distance", distance, DISTANCES)
    gamma = positive(name, "gamma", gamma)
    there = checked_near(name, near)
    inner = _inner(near, distance, sigma_pix2, sigma_ndc)
    zhat = (zfar - near.z) * (1 / (zfar - znear))
    if colors is None:
        color, colors, behind = "none", zhat.new_zeros((*there.shape, 0)), zhat.new_zeros(0)
    else:
        colors, behind = checked_colors(name, near, colors, background)
    share = 1 / (near.id.shape[3] if face_count is None else face_count)
    return blend(
        Blend(near.id.contiguous(), inner, zhat, colors, behind, color, alpha, share, gamma, eps)
    )


def _inner(
    near: NearestFaces, distance: str, sigma_pix2: float | None, sigma_ndc: float | None
) -> Tensor:
    """[N,H,W,K]: the signed distance, positive inside, in the unit of the softness."""
    name = "visibility.softras"
    if distance == "euclidean":
        return near.dist2 * (-1 / sigma_of(name, near.id.shape[1:3], sigma_pix2, sigma_ndc))
    least = near.bary.amin(-1)
    sigma = positive(name, "sigma_ndc", SIGMA_NDC if sigma_ndc is None else sigma_ndc)
    return least * least.abs() * (1 / sigma)


def softras_reach(
    resolution: Resolution,
    sigma_pix2: float | None = None,
    sigma_ndc: float | None = None,
    dist_eps: float = DIST_EPS,
) -> float:
    """reach_pix beyond which a face's D is below dist_eps: sqrt(ln(1/dist_eps - 1) sigma).

    Raises:
        TypeError, ValueError: as `softras`; dist_eps not between 0 and 1/2.
    """
    name = "visibility.softras_reach"
    height, width = check.resolution(name, resolution)
    dist_eps = check.number(name, "dist_eps", dist_eps)
    check.value(name, "dist_eps", "between 0 and 1/2", 0 < dist_eps < 0.5, dist_eps)
    return math.sqrt(
        math.log(1 / dist_eps - 1) * sigma_of(name, (height, width), sigma_pix2, sigma_ndc)
    )


def sigmoid_alpha(
    near: NearestFaces,
    colors: torch.Tensor,
    background: torch.Tensor | None = None,
    sigma_pix2: float | None = None,
    sigma_ndc: float | None = 1e-4,
) -> torch.Tensor:
    """[N,H,W,C+1]: the colour of the nearest face as it is, and alpha = 1 - prod(1 - sigmoid(-dist2/sigma)).

    Args: as `softras`; sigma_ndc = 1e-4 is PyTorch3D's.

    Gradients: colors and background; near.dist2 from alpha.

    Source: PyTorch3D, sigmoid_alpha_blend. Where no face is near it leaves the first colour, here the background is.
    """
    name = "visibility.sigmoid_alpha"
    there = checked_near(name, near)
    colors, behind = checked_colors(name, near, colors, background)
    sigma = sigma_of(name, near.id.shape[1:3], sigma_pix2, None if sigma_pix2 else sigma_ndc)
    opacity = 1 - torch.prod(1 - torch.sigmoid(-near.dist2 / sigma) * there, -1)
    rgb = torch.where(there[..., :1], colors[..., 0, :], behind)
    return torch.cat([rgb, opacity[..., None]], -1)


def hard(
    near: NearestFaces, colors: torch.Tensor, background: torch.Tensor | None = None
) -> torch.Tensor:
    """[N,H,W,C+1]: the colour of the nearest face and alpha 1, the background and 0 where none is near.

    Gradients: colors and background: none from visibility.

    Source: PyTorch3D, hard_rgb_blend.
    """
    there = checked_near("visibility.hard", near)[..., :1]
    colors, behind = checked_colors("visibility.hard", near, colors, background)
    return torch.cat([torch.where(there, colors[..., 0, :], behind), there.to(colors.dtype)], -1)


# ---- parts that relatives share --------------------------------------------------------------------------


def softmax(
    D: Tensor, there: Tensor, zhat: Tensor, colors: Tensor, behind: Tensor, gamma: float, eps: float
) -> Tensor:
    """[...,C]: colours weighted by D exp(zhat/gamma), the background by exp(eps/gamma)."""
    zhat = torch.where(there, zhat, eps)
    most = zhat.detach().amax(-1, keepdim=True).clamp(min=eps)
    weight = D * torch.exp((zhat - most) / gamma)
    rest = torch.exp((eps - most) / gamma)
    total = weight.sum(-1, keepdim=True) + rest
    return ((weight[..., None] * colors).sum(-2) + rest * behind) / total


def sigma_of(
    name: str, size: tuple[int, ...] | torch.Size, pix2: float | None, ndc: float | None
) -> float:
    """In pixels squared."""
    if pix2 is not None and ndc is not None:
        raise ValueError(
            check.wrong(
                name, "sigma must be given once", "sigma_pix2 and sigma_ndc", "leave one out"
            )
        )
    if pix2 is not None:
        return positive(name, "sigma_pix2", pix2)
    return positive(name, "sigma_ndc", SIGMA_NDC if ndc is None else ndc) * (min(size) / 2) ** 2


def positive(name: str, argument: str, given: float) -> float:
    found = check.number(name, argument, given)
    check.value(name, argument, "more than 0", found > 0, found)
    return found


def checked_near(name: str, near: Any) -> Tensor:
    """bool [N,H,W,K]: where there is a face."""
    if not all(isinstance(getattr(near, part, None), Tensor) for part in NearestFaces._fields):
        what = "near must be what glrast.visibility.nearest_faces returns"
        raise TypeError(check.wrong(name, what, type(near).__name__))
    id = cast(Tensor, near.id)
    check.shape(name, "near.id", id, "[N,H,W,K]", id.ndim == 4)
    return id >= 0


def checked_colors(
    name: str, near: NearestFaces, colors: Tensor, background: Tensor | None
) -> tuple[Tensor, Tensor]:
    """colors [N,H,W,K,C], and the background as it is broadcast to [N,H,W,C]."""
    colors = check.floats(name, "colors", colors, device=near.id.device)
    N, H, W, K = near.id.shape
    fits = colors.ndim == 5 and colors.shape[:4] == near.id.shape
    check.shape(name, "colors", colors, f"[{N},{H},{W},{K},C]", fits, "like near.id")
    C = colors.shape[4]
    if background is None:
        return colors, colors.new_zeros(C)
    background = check.floats(name, "background", background, device=near.id.device)
    fits = background.shape in ((C,), (N, H, W, C))
    check.shape(name, "background", background, f"[{C}] or [{N},{H},{W},{C}]", fits)
    return colors, background
