"""What Python and PyTorch's dispatcher take of one forward and backward pass, OpenGL and kernels apart.

At 64 x 64 pixels with 100 triangles there is little to compute. Every call to OpenGL, EGL and a kernel is timed where
it stands in the pass; repeated alone the same calls take less, because the threads that llvmpipe wakes are then awake.
What is left, less what the timing itself takes, is the overhead: argument checks, operators, autograd, memory, draw
commands, arguments of kernels. On a GPU the calls only queue work, and launches count as overhead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache

import moderngl
import torch

import glrast

from ..clip import grid
from ..gl import egl
from ..gl.context import DeviceContext
from ..launch import cpu
from ..raster.self_test import tested
from . import measure
from .replaced import replaced

RESOLUTION = (64, 64)
ROWS, COLUMNS = 10, 5  # 100 triangles


@dataclass(frozen=True)
class Overhead:
    """Medians in milliseconds, forward and backward."""

    total_ms: float
    opengl_ms: float
    kernels_ms: float
    overhead_ms: float  # what is left of the total


def measure_overhead(device: torch.device, repeats: int) -> Overhead:
    ctx = glrast.Context(device)
    pos, tri = (t.to(device) for t in grid(ROWS, COLUMNS))
    pos = torch.cat([0.8 * pos, torch.ones_like(pos[:, :1])], 1)[None].requires_grad_()
    color = torch.rand(pos.shape[1], 3, device=device, requires_grad=True)
    topology = glrast.antialias_construct_topology_hash(tri)
    upstream = torch.rand(1, *RESOLUTION, 3, device=device)

    def forward_backward() -> None:
        rast, _ = glrast.rasterize(ctx, pos, tri, RESOLUTION)
        image, _ = glrast.interpolate(color, rast, tri)
        image = glrast.antialias(image, rast, pos, tri, topology)
        torch.autograd.grad(image, (pos, color), upstream)

    opengl, kernels, runs = _Clock(), _Clock(), []
    of_timing = _seconds_of_timing_a_call()
    with _timed_calls(tested(ctx.device), opengl, kernels):
        for _ in range(measure.WARM_UP + repeats):
            opengl.reset()
            kernels.reset()
            total = measure.seconds(forward_backward, device)
            total -= (opengl.calls + kernels.calls) * of_timing
            rest = total - opengl.seconds - kernels.seconds
            runs.append((total, opengl.seconds, kernels.seconds, rest))
    return Overhead(*(1e3 * statistics.median(of) for of in zip(*runs[measure.WARM_UP :])))


class _Clock:
    """Adds up the time of calls."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def around(self, function: Callable) -> Callable:
        def timed(*arguments, **keywords):
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds += time.perf_counter() - start
                self.calls += 1

        return timed


def _seconds_of_timing_a_call(calls: int = 2000) -> float:
    """What a call on a clock takes beyond what the clock shows."""
    clock = _Clock()
    timed = clock.around(lambda: None)
    start = time.perf_counter()
    for _ in range(calls):
        timed()
    return (time.perf_counter() - start - clock.seconds) / calls


@contextmanager
def _timed_calls(context: DeviceContext, opengl: _Clock, kernels: _Clock) -> Iterator[None]:
    """Meanwhile the calls to OpenGL and to the host library's kernels run on their clocks."""
    gl, function_of = context.gl, cpu.kernel_function
    calls = [(gl, name) for name in gl.names()]
    calls += [(egl.Context, "__enter__"), (egl.Context, "__exit__")]
    calls += [(moderngl.VertexArray, "render_indirect"), (moderngl.Buffer, "write")]

    @cache
    def timed_kernel(stem: str, kernel: str):
        function, layout = function_of(stem, kernel)
        return kernels.around(function), layout

    with ExitStack() as stack:
        for owner, name in calls:
            stack.enter_context(replaced(owner, name, opengl.around(getattr(owner, name))))
        stack.enter_context(replaced(cpu, "kernel_function", timed_kernel))
        yield
