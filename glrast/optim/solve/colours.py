"""solve_colours: the colours of the vertices whose picture is nearest to the given ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core import check
from ..solvers import SOLVERS, solver_of
from .interpolation import checked_weight, corners, count_vertices, normal_entries

_NAME = "optim.solve_colours"
_RIDGE = 1e-6  # of what pixels say of a vertex on average: a part that no pixel shows gets the mean colour


def solve_colours(
    image: Tensor,
    rast: Tensor,
    tri: Tensor,
    *,
    vertices: int | None = None,
    weight: Tensor | None = None,
    smoothness: float = 0.001,
    solver: str = "auto",
) -> Tensor:
    """The vertex colours that make the smallest squared error: weight |interpolate(x, rast, tri) - image|^2, summed.

    Args:
        image: float32 [N,H,W,C] to be reproduced, any C.
        rast: [N,H,W,4], of `rasterize`; pixels without a triangle say nothing.
        tri: int32 [T,3].
        vertices: how many there are; None: one more than the largest index in tri.
        weight: [N,H,W], bool or float, what a pixel counts; None: 1.
        smoothness: of squared differences along edges, relative to what pixels say of a vertex on average. It decides
            at vertices that no pixel shows.
        solver: "scipy", "cholespy", "cg", or "auto": the first that is installed.

    Returns: float32 [vertices,C], not clamped. Where nothing is connected to anything seen: the mean colour.

    Gradients: none.

    Raises:
        TypeError, ValueError: wrong types or shapes; a negative weight; no pixel shows anything.
        ImportError: a solver that is not installed.

    Source: normal equations; solved in float64 by a sparse factorisation, or by conjugate gradients.
    """
    smoothness = check.number(_NAME, "smoothness", smoothness)
    check.value(_NAME, "smoothness", "0 or more", smoothness >= 0, smoothness)
    check.choice(_NAME, "solver", solver, SOLVERS)
    tri, vertices = count_vertices(_NAME, tri, vertices)
    image = check.floats(_NAME, "image", image, device=tri.device).detach()
    column, share, pixel = corners(_NAME, rast, tri)
    fits = image.ndim == 4 and image.shape[:3] == rast.shape[:3]
    check.shape(
        _NAME, "image", image, f"[N,H,W,C], N, H, W = {list(rast.shape[:3])} (from rast)", fits
    )
    weight = checked_weight(_NAME, weight, tuple(rast.shape[:3]), rast)
    counts = weight.reshape(-1)[pixel].double()
    check.value(
        _NAME,
        "rast",
        "of pixels that show a triangle, with a weight",
        bool((counts > 0).any()),
        "none",
    )
    colors = image.reshape(-1, image.shape[3])[pixel].double()
    mean = (counts[:, None] * colors).sum(dim=0) / counts.sum()
    apart = colors - mean
    right = apart.new_zeros((vertices, image.shape[3]))
    for k in range(3):
        right.index_add_(0, column[:, k], (share[:, k].double() * counts)[:, None] * apart)
    matrix = _matrix(rast, tri, weight, vertices, smoothness)
    _, solve = solver_of(matrix, solver)
    return (solve(right) + mean).float()


def _matrix(rast: Tensor, tri: Tensor, weight: Tensor, vertices: int, smoothness: float) -> Tensor:
    """A^T W A + s L + a trace of I, float64 COO; L is the Laplacian of the graph of the edges."""
    row, column, value = normal_entries(_NAME, rast, tri, weight)
    seen = value.new_zeros(vertices).index_add_(0, row, value)
    unit = float(seen.sum() / (seen > 0).sum())
    one, other = tri.long()[:, [0, 1, 2, 1, 2, 0]], tri.long()[:, [1, 2, 0, 0, 1, 2]]
    one, other = one.reshape(-1), other.reshape(-1)
    pull = value.new_full((len(one),), 0.5 * smoothness * unit)
    all_vertices = torch.arange(vertices, device=tri.device)
    ridge = value.new_full((vertices,), _RIDGE * unit)
    rows = torch.cat([row, one, one, all_vertices])
    columns = torch.cat([column, other, one, all_vertices])
    values = torch.cat([value, -pull, pull, ridge])
    size = (vertices, vertices)
    entries = torch.sparse_coo_tensor(
        torch.stack([rows, columns]), values, size, check_invariants=False
    )
    return entries.coalesce()
