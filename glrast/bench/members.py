"""What each answer to the discontinuity problem costs: in turns with `antialias`, each from clip positions and vertex
colours to the gradients of both. On the CPU times are the processor's, which a busy machine disturbs least.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import glrast

from .. import visibility
from . import measure
from .scene import Scene

LAYERS = 8  # faces of a pixel for softras, as the paper's table has them too
SPLATTED = 2  # layers of rasterize_then_splat
MOST_MS = 20_000.0  # a member whose first call takes so long is not called again


@dataclass(frozen=True)
class Member:
    """Medians of one member on one scene, in milliseconds."""

    name: str
    resolution: int
    triangles: int
    forward_ms: float
    backward_ms: float
    ratio: float  # of forward + backward to antialias, median of turns


def measure_members(scene: Scene, repeats: int) -> Iterator[Member]:
    """antialias first, then every member."""
    device = scene.tri.device
    made = _Made(scene)
    ways = {"antialias": made.antialias} | members(made)
    inputs = (made.pos, made.color)
    for name, image in ways.items():
        turns: list[tuple[float, float, float]] = []
        for _ in range(repeats + 1):  # the first warms up
            own, base = timed(image, inputs, device), timed(made.antialias, inputs, device)
            turns.append((*own, sum(own) / sum(base)))
            if sum(own) > MOST_MS:
                break
        up, down, ratio = (statistics.median(t) for t in zip(*(turns[1:] or turns)))
        yield Member(name, scene.resolution[0], len(scene.tri), up, down, ratio)


def timed(
    image: Callable[[], Tensor], inputs: tuple[Tensor, ...], device: torch.device
) -> tuple[float, float]:
    """Milliseconds forward and backward: of the processor for the CPU, of the clock for a GPU that is waited for."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    measure.wait(device)
    begin = clock()
    out = image()
    measure.wait(device)
    between = clock()
    upstream = torch.ones_like(out)
    measure.wait(device)
    again = clock()
    torch.autograd.grad(out, inputs, upstream, allow_unused=True)
    measure.wait(device)
    return 1e3 * (between - begin), 1e3 * (clock() - again)


class _Made:
    """What the members begin with."""

    def __init__(self, scene: Scene):
        self.tri, self.resolution = scene.tri, scene.resolution
        self.ctx = glrast.Context(scene.tri.device)
        self.pos = scene.pos_clip.detach().requires_grad_()
        self.color = scene.color.clone().requires_grad_()
        self.topology = glrast.antialias_construct_topology_hash(scene.tri)
        self.reach = visibility.softras_reach(scene.resolution)

    def shaded(self) -> tuple[Tensor, Tensor]:
        rast, _ = glrast.rasterize(self.ctx, self.pos, self.tri, self.resolution)
        return glrast.interpolate(self.color, rast, self.tri)[0], rast

    def antialias(self) -> Tensor:
        image, rast = self.shaded()
        return glrast.antialias(image, rast, self.pos, self.tri, self.topology)

    def softras(self, color: str = "softmax") -> Tensor:
        near = visibility.nearest_faces(
            self.ctx, self.pos, self.tri, self.resolution, LAYERS, self.reach
        )
        colors = visibility.shade_faces(self.color, near, self.tri)
        return visibility.softras(near, colors, color=color)

    def splatted(self) -> Tensor:
        layers, colors = [], []
        with glrast.DepthPeeler(
            self.ctx, self.pos, self.tri, self.resolution, cull="back"
        ) as peeler:
            for _ in range(SPLATTED):
                rast, _ = peeler.rasterize_next_layer()
                layers.append(rast)
                colors.append(glrast.interpolate(self.color, rast.detach(), self.tri)[0])
        return visibility.rasterize_then_splat(layers, colors, self.pos, self.tri)


def members(made: _Made) -> dict[str, Callable[[], Tensor]]:
    """Every member by its name: what makes its image."""

    def estimator(function: Callable[..., Tensor]) -> Callable[[], Tensor]:
        def image() -> Tensor:
            color, rast = made.shaded()
            return function(color, rast, made.pos, made.tri)

        return image

    names = ("opendr", "dirt", "nmr", "edge_grad", "edge_sampling")
    return {name: estimator(getattr(visibility, name)) for name in names} | {
        "rasterize_then_splat": made.splatted,
        "dibr": lambda: visibility.dibr(made.ctx, made.pos, made.tri, made.resolution, made.color),
        "softras": made.softras,
        "softras, over": lambda: made.softras(color="over"),
    }
