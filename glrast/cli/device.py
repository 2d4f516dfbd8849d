"""The word after --device."""

from __future__ import annotations

import torch


def chosen(command: str, name: str) -> torch.device:
    """The device that `name` says: cpu, cuda, cuda:N, or auto: CUDA where PyTorch has it.

    Raises: ValueError for another word. Whether the device is there, its user finds out.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(
            f"glrast {command}: --device must be auto, cpu, cuda or cuda:N; got {name!r}"
        )
    return device
