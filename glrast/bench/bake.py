"""Texels per second of baking: `texels`, `pad` and `project`, from 1024 to 8192 on a side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

import glrast

from .. import bake
from ..clip import Camera, Mesh, grid, look_at, perspective
from .measure import seconds

SIZES = (1024, 2048, 4096, 8192)
# The surface: a wavy sheet that fills nearly all of the square, so that nearly all texels are covered.
ROWS = 500
MARGIN = 0.02
# A view of project: pixels a side.
RESOLUTION = 1024


@dataclass(frozen=True)
class Bake:
    """operation: 'texels', 'pad' (16 texels around the chart) or 'project' (one view). covered: texels of the chart.
    milliseconds: the median. per_second: covered texels."""

    operation: str
    size: int
    covered: int
    milliseconds: float

    @property
    def per_second(self) -> float:
        return self.covered / self.milliseconds * 1e3


def measure_bake(
    device: torch.device, repeats: int, sizes: Sequence[int] = SIZES
) -> Iterator[Bake]:
    """Medians of each operation at each size, without a warm-up: a call takes seconds at the large ones."""
    mesh = sheet().to(device)
    ctx = glrast.Context(device, output_db=False)
    pose = look_at((0.0, -1.0, 2.5), (0.0, 0.0, 0.0))
    camera = Camera(pose, perspective(math.radians(45), 1.0, 0.1, 10.0), (RESOLUTION, RESOLUTION))
    picture = torch.rand(1, RESOLUTION, RESOLUTION, 3, device=device)
    for size in sizes:
        found = bake.texels(mesh, size, ctx=ctx)
        covered = int(found.mask.sum())
        image = torch.rand(size, size, 3, device=device)
        runs = {
            "texels": lambda size=size: bake.texels(mesh, size, ctx=ctx),
            "pad": lambda image=image, found=found: bake.pad(image, found.mask, 16),
            "project": lambda found=found: bake.project(found, picture, [camera], ctx=ctx),
        }
        for name, run in runs.items():
            took = statistics.median(seconds(run, device) for _ in range(repeats))
            yield Bake(name, size, covered, 1e3 * took)


def sheet() -> Mesh:
    """A wavy sheet of 2 ROWS^2 triangles with uv."""
    pos, tri = grid(ROWS, ROWS)
    uv = pos[:, :2] * (0.5 - MARGIN) + 0.5
    height = 0.1 * torch.sin(7 * pos[:, :1]) * torch.sin(5 * pos[:, 1:2])
    return Mesh(torch.cat([pos[:, :2], height], 1), tri, uv=uv, uv_tri=tri)
