"""What Python, PyTorch's dispatcher and the small kernels take of one forward and backward pass.

At 64 x 64 pixels with 100 triangles there is little to compute. The whole pass is timed; so are the OpenGL calls that
draw and read back its image, repeated by themselves on the objects that the pass left behind; and the same pass at
4 x 4 pixels, where kernels have nothing to do. What is left of that without OpenGL is the overhead: argument checks,
operators, autograd, uploads, make-current and kernel launches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

import glrast

from ..clip import grid
from ..gl.context import DeviceContext, for_device
from . import measure
from .operations import forward_backward

RESOLUTION = (64, 64)
TINY = (4, 4)
ROWS, COLUMNS = 10, 5  # 100 triangles


@dataclass(frozen=True)
class Overhead:
    """Medians in milliseconds, forward and backward."""

    total_ms: float  # at 64 x 64
    opengl_ms: float  # clear, draw and read of that
    tiny_total_ms: float  # the same at 4 x 4
    tiny_opengl_ms: float

    @property
    def kernels_ms(self) -> float:
        """What the kernels compute at 64 x 64: all that grows with the image but is not OpenGL's."""
        return self.total_ms - self.opengl_ms - self.overhead_ms

    @property
    def overhead_ms(self) -> float:
        return self.tiny_total_ms - self.tiny_opengl_ms


def measure_overhead(device: torch.device, repeats: int) -> Overhead:
    return Overhead(*_measure(device, repeats, RESOLUTION), *_measure(device, repeats, TINY))


def _measure(device: torch.device, repeats: int, resolution) -> tuple[float, float]:
    """Total and OpenGL's part. Frees the OpenGL objects first, so that those left behind are this pass's."""
    ctx = glrast.Context(device)
    ctx.close()
    pos, tri = (t.to(device) for t in grid(ROWS, COLUMNS))
    pos = torch.cat([0.8 * pos, torch.ones_like(pos[:, :1])], 1)[None].requires_grad_()
    color = torch.rand(pos.shape[1], 3, device=device, requires_grad=True)
    topology = glrast.antialias_construct_topology_hash(tri)

    def forward() -> torch.Tensor:
        rast, _ = glrast.rasterize(ctx, pos, tri, resolution)
        image, _ = glrast.interpolate(color, rast, tri)
        return glrast.antialias(image, rast, pos, tri, topology)

    times = forward_backward(forward, (pos, color), repeats, device)
    context = for_device(ctx.device)
    with context.current():
        return sum(times), measure.median_ms(_opengl(context), repeats, device)


def _opengl(context: DeviceContext) -> Callable[[], None]:
    """Clear, draw and read once more what was drawn last; the context must be current."""
    found = {
        key[0] if key[0] != "buffer" else key[1]: thing for key, thing in context.objects.items()
    }
    context.sharing.to_opengl()
    target, array, commands = found["target"], found["array"], found["commands"]
    out = torch.empty(
        (target.layers, target.height, target.width, target.format[4]), dtype=target.format[3]
    )

    def draw() -> None:
        target.clear()
        array.render_indirect(commands, count=1)
        target.read(out)

    return draw
