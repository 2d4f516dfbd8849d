"""AdamUniform against its formula in float64, and as one of PyTorch's optimisers."""

import copy

import numpy as np
import pytest
import torch

from glrast.optim import AdamUniform


def reference(start, gradients, lr, beta1=0.9, beta2=0.999):
    """The paper's formula: float64, one tensor."""
    x, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step, gradient in enumerate(gradients, start=1):
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        largest = np.sqrt(square.max() / (1 - beta2**step))
        x -= lr * (mean / (1 - beta1**step)) / largest
    return x


def run(optimizer, param, gradients):
    for gradient in gradients:
        param.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()


def gradients(steps=20, shape=(7, 3)):
    return list(np.random.default_rng(0).normal(size=(steps, *shape)))


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.0)])
def test_steps_are_those_of_the_formula(betas):
    start = np.random.default_rng(1).normal(size=(7, 3))
    param = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    run(AdamUniform([param], lr=0.05, betas=betas), param, gradients())
    expected = reference(start, gradients(), 0.05, *betas)
    np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_each_tensor_has_its_own_divisor_and_each_group_its_own_step():
    small, large = (torch.zeros(3, requires_grad=True) for _ in range(2))
    optimizer = AdamUniform([{"params": [small], "lr": 0.1}, {"params": [large]}], lr=0.5)
    small.grad, large.grad = torch.tensor([1e-3, 0, 0]), torch.tensor([1e3, 5e2, 0])
    optimizer.step()
    assert small.tolist() == pytest.approx([-0.1, 0, 0])
    assert large.tolist() == pytest.approx([-0.5, -0.25, 0])


def test_it_stands_still_without_a_gradient():
    param = torch.ones(3, requires_grad=True)
    optimizer = AdamUniform([param], lr=0.5)
    optimizer.step()
    param.grad = torch.zeros(3)
    optimizer.step()
    assert param.tolist() == [1.0, 1.0, 1.0]
    nothing = torch.zeros(0, 3, requires_grad=True)
    nothing.grad = torch.zeros(0, 3)
    AdamUniform([nothing], lr=0.5).step()


def test_what_is_saved_continues_to_the_bit():
    def made():
        param = torch.zeros(7, 3, requires_grad=True)
        return param, AdamUniform([param], lr=0.05)

    whole, optimizer = made()
    run(optimizer, whole, gradients())
    first, optimizer = made()
    run(optimizer, first, gradients()[:9])
    saved = copy.deepcopy(optimizer.state_dict())
    second, continued = made()
    with torch.no_grad():
        second.copy_(first)
    continued.load_state_dict(saved)
    run(continued, second, gradients()[9:])
    assert torch.equal(second, whole)


def test_a_closure_makes_the_gradients_and_its_value_comes_back():
    param = torch.tensor([3.0, -1.0], requires_grad=True)
    optimizer = AdamUniform([param], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = param.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 10.0
    assert param.tolist() == pytest.approx([2.9, -1 + 0.1 / 3])


def test_schedulers_of_pytorch_drive_it():
    param = torch.zeros(1, requires_grad=True)
    optimizer = AdamUniform([param], lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for expected in (-1.0, -1.5, -1.75):
        param.grad = torch.ones(1)
        optimizer.step()
        schedule.step()
        assert param.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        (
            {"lr": -1.0},
            "glrast.optim.AdamUniform: lr must be 0 or more; got -1.0",
        ),
        (
            {"lr": "1"},
            "glrast.optim.AdamUniform: lr must be a number; got '1'",
        ),
        (
            {"betas": (0.9, 1.0)},
            "glrast.optim.AdamUniform: betas must be two numbers in [0,1); got (0.9, 1.0)",
        ),
        (
            {"betas": (0.9,)},
            "glrast.optim.AdamUniform: betas must be two numbers in [0,1); got (0.9,)",
        ),
    ],
)
def test_a_wrong_argument_is_named(keywords, words):
    with pytest.raises((TypeError, ValueError)) as error:
        AdamUniform([torch.zeros(3, requires_grad=True)], **keywords)
    assert str(error.value) == words


def test_a_sparse_gradient_is_refused():
    param = torch.zeros(3, requires_grad=True)
    param.grad = torch.tensor([1.0, 0, 0]).to_sparse()
    with pytest.raises(
        TypeError, match=r"^glrast.optim.AdamUniform: the gradient must be dense; got sparse_coo"
    ):
        AdamUniform([param]).step()
