"""How fast it is, by CUDA events. `python -m tools.gpu.timings`: the figures that others have published first.

Known of an H100 with another OpenGL rasterizer, 1280 x 720: 6.1 ms for one view, 952 views a second in batches of 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

import glrast
from glrast.bench import peer
from glrast.bench.operations import must_move
from glrast.bench.scene import Scene, sphere
from glrast.bench.texture import flat_samples
from glrast.raster.self_test import tested

from . import clock
from .plan import FILTERS, PIXELS, TRIANGLES
from .rungs import Missing
from .setting import Rung, Setting, run

VIEW = (720, 1280)
_COPY_BYTES = 2 << 30
_CHANNELS = (1, 3, 4, 16)
_TEXTURE = 1024
_LAYERS = 8


def rungs(setting: Setting) -> dict[str, Rung]:
    made: dict[str, Rung] = {"copy": partial(copy, setting)}
    for N in (1, 64):
        for program in ("id", "full"):
            name = f"{N} view{'s' * (N > 1)} {program}"
            made[name] = setting.shares(partial(views, setting, N, program))
    made["deterministic"] = setting.shares(partial(deterministic, setting))
    for filter in FILTERS:
        made[f"texture {filter}"] = partial(texture, setting, filter)
    made["one layer or several"] = setting.shares(partial(layers, setting))
    for size in PIXELS:
        made[f"pixels {size}"] = setting.shares(partial(operations, setting, 81920, size))
    for count in TRIANGLES:
        made[f"triangles {count}"] = setting.shares(partial(operations, setting, count, 1024))
    made["overhead"] = setting.shares(partial(overhead, setting))
    made["nvdiffrast"] = setting.shares(partial(nvdiffrast, setting))
    return made


def copy(setting: Setting) -> dict[str, float]:
    """The yardstick: bytes read and written a second by a copy far beyond any cache."""
    size = 1 << 20 if setting.tiny else _COPY_BYTES
    return {"GB/s": round(clock.copy_bandwidth(setting.device, size) / 1e9, 1)}


# ---- views -----------------------------------------------------------------------------------------------


def views(setting: Setting, N: int, program: str) -> dict[str, Any]:
    """N views of 81,920 triangles at 1280 x 720: rasterize alone, with interpolate and antialias, and the way back."""
    made, device = _scene(setting, 81920, 1024), setting.device
    resolution, N = ((17, 33), min(N, 3)) if setting.tiny else (VIEW, N)
    ctx = glrast.Context(device, buffers=program)
    topology = glrast.antialias_construct_topology_hash(made.tri)
    shown = [_turned(made, N, k) for k in range(clock.sets(N * made.pos_clip.nbytes, setting.tiny))]
    color = made.color.clone().requires_grad_()

    def image(pos: Tensor) -> Tensor:
        rast, _ = glrast.rasterize(ctx, pos, made.tri, resolution)
        out, _ = glrast.interpolate(color, rast, made.tri)
        return glrast.antialias(out, rast, pos, made.tri, topology)

    def drawn(pos: Tensor) -> object:
        with torch.no_grad():
            return glrast.rasterize(ctx, pos, made.tri, resolution)

    def seen(pos: Tensor) -> object:
        with torch.no_grad():
            return image(pos)

    repeats = max(2, setting.repeats * 4 // (N + 3))
    found: dict[str, Any] = {"views": N}
    ways = {"rasterize": drawn, "image": seen, "iteration": lambda pos: image(pos).sum().backward()}
    for name, function in ways.items():
        each = [partial(function, pos.requires_grad_(name == "iteration")) for pos in shown]
        found[name] = times = clock.per_call(each, repeats, device)
        times["views a second"] = round(1e3 * N / times["ms"])
    return found


def _turned(made: Scene, N: int, which: int) -> Tensor:
    """Clip positions [N,V,4] of views from all around; others for each `which`."""
    angles = (torch.arange(N, device=made.tri.device) + which / 16) * (2 * math.pi / N) + which
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    rows = [
        cos,
        zero,
        sin,
        zero,
        zero,
        zero + 1,
        zero,
        zero,
        -sin,
        zero,
        cos,
        zero,
        zero,
        zero,
        zero,
        zero + 1,
    ]
    turns = torch.stack(rows, -1).view(N, 4, 4)
    return glrast.clip.transform_points(
        made.camera.world_to_clip[None] @ turns, made.pos_world
    ).detach()


def layers(setting: Setting) -> dict[str, Any]:
    """Images drawn into the layers of one target, and each into a target of one layer."""
    device, gl = setting.device, tested(setting.device)
    made, ctx = _scene(setting, 81920, 1024), glrast.Context(setting.device)
    pos = _turned(made, _LAYERS, 0)
    found, most = {}, gl.limits.layers
    for name, limit in (("one target", most), ("a target each", 1)):
        gl.limits.layers = limit
        try:
            found[name] = clock.per_call(
                [lambda: glrast.rasterize(ctx, pos, made.tri, made.resolution)],
                setting.repeats,
                device,
            )
        finally:
            gl.limits.layers = most
    return found


# ---- operations ------------------------------------------------------------------------------------------


def operations(setting: Setting, triangles: int, size: int) -> list[dict[str, Any]]:
    """Each operation, forward and both ways, over inputs that no cache holds, and the bytes that it must move."""
    made = _scene(setting, triangles, size)
    device, bytes = setting.device, must_move(made)
    ctx = glrast.Context(device)
    topology = glrast.antialias_construct_topology_hash(made.tri)
    held = 4 * made.resolution[0] * made.resolution[1] * (4 + 4 + 3)
    most = clock.sets(held, setting.tiny)
    inputs = [_inputs(ctx, made, k) for k in range(most)]
    repeats = max(
        2, min(setting.repeats, (1 << 29) // (made.resolution[0] * made.resolution[1]) // 8)
    )
    ways: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
        "rasterize": (lambda i: glrast.rasterize(ctx, i["pos"], made.tri, made.resolution)[0], ("pos",)),
        "interpolate": (lambda i: glrast.interpolate(i["color"], i["rast"], made.tri)[0], ("color", "rast")),
        "antialias": (
            lambda i: glrast.antialias(i["image"], i["rast"], i["pos"], made.tri, topology), ("image", "pos")
        ),
    }  # fmt: skip
    rows = []
    for op, (forward, to) in ways.items():
        up, both = _both_ways(forward, inputs, to, repeats, device)
        rows.append(_row(op, made, up, both, bytes[op]))
    return rows


def _inputs(ctx: glrast.Context, made: Scene, which: int) -> dict[str, Tensor]:
    with torch.no_grad():
        pos = _turned(made, 1, which)
        rast, _ = glrast.rasterize(ctx, pos, made.tri, made.resolution)
        image, _ = glrast.interpolate(made.color, rast, made.tri)
    given = {"pos": pos, "color": made.color.clone(), "rast": rast, "image": image}
    return {name: tensor.requires_grad_() for name, tensor in given.items()}


def _both_ways(
    forward: Callable[..., Tensor], inputs: Sequence[dict[str, Tensor]], to: Sequence[str], repeats: int,
    device: torch.device,
) -> tuple[dict[str, float], dict[str, float]]:  # fmt: skip
    """Times of forward alone, and of forward and backward to the inputs named."""
    upstream = torch.rand_like(forward(inputs[0]))

    def up(given: dict[str, Tensor]) -> None:
        forward(given)

    def both(given: dict[str, Tensor]) -> None:
        torch.autograd.grad(forward(given), [given[name] for name in to], upstream)

    first = clock.per_call([partial(up, given) for given in inputs], repeats, device)
    return first, clock.per_call([partial(both, given) for given in inputs], repeats, device)


def _row(
    op: str, made: Scene, up: dict[str, float], both: dict[str, float], moved: tuple[int, int]
) -> dict[str, Any]:
    return {
        "op": op, "pixels": made.resolution[0], "triangles": len(made.tri), "forward ms": up["ms"],
        "backward ms": round(both["ms"] - up["ms"], 4), "queued ms": both["queued ms"],
        "forward bytes": moved[0], "backward bytes": moved[1],
    }  # fmt: skip


def texture(setting: Setting, filter: str) -> list[dict[str, Any]]:
    """1024 x 1024 samples of a 1024 x 1024 texture by its channels; gradients to texture and coordinates."""
    size, device = (8 if setting.tiny else _TEXTURE), setting.device
    uv, uv_da = flat_samples(size, device)
    if setting.tiny:
        uv, uv_da = uv[:, :9, :9].contiguous(), uv_da[:, :9, :9].contiguous()
    rows = []
    for C in _CHANNELS[1:2] if setting.tiny else _CHANNELS:
        one = 4 * (uv.numel() * (3 if "mipmap" in filter else 1) + size * size * C)
        inputs = [
            {"tex": torch.rand(1, size, size, C, device=device, requires_grad=True), "uv": uv.clone().requires_grad_()}
            for _ in range(clock.sets(one, setting.tiny))
        ]  # fmt: skip

        def forward(given: dict[str, Tensor]) -> Tensor:
            da = uv_da if "mipmap" in filter else None
            return glrast.texture(given["tex"], given["uv"], da, filter_mode=filter)

        up, both = _both_ways(forward, inputs, ("tex", "uv"), setting.repeats, device)
        rows.append(
            {"channels": C, "forward ms": up["ms"], "backward ms": round(both["ms"] - up["ms"], 4)}
        )
    return rows


def deterministic(setting: Setting) -> dict[str, Any]:
    """An iteration at 1024 x 1024 as it is, and after torch.use_deterministic_algorithms."""
    made, device = _scene(setting, 81920, 1024), setting.device
    ctx, found = glrast.Context(device), {}
    topology = glrast.antialias_construct_topology_hash(made.tri)
    pos, color = made.pos_clip.detach().requires_grad_(), made.color.clone().requires_grad_()

    def step() -> None:
        rast, _ = glrast.rasterize(ctx, pos, made.tri, made.resolution)
        image, _ = glrast.interpolate(color, rast, made.tri)
        glrast.antialias(image, rast, pos, made.tri, topology).sum().backward()

    for name, on in (("atomics", False), ("in order", True)):
        torch.use_deterministic_algorithms(on)
        try:
            found[name] = clock.per_call([step], setting.repeats, device)
        finally:
            torch.use_deterministic_algorithms(False)
    return found


def overhead(setting: Setting) -> dict[str, Any]:
    """An iteration at 64 x 64: the host's part is all of it."""
    made = _scene(setting, 1280, 64)
    ctx, color = glrast.Context(setting.device), made.color.clone().requires_grad_()
    topology = glrast.antialias_construct_topology_hash(made.tri)
    pos = made.pos_clip.detach().requires_grad_()

    def step() -> None:
        rast, _ = glrast.rasterize(ctx, pos, made.tri, made.resolution)
        image, _ = glrast.interpolate(color, rast, made.tri)
        glrast.antialias(image, rast, pos, made.tri, topology).sum().backward()

    return clock.per_call([step], 10 * setting.repeats, setting.device)


def nvdiffrast(setting: Setting) -> dict[str, Any]:
    """Its time over ours at 1024 x 1024, in turns, where it is installed."""
    if find_spec("nvdiffrast") is None or setting.device.type != "cuda":
        raise Missing("nvdiffrast is not installed here")
    return {
        "ratio": peer.compare(
            sphere(20480, 1024, setting.device), setting.repeats, "nvdiffrast"
        ).ratio
    }


def _scene(setting: Setting, triangles: int, size: int) -> Scene:
    return (
        sphere(80, 33, setting.device) if setting.tiny else sphere(triangles, size, setting.device)
    )


if __name__ == "__main__":
    raise SystemExit(run("timings", rungs))
