"""The float64 twin of glrast.visibility.softras: the paper's sums, face by face, with autograd."""

import torch
from torch import Tensor


def softras(
    id: Tensor, z: Tensor, bary: Tensor, dist2: Tensor, colors: Tensor, background: Tensor, sigma: float,
    gamma: float = 1e-4, color="softmax", alpha="product", distance="euclidean", znear=-1.0, zfar=1.0, eps=1e-3,
    face_count=None,
) -> Tensor:  # fmt: skip
    """[N,H,W,C+1]. sigma in pixels squared. Gradients: z, bary, dist2, colors, background."""
    K = id.shape[-1]
    there = id >= 0
    if distance == "euclidean":
        exponent = -dist2 / sigma
    else:
        least = bary.amin(-1)
        exponent = torch.where(least > 0, least**2, -(least**2)) / sigma
    D = torch.where(there, torch.sigmoid(exponent), 0.0)
    if alpha == "product":
        opacity = torch.ones_like(z[..., 0])
        for k in range(K):
            opacity = opacity * (1 - D[..., k])
        opacity = 1 - opacity
    elif alpha == "sum":
        opacity = D.sum(-1) / (face_count or K)
    else:
        opacity = (D > 0.5).any(-1).double()
    if color == "softmax":
        zhat = (zfar - z) / (zfar - znear)
        logs = torch.where(there, zhat, -torch.inf) / gamma
        behind = torch.full_like(z[..., :1], eps / gamma)
        every = torch.cat([logs, behind], -1)
        share = torch.exp(every - every.detach().amax(-1, keepdim=True))
        weights = torch.cat([D * share[..., :-1], share[..., -1:]], -1)
        rgb = (weights[..., :-1, None] * colors).sum(-2) + weights[..., -1:] * background
        rgb = rgb / weights.sum(-1, keepdim=True)
    else:
        rgb = background.expand(*z.shape[:3], colors.shape[-1])
        for k in reversed(range(K)):
            a = (
                torch.exp(exponent[..., k].clamp(max=0))
                if color == "over"
                else exponent[..., k] > 0
            )
            a = (a.double() * there[..., k])[..., None]
            rgb = a * colors[..., k, :] + (1 - a) * rgb
    return torch.cat([rgb, opacity[..., None]], -1)
