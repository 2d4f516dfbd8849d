"""What the fit minimises, each term the mean over the pixels or vertices it names."""

import torch
from torch import Tensor


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
    difference = rgba - target if trusted is None else (rgba - target) * trusted
    color, alpha = difference.split((3, 1), dim=-1)
    return torch.addcmul(color, alpha, -background).abs().mean(), alpha.square().mean()


def smoothness_loss(values: Tensor, laplacian: Tensor) -> Tensor:
    """Squared steps of per-vertex values [V,A] along the edges, summed, per vertex.

    For colour it fills what no view saw and calms the noise of the pictures; its weight is small,
    so that a crisp border in the images, worth far more, stays crisp.

    Args:
        laplacian: sparse [V,V] of clip.topology.laplacian; sum (vi - vj)^2 = trace(v^T L v). (The
            sum over edges itself has a backward that adds in the order of the threads.)
    """
    return (values * (laplacian @ values)).sum() / len(values)


def texture_variation_loss(texture: Tensor) -> Tensor:
    """Steps between neighbouring texels of [Ht,Wt,C], their sizes summed, per texel.

    It calms what the pictures' noise writes into texels that few pixels see. Sizes, not squares: a
    border of colour costs the same sharp or blurred.
    """
    across, along = texture[:, 1:] - texture[:, :-1], texture[1:] - texture[:-1]
    return (across.abs().sum() + along.abs().sum()) / texture[..., 0].numel()


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of images [N,H,W,C] in 0..1, one number a view: [N]."""
    mean_square = (image - target).square().flatten(1).mean(dim=1)
    return -10.0 * torch.log10(mean_square.clamp_min(1e-10))


def mask_iou(alpha: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of the pixels covered by at least one half, one number a view: [N]."""
    ours, theirs = alpha > 0.5, target > 0.5
    shared = (ours & theirs).flatten(1).sum(dim=1).double()
    either = (ours | theirs).flatten(1).sum(dim=1).double()
    return torch.where(either > 0, shared / either.clamp_min(1), torch.ones_like(shared))
