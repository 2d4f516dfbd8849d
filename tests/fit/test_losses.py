"""The losses on images small enough to work out by hand."""

import pytest
import torch

from glrast.fit.losses import composite, image_losses


def test_composite_of_premultiplied_colour_over_a_background():
    rgba = torch.tensor([0.2, 0.1, 0.0, 0.25])
    assert composite(rgba, torch.ones(3)).tolist() == pytest.approx([0.95, 0.85, 0.75])


def test_image_losses_are_those_of_the_composites_and_of_alpha():
    generator = torch.Generator().manual_seed(0)
    rgba, target = torch.rand(2, 2, 17, 33, 4, generator=generator)
    background = torch.rand(2, 1, 1, 3, generator=generator)
    image, mask = image_losses(rgba, target, background)
    expected = (composite(rgba, background) - composite(target, background)).abs().mean()
    assert float(image) == pytest.approx(float(expected), rel=1e-5)
    assert float(mask) == pytest.approx(float(((rgba - target)[..., 3] ** 2).mean()), rel=1e-5)


def test_wrong_coverage_costs_nothing_over_the_colour_of_the_object_alone():
    white, nothing = torch.ones(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
    over_white = image_losses(white, nothing, torch.ones(1, 1, 1, 3))
    over_grey = image_losses(white, nothing, torch.full((1, 1, 1, 3), 0.25))
    assert [float(loss) for loss in over_white] == [0.0, 1.0]
    assert [float(loss) for loss in over_grey] == pytest.approx([0.75, 1.0])


def test_what_is_not_trusted_costs_nothing_and_pulls_at_nothing():
    rgba, target = (
        torch.rand(1, 5, 7, 4, generator=torch.Generator().manual_seed(0)),
        torch.zeros(1, 5, 7, 4),
    )
    rgba.requires_grad_()
    trusted = torch.ones(1, 5, 7, 1)
    trusted[:, 2:4, 3:6] = 0.0
    image, mask = image_losses(rgba, target, torch.full((1, 1, 1, 3), 0.3), trusted)
    (image + mask).backward()
    untouched = (rgba.grad == 0).all(dim=-1, keepdim=True)
    assert torch.equal(untouched, trusted == 0)
