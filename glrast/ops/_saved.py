"""What an operation keeps of its forward pass for its backward pass, and whether that is still what it was.

PyTorch counts changes in place and refuses backward after one. `tensor.data = other`, which `module.half()` and
`module.to()` do to parameters, `set_` and `untyped_storage().resize_()` it does not count: a kernel would then read
other numbers, or beyond the end of what is left.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import torch

from .. import _check


class _State(NamedTuple):
    """One tensor as the forward pass saw it."""

    name: str
    shape: torch.Size
    contiguous: bool
    dtype: torch.dtype
    device: torch.device
    address: int | None
    tensor: (
        weakref.ref
    )  # hooks and checkpoints hand another tensor to backward, elsewhere in memory


def save(ctx, **tensors: torch.Tensor | None) -> None:
    """save_for_backward by name, with what `saved` compares."""
    ctx.save_for_backward(*tensors.values())
    ctx.states = () if torch.compiler.is_compiling() else _states(tensors)


def saved(ctx, function: str) -> tuple:
    """What `save` was given; RuntimeError if it has changed without PyTorch's noticing."""
    tensors = ctx.saved_tensors
    if not torch.compiler.is_compiling():
        for state, tensor in zip(ctx.states, tensors):
            if state is not None:
                _check_unchanged(function, state, tensor)
    return tensors


def _states(tensors: dict) -> tuple[_State | None, ...]:
    return tuple(None if t is None else _state(name, t) for name, t in tensors.items())


def _state(name: str, t: torch.Tensor) -> _State:
    address = _check.address(t)
    return _State(name, t.shape, t.is_contiguous(), t.dtype, t.device, address, weakref.ref(t))


def _check_unchanged(function: str, state: _State, tensor: torch.Tensor) -> None:
    alike = tensor.shape == state.shape and tensor.dtype == state.dtype
    if not alike or tensor.device != state.device or tensor.is_contiguous() < state.contiguous:
        _refuse(function, state, f"is now {_described(tensor)}")
    at = None if state.address is None else _check.address(tensor)
    if at is None:
        return
    if at != state.address and state.tensor() is tensor:
        _refuse(function, state, "has been given other memory")
    if state.contiguous and not _check.is_stored(tensor):
        _refuse(function, state, f"has only {tensor.untyped_storage().nbytes()} bytes left")


def _refuse(function: str, state: _State, found: str) -> None:
    was = f"{_check.dtype_text(state.dtype)} {list(state.shape)} on {state.device}"
    raise RuntimeError(
        f"glrast.{function} (backward): its tensors must stay as they were in the forward pass; {state.name} was "
        f"{was} and {found}: do not assign to `.data` before backward, nor call what does: module.half(), .double(), "
        ".to(), tensor.set_()"
    )


def _described(tensor: torch.Tensor) -> str:
    strides = "" if tensor.is_contiguous() else f" with strides {list(tensor.stride())}"
    return f"{_check.dtype_text(tensor.dtype)} {list(tensor.shape)}{strides} on {tensor.device}"
