"""solve_texture: the texture whose picture is nearest to the given ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...core import check
from .interpolation import counted_finite
from .lookup import doubled, halved
from .texture_normal import TextureNormal

_NAME = "optim.solve_texture"


def solve_texture(
    image: Tensor | Sequence[Tensor],
    uv: Tensor | Sequence[Tensor],
    uv_da: Tensor | Sequence[Tensor] | None = None,
    *,
    weight: Tensor | Sequence[Tensor],
    size: tuple[int, int],
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | str | None = None,
    smoothness: float = 0.01,
    tolerance: float = 5e-3,
    steps: int = 100,
) -> Tensor:
    """The texture that makes the smallest squared error: weight |texture(tex, uv, uv_da) - image|^2, summed.

    Args:
        image: float32 [N,H,W,C] to be reproduced, any C; or several such, of different sizes.
        uv, uv_da: as `texture` takes them, of the pixels; as many as there are images.
        weight: [N,H,W], bool or float, what a pixel counts. `rast[..., 3] > 0` is the least: pixels that show no
            surface must have 0. Pixels that a silhouette crosses are better left out too.
        size: (Ht, Wt) of the texture.
        filter_mode, boundary_mode, max_mip_level: as `texture` takes them; no cube maps.
        smoothness: of squared differences of neighbouring texels, relative to what pixels say of a texel on average.
            It decides where nothing was seen, and holds noise down where little was.
        tolerance: the solution's error to begin with, to which it is brought, in the energy's norm.
        steps: at most so many, of conjugate gradients.

    Returns: float32 [1,Ht,Wt,C], not clamped.

    Gradients: none.

    Raises:
        TypeError, ValueError: as `texture`; another number of images than of uv; a negative weight, or all are 0; a
            pixel that counts and whose image or uv is no number.

    Memory: that of `TextureNormal`: views are added one after another; C + 2 numbers a texel for each of eight vectors.

    Source: normal equations by conjugate gradients (Hestenes, Stiefel 1952), preconditioned over all scales (Bramble,
        Pasciak, Xu 1990): few steps whatever the size, and texels that nobody saw follow their surroundings.

    Example:
        rast, rast_db = glrast.rasterize(ctx, pos, tri, (512, 512))
        uv, uv_da = glrast.interpolate(vertex_uv, rast, uv_tri, rast_db, diff_attrs="all")
        tex = glrast.optim.solve_texture(photos, uv, uv_da, weight=rast[..., 3] > 0, size=(1024, 1024))
    """
    smoothness = check.number(_NAME, "smoothness", smoothness)
    check.value(_NAME, "smoothness", "0 or more", smoothness >= 0, smoothness)
    tolerance = check.number(_NAME, "tolerance", tolerance)
    check.value(_NAME, "tolerance", "more than 0 and less than 1", 0 < tolerance < 1, tolerance)
    steps = check.whole(_NAME, "steps", steps, 1)
    images = _several(image)
    uvs, das, weights = (
        _as_many(n, v, len(images)) for n, v in (("uv", uv), ("uv_da", uv_da), ("weight", weight))
    )
    first = check.floats(_NAME, "image", images[0] if images else None)
    fits = first.ndim == 4 and first.shape[3] > 0
    check.shape(_NAME, "image", first, "[N,H,W,C] with C from 1", fits)
    normal = TextureNormal(
        size, first.shape[3], filter_mode=filter_mode, boundary_mode=boundary_mode,
        max_mip_level=max_mip_level, device=first.device,
    )  # fmt: skip
    for added in zip(images, uvs, das, weights):
        _, uv, _, weight = added
        check.tensor(_NAME, "uv", uv)
        normal.add(*added)
        lost = ~uv.isfinite().all(-1)  # `texture` has an answer there, a fit has none
        counted_finite(_NAME, "uv", uv[lost if weight is None else lost & (weight > 0)])
    check.value(_NAME, "weight", "above 0 somewhere", normal.pyramid is not None, "0 everywhere")
    return solve_normal(normal, smoothness, boundary_mode == "wrap", tolerance, steps)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _as_many(name: str, value: Any, count: int) -> list[Any]:
    values = [None] * count if value is None else _several(value)
    check.value(
        _NAME, name, f"one for each of {count} images", len(values) == count, f"{len(values)}"
    )
    return values


def solve_normal(
    normal: TextureNormal, smoothness: float, wraps: bool, tolerance: float, steps: int
) -> Tensor:
    """[1,Ht,Wt,C]: (A^T W A + s L) x = A^T W image, with L the graph Laplacian of the texels' grid."""
    height, width = normal.size
    seen, right = normal.row_sums, normal.right
    share = smoothness * float(seen.sum() / (seen > 0).sum())
    mean = right.sum(dim=0) / seen.sum()

    def product(x: Tensor) -> Tensor:
        if not share:
            return normal @ x
        return torch.add(
            normal @ x,
            _laplacian(x.reshape(height, width, -1), wraps).reshape(x.shape),
            alpha=share,
        )

    start = mean.expand_as(right)
    residual = right - normal @ start
    found = start + _conjugate_gradients(
        product, residual, _over_all_scales(seen, normal.size, share), tolerance, steps
    )
    return found.reshape(1, height, width, -1)


def _conjugate_gradients(
    product: Callable[[Tensor], Tensor], residual: Tensor, precondition: Callable[[Tensor], Tensor],
    tolerance: float, steps: int,
) -> Tensor:  # fmt: skip
    """x [T,C] with product(x) = residual, from 0; columns side by side."""
    x = torch.zeros_like(residual)
    direction = z = precondition(residual)
    size = (residual * z).sum(dim=0)
    enough = tolerance**2 * size
    for _ in range(steps):
        ahead = product(direction)
        along = _quotient(size, (direction * ahead).sum(dim=0))
        x.addcmul_(direction, along)
        residual = residual - along * ahead
        z = precondition(residual)
        size, before = (residual * z).sum(dim=0), size
        if bool((size <= enough).all()):
            break
        direction = torch.addcmul(z, direction, _quotient(size, before))
    return x


def _quotient(one: Tensor, other: Tensor) -> Tensor:
    return torch.where(other > 0, one / torch.where(other > 0, other, 1.0), 0.0)


def _laplacian(x: Tensor, wraps: bool) -> Tensor:
    """Sum over the four neighbours of x - neighbour, of a grid [h,w,C]."""
    out = torch.zeros_like(x)
    for dim in (0, 1):
        step = x.diff(dim=dim)
        count = x.shape[dim] - 1
        out.narrow(dim, 1, count).add_(step)
        out.narrow(dim, 0, count).sub_(step)
        if wraps and count > 1:
            around = x.select(dim, 0) - x.select(dim, count)
            out.select(dim, 0).add_(around)
            out.select(dim, count).sub_(around)
    return out


def _over_all_scales(
    seen: Tensor, size: tuple[int, int], share: float
) -> Callable[[Tensor], Tensor]:
    """Sum over scales of Q D^-1 Q^T: Q spreads blocks of 2^l x 2^l texels, D bounds the diagonal of Q^T (..) Q."""
    sums, sizes, inverse = seen.reshape(*size, 1), [size], []
    while True:
        border = 4.0 * 2 ** len(inverse)
        diagonal = sums + share * border
        inverse.append(torch.where(diagonal > 0, 1.0 / diagonal, 0.0))
        if sizes[-1] == (1, 1):
            break
        sums = halved(sums)
        sizes.append((sums.shape[0], sums.shape[1]))

    def precondition(residual: Tensor) -> Tensor:
        scales = [residual.reshape(*size, -1)]
        for _ in sizes[1:]:
            scales.append(halved(scales[-1]))
        found = scales[-1] * inverse[-1]
        for level in range(len(sizes) - 2, -1, -1):
            found = torch.addcmul(doubled(found, sizes[level]), scales[level], inverse[level])
        return found.reshape(residual.shape)

    return precondition
