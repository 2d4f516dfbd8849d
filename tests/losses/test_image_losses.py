"""Losses of images against their formulas in float64, and where images are equal, masked, empty or wrong."""

import math

import numpy as np
import pytest
import torch

from glrast import losses
from tests.losses.twins import assert_is_the_twin, pair

LOSSES = {
    "l1_loss": lambda d: np.abs(d),
    "l2_loss": lambda d: d**2,
    "huber_loss": lambda d: np.where(np.abs(d) < 0.1, d**2 / 2, 0.1 * (np.abs(d) - 0.05)),
    "charbonnier_loss": lambda d: np.sqrt(d**2 + 1e-6) - 1e-3,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_mean_of_its_formula_and_has_its_gradient(name):
    image, target = pair(2, 3, 5, 3)
    y, formula = target.double().numpy(), LOSSES[name]
    assert_is_the_twin(
        lambda x: getattr(losses, name)(x, target), lambda x: formula(x - y).mean(), image
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_mask_weighs_the_pixels_and_the_mean_stays_over_all(name):
    image, target = pair(2, 3, 5, 3)
    mask = torch.rand(2, 3, 5, 1, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    y, weight, formula = target.double().numpy(), mask.double().numpy(), LOSSES[name]
    assert_is_the_twin(
        lambda x: getattr(losses, name)(x, target, mask),
        lambda x: (weight * formula(x - y)).mean(),
        image,
    )


@pytest.mark.parametrize("name", [*LOSSES, "dssim_loss"])
def test_what_a_mask_leaves_out_may_be_no_number_and_gets_no_gradient(name):
    image, target = pair(1, 17, 33, 3)
    mask = torch.ones(1, 17, 33, 1, dtype=torch.bool)
    mask[:, 2:4, 5:9] = False
    plain = getattr(losses, name)(torch.where(mask, image, 0), torch.where(mask, target, 0), mask)
    hole = torch.where(mask, 0.0, math.nan)
    for image_, target_ in (
        (image + hole, target),
        (image, target + hole),
        (image + hole, target + hole),
    ):
        x = image_.clone().requires_grad_()
        found = getattr(losses, name)(x, target_, mask)
        assert found.item() == pytest.approx(plain.item(), rel=1e-5)
        found.backward()
        assert torch.isfinite(x.grad).all() and (x.grad[~mask.expand_as(x)] == 0).all()
        assert (x.grad[mask.expand_as(x)] != 0).float().mean() > 0.99


@pytest.mark.parametrize("name", [*LOSSES, "dssim_loss"])
def test_equal_images_cost_nothing_and_pull_at_nothing(name):
    for value in (0.0, 0.5, 1.0):
        image = torch.full((1, 11, 13, 3), value, requires_grad=True)
        loss = getattr(losses, name)(image, image.detach())
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-6)
        assert image.grad.abs().max() < 1e-6


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (1, 0, 4, 3), (2, 4, 4, 0)])
def test_no_pixels_cost_nothing(name, shape):
    image = torch.zeros(shape, requires_grad=True)
    loss = getattr(losses, name)(image, torch.zeros(shape))
    loss.backward()
    assert loss.item() == 0 and image.grad.shape == shape


def test_the_target_gets_the_opposite_gradient():
    image, target = (x.requires_grad_() for x in pair(1, 4, 5, 3))
    for name in LOSSES:
        grads = torch.autograd.grad(getattr(losses, name)(image, target), (image, target))
        torch.testing.assert_close(grads[0], -grads[1])


def test_small_differences_keep_their_digits_under_charbonnier():
    image = torch.full((1, 1, 1, 1), 1e-6)
    found = losses.charbonnier_loss(image, torch.zeros_like(image)).item()
    assert found == pytest.approx(5e-10, rel=1e-5)  # d^2 / (2 eps); the plain formula gives 0


def test_psnr_of_a_constant_error_and_of_none():
    target = torch.zeros(2, 3, 5, 3)
    image = target.clone()
    image[0] += 0.1
    assert losses.psnr(image, target).tolist() == pytest.approx([20.0, 100.0], abs=1e-4)


def test_total_variation_counts_the_steps_both_ways():
    texture = torch.zeros(1, 2, 3, 2)
    texture[0, 0, 1, 0] = 0.5  # a step to the left, to the right and upwards
    assert float(losses.total_variation(texture)) == pytest.approx(3 * 0.5 / 6)
    assert float(losses.total_variation(texture + 0.3)) == pytest.approx(3 * 0.5 / 6)
    assert float(losses.total_variation(texture.repeat(4, 1, 1, 1))) == pytest.approx(3 * 0.5 / 6)


@pytest.mark.parametrize("wrap", [False, True])
def test_total_variation_has_the_gradient_of_its_formula(wrap):
    def twin(x):
        total = 0.0
        for axis in (1, 2):
            step = np.roll(x, -1, axis) - x
            step = step if wrap else np.delete(step, -1, axis)
            total += np.abs(step).sum()
        return total / (2 * 3 * 5)

    assert_is_the_twin(lambda x: losses.total_variation(x, wrap), twin, pair(2, 3, 5, 2)[0])


def test_a_texture_that_is_rolled_varies_alike_only_where_it_wraps():
    texture = pair(1, 8, 6, 3)[0]
    rolled = texture.roll((3, 2), (1, 2))
    wrapped = [losses.total_variation(x, wrap=True) for x in (texture, rolled)]
    torch.testing.assert_close(wrapped[0], wrapped[1])
    assert abs(losses.total_variation(texture) - losses.total_variation(rolled)) > 1e-3


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (0, 4, 4, 3), (1, 0, 3, 1)])
@pytest.mark.parametrize("wrap", [False, True])
def test_a_single_pixel_and_none_do_not_vary(shape, wrap):
    image = torch.ones(shape, requires_grad=True)
    loss = losses.total_variation(image, wrap=wrap)
    loss.backward()
    assert loss.item() == 0 and not image.grad.any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda a, b: losses.l1_loss(a[0], b),
            "glrast.losses.l1_loss: image must be [N,H,W,C]; got [4,5,3]: add the batch with "
            "image[None]",
        ),
        (
            lambda a, b: losses.l2_loss(a, b[..., :1]),
            "glrast.losses.l2_loss: target must be [2,4,5,3] like image; got [2,4,5,1]",
        ),
        (
            lambda a, b: losses.huber_loss(a, b, torch.ones(2, 4, 5)),
            "glrast.losses.huber_loss: mask must be [N,H,W,1] or [1,H,W,1] with N=2, H=4, W=5 (from "
            "image); got [2,4,5]: add the channel with mask[..., None]",
        ),
        (
            lambda a, b: losses.huber_loss(a, b, delta=0),
            "glrast.losses.huber_loss: delta must be above 0; got 0.0: l1_loss is the limit at 0",
        ),
        (
            lambda a, b: losses.charbonnier_loss(a, b, eps=-1),
            "glrast.losses.charbonnier_loss: eps must be above 0; got -1.0: l1_loss is the limit at 0",
        ),
        (
            lambda a, b: losses.l1_loss(a.double(), b),
            "glrast.losses.l1_loss: image must be float32; got float64: convert it with image.float()",
        ),
        (
            lambda a, b: losses.l1_loss(a, None),
            "glrast.losses.l1_loss: target must be a torch tensor; got NoneType",
        ),
        (
            lambda a, b: losses.total_variation(a[0, 0]),
            "glrast.losses.total_variation: image must be [N,H,W,C]; got [5,3]",
        ),
        (
            lambda a, b: losses.total_variation(a, wrap="x"),
            "glrast.losses.total_variation: wrap must be True or False; got 'x'",
        ),
        (
            lambda a, b: losses.ssim(a, b),
            "glrast.losses.ssim: image must be [N,H,W,C] with H and W at least window_size=11; got "
            "[2,4,5,3]: pass a smaller window_size",
        ),
        (
            lambda a, b: losses.dssim_loss(a, b, window_size=4),
            "glrast.losses.dssim_loss: window_size must be odd; got 4",
        ),
        (
            lambda a, b: losses.ssim(a, b, data_range=0),
            "glrast.losses.ssim: data_range must be above 0; got 0.0",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy(call, words):
    with pytest.raises((TypeError, ValueError)) as error:
        call(*pair(2, 4, 5, 3))
    assert str(error.value) == words
