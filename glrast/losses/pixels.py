"""What the losses of images share: two images of one shape, a mask, and the mean over all pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import check

IMAGE = "[N,H,W,C]"


def images(function: str, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Two float32 images [N,H,W,C] of one shape, on one device. Nothing is broadcast: [N,H,W,1] against [N,H,W,3] is
    what a forgotten channel looks like."""
    image = one_image(function, "image", image)
    target = check.floats(function, "target", target, device=image.device)
    check.shape(
        function, "target", target, check.show(image), target.shape == image.shape, "like image"
    )
    return image, target


def one_image(function: str, name: str, image: Tensor) -> Tensor:
    image = check.floats(function, name, image)
    remedy = f"add the batch with {name}[None]" if image.ndim == 3 else ""
    check.shape(function, name, image, IMAGE, image.ndim == 4, remedy=remedy)
    return image


def weights(
    function: str, mask: Tensor | None, image: Tensor, name: str = "image"
) -> Tensor | None:
    """The mask as float32, what broadcasts to the image: from bool or float32 [N,H,W,1], [1,H,W,1] or [N,H,W,C]."""
    if mask is None:
        return None
    check.tensor(function, "mask", mask, device=image.device)
    mask = mask.float() if mask.dtype == torch.bool else check.floats(function, "mask", mask)
    N, H, W, C = image.shape
    fits = tuple(mask.shape) in ((N, H, W, 1), (1, H, W, 1), (N, H, W, C))
    hint = f"with N={N}, H={H}, W={W} (from {name})"
    remedy = "add the channel with mask[..., None]" if mask.ndim == 3 else ""
    check.shape(function, "mask", mask, "[N,H,W,1] or [1,H,W,1]", fits, hint, remedy)
    return mask


def difference(image: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """image - target, and 0 where nothing counts: there either may be NaN, as depth is where nothing is."""
    apart = image - target
    return apart if weight is None else torch.where(weight != 0, apart, 0.0)


def mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Over all there are, weighted ones and others; 0 of none."""
    if weight is not None:
        values = values * weight
    return values.sum() / max(values.numel(), 1)
