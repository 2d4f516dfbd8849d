"""LargeSteps against a dense float64 solve, with every solver; its gradients by finite differences."""

import sys

import numpy as np
import pytest
import torch

from glrast.clip import icosphere, torus
from glrast.optim import LargeSteps, solvers

LAMBDA = 19.0
# float32 in and out of a float64 solve of a matrix with a condition number below 1e3.
TOLERANCE = 1e-5
INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in ("cholespy", "scipy") and not solvers._is_installed(name), reason=f"no {name}"
        ),
    )
    for name in solvers.SOLVERS
]
each_solver = pytest.mark.parametrize("solver", INSTALLED)


def dense_system(tri: torch.Tensor, count: int, lambda_: float = LAMBDA) -> torch.Tensor:
    """I + lambda (D - A) from the definition, float64."""
    linked = torch.zeros(count, count, dtype=torch.float64)
    for a, b, c in tri.tolist():
        for i, j in ((a, b), (b, c), (c, a)):
            linked[i, j] = linked[j, i] = 1.0
    graph = torch.diag(linked.sum(dim=1)) - linked
    return torch.eye(count, dtype=torch.float64) + lambda_ * graph


def noise(count: int, width: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@each_solver
@pytest.mark.parametrize("lambda_", [0.0, LAMBDA, 1000.0])
def test_from_differential_is_the_dense_solve(solver, lambda_):
    pos, tri = icosphere(1)
    u = noise(len(pos))
    expected = torch.linalg.solve(dense_system(tri, len(u), lambda_), u.double())
    found = LargeSteps(tri, len(u), lambda_, solver).from_differential(u)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


@each_solver
def test_the_gradient_is_that_of_finite_differences(solver):
    pos, tri = icosphere(1)
    u, weight = noise(len(pos)).requires_grad_(), noise(len(pos), seed=2)
    system = LargeSteps(tri, len(u), LAMBDA, solver)
    (system.from_differential(u) * weight).sum().backward()
    exact, dense = u.detach().double(), dense_system(tri, len(u))

    def loss(moved):
        return float((torch.linalg.solve(dense, moved) * weight.double()).sum())

    for place in ((0, 0), (5, 1), (len(u) - 1, 2)):
        step = torch.zeros_like(exact)
        step[place] = 1e-4
        expected = (loss(exact + step) - loss(exact - step)) / 2e-4
        assert u.grad[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@each_solver
def test_second_derivatives_are_those_of_the_dense_solve(solver):
    pos, tri = icosphere(0)
    u = noise(len(pos)).requires_grad_()
    system = LargeSteps(tri, len(u), LAMBDA, solver)
    (grad,) = torch.autograd.grad(system.from_differential(u).pow(3).sum(), u, create_graph=True)
    (found,) = torch.autograd.grad(grad.square().sum(), u)
    v, dense = u.detach().double().requires_grad_(), dense_system(tri, len(u))
    solved = torch.linalg.solve(dense, v)
    (grad,) = torch.autograd.grad(solved.pow(3).sum(), v, create_graph=True)
    (expected,) = torch.autograd.grad(grad.square().sum(), v)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-8)


@each_solver
def test_positions_come_back_from_their_differential(solver):
    pos, tri = torus()
    system = LargeSteps(tri, len(pos), LAMBDA, solver)
    found = system.from_differential(system.to_differential(pos))
    torch.testing.assert_close(found, pos, rtol=0, atol=TOLERANCE)


@each_solver
def test_the_solvers_agree_to_rounding_on_a_large_mesh_far_away(solver):
    pos, tri = icosphere(4)
    u = LargeSteps(
        tri, len(pos), LAMBDA, "scipy" if solvers._is_installed("scipy") else "cg"
    ).to_differential(pos + 100)
    found = LargeSteps(tri, len(pos), LAMBDA, solver).from_differential(u + noise(len(pos)))
    other = LargeSteps(tri, len(pos), LAMBDA, "cg").from_differential(u + noise(len(pos)))
    torch.testing.assert_close(found, other, rtol=3e-7, atol=0)


@each_solver
def test_a_vertex_that_no_triangle_uses_stays_where_it_is(solver):
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 6, 7]])
    system = LargeSteps(tri, 4, LAMBDA, solver)
    assert system.to_differential(pos)[3].tolist() == [5, 6, 7]
    assert system.from_differential(pos)[3].tolist() == [5, 6, 7]


@each_solver
def test_a_step_on_one_vertex_moves_its_neighbourhood(solver):
    pos, tri = icosphere(2)
    system = LargeSteps(tri, len(pos), LAMBDA, solver)
    u = system.to_differential(pos).requires_grad_()
    system.from_differential(u)[0, 0].backward()
    moved = u.grad[:, 0]
    # The rows of (I + lambda L)^-1 add up to 1: the push is spread, not lost.
    assert float(moved.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(moved.min()) > 0 and float(moved[0]) == float(moved.max()) < 0.2


@each_solver
@pytest.mark.parametrize("width", [0, 1, 3, 130])
def test_any_number_of_columns_is_solved(solver, width):
    pos, tri = icosphere(0)
    u = noise(len(pos), width)
    expected = torch.linalg.solve(dense_system(tri, len(u)), u.double())
    found = LargeSteps(tri, len(u), LAMBDA, solver).from_differential(u)
    torch.testing.assert_close(found.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)


@each_solver
def test_empty_and_broken_meshes(solver):
    nothing = torch.zeros(0, 3, dtype=torch.int32)
    assert LargeSteps(nothing, 0, LAMBDA, solver).from_differential(torch.zeros(0, 3)).shape == (
        0,
        3,
    )
    pos = noise(4)
    assert torch.equal(LargeSteps(nothing, 4, LAMBDA, solver).from_differential(pos), pos)
    doubled = torch.tensor([[0, 0, 1], [1, 2, 3], [1, 2, 3], [3, 3, 3]])
    found = LargeSteps(doubled, 4, LAMBDA, solver).from_differential(pos)
    plain = LargeSteps(torch.tensor([[0, 1, 1], [1, 2, 3]]), 4, LAMBDA, solver).from_differential(
        pos
    )
    torch.testing.assert_close(found, plain)


@each_solver
def test_what_is_no_number_comes_through_as_such_and_ends(solver):
    pos, tri = icosphere(1)
    u = noise(len(pos))
    u[3, 0] = float("nan")
    found = LargeSteps(tri, len(pos), LAMBDA, solver).from_differential(u)
    assert found[:, 0].isnan().all()


def test_conjugate_gradients_finish_one_column_after_another():
    pos, tri = icosphere(1)
    u = noise(len(pos))
    u[:, 1] = 0.0
    u[:, 2] *= 1e-20
    expected = torch.linalg.solve(dense_system(tri, len(u)), u.double())
    found = LargeSteps(tri, len(pos), LAMBDA, "cg").from_differential(u).double()
    for column in range(3):
        apart = (found - expected)[:, column].norm()
        assert apart <= 1e-6 * expected[:, column].norm()


@pytest.mark.parametrize("largest", [1.0, 100.0, 1e5])
def test_conjugate_gradients_may_take_as_many_steps_as_they_need(largest):
    # A path's Laplacian: a spectrum as full as the bound allows for.
    tri = torch.tensor([[i, i + 1, i + 1] for i in range(499)])
    lambda_ = (largest - 1) / 2
    u = noise(500)
    expected = torch.linalg.solve(dense_system_of_a_path(500, lambda_), u.double())
    found = LargeSteps(tri, 500, lambda_, "cg").from_differential(u)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)


def dense_system_of_a_path(count, lambda_):
    linked = torch.diag(torch.ones(count - 1, dtype=torch.float64), 1)
    linked = linked + linked.T
    return torch.eye(count, dtype=torch.float64) + lambda_ * (torch.diag(linked.sum(1)) - linked)


def test_auto_takes_what_is_installed(monkeypatch):
    tri = icosphere(0)[1]
    present = [name for name in ("scipy", "cholespy") if solvers._is_installed(name)]
    for missing in ([], *(present[:k] for k in range(1, 3))):
        for name in missing:
            monkeypatch.setitem(sys.modules, name, None)
        left = [name for name in present if name not in missing]
        assert LargeSteps(tri, 12).solver == (left or ["cg"])[0]


def test_a_solver_that_is_not_installed_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError) as error:
        LargeSteps(icosphere(0)[1], 12, solver="scipy")
    assert str(error.value) == (
        "glrast.optim.LargeSteps: solver 'scipy' needs scipy, which is not installed: pip install scipy, or take "
        "solver='cg', which needs PyTorch alone"
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda t: LargeSteps(t, 11),
            "glrast.optim.LargeSteps: tri must be [T,3] of vertex indices in [0,11); got 0 to 11",
        ),
        (
            lambda t: LargeSteps(t, 12.5),
            "glrast.optim.LargeSteps: vertex_count must be a whole number from 0; got 12.5: pass len(pos)",
        ),
        (
            lambda t: LargeSteps(t, 12, -1),
            "glrast.optim.LargeSteps: lambda_ must be 0 or more; got -1.0",
        ),
        (
            lambda t: LargeSteps(t, 12, solver="lu"),
            "glrast.optim.LargeSteps: solver must be 'auto', 'scipy', 'cholespy' or 'cg'; got 'lu'",
        ),
        (
            lambda t: LargeSteps(t.float(), 12),
            "glrast.optim.LargeSteps: tri must be int32 or int64; got float32: convert it with "
            "tri.int()",
        ),
        (
            lambda t: LargeSteps(t, 12).from_differential(torch.zeros(11, 3)),
            "glrast.optim.LargeSteps.from_differential: u must be [12,A] (the vertices of the "
            "system); got [11,3]",
        ),
        (
            lambda t: LargeSteps(t, 12).to_differential(torch.zeros(12, 3).double()),
            "glrast.optim.LargeSteps.to_differential: pos must be float32; got float64: convert it "
            "with pos.float()",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy(call, words):
    with pytest.raises((TypeError, ValueError)) as error:
        call(icosphere(0)[1])
    assert str(error.value) == words
