"""Every message about a wrong argument is made here: function, argument, expected, found, what to do."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence

import torch

from .launch import stream_number

_LARGEST_EXTENT = 1 << 20
_INTEGERS = (torch.int32, torch.int64, torch.int16, torch.uint8)


def tensor(
    function: str, name: str, value, *, device: torch.device | None = None, hint: str = ""
) -> torch.Tensor:
    """`value` if it is a tensor (on `device`, where given)."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"glrast.{function}: {name} must be a torch tensor{_and(hint)}; got {type(value).__name__}"
        )
    if value.layout != torch.strided:
        raise TypeError(
            f"glrast.{function}: {name} must be dense; got {str(value.layout).removeprefix('torch.')}: "
            f"convert it with {name}.to_dense()"
        )
    if device is not None and value.device != device:
        raise ValueError(
            f"glrast.{function}: {name} must be on {device} like the other tensors; it is on {value.device}: "
            f"move it with {name}.to('{device}')"
        )
    return value


def floats(function: str, name: str, value, *, device: torch.device | None = None) -> torch.Tensor:
    """A float32 tensor, contiguous; float16 and bfloat16 are converted under autocast."""
    tensor(function, name, value, device=device)
    if value.dtype != torch.float32:
        if value.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(
            value.device.type
        ):
            value = value.float()
        else:
            raise TypeError(
                f"glrast.{function}: {name} must be float32; got {_dtype(value)}: convert it with {name}.float()"
            )
    return value.contiguous().resolve_neg()


def triangles(function: str, value, *, device: torch.device | None = None) -> torch.Tensor:
    """tri as contiguous int32 [T,3]; int64 beyond int32 becomes an index that is out of range, never another one."""
    tensor(function, "tri", value, device=device)
    if value.dtype not in _INTEGERS:
        raise TypeError(
            f"glrast.{function}: tri must be int32 or int64; got {_dtype(value)}: convert it with tri.int()"
        )
    shape(function, "tri", value, "[T,3]", value.ndim == 2 and value.shape[1] == 3)
    if value.dtype == torch.int32 and value.is_contiguous():
        return value
    if value.is_cuda and not torch.compiler.is_compiling() and not value.is_inference():
        return _remembered(value)
    return _as_int32(value)


def not_swapped(function: str, pos, tri) -> None:
    """Integers for pos and floats for tri are each other's."""
    if not (isinstance(pos, torch.Tensor) and isinstance(tri, torch.Tensor)):
        return
    if tri.is_floating_point() and pos.dtype in _INTEGERS:
        raise TypeError(
            f"glrast.{function}: pos must be float32 and tri int32 or int64; got pos {_dtype(pos)} {show(pos)} and "
            f"tri {_dtype(tri)} {show(tri)}: they look swapped, pos comes before tri"
        )


def _as_int32(value: torch.Tensor) -> torch.Tensor:
    if value.dtype == torch.int64:
        value = value.clamp(-1, 2**31 - 1)
    return value.to(torch.int32).contiguous()


_converted: dict[int, tuple[weakref.ref, tuple, torch.Tensor]] = {}  # by the identity of a live tri


def _remembered(value: torch.Tensor) -> torch.Tensor:
    """The same tensor for a tri that stays as it is: so it is uploaded once, and its neighbours are found once."""
    key, state = id(value), (value._version, stream_number(value.device))
    found = _converted.get(key)
    if found is None or found[0]() is not value or found[1] != state:
        gone = weakref.ref(value, lambda _: _converted.pop(key, None))
        found = _converted[key] = gone, state, _as_int32(value)
    return found[2]


def shape(
    function: str, name: str, value: torch.Tensor, expected: str, holds: bool, hint: str = "", remedy: str = ""
) -> None:  # fmt: skip
    if not holds:
        raise ValueError(
            f"glrast.{function}: {name} must be {expected}{_and(hint)}; got {show(value)}{_then(remedy)}"
        )


def value(
    function: str, name: str, expected: str, holds: bool, found: object, hint: str = ""
) -> None:
    if not holds:
        raise ValueError(f"glrast.{function}: {name} must be {expected}; got {found}{_then(hint)}")


def resolution(function: str, given) -> tuple[int, int]:
    """(height, width) as two positive ints from a list, tuple, torch.Size, array or tensor."""
    try:
        pair = tuple(given.tolist() if hasattr(given, "tolist") else given)
        height, width = (int(extent) for extent in pair)
        exact = height == pair[0] and width == pair[1]
    except (TypeError, ValueError, OverflowError):
        exact = False
        height = width = 0
    if not exact or not (0 < height <= _LARGEST_EXTENT and 0 < width <= _LARGEST_EXTENT):
        raise ValueError(
            f"glrast.{function}: resolution must be (height, width), two whole numbers from 1 to {_LARGEST_EXTENT}; "
            f"got {given!r}"
        )
    return height, width


def indices(function: str, name: str, values: Sequence[int], count: int) -> list[int]:
    """Attribute numbers 0..count-1; negative ones count from the end."""
    try:
        numbers = [operator.index(value) for value in values]
    except TypeError:
        raise TypeError(
            f"glrast.{function}: {name} must be None, 'all' or a list of ints; got {values!r}"
        ) from None
    out = []
    for index in numbers:
        if not -count <= index < count:
            raise IndexError(
                f"glrast.{function}: {name} holds {index}, but attr has {count} attributes: 0 to {count - 1}"
            )
        out.append(index % count)
    return out


def show(value: torch.Tensor) -> str:
    return "[" + ",".join(map(str, value.shape)) + "]"


def _dtype(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _and(hint: str) -> str:
    return f" {hint}" if hint else ""


def _then(remedy: str) -> str:
    return f": {remedy}" if remedy else ""
