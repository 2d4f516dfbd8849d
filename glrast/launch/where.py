"""Where kernels run. Nobody else asks of what kind a device is; `glrast bench --launches` counts a GPU's launches
without one, and says that nothing is the host's."""

from __future__ import annotations

import torch

_HOST = {"cpu"}


def on_host(device: torch.device) -> bool:
    """Do the kernels for tensors of this device run in the host library?"""
    return device.type in _HOST
