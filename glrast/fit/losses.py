"""What the fit minimises in the images: colour over one background, and coverage."""

import torch
from torch import Tensor

from ..losses import l1_loss, mask_loss


def composite(rgba: Tensor, background: Tensor | float) -> Tensor:
    """The colour seen when a premultiplied image lies over a background.

    Args:
        rgba: [N,H,W,4], colour premultiplied by alpha.
        background: a number, or what broadcasts to [N,H,W,3].
    """
    return rgba[..., :3] + (1.0 - rgba[..., 3:]) * background


def image_losses(
    rgba: Tensor, target: Tensor, background: Tensor, trusted: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """How far an image is from its target: in colour over one background, and in coverage.

    Args:
        rgba, target: [N,H,W,4].
        background: [N,1,1,3].
        trusted: [N,H,W,1], 0 where the target is not to be believed: there nothing counts.

    Returns:
        the mean absolute difference of composite(image, background), and the mean squared
        difference of alpha.

    A background drawn anew for each view makes wrong coverage cost something even where the object
    has the colour of one fixed background. Absolute differences, because a highlight seen in one
    view must not pull the others.
    """
    # One subtraction and one split: each slice of a whole image costs its backward a filled copy.
    color, alpha = (rgba - target).split((3, 1), dim=-1)
    apart = torch.addcmul(color, alpha, -background)  # of the composites
    image_loss = l1_loss(apart, torch.zeros_like(apart), trusted)
    return image_loss, mask_loss(alpha, torch.zeros_like(alpha), trusted)
