"""solve_colours: the colours of the vertices whose picture is nearest to the given ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core import check
from ...mesh.topology import laplacian
from ..solvers import SOLVERS, solver_of
from .interpolation import checked_weight, count_vertices, counted_finite, normal_entries, shown

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
        TypeError, ValueError: wrong types or shapes; a negative weight; no pixel shows anything, or one that
            counts is no number.
        ImportError: a solver that is not installed.

    Source: normal equations; solved in float64 by a sparse factorisation, or by conjugate gradients.
    """
    smoothness = check.number(_NAME, "smoothness", smoothness)
    check.value(_NAME, "smoothness", "0 or more", smoothness >= 0, smoothness)
    check.choice(_NAME, "solver", solver, SOLVERS)
    tri, vertices = count_vertices(_NAME, tri, vertices)
    image = check.floats(_NAME, "image", image, device=tri.device).detach()
    pixel, id, shares = shown(_NAME, rast, tri)
    fits = image.ndim == 4 and image.shape[:3] == rast.shape[:3] and image.shape[3] > 0
    expected = f"[N,H,W,C], N, H, W = {list(rast.shape[:3])} (from rast)"
    check.shape(_NAME, "image", image, expected, fits)
    weight = checked_weight(_NAME, weight, tuple(rast.shape[:3]), rast)
    counts = weight.reshape(-1)[pixel]
    expected = "of pixels that show a triangle, with a weight"
    check.value(_NAME, "rast", expected, bool((counts > 0).any()), "none")
    colors = image.reshape(-1, image.shape[3])[pixel].masked_fill(counts[:, None] == 0, 0.0)
    counted_finite(_NAME, "image", colors)
    return fitted(_NAME, tri, vertices, id, shares, counts, colors, smoothness, solver).float()


def fitted(
    function: str,
    tri: Tensor,
    vertices: int,
    id: Tensor,
    shares: Tensor,
    counts: Tensor,
    colors: Tensor,
    smoothness: float,
    solver: str,
) -> Tensor:
    """float64 [vertices,C]: what comes nearest to the colours [K,C] of points in the triangles `id` [K], where the
    corners have shares [K,3]; counts [K]: what each of them counts, some more than 0."""
    counts, colors = counts.double(), colors.double()
    mean = (counts[:, None] * colors).sum(dim=0) / counts.sum()
    pulled = shares.double()[:, :, None] * (counts[:, None] * (colors - mean))[:, None, :]
    right = colors.new_zeros((vertices, colors.shape[1]))
    right.index_add_(0, tri.long()[id].reshape(-1), pulled.flatten(0, 1))
    row, column, value = normal_entries(tri, id, shares, counts)
    seen = value.new_zeros(vertices).index_add_(0, row, value)
    unit = float(seen.sum() / (seen > 0).sum())
    graph = laplacian(tri, vertices)
    diagonal = torch.arange(vertices, device=tri.device).expand(2, vertices)
    places = torch.cat([torch.stack([row, column]), graph.indices(), diagonal], dim=1)
    pull = smoothness * unit * graph.values().double()
    ridge = value.new_full((vertices,), _RIDGE * unit)
    values, size = torch.cat([value, pull, ridge]), (vertices, vertices)
    matrix = torch.sparse_coo_tensor(places, values, size, check_invariants=False).coalesce()
    return solver_of(function, matrix, solver, _RIDGE * unit)[1](right) + mean
