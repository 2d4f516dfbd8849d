"""How tensors reach OpenGL buffers and render targets become tensors: through host memory, or shared with CUDA.

Both ways have the same methods; `sharing` chooses. A context calls them while it is current and under its lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import moderngl
import torch

if TYPE_CHECKING:
    from .context import DeviceContext
    from .targets import Target


def sharing(device: torch.device, context: DeviceContext) -> HostCopy:
    """How this context's storage is shared with tensors on `device`."""
    return HostCopy()


class HostCopy:
    """Through host memory: for CPU tensors a memcpy inside the driver; for CUDA tensors correct and slow."""

    def write(self, buffer: moderngl.Buffer, tensor: torch.Tensor, again: bool = True) -> None:
        """Copy a contiguous tensor to the start of `buffer`. `again`: the next call will do the same."""
        buffer.write(tensor.detach().cpu().numpy())

    def to_opengl(self) -> None:
        """What was written is OpenGL's from here on."""

    @contextmanager
    def drawn(self, target: Target, out: torch.Tensor) -> Iterator[int]:
        """What a target's layers hold: in `out` (yields 0), or in the texture object that is yielded."""
        self.read(target, out)
        yield 0

    def read(self, target: Target, out: torch.Tensor) -> None:
        """Copy a target's layers into `out`, contiguous, on any device."""
        if out.device.type == "cpu":
            target.read(out)
            return
        staging = torch.empty(out.shape, dtype=out.dtype, pin_memory=True)
        target.read(staging)
        out.copy_(staging)

    def forget(self, thing: object) -> None:
        """`thing` is about to be deleted."""

    def close(self) -> None:
        """Everything is."""
