"""What an operation keeps of its forward pass for its backward pass, and whether that is still what it was.

PyTorch counts changes in place and refuses backward after one. `tensor.data = other`, which `module.half()` and
`module.to()` do to parameters, `set_` and `untyped_storage().resize_()` it does not count: a kernel would then read
other numbers, or beyond the end of what is left.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core import check
from ..core.per_tensor import in_transform

_PLAIN = (torch.Tensor, torch.nn.Parameter)


def save(ctx: Any, *made: torch.Tensor, **tensors: torch.Tensor | None) -> None:
    """save_for_backward of tensors by name, with what `saved` compares; then of those that forward itself has made,
    which nobody else has."""
    ctx.save_for_backward(*tensors.values(), *made)
    if torch.compiler.is_compiling():
        return
    ctx.names = tuple(tensors)
    plain = all([type(t) in _PLAIN or t is None for t in tensors.values()])
    ctx.hooked = not plain or in_transform() or _is_hooked()
    mark = _layout if ctx.hooked else _mark
    ctx.marks = [None if t is None else mark(t) for t in tensors.values()]


def saved(ctx: Any, function: str) -> tuple[Any, ...]:
    """What `save` was given; RuntimeError if it has changed without PyTorch's noticing."""
    tensors = ctx.saved_tensors
    if torch.compiler.is_compiling() or not hasattr(ctx, "marks"):
        return tensors
    mark = _layout if ctx.hooked else _mark
    for name, before, tensor in zip(ctx.names, ctx.marks, tensors):
        if before is not None and mark(tensor) != before:
            _look(function, name, before, tensor)
    return tensors


def _layout(t: torch.Tensor) -> tuple[Any, ...]:
    return t.shape, t.dtype, t.is_contiguous()


def _mark(t: torch.Tensor) -> tuple[Any, ...]:
    """What stays as it is as long as nobody goes behind PyTorch's back."""
    return t.shape, t.dtype, t.is_contiguous(), t.data_ptr(), t.untyped_storage().nbytes()


def _is_hooked() -> bool:
    """Whether what backward is given is another tensor, elsewhere in memory: hooks and checkpoints do that."""
    try:
        private: Any = torch._C  # pyright: ignore[reportPrivateUsage]
        return private._autograd._top_saved_tensors_default_hooks(True) is not None
    except (AttributeError, TypeError):  # another PyTorch
        return True


def _look(function: str, name: str, mark: tuple[Any, ...], tensor: torch.Tensor) -> None:
    """The marks differ: an error, if it matters."""
    shape, dtype, contiguous, *place = mark
    alike = tensor.shape == shape and tensor.dtype == dtype
    if not alike or tensor.is_contiguous() < contiguous:
        strides = "" if tensor.is_contiguous() else f" with strides {list(tensor.stride())}"
        found = f"{check.dtype_text(tensor.dtype)} {list(tensor.shape)}{strides} on {tensor.device}"
        _refuse(function, name, shape, dtype, f"is now {found}")
    if not place:
        return
    if contiguous and not check.is_stored(tensor):
        left = f"has only {tensor.untyped_storage().nbytes()} bytes left"
        _refuse(function, name, shape, dtype, left)
    if tensor.data_ptr() != place[0]:
        _refuse(function, name, shape, dtype, "has been given other memory")


def _refuse(function: str, name: str, shape: torch.Size, dtype: torch.dtype, found: str) -> None:
    raise RuntimeError(
        f"glrast.{function} (backward): its tensors must stay as they were in the forward pass; {name} was "
        f"{check.dtype_text(dtype)} {list(shape)} and {found}: do not assign to `.data` before backward, nor "
        "call what does: module.half(), .double(), .to(), tensor.set_()"
    )
