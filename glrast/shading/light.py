"""The curve between linear light and what an image file holds, for tensors (glrast.core.srgb has it for files)."""

from __future__ import annotations

import torch
from torch import Tensor


def to_linear(x: Tensor) -> Tensor:
    """IEC 61966-2-1, of values in 0..1; those outside are held there."""
    x = x.clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def to_srgb(x: Tensor) -> Tensor:
    """The way back."""
    x = x.clamp(0, 1)
    curve = x.pow(1 / 2.4).mul_(1.055).sub_(0.055)
    return torch.where(x <= 0.04045 / 12.92, x * 12.92, curve)
