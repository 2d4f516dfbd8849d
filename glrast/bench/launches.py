"""Kernels launched, and microseconds of the host, by an iteration on a GPU: counted and timed without one.

Every call takes the way that it takes on a GPU, up to CuPy's launch. In CuPy's place stands a driver that counts, and
gives the arguments to the host library, whose time is left out, as is OpenGL's: what follows finds real data. Fills and
copies by PyTorch's own operators are launches too. Left out is what only CUDA's runtime would add: CuPy's launch
itself, a few microseconds each, PyTorch's look at its current stream, and the sharing of textures with OpenGL.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

import glrast

from ..launch import cpu, cuda, where
from ..raster import drawn
from ..raster.self_test import tested
from .replaced import replaced
from .scene import sphere

RESOLUTION, TRIANGLES = (64, 64), 320  # there is little to fill and copy
# PyTorch's operators that start nothing on a GPU: they make tensors, or look at them in another way.
_FREE = {
    "empty", "empty_like", "empty_strided", "new_empty", "view", "_unsafe_view", "reshape", "_reshape_alias", "detach",
    "detach_", "as_strided", "narrow", "slice", "select", "split", "split_with_sizes", "unbind", "permute", "transpose",
    "t", "alias", "expand", "expand_as", "unsqueeze", "squeeze", "lift_fresh", "result_type", "resolve_conj",
    "resolve_neg", "is_nonzero", "item", "_local_scalar_dense", "view_as", "roll_", "set_", "resize_", "to",
}  # fmt: skip


@dataclass(frozen=True)
class Launches:
    """Of one operation, forward and backward; host time in microseconds, medians."""

    operation: str
    forward: int
    forward_fills: int  # by PyTorch: fills, copies and sums
    forward_us: float
    backward: int
    backward_fills: int
    backward_us: float


_Call = Callable[[], tuple[Sequence[Tensor], list[Tensor]]]


def measure_launches(repeats: int) -> list[Launches]:
    """A row for each operation. Tensors lie on the CPU; nothing else is as there."""
    device = torch.device("cpu")
    ctx = glrast.Context(device)
    driver = _Driver()
    with driver.instead_of_a_gpu(ctx):
        return [_measured(name, call, driver, repeats) for name, call in _calls(ctx, device)]


def _calls(ctx: glrast.Context, device: torch.device) -> Iterator[tuple[str, _Call]]:
    """Each operation by name: called, it gives what it made and what has a gradient."""
    scene = sphere(TRIANGLES, RESOLUTION[0], device)
    pos, color, tri = scene.pos_clip.detach(), scene.color, scene.tri
    pos.requires_grad_()
    color.requires_grad_()
    tex = torch.rand(
        1, 1, 1024, 3, requires_grad=True
    )  # few texels, and the ten levels of a square one
    rast, rast_db = (
        t.detach().requires_grad_() for t in glrast.rasterize(ctx, pos, tri, RESOLUTION)
    )
    uv = torch.rand(1, *RESOLUTION, 2, requires_grad=True)
    uv_da = torch.full((1, *RESOLUTION, 4), 0.01, requires_grad=True)
    image = torch.rand(1, *RESOLUTION, 3, requires_grad=True)
    yield "rasterize", lambda: (glrast.rasterize(ctx, pos, tri, RESOLUTION), [pos])
    yield "interpolate", lambda: (glrast.interpolate(color, rast, tri)[:1], [color, rast])

    yield "interpolate, derivatives", lambda: (
        glrast.interpolate(color, rast, tri, rast_db, "all"), [color, rast, rast_db]
    )  # fmt: skip
    yield "texture, linear", lambda: ([glrast.texture(tex, uv)], [tex, uv])
    yield "texture, mipmaps", lambda: ([glrast.texture(tex, uv, uv_da)], [tex, uv, uv_da])
    yield "antialias", lambda: ([glrast.antialias(image, rast.detach(), pos, tri)], [image, pos])

    yield "fragments", lambda: (glrast.fragments(rast.detach(), pos, tri)[:3], [pos])


def _measured(name: str, call: _Call, driver: _Driver, repeats: int) -> Launches:
    def backward(out: Sequence[Tensor], given: list[Tensor]) -> None:
        torch.autograd.grad(out, given, upstream, allow_unused=True)

    out, given = call()
    upstream = [torch.ones_like(t) for t in out]
    backward(out, given)  # what is made once has been made
    forward_fills = _own_operators(call)
    out, given = call()
    backward_fills = _own_operators(lambda: backward(out, given))
    rows: list[tuple[float, int, float, int]] = []
    for _ in range(repeats):
        driver.reset()
        start = time.perf_counter()
        out, given = call()
        forward_us, launched = driver.host_us(start), driver.launched
        driver.reset()
        start = time.perf_counter()
        backward(out, given)
        rows.append((forward_us, launched, driver.host_us(start), driver.launched))
    medians = [statistics.median(of) for of in zip(*rows)]
    return Launches(
        name,
        int(medians[1]),
        forward_fills,
        medians[0],
        int(medians[3]),
        backward_fills,
        medians[2],
    )


def _own_operators(run: Callable[[], object]) -> int:
    """PyTorch's operators that a GPU would start something for: those that call no other such."""
    profile = torch.autograd.profiler.profile()
    with profile:
        run()

    def count(event: Any) -> int:
        below = sum(map(count, event.cpu_children))
        if below or not event.name.startswith("aten::"):
            return below
        return int(event.name.removeprefix("aten::") not in _FREE)

    tops = [event for event in profile.function_events or () if event.cpu_parent is None]
    return sum(map(count, tops))


class _Driver:
    """In the place of CuPy: launches are counted, and done by the host library while the clock stands still."""

    def __init__(self) -> None:
        self.launched, self.left_out = 0, 0.0
        self.names: Counter[str] = Counter()
        self.cuda = SimpleNamespace(runtime=SimpleNamespace(getDevice=lambda: None))

    def reset(self) -> None:
        self.launched, self.left_out = 0, 0.0

    def host_us(self, start: float) -> float:
        return 1e6 * (time.perf_counter() - start - self.left_out)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.left_out += time.perf_counter() - start

    def RawModule(self, *, code: str, options: tuple[str, ...]) -> Any:  # noqa: N802 as CuPy's
        return SimpleNamespace(get_function=self._function)

    def _function(self, kernel: str) -> Callable[..., None]:
        run: Any = getattr(cpu.host_library(), kernel)

        def start(grid: object, block: object, structs: tuple[Any, ...], *, stream: object) -> None:
            with self.standing_still():
                self.launched += 1
                self.names[kernel] += 1
                run(structs[0].tobytes(), 1)

        return start

    @contextmanager
    def instead_of_a_gpu(self, ctx: glrast.Context) -> Iterator[None]:
        """All calls on CPU tensors take a GPU's way."""
        draw, limits = drawn.draw, tested(ctx.device).limits

        def drawn_still(*arguments: Any) -> Tensor:
            context, batch, *_, resolve = arguments
            with self.standing_still():
                found = draw(*arguments[:-1])
            resolve(0, len(batch), found, 0)
            return found

        with ExitStack() as stack:
            stack.enter_context(replaced(where, "_HOST", set()))
            stack.enter_context(replaced(cuda, "_cupy", lambda: self))
            stack.enter_context(replaced(drawn, "draw", drawn_still))
            stack.enter_context(replaced(limits, "culls_non_finite", True))
            cuda._function.cache_clear()
            cuda._module.cache_clear()
            try:
                yield
            finally:
                cuda._function.cache_clear()
                cuda._module.cache_clear()
