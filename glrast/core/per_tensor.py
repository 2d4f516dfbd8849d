"""What is remembered of a tensor while it stays as it is."""

from __future__ import annotations

import torch


def stream_number(device: torch.device) -> int:
    """The current stream: what one stream made another must not read without waiting."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
