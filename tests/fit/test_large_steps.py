"""The solve against a dense one, its gradient, and AdamUniform against its formula."""

import numpy as np
import pytest
import torch

from glrast.fit.large_steps import AdamUniform, LargeSteps
from glrast.mesh.shapes import icosphere, torus

SMOOTHNESS = 19.0
# float32 in and out of a float64 solve of a matrix with a condition number below 1e3.
TOLERANCE = 1e-5


def dense_system(tri: torch.Tensor, count: int) -> torch.Tensor:
    """I + lambda (D - A) from the definition, float64."""
    linked = torch.zeros(count, count, dtype=torch.float64)
    for a, b, c in tri.tolist():
        for i, j in ((a, b), (b, c), (c, a)):
            linked[i, j] = linked[j, i] = 1.0
    graph = torch.diag(linked.sum(dim=1)) - linked
    return torch.eye(count, dtype=torch.float64) + SMOOTHNESS * graph


def test_to_positions_is_the_dense_solve():
    pos, tri = icosphere(1)
    u = torch.randn(len(pos), 3, generator=torch.Generator().manual_seed(1))
    expected = torch.linalg.solve(dense_system(tri, len(u)), u.double())
    found = LargeSteps(tri, len(u), SMOOTHNESS).to_positions(u)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


def test_to_positions_has_the_gradient_of_the_dense_solve():
    pos, tri = icosphere(1)
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(len(pos), 3, generator=generator).requires_grad_()
    weight = torch.randn(len(pos), 3, generator=generator)
    (LargeSteps(tri, len(u), SMOOTHNESS).to_positions(u) * weight).sum().backward()
    expected = torch.linalg.solve(dense_system(tri, len(u)).T, weight.double())
    torch.testing.assert_close(u.grad.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


def test_positions_come_back_from_their_differential():
    pos, tri = torus()
    system = LargeSteps(tri, len(pos), SMOOTHNESS)
    found = system.to_positions(system.to_differential(pos))
    torch.testing.assert_close(found, pos, rtol=0, atol=TOLERANCE)


def test_a_vertex_that_no_triangle_uses_stays_where_it_is():
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 6, 7]])
    system = LargeSteps(tri, 4, SMOOTHNESS)
    assert system.to_differential(pos)[3].tolist() == [5, 6, 7]
    assert system.to_positions(pos)[3].tolist() == [5, 6, 7]


def test_a_step_on_one_vertex_moves_its_neighbourhood():
    pos, tri = icosphere(2)
    system = LargeSteps(tri, len(pos), SMOOTHNESS)
    u = system.to_differential(pos).requires_grad_()
    system.to_positions(u)[0, 0].backward()
    moved = u.grad[:, 0]
    # The rows of (I + lambda L)^-1 add up to 1: the push is spread, not lost.
    assert float(moved.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(moved.min()) > 0 and float(moved[0]) == float(moved.max()) < 0.2


def test_adam_uniform_divides_by_the_largest_entry():
    param = torch.zeros(4, requires_grad=True)
    optimizer = AdamUniform([param], lr=0.5)
    gradients = [np.array([1.0, -2.0, 0.0, 0.5]), np.array([0.5, 1.0, 0.0, -3.0])]
    mean, square, expected = np.zeros(4), np.zeros(4), np.zeros(4)
    for step, gradient in enumerate(gradients, start=1):
        param.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        largest = np.sqrt(square.max() / (1 - 0.999**step))
        expected -= 0.5 * mean / (1 - 0.9**step) / largest
    np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_adam_uniform_stands_still_without_a_gradient():
    param = torch.ones(3, requires_grad=True)
    optimizer = AdamUniform([param], lr=0.5)
    optimizer.step()
    param.grad = torch.zeros(3)
    optimizer.step()
    assert param.tolist() == [1.0, 1.0, 1.0]
