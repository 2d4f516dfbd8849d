"""transform: points through matrices, forward and backward, against the float64 twin."""

import pytest
import torch

from glrast.ops.transform import transform
from tests.reference import transform as twin

ROUNDING = 2e-6  # of float32 sums of four products of order 1, relative to the largest
SHAPES = [(), (1,), (3,)]


def inputs(device, images, sets, V=41):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(*images, 4, 4, generator=generator)
    points = torch.randn(*sets, V, 3, generator=generator)
    return matrix.to(device).requires_grad_(), points.to(device).requires_grad_()


def relative_error(found, wanted) -> float:
    difference = (found.double() - wanted).detach()
    return float(difference.abs().max() / wanted.detach().abs().max())


@pytest.mark.parametrize("images", SHAPES)
@pytest.mark.parametrize("sets", SHAPES)
def test_points_and_gradients_equal_the_twin(device, images, sets):
    matrix, points = inputs(device, images, sets)
    out, wanted = transform(matrix, points), twin.transform(matrix, points)
    assert out.shape == wanted.shape and out.dtype == torch.float32
    assert relative_error(out, wanted) < ROUNDING
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(device)
    found = torch.autograd.grad(out, (matrix, points), weight)
    exact = torch.autograd.grad(wanted, (matrix, points), weight.double())
    for grad, want, given in zip(found, exact, (matrix, points)):
        assert grad.shape == given.shape and relative_error(grad, want.double()) < 4 * ROUNDING


def test_more_points_than_one_task_takes_are_all_transformed(device):
    matrix, points = inputs(device, (2,), (), V=20_011)
    out = transform(matrix, points)
    assert relative_error(out, twin.transform(matrix, points)) < ROUNDING
    (grad,) = torch.autograd.grad(out.sum(), points)
    wanted = matrix.detach().double()[:, :, :3].sum((0, 1)).expand(20_011, 3)
    assert relative_error(grad, wanted) < 4 * ROUNDING


def test_gradients_are_the_same_for_any_number_of_threads():
    matrix, points = inputs("cpu", (3,), (), V=20_011)
    threads = torch.get_num_threads()
    grads = []
    for n in (1, 2, 5):
        torch.set_num_threads(n)
        grads.append(torch.autograd.grad(transform(matrix, points).square().sum(), points)[0])
    torch.set_num_threads(threads)
    assert torch.equal(grads[0], grads[1]) and torch.equal(grads[0], grads[2])


def test_the_gradient_has_a_gradient(device):
    matrix, points = inputs(device, (3,), ())
    (first,) = torch.autograd.grad(
        transform(matrix, points).square().sum(), points, create_graph=True
    )
    (second,) = torch.autograd.grad(first[0, 0], points)
    columns = matrix.detach()[:, :, :3]
    wanted = 2 * (columns * columns[:, :, :1]).sum((0, 1))
    assert torch.allclose(second[0], wanted, rtol=1e-5, atol=1e-5) and not second[1:].any()


@pytest.mark.parametrize("images,sets,V", [((), (), 0), ((0,), (), 5), ((2,), (), 0)])
def test_nothing_gives_nothing(device, images, sets, V):
    matrix, points = inputs(device, images, sets, V)
    out = transform(matrix, points)
    assert out.shape == (*images, V, 4)
    grad_matrix, grad_points = torch.autograd.grad(out.sum(), (matrix, points))
    assert not grad_matrix.any() and grad_points.shape == points.shape and not grad_points.any()


def test_views_that_are_not_contiguous_are_taken(device):
    matrix, points = (t.detach() for t in inputs(device, (), ()))
    wanted = transform(matrix, points)
    assert torch.equal(transform(matrix.T.contiguous().T, points.T.contiguous().T), wanted)
