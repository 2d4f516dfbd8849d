"""How rast, its ids and pos are laid out."""

from __future__ import annotations

import torch

from . import check

_LARGE = 0x4A800000  # as GLRAST_ID_BITS in kernels/common.cuh


def triangle_id(rast: torch.Tensor) -> torch.Tensor:
    """The triangle index [...] as int32, -1 where there is none, of every pixel of `rast` [...,4].

    Exact for any number of triangles: channel 3 of rast holds id + 1 as a plain float up to 2^24, above as the float
    with the bits 0x4a800000 + id + 1.

    Gradients: none.

    Example:
        ids = glrast.triangle_id(rast)
        shown = ids >= 0
        material_of_pixel = material_of_triangle[ids.long()]  # -1 reads the last one: mask with `shown`
    """
    check.tensor("triangle_id", "rast", rast)
    check.shape("triangle_id", "rast", rast, "[...,4]", rast.ndim > 0 and rast.shape[-1] == 4)
    encoded = check.floats("triangle_id", "rast", rast[..., 3])
    large = encoded.view(torch.int32) - _LARGE
    id = torch.where(encoded <= 2**24, encoded.clamp(0, 2**24).to(torch.int32), large)
    return torch.where(encoded > 0, id, 0) - 1  # NaN and negative numbers are no ids


def channel_of(id: torch.Tensor) -> torch.Tensor:
    """Channel 3 of rast, float32, for triangle indices int32, -1 where there is none: what `triangle_id` reads back."""
    one = id.int() + 1
    return torch.where(one <= 2**24, one.float(), (one + _LARGE).view(torch.float32))


def images_of(pos: torch.Tensor, ranges: torch.Tensor | None) -> int:
    return pos.shape[0] if ranges is None else ranges.shape[0]


def stride_of(pos: torch.Tensor) -> int:
    """Floats from one image's vertices to the next: none in range mode."""
    return pos.shape[1] * 4 if pos.ndim == 3 else 0
