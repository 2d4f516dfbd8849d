"""Every message about a wrong argument is made here: function, argument, expected, found, what to do."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from .half import HALVES, warn_of_half
from .per_tensor import PLAIN, PerTensor, in_transform

_LARGEST_EXTENT = 1 << 20
_ALIGNED = 4  # bytes: float32 and int32, which kernels read
_INTEGERS = (torch.int32, torch.int64, torch.int16, torch.uint8)


def wrong(function: str, expected: str, found: object, remedy: object = "") -> str:
    """The grammar of messages about arguments: function, what it must be, what was found, what to do.

    Example:
        >>> wrong("rasterize", "pos must be [N,V,4]", "[3,4]", "pass pos[None]")
        'glrast.rasterize: pos must be [N,V,4]; got [3,4]: pass pos[None]'
    """
    return f"glrast.{function}: {expected}; got {found}{_then(remedy)}"


def tensor(
    function: str, name: str, value: Any, *, device: torch.device | None = None, hint: str = ""
) -> torch.Tensor:
    """`value` if it is a tensor (on `device`, where given)."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"glrast.{function}: {name} must be a torch tensor{_and(hint)}; got {type(value).__name__}"
        )
    if value.is_nested:
        raise TypeError(
            f"glrast.{function}: {name} must be one tensor; got a nested one: call with each of {name}.unbind(), or "
            "pad them to one size"
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


def floats(
    function: str, name: str, value: Any, *, device: torch.device | None = None
) -> torch.Tensor:
    """A float32 tensor, contiguous; float16 and bfloat16 are converted under autocast."""
    tensor(function, name, value, device=device)
    if value.dtype != torch.float32:
        if value.dtype in HALVES and torch.is_autocast_enabled(value.device.type):
            value = value.float()
        else:
            raise TypeError(
                f"glrast.{function}: {name} must be float32; got {_dtype(value)}: convert it with {name}.float()"
            )
    return _laid_out(function, name, value).resolve_neg()


def positions(function: str, value: Any, *, device: torch.device | None = None) -> torch.Tensor:
    """pos as float32. Half precision, which autocast makes of a matrix product, has lost its places before it comes
    here: a warning then, which Python shows once for each line of the client's; under torch.compile once a compilation.
    """
    if isinstance(value, torch.Tensor) and value.dtype in HALVES:
        kind = value.device.type
        if torch.is_autocast_enabled(kind):
            warn_of_half(function, _dtype(value), kind)
    return floats(function, "pos", value, device=device)


def _laid_out(function: str, name: str, value: torch.Tensor) -> torch.Tensor:
    """The tensor as kernels read it: contiguous, at an address that its type allows, and all in memory."""
    value = value.contiguous()
    if type(value) not in PLAIN or in_transform() or torch.compiler.is_compiling():
        return value
    if value.data_ptr() % _ALIGNED:
        return value.clone()
    if not is_stored(value):
        raise RuntimeError(
            f"glrast.{function}: {name} must have its memory; {show(value)} reaches beyond the "
            f"{value.untyped_storage().nbytes()} bytes of its storage, which was resized"
        )
    return value


def is_mapped(value: torch.Tensor) -> bool:
    """Does a tensor stand for a batch that torch.vmap maps over? Its numbers cannot be asked for."""
    return in_transform() and _is_batched(value)


_is_batched: Callable[[torch.Tensor], bool] = getattr(torch, "_C")._functorch.is_batchedtensor  # noqa: B009 no stub


def triangles(function: str, value: Any, *, device: torch.device | None = None) -> torch.Tensor:
    """tri as contiguous int32 [T,3]; int64 beyond int32 becomes an index that is out of range, never another one."""
    tensor(function, "tri", value, device=device)
    if value.dtype not in _INTEGERS:
        raise TypeError(
            f"glrast.{function}: tri must be int32 or int64; got {_dtype(value)}: convert it with tri.int()"
        )
    shape(function, "tri", value, "[T,3]", value.ndim == 2 and value.shape[1] == 3)
    if value.dtype == torch.int32 and value.is_contiguous():
        return _laid_out(function, "tri", value)
    if value.is_cuda:
        # The same tensor for a tri that stays as it is: so it is uploaded once, and its neighbours are found once.
        return _converted.of(value, lambda: _as_int32(value))
    return _as_int32(value)


def not_swapped(function: str, pos: Any, tri: Any) -> None:
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


_converted: PerTensor[torch.Tensor] = PerTensor()


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


def choice(function: str, name: str, given: Any, known: tuple[str, ...]) -> str:
    """`given` if it is one of these words."""
    if type(given) is str and given in known:
        return given
    expected = ", ".join(map(repr, known[:-1])) + f" or {known[-1]!r}"
    value(function, name, expected, isinstance(given, str) and given in known, repr(given))
    return str(given)


def flag(function: str, name: str, given: Any) -> bool:
    """True or False, also as numpy or a comparison of tensors gives them."""
    if given is True or given is False:
        return given
    given = _single(given)
    if type(given) not in (bool, np.bool_) and not (isinstance(given, int) and given in (0, 1)):
        raise TypeError(f"glrast.{function}: {name} must be True or False; got {_described(given)}")
    return bool(given)


def number(function: str, name: str, given: Any, remedy: str = "", finite: bool = True) -> float:
    """A number, a finite one unless the caller looks itself; a tensor or array of one element is one."""
    if type(given) is float and math.isfinite(given):  # nearly always
        return given
    given = _single(given)
    if isinstance(given, (bool, np.bool_)) or not isinstance(given, numbers.Real):
        raise TypeError(wrong(function, f"{name} must be a number", _described(given), remedy))
    try:
        found = float(given)
    except OverflowError:
        found = math.inf
    if finite:
        value(function, name, "a finite number", math.isfinite(found), f"{given}", remedy)
    return found


def _single(given: Any) -> Any:
    """The number in a tensor or array of one element; anything else as it is."""
    array: Any = given
    if isinstance(given, (torch.Tensor, np.ndarray)) and math.prod(array.shape) == 1:
        return array.item()
    return array


_SMALL = 100  # an upper limit that a message names at once


def whole(
    function: str, name: str, given: Any, least: int, most: int | None = None, *, also: str = "", remedy: str = ""
) -> int:  # fmt: skip
    """A whole number from `least` to `most`; `also` says what else it might have been."""
    try:
        found = None if isinstance(given, (bool, np.bool_)) else operator.index(given)
    except (TypeError, ValueError, RuntimeError):
        found = None
    holds = found is not None and found >= least and (most is None or found <= most)
    if not holds:
        says_most = most is not None and (most <= _SMALL or (found is not None and found > most))
        limits = f"from {least} to {most}" if says_most else f"from {least}"
        value(function, name, f"{also}a whole number {limits}", False, _described(given), remedy)
    return int(found or 0)


def _described(given: Any) -> str:
    """What was found, in a few words."""
    if isinstance(given, torch.Tensor):
        return f"a {_dtype(given)} tensor {show(given)}" if given.numel() != 1 else f"{given}"
    array: Any = given
    if isinstance(given, np.ndarray):
        return f"an array {list(array.shape)}"
    text = repr(array)
    return text if len(text) <= 60 else f"{text[:57]}..."


def resolution(function: str, given: Any) -> tuple[int, int]:
    """(height, width) as two positive ints from a list, tuple, torch.Size, array or tensor."""
    try:
        pair = tuple(given.tolist() if hasattr(given, "tolist") else given)
        height, width = (int(extent) for extent in pair)
        exact = height == pair[0] and width == pair[1]
        exact = exact and not any(isinstance(extent, (bool, np.bool_)) for extent in pair)
    except (TypeError, ValueError, OverflowError):
        exact = False
        height = width = 0
    if not exact or not (0 < height <= _LARGEST_EXTENT and 0 < width <= _LARGEST_EXTENT):
        raise ValueError(
            f"glrast.{function}: resolution must be (height, width), two whole numbers from 1 to {_LARGEST_EXTENT}; "
            f"got {_described(given)}"
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
    out: list[int] = []
    for index in numbers:
        if not -count <= index < count:
            raise IndexError(
                f"glrast.{function}: {name} holds {index}, but attr has {count} attributes: 0 to {count - 1}"
            )
        out.append(index % count)
    return out


def show(value: torch.Tensor) -> str:
    return "[" + ",".join(map(str, value.shape)) + "]"


def dtype_text(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def is_stored(value: torch.Tensor) -> bool:
    """Does the memory of a contiguous tensor reach to its end? Not after untyped_storage().resize_()."""
    count, bytes = value.numel(), value.untyped_storage().nbytes()
    return not count or (value.storage_offset() + count) * value.itemsize <= bytes


def _dtype(value: torch.Tensor) -> str:
    return dtype_text(value.dtype)


def _and(hint: str) -> str:
    return f" {hint}" if hint else ""


def _then(remedy: object) -> str:
    return f": {remedy}" if remedy else ""
