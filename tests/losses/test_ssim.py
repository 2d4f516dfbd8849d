"""Structural similarity against its definition, window by window, and against scikit-image's."""

import numpy as np
import pytest
import torch

from glrast import losses
from tests.losses import twins
from tests.losses.twins import pair


def test_ssim_is_the_mean_over_all_windows_of_its_formula():
    image, target = pair(2, 12, 14, 2)
    target = 0.5 * image + 0.5 * target
    expected = twins.ssim(image.double().numpy(), target.double().numpy())
    np.testing.assert_allclose(losses.ssim(image, target).numpy(), expected, atol=2e-5)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image comes with glrast[fit]")
    image, target = pair(1, 33, 17, 3)
    target = 0.7 * image + 0.3 * target
    expected = metrics.structural_similarity(
        image[0].numpy(), target[0].numpy(), channel_axis=2, data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert losses.ssim(image, target).item() == pytest.approx(expected, abs=1e-5)


def test_dssim_has_the_gradient_of_its_formula():
    image, target = pair(2, 4, 5, 2)
    y = target.double().numpy()
    twins.assert_is_the_twin(
        lambda x: losses.dssim_loss(x, target, window_size=3, sigma=0.8),
        lambda x: float(np.mean((1 - twins.ssim(x, y, 3, 0.8)) / 2)),
        image,
        gradient=1e-3,  # float32 variances are differences of squares
    )


def test_the_range_scales_with_the_images():
    image, target = pair(1, 12, 12, 1)
    bright = losses.ssim(255 * image, 255 * target, data_range=255)
    torch.testing.assert_close(bright, losses.ssim(image, target), rtol=0, atol=1e-5)


def test_opposite_patterns_are_as_unlike_as_can_be():
    image = torch.rand(1, 16, 16, 1, generator=torch.Generator().manual_seed(0)).round()
    assert losses.ssim(image, 1 - image).item() < -0.9
    assert losses.dssim_loss(image, 1 - image).item() > 0.95


def test_no_images_cost_nothing():
    assert losses.ssim(torch.zeros(0, 11, 11, 3), torch.zeros(0, 11, 11, 3)).shape == (0,)
    assert losses.dssim_loss(torch.zeros(0, 11, 11, 3), torch.zeros(0, 11, 11, 3)).item() == 0
