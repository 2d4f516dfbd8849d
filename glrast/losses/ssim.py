"""Structural similarity: do two images have the same means, contrasts and patterns in every small window?"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import check
from .pixels import images, mean, weights

# The paper's: what keeps the two quotients from 0/0 in windows of one colour, as shares of the range of the images.
_K1, _K2 = 0.01, 0.03


def ssim(
    image: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    data_range: float = 1.0,
    window_size: int = 11,
    sigma: float = 1.5,
) -> Tensor:
    """Structural similarity of each image with its target, the mean over all windows within the image: 1 if equal.

    Args:
        image, target: float32 [N,H,W,C], H and W at least `window_size`; each channel is compared by itself.
        mask: as in `l1_loss`, but both images are multiplied by it: where it is 0 they are black, and so alike, in
            whatever window.
        data_range: between the darkest and the brightest value that may be: 1 for 0..1, 255 for 0..255.
        window_size: pixels a side, odd.
        sigma: standard deviation of the window's Gauss weights, in pixels.
    Returns: [N], -1..1. Means and variances are those of the weights (no n / (n - 1)), and windows that reach beyond
        the image are left out, as in the paper; implementations that pad with zeros give other numbers.
    Gradients: image and target.
    Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural
        Similarity", equations 13 to 15.
    Example:
        >>> image = torch.rand(2, 16, 20, 3)
        >>> [round(value, 4) for value in ssim(image, image).tolist()]
        [1.0, 1.0]
    """
    return _ssim("losses.ssim", image, target, mask, data_range, window_size, sigma)


def dssim_loss(
    image: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    data_range: float = 1.0,
    window_size: int = 11,
    sigma: float = 1.5,
) -> Tensor:
    """Structural dissimilarity (1 - ssim) / 2, the mean over the images: 0 if equal, 1 if opposite.

    Args, Gradients: as `ssim`.
    Returns: a scalar. 0.8 l1_loss + 0.4 dssim_loss is what others write as 0.8 L1 + 0.2 (1 - SSIM).
    Example:
        >>> image = torch.rand(1, 16, 20, 3)
        >>> round(dssim_loss(image, image).item(), 4)
        0.0
    """
    name = "losses.dssim_loss"
    return mean(0.5 - 0.5 * _ssim(name, image, target, mask, data_range, window_size, sigma))


def _ssim(
    function: str, image: Tensor, target: Tensor, mask: Tensor | None, data_range, window_size, sigma
) -> Tensor:  # fmt: skip
    image, target = images(function, image, target)
    data_range, sigma = (
        check.number(function, name, given)
        for name, given in (("data_range", data_range), ("sigma", sigma))
    )
    check.value(function, "data_range", "above 0", data_range > 0, data_range)
    check.value(function, "sigma", "above 0", sigma > 0, sigma)
    window_size = check.whole(function, "window_size", window_size, 1)
    check.value(function, "window_size", "odd", window_size % 2 == 1, window_size)
    fits = min(image.shape[1:3]) >= window_size
    least = f"[N,H,W,C] with H and W at least window_size={window_size}"
    check.shape(function, "image", image, least, fits, remedy="pass a smaller window_size")
    weight = weights(function, mask, image)
    if weight is not None:
        # Chosen, not only multiplied: what is no number behind the mask would reach the windows around.
        image, target = (torch.where(weight != 0, weight * x, 0.0) for x in (image, target))
    return _index(image, target, data_range, window_size, sigma)


def _index(x: Tensor, y: Tensor, data_range: float, window_size: int, sigma: float) -> Tensor:
    """[N], of checked images."""
    N_C = (x.shape[0], x.shape[3])
    x, y = (part.movedim(3, 1).flatten(0, 1) for part in (x, y))  # [N C,H,W]
    moments = torch.stack([x, y, x * x, y * y, x * y], dim=1)
    mean_x, mean_y, square_x, square_y, product = _windows(moments, window_size, sigma).unbind(1)
    both, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    covariance, variances = product - both, square_x + square_y - squares
    value = (2 * both + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return value.unflatten(0, N_C).mean(dim=(1, 2, 3))


def _windows(moments: Tensor, window_size: int, sigma: float) -> Tensor:
    """The weighted mean in each window: [B,K,H,W] to [B,K,H - window_size + 1, W - window_size + 1]."""
    place = torch.arange(window_size, dtype=moments.dtype, device=moments.device)
    weight = torch.exp(-0.5 * ((place - window_size // 2) / sigma).square())
    weight = weight / weight.sum()
    B, K, H, W = moments.shape
    flat = moments.reshape(B * K, 1, H, W)
    # A Gauss window is a column times a row: two short sums for a long one.
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        flat = torch.nn.functional.conv2d(flat, weight.reshape(shape))
    return flat.reshape(B, K, *flat.shape[2:])
