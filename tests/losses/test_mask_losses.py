"""Losses of coverage on areas that can be counted."""

import pytest
import torch

from glrast import losses
from tests.losses.twins import assert_is_the_twin


def bars():
    """Two pairs of masks [2,4,6]: bars of three columns that share two; and nothing with nothing."""
    ours, theirs = torch.zeros(2, 4, 6), torch.zeros(2, 4, 6)
    ours[0, :, 1:4], theirs[0, :, 2:5] = 1.0, 1.0
    return ours, theirs


def test_iou_of_shifted_bars_and_of_two_empty_masks():
    assert losses.iou(*bars()).tolist() == [0.5, 1.0]
    assert losses.iou_loss(*bars()).item() == 0.25
    assert losses.iou(*(mask[..., None] for mask in bars())).tolist() == [0.5, 1.0]


def test_iou_of_coverage_between_is_that_of_its_formula():
    alpha, target = torch.rand(2, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    b = target.double().numpy()

    def twin(a):
        each = [(x * y).sum() / (x + y - x * y).sum() for x, y in zip(a, b)]
        return 1 - sum(each) / len(each)

    assert_is_the_twin(lambda a: losses.iou_loss(a, target), twin, alpha)


def test_mask_loss_is_the_mean_square_and_what_is_not_trusted_counts_nothing():
    alpha, target = torch.rand(2, 2, 3, 5, generator=torch.Generator().manual_seed(0))
    trusted = torch.ones(2, 3, 5)
    trusted[:, 1] = 0.0
    a, b, w = (x.double().numpy() for x in (alpha, target, trusted))
    expected = float((w * (a - b) ** 2).mean())
    for shape in ((2, 3, 5), (2, 3, 5, 1)):
        found = losses.mask_loss(*(x.reshape(shape) for x in (alpha, target, trusted)))
        assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["iou_loss", "mask_loss"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks_have_gradients_that_are_numbers(name, value):
    for other in (0.0, 1.0):
        alpha = torch.full((1, 4, 5), value, requires_grad=True)
        getattr(losses, name)(alpha, torch.full((1, 4, 5), other)).backward()
        assert torch.isfinite(alpha.grad).all()
        if name == "mask_loss":  # the overlap with nothing is nothing, whatever alpha is
            assert bool(alpha.grad.any()) == (value != other)


@pytest.mark.parametrize("shape", [(0, 4, 5), (1, 0, 5), (0, 4, 5, 1)])
def test_no_pixels_cost_nothing(shape):
    alpha = torch.zeros(shape, requires_grad=True)
    loss = losses.iou_loss(alpha, alpha.detach()) + losses.mask_loss(alpha, alpha.detach())
    loss.backward()
    assert loss.item() == 0 and alpha.grad.shape == shape


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda a: losses.iou_loss(a, a),
            "glrast.losses.iou_loss: alpha must be [N,H,W,1] or [N,H,W]; got [1,4,5,4]: take one "
            "channel, as in image[..., 3:]",
        ),
        (
            lambda a: losses.mask_loss(a[..., 3], a[..., 3:]),
            "glrast.losses.mask_loss: target must be [1,4,5] like alpha; got [1,4,5,1]",
        ),
        (
            lambda a: losses.mask_loss(a[..., 3], a[..., 3], a),
            "glrast.losses.mask_loss: mask must be [N,H,W,1] or [1,H,W,1] with N=1, H=4, W=5 (from "
            "alpha); got [1,4,5,4]",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy(call, words):
    with pytest.raises(ValueError) as error:
        call(torch.zeros(1, 4, 5, 4))
    assert str(error.value) == words
