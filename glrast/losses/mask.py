"""How far coverage is from a mask, pixel by pixel and as the overlap of two areas."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import check
from .pixels import difference, mean, weights


def mask_loss(alpha: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean squared difference of coverage.

    Args:
        alpha, target: float32 [N,H,W,1] or [N,H,W], 0..1; the alpha channel of a picture that `antialias` smoothed.
        mask: as in `l1_loss`: 0 where the target is not to be believed.
    Returns: a scalar.
    Gradients: alpha and target.
    Example:
        >>> mask_loss(torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.5)).item()
        0.25
    """
    alpha, target = _coverages("losses.mask_loss", alpha, target)
    if mask is not None and isinstance(mask, Tensor) and mask.ndim == 3:
        mask = mask[..., None]
    weight = weights("losses.mask_loss", mask, alpha, "alpha")
    return mean(difference(alpha, target, weight).square(), weight)


def iou(alpha: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of two coverages, sum(a b) / sum(a + b - a b): 1 where both are equal and 0 or 1.

    Of masks of zeros and ones it is the ordinary one: `iou((alpha > 0.5).float(), (target > 0.5).float())`.

    Args:
        alpha, target: float32 [N,H,W,1] or [N,H,W], 0..1.
    Returns: [N]; 1 where both are empty.
    Gradients: alpha and target; 0 where both are empty.
    Source: Kato, Ushiku, Harada 2018, "Neural 3D Mesh Renderer", equation 8; of areas between 0 and 1, as in
        Liu et al. 2019, "Soft Rasterizer".
    Example:
        >>> a, b = torch.tensor([[[1.0, 1.0, 0.0]]]), torch.tensor([[[0.0, 1.0, 1.0]]])
        >>> f"{iou(a, b).item():.4f}"
        '0.3333'
    """
    return _iou("losses.iou", alpha, target)


def iou_loss(alpha: Tensor, target: Tensor) -> Tensor:
    """1 - iou, the mean over the images. Unlike `mask_loss` it does not fade with the object's share of the image.

    Args, Gradients: as `iou`.
    Returns: a scalar, 0..1.
    Example:
        >>> iou_loss(torch.ones(1, 2, 2), torch.eye(2)[None]).item()
        0.5
    """
    return mean(1.0 - _iou("losses.iou_loss", alpha, target))


def _iou(function: str, alpha: Tensor, target: Tensor) -> Tensor:
    alpha, target = _coverages(function, alpha, target)
    both = alpha * target
    shared = both.flatten(1).sum(dim=1)
    either = (alpha + target - both).flatten(1).sum(dim=1)
    some = either > 0
    return torch.where(some, shared / torch.where(some, either, 1.0), 1.0)


def _coverages(function: str, alpha: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    alpha = check.floats(function, "alpha", alpha)
    fits = alpha.ndim == 3 or (alpha.ndim == 4 and alpha.shape[3] == 1)
    remedy = "take one channel, as in image[..., 3:]" if alpha.ndim == 4 else ""
    check.shape(function, "alpha", alpha, "[N,H,W,1] or [N,H,W]", fits, remedy=remedy)
    target = check.floats(function, "target", target, device=alpha.device)
    expected = check.show(alpha)
    check.shape(function, "target", target, expected, target.shape == alpha.shape, "like alpha")
    return (alpha, target) if alpha.ndim == 4 else (alpha[..., None], target[..., None])
