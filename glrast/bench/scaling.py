"""How time and memory grow with pixels and with triangles: the README's table."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .operations import Row, measure_total
from .scene import sphere

RESOLUTIONS = (256, 512, 1024, 2048, 4096)
TRIANGLES = (1280, 5120, 20480, 81920, 327680, 1310720)
FIXED_TRIANGLES, FIXED_RESOLUTION = 81920, 1024


def measure_scaling(
    device: torch.device,
    repeats: int,
    resolutions: tuple[int, ...] = RESOLUTIONS,
    triangles: tuple[int, ...] = TRIANGLES,
) -> Iterator[Row]:
    """The total at each resolution with 81,920 triangles, then at 1024 x 1024 with each number of triangles."""
    for resolution in resolutions:
        yield measure_total(sphere(FIXED_TRIANGLES, resolution, device), repeats)
    for count in triangles:
        yield measure_total(sphere(count, FIXED_RESOLUTION, device), repeats)
