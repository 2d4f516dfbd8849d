"""What clip/ accepts: tensors, arrays and lists become checked tensors, or a message says why."""

from __future__ import annotations

import math
import numbers as numbers_abc
import operator
from typing import Any

import numpy as np
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
        parts = [tensor(function, name, x, device, dtype) for x in value]
        if len({part.shape for part in parts}) > 1:
            raise ValueError(
                f"glrast.clip.{function}: {name} must be a list of equal parts; "
                f"got {', '.join(map(shape_text, parts))}; give each the same shape."
            )
        return torch.stack(parts)
    return plain(function, name, value, dtype, device)


def plain(
    function: str,
    name: str,
    value: Any,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """`value` as an ordinary tensor: dense, in memory, of numbers."""
    try:
        x = as_tensor(value, dtype, device)
    except Exception as error:  # PyTorch raises of many kinds for what it cannot read
        raise TypeError(
            f"glrast.clip.{function}: {name} must be a tensor, array or list of numbers; "
            f"got {type(value).__name__}; {error}"
        ) from error
    kind = "nested" if x.is_nested else "quantized" if x.is_quantized else None
    if isinstance(value, (Tensor, np.ndarray)) and "complex" in str(value.dtype):
        kind = "complex"
    if x.layout != torch.strided and kind is None:
        kind = str(x.layout).removeprefix("torch.")
    if kind is None and x.device.type == "meta":
        kind = "meta"
    if kind is not None:
        raise TypeError(
            f"glrast.clip.{function}: {name} must be a dense tensor of real numbers in memory; got a {kind} one; "
            f"take {_PLAIN.get(kind, f'{name}.to_dense()')}."
        )
    return x


_PLAIN = {
    "nested": "torch.nested.to_padded_tensor, or call with each part",
    "quantized": "dequantize()",
    "complex": ".real, if that is what you mean",
    "meta": "torch.empty_like(it, device='cpu'), and give it values",
}


def as_tensor(
    value: Any, dtype: torch.dtype | None = None, device: torch.device | None = None
) -> Tensor:
    """torch.as_tensor, but a tensor stays on its device, whatever PyTorch's default device is."""
    if isinstance(value, Tensor) and device is None:
        device = value.device
    return torch.as_tensor(value, dtype=dtype, device=device)


def triangles(function: str, tri: Any, vertices: int | None = None) -> Tensor:
    """`tri` as int64 [T,3], indices in [0, vertices). Looks at the values: a GPU waits here."""
    tri = plain(function, "tri", tri)
    if tri.numel() == 0 and tri.ndim == 1:
        tri = tri.reshape(0, 3).long()  # of an empty list
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
    pos = plain(function, "pos", pos)
    if pos.dtype not in (torch.float32, torch.float64):
        if pos.dtype.is_complex or pos.dtype.is_floating_point:
            raise TypeError(
                f"glrast.clip.{function}: pos must be float32 or float64; got {pos.dtype}; "
                "pass pos.float(), best of positions that were never rounded to fewer bits."
            )
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


_SMALL = 100  # an upper limit that a message names at once


def whole(function: str, name: str, value: Any, low: int, high: int, hint: str) -> int:
    """`value` as an int from low to high."""
    try:
        found = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        found = None
    if found is None or not low <= found <= high:
        within = high <= _SMALL or (found is not None and found > high)
        limits = f"from {low} to {high}" if within else f"{low} or more"
        raise ValueError(
            f"glrast.clip.{function}: {name} must be a whole number, {limits}; "
            f"got {value!r}; {hint}."
        )
    return found


def real(function: str, name: str, value: Any, hint: str) -> float:
    """`value` as a float; may be infinite or NaN: what is wrong with that the caller says."""
    if isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) == 1:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers_abc.Real):
        raise TypeError(
            f"glrast.clip.{function}: {name} must be a number; got {type(value).__name__}; {hint}."
        )
    try:
        return float(value)
    except OverflowError:
        return math.inf


def device_of(*values: Any) -> torch.device:
    """The device of the first tensor among `values`; one with dimensions goes before a scalar."""
    tensors = sorted((v for v in values if isinstance(v, Tensor)), key=lambda v: v.ndim == 0)
    return tensors[0].device if tensors else torch.device("cpu")


def shape_text(x: Tensor) -> str:
    """[3,10,2], as messages write it."""
    return "[" + ",".join(str(n) for n in x.shape) + "]"
