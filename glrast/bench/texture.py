"""texture: linear and trilinear, 2D and cube, by texture size and channels, PyTorch's grid_sample beside it.

1024 x 1024 samples lie in a rotated square over the whole texture (cube: in a wide view of five faces). The footprint
is what this makes it, at least one texel, widened by sqrt 2, so that the trilinear filter blends two levels everywhere
but beyond the last. Gradients to the texture and to the coordinates. The trilinear filter is given the pyramid, whose
building is timed by itself, beside two sums over the texture: what reading it twice takes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

import glrast

from . import measure
from .operations import FLOAT

RESOLUTION = 1024
SIZES = (512, 1024, 2048, 4096, 8192)
CHANNELS = (1, 3, 4, 16)
MOST_BYTES = (
    1 << 30
)  # of a texture; with gradients, pyramid and grid_sample's copy about five times that is in use
_TURN_RAD, _WIDER = 0.4, math.sqrt(2)
_VIEW = 1.5  # tangent of half the field of view in the cube


@dataclass(frozen=True)
class Row:
    """One texture; medians in milliseconds. grid_sample's are of its faster layout; None for a cube map."""

    map: str  # '2D' or 'cube'
    size: int
    channels: int
    linear_forward_ms: float
    linear_backward_ms: float
    trilinear_forward_ms: float
    trilinear_backward_ms: float
    pyramid_ms: float
    read_twice_ms: float
    grid_sample_layout: str | None = None
    grid_sample_forward_ms: float | None = None
    grid_sample_backward_ms: float | None = None


def textures(sizes: Sequence[int], channels: Sequence[int]) -> tuple[list[tuple], list[tuple]]:
    """(map, size, channels) to measure, and those left out because the texture would exceed MOST_BYTES."""
    every = [(m, size, C) for m in ("2D", "cube") for size in sizes for C in channels]
    fits = [_texels(m, size) * C * FLOAT <= MOST_BYTES for m, size, C in every]
    return [e for e, f in zip(every, fits) if f], [e for e, f in zip(every, fits) if not f]


def _texels(map: str, size: int) -> int:
    return size * size * (6 if map == "cube" else 1)


def measure_texture(
    device: torch.device, repeats: int, wanted: Sequence[tuple[str, int, int]]
) -> Iterator[Row]:
    """A row for each (map, size, channels), medians of runs in turns."""
    for map, size, C in wanted:
        yield _measure(device, repeats, map, size, C)


def _measure(device: torch.device, repeats: int, map: str, size: int, C: int) -> Row:
    shape = (1, 6, size, size, C) if map == "cube" else (1, size, size, C)
    tex = torch.rand(shape, device=device)
    uv, uv_da = (cube_samples if map == "cube" else flat_samples)(size, device)
    pyramid = measure.median_ms(
        lambda: glrast.texture_construct_mip(tex, "auto", map == "cube"), repeats, device
    )
    read = measure.median_ms(tex.sum, repeats, device)
    handle = glrast.texture_construct_mip(tex, "auto", map == "cube")
    boundary = "cube" if map == "cube" else "clamp"

    def linear(tex: Tensor, uv: Tensor) -> Tensor:
        return glrast.texture(tex, uv, boundary_mode=boundary)

    def trilinear(tex: Tensor, uv: Tensor) -> Tensor:
        return glrast.texture(tex, uv, uv_da, None, handle, boundary_mode=boundary)

    rivals = {"linear": (linear, tex, uv), "trilinear": (trilinear, tex, uv)}
    if map == "2D":
        rivals |= grid_samples(tex, uv)
    ms = in_turns(rivals, repeats, device)
    row = Row(map, size, C, *ms["linear"], *ms["trilinear"], pyramid, 2 * read)
    if map == "cube":
        return row
    best = min(("NCHW", "channels_last"), key=lambda layout: sum(ms[layout]))
    up, down = ms[best]
    return replace(
        row, grid_sample_layout=best, grid_sample_forward_ms=up, grid_sample_backward_ms=down
    )


def flat_samples(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """uv [1,R,R,2] within [0,1], uv_da [1,R,R,4]."""
    cos, sin = math.cos(_TURN_RAD), math.sin(_TURN_RAD)
    x, y = _grid(1 / (cos + sin), device)
    uv = 0.5 + 0.5 * torch.stack([cos * x - sin * y, sin * x + cos * y], -1)
    step = _WIDER * max(1 / (cos + sin) / RESOLUTION, 1 / size)
    uv_da = torch.tensor([cos, -sin, sin, cos], device=device) * step
    return uv, uv_da.expand(1, RESOLUTION, RESOLUTION, 4).contiguous()


def cube_samples(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Directions [1,R,R,3] around (0.3, 0.2, 1) and their derivatives [1,R,R,6]."""
    x, y = _grid(_VIEW, device)
    step = _WIDER * max(2 * _VIEW / RESOLUTION, 2 / size)
    direction_da = torch.tensor([step, 0, 0, step, 0, 0], device=device)
    return (
        torch.stack([x + 0.3, y + 0.2, torch.ones_like(x)], -1),
        direction_da.expand(1, RESOLUTION, RESOLUTION, 6).contiguous(),
    )


def _grid(half: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y [1,R,R] of pixel centres, from -half to half."""
    step = ((torch.arange(RESOLUTION, device=device) + 0.5) / RESOLUTION * 2 - 1) * half
    y, x = torch.meshgrid(step, step, indexing="ij")
    return x[None], y[None]


def grid_samples(tex: Tensor, uv: Tensor) -> dict[str, tuple[Callable, Tensor, Tensor]]:
    """grid_sample of the same samples, [1,C,R,R], with the texture laid out in either way."""

    def sample(tex: Tensor, at: Tensor) -> Tensor:
        return F.grid_sample(tex, at, padding_mode="border", align_corners=False)

    channels_last, at = tex.permute(0, 3, 1, 2), 2 * uv - 1
    return {
        "NCHW": (sample, channels_last.contiguous(), at),
        "channels_last": (sample, channels_last, at),
    }


def in_turns(
    rivals: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]],
    repeats: int,
    device: torch.device,
) -> dict[str, tuple[float, float]]:
    """(forward ms, backward ms) of each function of (texture, coordinates), medians; one run of each, then the next."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    inputs = {name: [t.detach().requires_grad_() for t in rivals[name][1:]] for name in rivals}
    upstream = {name: torch.rand_like(rivals[name][0](*inputs[name])) for name in rivals}
    for _ in range(measure.WARM_UP + repeats):
        for name, (function, *_) in rivals.items():
            made: list[Tensor] = []
            given, grad = inputs[name], upstream[name]
            up = measure.seconds(lambda f=function, to=made, at=given: to.append(f(*at)), device)
            down = measure.seconds(
                lambda by=made, at=given, grad=grad: torch.autograd.grad(by[0], at, grad), device
            )
            times[name].append((up, down))
    medians = {}
    for name, runs in times.items():
        ups, downs = zip(*runs[measure.WARM_UP :])
        medians[name] = 1e3 * statistics.median(ups), 1e3 * statistics.median(downs)
    return medians
