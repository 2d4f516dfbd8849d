"""Each operation alone, and rasterize -> interpolate -> antialias with one backward pass through all three."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import glrast

from . import measure
from .scene import Scene

FLOAT = 4


@dataclass(frozen=True)
class Row:
    """One operation on one scene."""

    op: str
    resolution: int
    triangles: int
    forward_ms: float
    backward_ms: float
    forward_bytes: int
    backward_bytes: int
    peak_bytes: int


def measure_operations(scene: Scene, repeats: int) -> list[Row]:
    """rasterize, interpolate (3 channels) and antialias, each alone, and the total; every option at its default."""
    ctx, topology, pos, color = _inputs(scene)
    with torch.no_grad():
        rast, _ = glrast.rasterize(ctx, pos, scene.tri, scene.resolution)
        image, _ = glrast.interpolate(color, rast, scene.tri)
    rast, image = rast.requires_grad_(), image.requires_grad_()

    def rasterize() -> Tensor:
        return glrast.rasterize(ctx, pos, scene.tri, scene.resolution)[0]

    def interpolate() -> Tensor:
        return glrast.interpolate(color, rast, scene.tri)[0]

    def antialias() -> Tensor:
        return glrast.antialias(image, rast, pos, scene.tri, topology)

    return [
        _row("rasterize", rasterize, (pos,), scene, repeats),
        _row("interpolate", interpolate, (color, rast), scene, repeats),
        _row("antialias", antialias, (image, pos), scene, repeats),
        measure_total(scene, repeats),
    ]


def measure_total(scene: Scene, repeats: int) -> Row:
    """The three one after the other, and one backward pass from the image to positions and colours."""
    ctx, topology, pos, color = _inputs(scene)

    def total() -> Tensor:
        rast, _ = glrast.rasterize(ctx, pos, scene.tri, scene.resolution)
        image, _ = glrast.interpolate(color, rast, scene.tri)
        return glrast.antialias(image, rast, pos, scene.tri, topology)

    return _row("total", total, (pos, color), scene, repeats)


def _inputs(scene: Scene) -> tuple[glrast.Context, Any, Tensor, Tensor]:
    """Context, topology, clip positions [1,V,4], colours [V,3]; the latter two ask for gradients."""
    topology = glrast.antialias_construct_topology_hash(scene.tri)
    pos, color = scene.pos_clip.requires_grad_(), scene.color.clone().requires_grad_()
    return glrast.Context(scene.tri.device), topology, pos, color


def _row(
    op: str, forward: Callable[[], Tensor], inputs: tuple[Tensor, ...], scene: Scene, repeats: int
) -> Row:
    device = scene.tri.device
    peak = measure.PeakMemory(device)
    times = forward_backward(forward, inputs, repeats, device)
    moved = must_move(scene)[op]
    return Row(op, scene.resolution[0], len(scene.tri), *times, *moved, peak.bytes())


def forward_backward(
    forward: Callable[[], Tensor], inputs: tuple[Tensor, ...], repeats: int, device: torch.device
) -> tuple[float, float]:
    """(forward ms, backward ms), medians over runs of one after the other, as an optimisation does it."""
    upstream = torch.rand_like(forward())
    times = []
    for _ in range(measure.WARM_UP + repeats):
        made: list[Tensor] = []
        up = measure.seconds(lambda to=made: to.append(forward()), device)
        down = measure.seconds(lambda by=made: torch.autograd.grad(by[0], inputs, upstream), device)
        times.append((up, down))
    ups, downs = zip(*times[measure.WARM_UP :])
    return 1e3 * statistics.median(ups), 1e3 * statistics.median(downs)


def must_move(scene: Scene) -> dict[str, tuple[int, int]]:
    """Bytes (forward, backward) that an operation cannot avoid: what it is given and what it returns, each once.

    Not counted: what it keeps for its backward pass, OpenGL's own buffers, and colours of pixels that antialias
    leaves as they are in its backward pass.
    """
    (height, width), C = scene.resolution, scene.color.shape[1]
    rast = rast_db = height * width * 4 * FLOAT
    image = height * width * C * FLOAT
    pos, tri = len(scene.pos_world) * 4 * FLOAT, len(scene.tri) * 3 * FLOAT
    color = len(scene.color) * C * FLOAT
    moved = {
        # given pos, tri -> rast, rast_db; backward given grad_rast, rast, pos, tri -> grad_pos
        "rasterize": (pos + tri + rast + rast_db, rast + rast + pos + tri + pos),
        # color, rast, tri -> image; grad_image, color, rast, tri -> grad_color, grad_rast
        "interpolate": (color + rast + tri + image, image + color + rast + tri + color + rast),
        # image, rast, pos, tri -> image; grad_image, pos, tri -> grad_image, grad_pos
        "antialias": (image + rast + pos + tri + image, image + pos + tri + image + pos),
    }
    forward, backward = zip(*moved.values())
    moved["total"] = (sum(forward), sum(backward))
    return moved
