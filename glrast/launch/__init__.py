"""How a kernel file becomes a call: source.py (text), cpu.py (the host library), cuda.py (CuPy)."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import torch

from ..core.per_tensor import is_capturing, stream_number
from . import cpu
from .source import Argument, by_value
from .where import on_host

__all__ = ["Argument", "by_value", "constant", "launch", "launch_scatter", "on_host"]


def launch(stem: str, kernel: str, device: torch.device, **arguments: Argument) -> None:
    """Run KERNEL of kernels/STEM.cu on `device`; `arguments` are the members of its Args struct by name."""
    if on_host(device):
        cpu.run(stem, kernel, arguments)
    else:
        from . import cuda

        cuda.run(stem, kernel, arguments, device)


def constant(values: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor of these numbers, kept for the next call; a GPU is not waited for."""
    if is_capturing(device):
        return _filled(values, dtype, device)
    return _constant(values, dtype, device, stream_number(device))


@lru_cache(maxsize=256)
def _constant(
    values: tuple[int, ...], dtype: torch.dtype, device: torch.device, stream: int
) -> torch.Tensor:  # per stream: no other may read it too early
    made = torch.tensor(values, dtype=dtype, device="cpu")
    return made.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else made


def _filled(
    values: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> (
    torch.Tensor
):  # a graph's own, filled again at each replay, when host memory would hold something else
    made = torch.empty(len(values), dtype=dtype, device=device)
    for number, value in enumerate(values):
        made[number].fill_(value)  # the value is an argument of the kernel
    return made


# A scatter kernel's partition on the CPU: at most so many pieces, each worth so many elements, and all spare
# buffers together no larger than this. It depends on sizes alone, so gradients do not depend on the thread count.
_MOST_PIECES = 8
_PIECE_ELEMENTS = 1 << 15
_SPARE_ELEMENTS_PER_ELEMENT = 2
_SPARE_BYTES = 256 << 20


def launch_scatter(
    stem: str,
    kernel: str,
    shape: tuple[int, ...],
    slots: int,
    device: torch.device,
    **arguments: Argument,
) -> torch.Tensor:
    """Run a kernel that accumulates; returns its gradient, a new tensor of `shape` made of `slots` equal parts.

    The elements come in `slots` equal groups of rows, each adding to its own part. Spare memory on the CPU: at
    most 2 floats per element and 256 MiB.
    """
    size = 1
    for extent in shape:
        size *= extent
    if not on_host(device):
        grad = torch.zeros(shape, dtype=torch.float32, device=device)
        slot = size // max(slots, 1)
        arguments.update(grad=grad, spare=None, slot_size=slot, slots=slots, pieces=1)
        launch(stem, kernel, device, **arguments)
        return grad
    elements = cast(int, arguments["width"]) * cast(int, arguments["rows"])
    most_spare = min(_SPARE_ELEMENTS_PER_ELEMENT * elements, _SPARE_BYTES // 4)
    pieces = max(
        1,
        min(
            _MOST_PIECES,
            elements // _PIECE_ELEMENTS // max(slots, 1),
            1 + most_spare // max(size, 1),
        ),
    )
    if elements == 0 or size == 0:
        return torch.zeros(shape, dtype=torch.float32, device=device)
    grad = torch.empty(
        shape, dtype=torch.float32, device=device
    )  # zeroed by the host library, in parallel
    spare = None
    if pieces > 1:
        spare = torch.empty((pieces - 1) * size, dtype=torch.float32, device=device)
    arguments.update(grad=grad, spare=spare, slot_size=size // slots, slots=slots, pieces=pieces)
    launch(stem, kernel, device, **arguments)
    return grad
