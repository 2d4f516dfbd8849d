"""What is remembered of a tensor while it lives and stays as it is: its neighbours, its int32 copy, its upload.

PyTorch counts changes in place, and `tensor.data = other` shows in the address; the memory is held, so that no other
takes that address meanwhile. Writing *into* `tensor.data` escapes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

T = TypeVar("T")
PLAIN = (torch.Tensor, torch.nn.Parameter)


class PerTensor(Generic[T]):
    """One thing for each tensor, forgotten when the tensor dies or changes.

    Args:
        most: so many tensors are remembered, the latest; None: all that live.
    """

    def __init__(self, most: int | None = None):
        self._most = most
        self._known: dict[int, _Known[T]] = {}  # by the identity of a live tensor

    def of(
        self,
        tensor: torch.Tensor,
        make: Callable[[], T],
        *more: object,
        still: Callable[[T], bool] | None = None,
    ) -> T:
        """What `make` gave for this tensor, made anew where it changed.

        Args:
            more: what else must be as it was.
            still: asked where the tensor may have changed, or changes are not counted: is it right nevertheless?
        """
        if not _is_lasting():
            return make()
        known, state = self._known.get(id(tensor)), _state(tensor, more)
        thing = None
        if known is not None and known.tensor() is tensor:
            if known.state == state is not None:
                return known.thing
            if still is not None and still(known.thing):
                thing = known.thing
        if thing is None:
            thing = make()
        if state is not None or still is not None:
            self._remember(tensor, state, thing)
        return thing

    def found(self, tensor: torch.Tensor, *more: object) -> T | None:
        """What is remembered of this tensor, which has not changed; None if nothing."""
        known = self._known.get(id(tensor))
        if known is None or known.tensor() is not tensor or known.state is None:
            return None
        if not _is_lasting():
            return None
        return known.thing if known.state == _state(tensor, more) else None

    def remember(self, tensor: torch.Tensor, thing: T, *more: object) -> None:
        """Found again for this tensor, unless changes of it are not counted."""
        state = _state(tensor, more) if _is_lasting() else None
        if state is not None:
            self._remember(tensor, state, thing)

    def forget(self) -> None:
        """Everything."""
        self._known.clear()

    def __len__(self) -> int:
        return len(self._known)

    def __getstate__(self) -> dict[str, Any]:
        return {"_most": self._most, "_known": {}}  # identities are this process's

    def _remember(self, tensor: torch.Tensor, state: tuple[object, ...] | None, thing: T) -> None:
        """Other threads may come between any two lines; no lock, for a process forked while one is held would wait."""
        key, known = id(tensor), self._known
        known.pop(key, None)  # the latest stands last

        def gone(reference: weakref.ref[torch.Tensor]) -> None:
            found = known.get(key)
            if found is not None and found.tensor is reference:
                known.pop(key, None)

        known[key] = _Known(weakref.ref(tensor, gone), tensor.detach(), state, thing)
        while self._most is not None and len(known) > self._most:
            try:
                oldest = next(iter(known))
            except (RuntimeError, StopIteration):  # it changed meanwhile
                continue
            known.pop(oldest, None)


@dataclass(frozen=True)
class _Known(Generic[T]):
    tensor: weakref.ref[torch.Tensor]
    memory: torch.Tensor  # held, not read
    state: tuple[object, ...] | None
    thing: T


def _state(tensor: torch.Tensor, more: tuple[object, ...]) -> tuple[object, ...] | None:
    """Equal as long as a tensor is not written to, on one stream; None where that cannot be known. Its callers have
    asked whether what they remember _is_lasting."""
    if tensor.is_inference() or is_capturing(tensor.device):
        return None
    return (*unchanged(tensor), stream_number(tensor.device), *more)


def _is_lasting() -> bool:
    """Is what is made now of use later? In a compiler's or tracer's graph it would be a constant, right or wrong, and
    what a transform of torch.func makes is its own."""
    return not (torch.compiler.is_compiling() or _is_tracing() or in_transform())


_PRIVATE = getattr(torch, "_C")  # noqa: B009 it has no stub
_is_tracing: Callable[[], bool] = _PRIVATE._is_tracing
in_transform: Callable[[], bool] = getattr(
    _PRIVATE, "_are_functorch_transforms_active", lambda: True
)


def unchanged(tensor: torch.Tensor) -> tuple[object, ...]:
    """Equal as long as a tensor is not written to or replaced through `.data`; writing through `.data` escapes."""
    return tensor._version, address(tensor), tensor.dtype, tensor.shape, tensor.stride()


def address(tensor: torch.Tensor) -> int | None:
    """Where a tensor's first element lies; None for what only stands for a tensor: fake ones, those that a compiler
    traces and those inside torch.func's transforms."""
    if torch.compiler.is_compiling() or in_transform() or type(tensor) not in PLAIN:
        return None
    return tensor.data_ptr()


def stream_number(device: torch.device) -> int:
    """The current stream: what one stream made another must not read without waiting."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0


def is_capturing(device: torch.device) -> bool:
    """Does the device's current stream record a CUDA graph? What is launched then runs later, any number of times."""
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return torch.cuda.is_current_stream_capturing()
