"""What glrast.clip accepts: tensors, arrays and lists become checked tensors, or a message says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .check import show, wrong


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
            wrong(
                f"clip.{function}", f"{name} must be {what}", show(x), "pass one camera at a time"
            )
        )
    x = x.reshape(shape)
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            wrong(
                f"clip.{function}",
                f"{name} must be finite",
                f"{x.detach().cpu().numpy().tolist()}",
                "look for a division by zero upstream",
            )
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
    items: Any = value
    if isinstance(value, (list, tuple)) and any(isinstance(x, Tensor) for x in items):
        parts = [tensor(function, name, x, device, dtype) for x in items]
        if len({part.shape for part in parts}) > 1:
            raise ValueError(
                wrong(
                    f"clip.{function}",
                    f"{name} must be a list of equal parts",
                    f"{', '.join(map(show, parts))}",
                    "give each the same shape",
                )
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
            wrong(
                f"clip.{function}",
                f"{name} must be a tensor, array or list of numbers",
                f"{type(value).__name__}",
                error,
            )
        ) from error
    kind = "nested" if x.is_nested else "quantized" if x.is_quantized else None
    given: Any = value
    if isinstance(value, (Tensor, np.ndarray)) and "complex" in str(given.dtype):
        kind = "complex"
    if x.layout != torch.strided and kind is None:
        kind = str(x.layout).removeprefix("torch.")
    if kind is None and x.device.type == "meta":
        kind = "meta"
    if kind is not None:
        raise TypeError(
            wrong(
                f"clip.{function}",
                f"{name} must be a dense tensor of real numbers in memory",
                f"a {kind} one",
                f"take {_PLAIN.get(kind, f'{name}.to_dense()')}",
            )
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
            wrong(
                f"clip.{function}",
                "tri must be [T,3]",
                show(tri),
                "split polygons into triangles first",
            )
        )
    if tri.dtype.is_floating_point or tri.dtype.is_complex or tri.dtype == torch.bool:
        raise TypeError(
            wrong(f"clip.{function}", "tri must hold integers", tri.dtype, "pass tri.int()")
        )
    tri = tri.long()
    if len(tri):
        low, high = int(tri.min()), int(tri.max())
        if low < 0 or (vertices is not None and high >= vertices):
            limit = "0 or more" if vertices is None else f"in [0,{vertices})"
            raise ValueError(
                wrong(
                    f"clip.{function}",
                    f"tri must hold vertex indices {limit}",
                    f"{low} to {high}",
                    "drop those triangles or pass the vertices they belong to",
                )
            )
    return tri


def positions(function: str, pos: Any) -> Tensor:
    """`pos` as float [V,3], gradients kept."""
    pos = plain(function, "pos", pos)
    if pos.dtype not in (torch.float32, torch.float64):
        if pos.dtype.is_complex or pos.dtype.is_floating_point:
            raise TypeError(
                wrong(
                    f"clip.{function}",
                    "pos must be float32 or float64",
                    pos.dtype,
                    "pass pos.float(), best of positions that were never rounded to fewer bits",
                )
            )
        pos = pos.float()
    if pos.ndim != 2 or pos.shape[1] != 3:
        raise ValueError(
            wrong(
                f"clip.{function}",
                "pos must be [V,3]",
                show(pos),
                "pass world positions without the fourth coordinate",
            )
        )
    return pos


def device_of(*values: Any) -> torch.device:
    """The device of the first tensor among `values`; one with dimensions goes before a scalar."""
    tensors = sorted((v for v in values if isinstance(v, Tensor)), key=lambda v: v.ndim == 0)
    return tensors[0].device if tensors else torch.device("cpu")
