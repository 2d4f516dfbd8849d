"""What `fragments` and `resolve` cost: against `antialias` in turns, and stage by stage.

Both begin with rasterize and interpolate and end with the gradients of positions and colours. The ratio is taken turn
by turn, in wall time and in processor time, which a busy machine disturbs less. Stages, in processor time, are kernels,
and what is left of each step beside them: sorts, prefix sums and other operators of PyTorch.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

import glrast

from ..launch import cpu
from . import measure
from .scene import Scene

MODES = ("near", "all")


@dataclass(frozen=True)
class Exact:
    """One way of `fragments` on one scene: medians, forward and backward."""

    discontinuities: str
    resolution: int
    triangles: int
    pixels: int  # that are crossed
    fragments: int
    ms: float
    cpu_ms: float
    antialias_ms: float
    antialias_cpu_ms: float
    ratio: float  # medians of turns
    cpu_ratio: float
    peak_bytes: int
    stages: dict[str, float]  # processor milliseconds, in order


def measure_exact(scene: Scene, repeats: int, stages: bool = True) -> Iterator[Exact]:
    """For "near" and for "all". Stages are those of the CPU: on a GPU kernels are only queued."""
    ctx = glrast.Context(scene.tri.device)
    topology = glrast.antialias_construct_topology_hash(scene.tri)
    pos, color = scene.pos_clip.requires_grad_(), scene.color.clone().requires_grad_()
    upstream = torch.rand((1, *scene.resolution, color.shape[1]), device=scene.tri.device)

    def antialiased() -> None:
        rast, _ = glrast.rasterize(ctx, pos, scene.tri, scene.resolution)
        image, _ = glrast.interpolate(color, rast, scene.tri)
        image = glrast.antialias(image, rast, pos, scene.tri, topology)
        torch.autograd.grad(image, (pos, color), upstream)

    for mode in MODES:
        with torch.no_grad():
            rast, _ = glrast.rasterize(ctx, pos, scene.tri, scene.resolution)
            found = glrast.fragments(rast, pos, scene.tri, mode)
        crossed, F = len(found.pixel.unique()), len(found.weight)
        del rast, found
        once = _Once(ctx, scene, pos, color, upstream, mode)
        turns = _turns((antialiased, once.run), repeats, scene.tri.device)
        (wall_a, cpu_a), (wall, cpu_ms) = ([list(t) for t in zip(*times)] for times in turns)
        peak = measure.PeakMemory(scene.tri.device)
        once.run()
        yield Exact(
            mode, scene.resolution[0], len(scene.tri), crossed, F,
            _ms(wall), _ms(cpu_ms), _ms(wall_a), _ms(cpu_a),
            statistics.median(b / a for a, b in zip(wall_a, wall)),
            statistics.median(b / a for a, b in zip(cpu_a, cpu_ms)),
            peak.bytes(), once.stages(repeats) if stages else {},
        )  # fmt: skip


def _ms(seconds: list[float]) -> float:
    return 1e3 * statistics.median(seconds)


def _turns(
    functions: tuple[Callable[[], None], ...], repeats: int, device: torch.device
) -> list[list[tuple[float, float]]]:
    """(wall, processor) seconds of each function, called in turns."""
    times: list[list[tuple[float, float]]] = [[] for _ in functions]
    for turn in range(measure.WARM_UP + repeats):
        for function, of in zip(functions, times):
            start = time.process_time()
            wall = measure.seconds(function, device)
            if turn >= measure.WARM_UP:
                of.append((wall, time.process_time() - start))
    return times


@dataclass
class _Once:
    """One forward and backward pass with fragments."""

    ctx: glrast.Context
    scene: Scene
    pos: Tensor
    color: Tensor
    upstream: Tensor
    mode: str

    def run(self, lap: Callable[[str], None] = lambda name: None) -> None:
        """lap(name) is called when a step is done."""
        tri = self.scene.tri
        rast, _ = glrast.rasterize(self.ctx, self.pos, tri, self.scene.resolution)
        lap("rasterize")
        image, _ = glrast.interpolate(self.color, rast, tri)
        lap("interpolate")
        frag = glrast.fragments(rast, self.pos, tri, self.mode)
        lap("fragments")
        inner, _ = glrast.interpolate(self.color, frag.rast, tri)
        lap("shading of fragments")
        image = glrast.resolve(image, inner, frag)
        lap("resolve")
        torch.autograd.grad(image, (self.pos, self.color), self.upstream)
        lap("backward")

    def stages(self, repeats: int) -> dict[str, float]:
        """Medians of "step", "step: kernel", "step: PyTorch"; a kernel that runs twice counts twice."""
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(repeats):
            kernels: dict[str, float] = defaultdict(float)
            taken: dict[str, float] = defaultdict(float)
            with _timed_kernels(kernels):
                before = time.process_time()

                def lap(step: str, kernels=kernels, taken=taken) -> None:
                    nonlocal before
                    now = time.process_time()
                    taken[step] = now - before
                    for kernel, seconds in kernels.items():
                        taken[f"{step}: {kernel}"] = seconds
                    taken[f"{step}: PyTorch"] = now - before - sum(kernels.values())
                    kernels.clear()
                    before = time.process_time()

                self.run(lap)
            for name, seconds in taken.items():
                found[name].append(seconds)
        return {name: _ms(seconds) for name, seconds in found.items()}


@contextmanager
def _timed_kernels(seconds: dict[str, float]) -> Iterator[None]:
    """Meanwhile the time of each of the host library's kernels is added up."""
    run = cpu.run

    def timed(stem: str, kernel: str, arguments: dict) -> None:
        start = time.process_time()
        run(stem, kernel, arguments)
        seconds[kernel] += time.process_time() - start

    cpu.run = timed
    try:
        yield
    finally:
        cpu.run = run
