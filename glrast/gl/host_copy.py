"""OpenGL storage and tensors by way of host memory: for CPU tensors, and for CUDA tensors where nothing better does."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import moderngl
import torch

from ..core.per_tensor import PerTensor

_said: set[str] = set()


class Target(Protocol):
    """What is drawn into (targets.py): a texture of so many layers and channels."""

    color: int
    layers: int
    height: int
    width: int
    channels: int

    def read(self, out: torch.Tensor) -> None: ...


def host_copy(reason: str) -> HostCopy:
    """Says once why CUDA tensors take the long way."""
    if reason not in _said:
        _said.add(reason)
        warnings.warn(
            f"glrast: OpenGL's images reach CUDA through host memory, correct but slower: {reason}. "
            "See `glrast doctor`",
            RuntimeWarning,
            stacklevel=2,
        )
    return HostCopy(reason)


class HostCopy:
    """Through host memory: for CPU tensors a memcpy inside the driver; for CUDA tensors correct and slow."""

    def __init__(self, reason: str = ""):
        self.reason = reason  # why not shared
        self.uploaded = PerTensor[moderngl.Buffer](most=1)  # the index buffer that holds a tensor

    in_turn = False  # reading waits for the image: one target serves

    def free_bytes(self) -> int | None:
        """Memory of the GPU that nobody uses; None where it does not matter."""
        return None

    def call(self) -> AbstractContextManager[None]:
        """Around a call's other methods: what they have in common is done once."""
        return nullcontext()

    def make_room(self) -> bool:
        """Give memory of a GPU back that PyTorch keeps without using it; False: there is none."""
        if not torch.cuda.is_initialized():
            return False
        torch.cuda.empty_cache()
        return True

    def write(self, buffer: moderngl.Buffer, tensor: torch.Tensor, again: bool = True) -> None:
        """Copy a contiguous tensor to the start of `buffer`. `again`: the next call will do the same."""
        buffer.write(tensor.detach().cpu().numpy())

    def to_opengl(self, but: object = None) -> None:
        """What was written is OpenGL's from here on, and all targets, except `but`."""

    @contextmanager
    def drawn(
        self, target: Target, out: torch.Tensor, last: bool = True
    ) -> Generator[int, None, None]:
        """What a target's layers hold: in `out` (yields 0), or in the texture object that is yielded.

        `last`: no other chunk of images follows in this call.
        """
        self.read(target, out)
        yield 0

    def read(self, target: Target, out: torch.Tensor, last: bool = True) -> None:
        """Copy a target's layers into `out`, contiguous, on any device. `last` as for `drawn`."""
        if out.device.type == "cpu":
            target.read(out)
            return
        staging = torch.empty(out.shape, dtype=out.dtype, device="cpu", pin_memory=True)
        target.read(staging)
        out.copy_(staging)

    def forget(self, thing: object) -> None:
        """`thing` is about to be deleted."""

    def close(self) -> None:
        self.uploaded.forget()
