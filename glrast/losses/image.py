"""How far an image is from its target, pixel by pixel; and how much it varies by itself.

`mask` is alike in all: 1 (or True) where a pixel counts, 0 where it does not, a weight between. The mean is over *all*
pixels, so that the pull on one does not depend on how many others count; divide by `mask.mean()` for the mean over what
the mask covers. Where it is 0, image and target may hold anything, NaN too, and get no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import check
from .pixels import difference, images, mean, one_image, weights

_LEAST_MEAN_SQUARE = 1e-10  # 100 dB: float32 images of one scene are hardly closer


def l1_loss(image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean absolute difference: outliers, as a highlight in one view, pull no harder than others.

    Args:
        image, target: float32 [N,H,W,C].
        mask: bool or float32 [N,H,W,1], [1,H,W,1] or [N,H,W,C]: what counts; None: everything.
    Returns: a scalar.
    Gradients: image and target; 0 where they are equal.
    Example:
        >>> image, target = torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 0.5)
        >>> l1_loss(image, target).item()
        0.5
        >>> l1_loss(image, target, mask=torch.tensor([True, False]).reshape(1, 1, 2, 1).expand(1, 2, 2, 1)).item()
        0.25
    """
    image, target = images("losses.l1_loss", image, target)
    weight = weights("losses.l1_loss", mask, image)
    return mean(difference(image, target, weight).abs(), weight)


def l2_loss(image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean squared difference, PyTorch's mse_loss.

    Args, Returns: as `l1_loss`.
    Gradients: image and target.
    Example:
        >>> l2_loss(torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 0.5)).item()
        0.25
    """
    image, target = images("losses.l2_loss", image, target)
    weight = weights("losses.l2_loss", mask, image)
    return mean(difference(image, target, weight).square(), weight)


def huber_loss(
    image: Tensor, target: Tensor, mask: Tensor | None = None, delta: float = 0.1
) -> Tensor:
    """Half the squared difference d up to `delta`, and from there on a line: delta (|d| - delta / 2).

    Args:
        image, target, mask: as in `l1_loss`.
        delta: > 0, in the unit of the images; the default suits colours in 0..1.
    Returns: a scalar.
    Gradients: image and target, at most `delta` a value before the mean.
    Source: Huber 1964, "Robust Estimation of a Location Parameter".
    Example:
        >>> huber_loss(torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 0.5), delta=1.0).item()
        0.125
    """
    name = "losses.huber_loss"
    image, target = images(name, image, target)
    delta = check.number(name, "delta", delta)
    check.value(name, "delta", "above 0", delta > 0, delta, "l1_loss is the limit at 0")
    weight = weights(name, mask, image)
    size = difference(image, target, weight).abs()
    inner, outer = 0.5 * size.square(), delta * (size - 0.5 * delta)
    return mean(torch.where(size < delta, inner, outer), weight)


def charbonnier_loss(
    image: Tensor, target: Tensor, mask: Tensor | None = None, eps: float = 1e-3
) -> Tensor:
    """sqrt(d^2 + eps^2) - eps of the difference d: the absolute difference with its corner rounded.

    Args:
        image, target, mask: as in `l1_loss`.
        eps: > 0, in the unit of the images: the radius of the corner.
    Returns: a scalar, 0 for equal images (some write it without "- eps": the gradients are the same).
    Gradients: image and target.
    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for computed imaging".
    Example:
        >>> charbonnier_loss(torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 4.0), eps=3.0).item()
        2.0
    """
    name = "losses.charbonnier_loss"
    image, target = images(name, image, target)
    eps = check.number(name, "eps", eps)
    check.value(name, "eps", "above 0", eps > 0, eps, "l1_loss is the limit at 0")
    weight = weights(name, mask, image)
    squared = difference(image, target, weight).square()
    # The difference of two nearly equal numbers, written as a quotient: float32 keeps its digits.
    return mean(squared / ((squared + eps * eps).sqrt() + eps), weight)


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of images in 0..1, at most 100: a measure, rather than a loss.

    Args:
        image, target: float32 [N,H,W,C].
    Returns: [N].
    Gradients: image and target, 0 at 100 dB.
    Example:
        >>> psnr(torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 0.1)).tolist()
        [20.0]
    """
    image, target = images("losses.psnr", image, target)
    mean_square = (image - target).square().flatten(1).mean(dim=1)
    return -10.0 * torch.log10(mean_square.clamp_min(_LEAST_MEAN_SQUARE))


def total_variation(image: Tensor, wrap: bool = False) -> Tensor:
    """How much an image or a texture varies: the sizes of the steps to the right and up, summed, per pixel.

    It calms what the noise of pictures writes into texels that few pixels see. Sizes, not squares: a border of colour
    costs the same sharp or blurred.

    Args:
        image: float32 [N,H,W,C]; the channels are added up.
        wrap: the last column is beside the first, and the last row beside the first, as in a texture that is drawn with
            boundary_mode="wrap".
    Returns: a scalar.
    Gradients: image; 0 from neighbours that are equal.
    Source: Rudin, Osher, Fatemi 1992, "Nonlinear total variation based noise removal algorithms", anisotropic.
    Example:
        >>> bar = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4, 1)
        >>> total_variation(bar).item(), total_variation(bar, wrap=True).item()
        (0.25, 0.5)
    """
    name = "losses.total_variation"
    image = one_image(name, "image", image)
    if check.flag(name, "wrap", wrap):
        steps = [image.roll(-1, dim) - image for dim in (1, 2)]
    else:
        steps = [image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]]
    pixels = image.shape[0] * image.shape[1] * image.shape[2]
    return (steps[0].abs().sum() + steps[1].abs().sum()) / max(pixels, 1)
