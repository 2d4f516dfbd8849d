"""What clip/ accepts: tensors, arrays and lists become checked tensors, or a message says why."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def numbers(
    function: str,
    name: str,
    value: Any,
    shape: tuple[int, ...],
    device: torch.device | None = None,
) -> Tensor:
    """`value` as a finite float64 tensor of this shape. Looks at the values: a GPU waits here."""
    x = tensor(function, name, value, device)
    if x.shape != shape and not (shape == () and x.numel() == 1):
        what = f"[{','.join(map(str, shape))}]" if shape else "one number"
        raise ValueError(
            f"glrast.clip.{function}: {name} must be {what}; got {shape_text(x)}; "
            "pass one camera at a time."
        )
    x = x.reshape(shape)
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"glrast.clip.{function}: {name} must be finite; got {x.tolist()}; "
            "look for a division by zero upstream."
        )
    return x


def tensor(
    function: str,
    name: str,
    value: Any,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """`value` as a tensor, gradients kept, also those of tensors inside a list."""
    if isinstance(value, (list, tuple)) and any(isinstance(x, Tensor) for x in value):
        return torch.stack([tensor(function, name, x, device, dtype) for x in value])
    try:
        return as_tensor(value, dtype, device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"glrast.clip.{function}: {name} must be a tensor, array or list of numbers; "
            f"got {type(value).__name__}; {error}"
        ) from error


def as_tensor(
    value: Any, dtype: torch.dtype | None = None, device: torch.device | None = None
) -> Tensor:
    """torch.as_tensor, but a tensor stays on its device, whatever PyTorch's default device is."""
    if isinstance(value, Tensor) and device is None:
        device = value.device
    return torch.as_tensor(value, dtype=dtype, device=device)


def triangles(function: str, tri: Any, vertices: int | None = None) -> Tensor:
    """`tri` as int64 [T,3], indices in [0, vertices). Looks at the values: a GPU waits here."""
    tri = as_tensor(tri)
    if tri.ndim != 2 or tri.shape[1] != 3:
        raise ValueError(
            f"glrast.clip.{function}: tri must be [T,3]; got {shape_text(tri)}; "
            "split polygons into triangles first."
        )
    if tri.dtype.is_floating_point or tri.dtype.is_complex or tri.dtype == torch.bool:
        raise TypeError(
            f"glrast.clip.{function}: tri must hold integers; got {tri.dtype}; pass tri.int()."
        )
    tri = tri.long()
    if len(tri):
        low, high = int(tri.min()), int(tri.max())
        if low < 0 or (vertices is not None and high >= vertices):
            limit = "0 or more" if vertices is None else f"in [0,{vertices})"
            raise ValueError(
                f"glrast.clip.{function}: tri must hold vertex indices {limit}; "
                f"got {low} to {high}; drop those triangles or pass the vertices they belong to."
            )
    return tri


def positions(function: str, pos: Any) -> Tensor:
    """`pos` as float [V,3], gradients kept."""
    pos = as_tensor(pos)
    if not pos.dtype.is_floating_point:
        pos = pos.float()
    if pos.ndim != 2 or pos.shape[1] != 3:
        raise ValueError(
            f"glrast.clip.{function}: pos must be [V,3]; got {shape_text(pos)}; "
            "pass world positions without the fourth coordinate."
        )
    return pos


def resolution_of(function: str, value: Any) -> tuple[int, int]:
    """`value` as (height, width)."""
    height = width = 0
    try:
        if all(int(x) == x for x in value):
            height, width = (int(x) for x in value)
    except (TypeError, ValueError, OverflowError):
        height = width = 0
    if height < 1 or width < 1:
        raise ValueError(
            f"glrast.clip.{function}: resolution must be (height, width), two whole numbers > 0; "
            f"got {value!r}; the height comes first."
        )
    return height, width


def device_of(*values: Any) -> torch.device:
    """The device of the first tensor among `values`; one with dimensions goes before a scalar."""
    tensors = sorted((v for v in values if isinstance(v, Tensor)), key=lambda v: v.ndim == 0)
    return tensors[0].device if tensors else torch.device("cpu")


def shape_text(x: Tensor) -> str:
    """[3,10,2], as messages write it."""
    return "[" + ",".join(str(n) for n in x.shape) + "]"
