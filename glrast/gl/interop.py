"""How tensors reach OpenGL buffers and render targets become tensors: through host memory.

For CPU tensors the copy is a memcpy inside the driver. CUDA tensors take the same way, correct and slow.
"""

from __future__ import annotations

import moderngl
import torch

from .targets import Target


def write(buffer: moderngl.Buffer, tensor: torch.Tensor) -> None:
    """Copy a contiguous tensor to the start of `buffer`, which is large enough."""
    buffer.write(tensor.detach().cpu().numpy())


def read(target: Target, out: torch.Tensor) -> None:
    """Copy a target's layers into `out`, contiguous, on any device."""
    if out.device.type == "cpu":
        target.read(out)
        return
    staging = torch.empty(out.shape, dtype=out.dtype, pin_memory=True)
    target.read(staging)
    out.copy_(staging)
