"""LargeSteps: geometry that takes large steps without crumpling.

A vertex position is not optimised itself. The variable is u = (I + lambda L) x, with the combinatorial Laplacian L of
the mesh; x comes back by solving the sparse system. A gradient on one vertex so moves its whole neighbourhood:
dL/du = (I + lambda L)^-1 dL/dx is the gradient, smoothed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..mesh.topology import MOST_VERTICES, laplacian
from .solvers import SOLVERS, solver_of


class LargeSteps:
    """The system (I + lambda L) of one mesh, prepared once, and its solve with a gradient.

    Args:
        tri: integer [T,3].
        vertex_count: V; vertices that no triangle uses are left where they are.
        lambda_: >= 0; a step spreads over about sqrt(lambda_) edges. The paper takes 19 for most shapes; more holds
            the surface smoother.
        solver: all solve in float64, so that they agree to rounding.
            "scipy": sparse LU factorisation on the CPU (pip install scipy; glrast[fit] brings it), a round trip per
            solve from a GPU; "cholespy": sparse Cholesky factorisation by CHOLMOD, solved on the device of `tri` (pip
            install cholespy; it may report a leak when Python ends); "cg": preconditioned conjugate gradients in
            PyTorch, for which nothing needs to be installed, on the device of `tri`: no factor to make and to keep, and
            about ten times as long per solve; "auto": the first of these that is installed.
    Raises: TypeError, ValueError: wrong types, shapes or indices; ImportError: the solver asked for is not installed.
    Note: it belongs to `tri`. After a remesh make a new one.
    Source: Nicolet, Jacobson, Jakob 2021, "Large Steps in Inverse Rendering of Geometry", section 3.
    Example:
        >>> from glrast.clip import icosphere
        >>> pos, tri = icosphere(2)
        >>> system = LargeSteps(tri, len(pos), lambda_=19.0)
        >>> u = system.to_differential(pos).requires_grad_()
        >>> torch.allclose(system.from_differential(u), pos, atol=1e-5)
        True
    """

    def __init__(self, tri: Tensor, vertex_count: int, lambda_: float = 19.0, solver: str = "auto"):
        name = "optim.LargeSteps"
        tri = check.triangles(name, tri)
        V = check.whole(
            name, "vertex_count", vertex_count, 0, MOST_VERTICES, remedy="pass len(pos)"
        )
        lambda_ = check.number(name, "lambda_", lambda_)
        check.value(name, "lambda_", "0 or more", lambda_ >= 0, lambda_)
        check.choice(name, "solver", solver, SOLVERS)
        if len(tri):
            low, high = (int(bound) for bound in tri.aminmax())
            expected = f"[T,3] of vertex indices in [0,{V})"
            check.value(name, "tri", expected, low >= 0 and high < V, f"{low} to {high}")
        self.matrix = system_matrix(tri, V, lambda_)
        self.solver, self._solve = solver_of("optim.LargeSteps", self.matrix, solver)

    def to_differential(self, pos: Tensor) -> Tensor:
        """u [V,A] of the positions (or other attributes) [V,A], without gradient: it becomes the variable."""
        pos = self._rows("to_differential", "pos", pos)
        return (self.matrix @ pos.detach().to(self.matrix.device).double()).to(pos)

    def from_differential(self, u: Tensor) -> Tensor:
        """The positions [V,A] of u [V,A]. Gradients: to u, of any order."""
        return _Solve.apply(self._rows("from_differential", "u", u), self)

    def solve(self, right: Tensor) -> Tensor:
        """(I + lambda L)^-1 right for [V,A], solved in float64 and given back in the type of `right`; no gradient."""
        columns = right.detach().to(self.matrix.device).double()
        return (self._solve(columns) if columns.numel() else columns).to(right)

    def _rows(self, method: str, name: str, value: Tensor) -> Tensor:
        function, V = f"optim.LargeSteps.{method}", len(self.matrix)
        value = check.floats(function, name, value)
        fits = value.ndim == 2 and len(value) == V
        check.shape(function, name, value, f"[{V},A]", fits, "(the vertices of the system)")
        return value


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, system: LargeSteps) -> Tensor:
        ctx.system = system
        return system.solve(u)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        # The matrix is symmetric: the adjoint of the solve is the solve.
        return _Solve.apply(grad_outputs[0], ctx.system), None


def system_matrix(tri: Tensor, V: int, lambda_: float) -> Tensor:
    """I + lambda L, sparse float64 [V,V] in coordinates, coalesced, on the device of tri."""
    graph = laplacian(tri, V)
    diagonal = torch.arange(V, device=tri.device).expand(2, V)
    place = torch.cat([graph.indices(), diagonal], dim=1)
    ones = torch.ones(V, dtype=torch.float64, device=tri.device)
    values = torch.cat([lambda_ * graph.values().double(), ones])
    matrix = torch.sparse_coo_tensor(
        place, values, (V, V), device=tri.device, check_invariants=False
    )
    return matrix.coalesce()
