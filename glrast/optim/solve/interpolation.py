"""interpolate as a matrix: which vertices a pixel's value is made of, and with which weights."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core import check
from ...core.rast import triangle_id
from .sparse import by_places, by_rows


def interpolation_matrix(rast: Tensor, tri: Tensor, vertices: int | None = None) -> Tensor:
    """`interpolate` as a sparse matrix.

    Args:
        rast: [N,H,W,4], of `rasterize`.
        tri: int32 [T,3].
        vertices: how many there are; None: one more than the largest index in tri.

    Returns: A, float32 CSR [N*H*W, vertices], with interpolate(attr, rast, tri) = (A @ attr).reshape(N, H, W, C) for
        attr [vertices,C]. Rows of pixels without a triangle are empty.

    Gradients: none: to differentiate by rast use `interpolate`.

    Raises:
        TypeError, ValueError: wrong types or shapes; triangles that rast shows and tri has not.

    Memory: 12 bytes for each of three entries of a covered pixel, 8 for a row.
    """
    name = "optim.interpolation_matrix"
    tri, vertices = count_vertices(name, tri, vertices)
    pixel, id, shares = shown(name, rast, tri)
    columns = tri.long()[id]
    pixels = rast.shape[0] * rast.shape[1] * rast.shape[2]
    all_columns = columns.new_zeros((pixels, 3))
    all_shares = shares.new_zeros((pixels, 3))
    all_columns[pixel], all_shares[pixel] = columns, shares
    return by_rows(all_columns, all_shares, vertices)


def interpolation_normal(
    rast: Tensor, tri: Tensor, weight: Tensor | None = None, vertices: int | None = None
) -> Tensor:
    """A^T W A of `interpolation_matrix`, added up triangle by triangle: A is never in memory.

    Args:
        rast, tri, vertices: as `interpolation_matrix` takes them.
        weight: [N,H,W], bool or float, of the pixels; None: 1.

    Returns: float64 CSR [vertices, vertices], symmetric; entries where vertices share a triangle.

    Gradients: none.

    Raises:
        TypeError, ValueError: wrong types or shapes; a negative weight.

    Memory: 9 entries of 24 bytes a triangle, and 120 bytes a covered pixel while they are added.
    """
    name = "optim.interpolation_normal"
    tri, vertices = count_vertices(name, tri, vertices)
    shape = tuple(rast.shape[:3]) if isinstance(rast, Tensor) and rast.ndim == 4 else ()
    weight = checked_weight(name, weight, shape, tri)
    pixel, id, shares = shown(name, rast, tri)
    row, column, value = normal_entries(tri, id, shares, weight.reshape(-1)[pixel])
    return by_places(row, column, value, (vertices, vertices))


def normal_entries(
    tri: Tensor, id: Tensor, shares: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and float64 values of A^T W A, nine a triangle: of K points their triangle int64 [K], the shares of
    its corners [K,3] and weight [K]."""
    shares, weight = shares.double(), weight.double()
    products = shares[:, :, None] * shares[:, None, :] * weight[:, None, None]
    sums = products.new_zeros((len(tri), 9)).index_add_(0, id, products.reshape(-1, 9))
    vertices = tri.long()
    row = vertices[:, :, None].expand(-1, 3, 3).reshape(-1)
    column = vertices[:, None, :].expand(-1, 3, 3).reshape(-1)
    return row, column, sums.reshape(-1)


def shown(name: str, rast: Tensor, tri: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the K pixels that show a triangle: which they are int64 [K], the triangle int64 [K], and how `interpolate`
    weighs its corners [K,3]."""
    rast = check.floats(name, "rast", rast, device=tri.device).detach()
    check.shape(name, "rast", rast, "[N,H,W,4]", rast.ndim == 4 and rast.shape[3] == 4)
    ids = triangle_id(rast).reshape(-1)
    pixel = (ids >= 0).nonzero()[:, 0]
    id = ids[pixel].long()
    most = int(id.max()) if len(id) else -1
    expected = f"of triangles 0 to {len(tri) - 1} (from tri)"
    check.value(name, "rast", expected, most < len(tri), f"triangle {most}")
    u, v = rast.reshape(-1, 4)[pixel, :2].unbind(1)
    return pixel, id, torch.stack([u, v, 1.0 - u - v], 1)


def count_vertices(name: str, tri: Tensor, vertices: int | None) -> tuple[Tensor, int]:
    tri = check.triangles(name, tri)
    low, most = (int(tri.min()), int(tri.max())) if tri.numel() else (0, -1)
    vertices = most + 1 if vertices is None else check.whole(name, "vertices", vertices, 0)
    expected = f"of indices from 0 to {vertices - 1} (from vertices)"
    check.value(name, "tri", expected, low >= 0 and most < vertices, f"{low} to {most}")
    return tri, vertices


def counted_finite(name: str, what: str, values: Tensor) -> None:
    """One pixel that is no number would make all of the answer none."""
    expected = "finite where weight is above 0"
    sound = bool(values.isfinite().all())
    check.value(name, what, expected, sound, "numbers that are not", "give those pixels weight 0")


def checked_weight(
    name: str, weight: Tensor | None, shape: tuple[int, ...], like: Tensor
) -> Tensor:
    """[N,H,W] as float32, or ones; nothing negative, nothing that is no number."""
    if weight is None:
        return torch.ones(shape, device=like.device)
    check.tensor(name, "weight", weight, device=like.device)
    fits = tuple(weight.shape) == shape
    check.shape(name, "weight", weight, f"[N,H,W] = {list(shape)}, as the pixels", fits)
    weight = weight.detach().float()
    sound = bool(((weight >= 0) & weight.isfinite()).all())
    check.value(name, "weight", "finite and not negative", sound, "numbers that are not")
    return weight
