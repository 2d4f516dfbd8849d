"""Ways to solve a symmetric, positive definite sparse system for several right hand sides, all in float64."""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SOLVERS = ("auto", "scipy", "cholespy", "cg")
Solver = Callable[[Tensor], Tensor]  # float64 [V,A] on the device of the matrix, to the same

# Of the residual to the right hand side: float32 results are then exact to rounding.
_RESIDUAL = 1e-9
_BETWEEN = 10  # steps between two looks at the residual, where a GPU waits


def solver_of(function: str, matrix: Tensor, name: str, least: float = 1.0) -> tuple[str, Solver]:
    """The name and the solver for a coalesced float64 COO matrix [V,V]; "auto" takes the first that is installed.

    Args:
        function: who asks, for messages.
        least: no eigenvalue is smaller; those of the matrix scaled by its diagonal are at most 3, as of any sum of
            matrices of triangles.
    """
    if name == "auto":
        name = next(given for given in SOLVERS[1:] if given == "cg" or _is_installed(given))
    elif name != "cg" and not _is_installed(name):
        raise ImportError(
            f"glrast.{function}: solver {name!r} needs {name}, which is not installed: pip install {name}, or "
            "take solver='cg', which needs PyTorch alone"
        )
    if not len(matrix):
        return name, lambda right: right
    if name == "cg":
        return name, conjugate_gradients(matrix, least)
    return name, {"cholespy": cholesky, "scipy": sparse_lu}[name](matrix)


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def cholesky(matrix: Tensor) -> Solver:
    """CHOLMOD's factorisation, on the device of the matrix."""
    cholespy: Any = importlib.import_module("cholespy")  # by name: it brings no types
    row, column = matrix.indices().int()
    factor = cholespy.CholeskySolverD(
        len(matrix), row, column, matrix.values(), cholespy.MatrixType.COO
    )

    def solve(right: Tensor) -> Tensor:
        parts = [part.contiguous() for part in right.split(_MOST_COLUMNS, dim=1)]
        found = [torch.zeros_like(part) for part in parts]
        for part, out in zip(parts, found):
            factor.solve(part, out)
        return torch.cat(found, dim=1)

    return solve


_MOST_COLUMNS = 128  # of cholespy on a GPU


def sparse_lu(matrix: Tensor) -> Solver:
    """SuperLU's factorisation, on the CPU."""
    import numpy as np
    import scipy.sparse
    import scipy.sparse.linalg

    place, values = matrix.indices().cpu().numpy(), matrix.values().cpu().numpy()
    entries = scipy.sparse.coo_array((values, tuple(place)), tuple(matrix.shape))
    factor = scipy.sparse.linalg.splu(entries.tocsc())

    def solve(right: Tensor) -> Tensor:
        # SuperLU wants columns together; a tensor of a GPU makes this the step's one round trip.
        columns = np.asfortranarray(right.cpu().numpy())
        return torch.from_numpy(np.ascontiguousarray(factor.solve(columns))).to(right.device)

    return solve


def conjugate_gradients(matrix: Tensor, least: float = 1.0) -> Solver:
    """Conjugate gradients, preconditioned by the diagonal; the columns go side by side. `least`: see solver_of.

    Source: Hestenes, Stiefel 1952, "Methods of Conjugate Gradients for Solving Linear Systems"; with a preconditioner
    as in Saad 2003, "Iterative Methods for Sparse Linear Systems", algorithm 9.1.
    """
    row, column = matrix.indices()
    diagonal = matrix.values()[row == column]
    inverse = (1.0 / diagonal)[:, None]
    most = _most_steps(float(diagonal.max()) / least)
    rows = _by_rows(matrix)

    def solve(right: Tensor) -> Tensor:
        x = inverse * right
        residual = right - rows @ x
        enough = _RESIDUAL**2 * right.square().sum(dim=0)
        z = inverse * residual
        direction, size = z, (residual * z).sum(dim=0)
        for step in range(most):
            if step % _BETWEEN == 0 and bool((~(residual.square().sum(dim=0) > enough)).all()):
                break  # what is no number is done too
            ahead = rows @ direction
            # A column that is done has 0/0 here.
            along = _quotient(size, (direction * ahead).sum(dim=0))
            x, residual = x + along * direction, residual - along * ahead
            z = inverse * residual
            size, before = (residual * z).sum(dim=0), size
            direction = z + _quotient(size, before) * direction
        return x

    return solve


def _quotient(one: Tensor, other: Tensor) -> Tensor:
    return torch.where(other != 0, one / torch.where(other != 0, other, 1.0), 0.0)


def _most_steps(spread: float) -> int:
    """Steps after which the residual is small enough whatever the right hand side. `spread`: the largest entry of the
    diagonal to the smallest eigenvalue, 1 of I + lambda L.

    Scaled by its diagonal the matrix has eigenvalues between 1 / spread and 3, and conjugate gradients shrink the error
    by (sqrt(k) - 1) / (sqrt(k) + 1) a step for a ratio k of the two. The residual may exceed the error by sqrt(k);
    rounding, and the norm in which that is meant, are worth the factor 2.
    """
    ratio = 3.0 * spread
    return 2 * math.ceil(0.5 * math.sqrt(ratio) * math.log(2.0 * math.sqrt(ratio) / _RESIDUAL)) + 10


def _by_rows(matrix: Tensor) -> Tensor:
    """The matrix as CSR: 40 times as fast as COO on the CPU."""
    with (
        warnings.catch_warnings()
    ):  # that this layout is in beta: it was when PyTorch 2.4 came, and is in 2.13
        warnings.filterwarnings("ignore", ".*[Ss]parse (CSR|invariant)")
        return matrix.to_sparse_csr()
