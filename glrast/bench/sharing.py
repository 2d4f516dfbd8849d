"""What one call's steps between OpenGL and tensors cost, in microseconds. `python -m glrast.bench.sharing`.

`register`, `map` and `unmap` are the CPU's time in those calls, None where images go through host memory; `draw` is
the CPU's time to submit; `image` ends when the tensor is there: drawn, mapped or read, and copied, with all waits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

import glrast

from ..gl.context import DeviceContext
from ..gl.interop import Registered
from ..launch import launch
from ..raster.self_test import tested
from . import measure
from .scene import sphere

TRIANGLES, RESOLUTION, REPEATS = 81920, 1024, 50


def measure_sharing(
    device: torch.device,
    repeats: int = REPEATS,
    triangles: int = TRIANGLES,
    resolution: int = RESOLUTION,
) -> dict[str, float | str | None]:
    """Medians in microseconds by step, and which way the images take."""
    context = tested(device)
    ctx = glrast.Context(device, buffers="id")
    ctx.close()
    made = sphere(triangles, resolution, device)
    rast, rast_db = glrast.rasterize(ctx, made.pos_clip, made.tri, made.resolution)
    found: dict[str, float | str | None] = {
        "way": context.sharing.reason or type(context.sharing).__name__,
        "make current": _median(lambda: _enter(context), repeats),
    }
    with context.current():
        found |= _registered(context, device, repeats)
        context.sharing.to_opengl()
        found |= _drawn(context, device, repeats)
    found["view"] = _view(context)
    found["resolve"] = _resolve(made, rast, rast_db, repeats)
    ctx.close()
    return found


def _view(context: DeviceContext) -> str | None:
    """What of a mapped texture shows its layers (gl/cudart.py); None where nothing is mapped."""
    resources = getattr(context.sharing, "resources", {}).values()
    return next((resource.view for resource in resources if resource.view), None)


def _median(function: Callable[[], object], repeats: int, device: torch.device | None = None):
    """Microseconds; with a device, until that is done."""
    times = []
    for _ in range(measure.WARM_UP + repeats):
        if device is not None:
            measure.wait(device)
        start = time.perf_counter()
        function()
        if device is not None:
            measure.wait(device)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times[measure.WARM_UP :])


def _enter(context: DeviceContext) -> None:
    with context.egl:
        pass


def _thing(context: DeviceContext, kind: str):
    return next(thing for key, thing in context.objects.items() if key[0] == kind)


def _registered(
    context: DeviceContext, device: torch.device, repeats: int
) -> dict[str, float | None]:
    sharing = context.sharing
    if not isinstance(sharing, Registered) or sharing.host is not None:
        return {"register": None, "unregister": None, "map": None, "unmap": None}
    sharing.to_opengl()
    target = _thing(context, "target")
    runtime = sharing.runtime
    times: dict[str, list[float]] = {
        name: [] for name in ("register", "unregister", "map", "unmap")
    }

    def timed(name: str, function: Callable):
        start = time.perf_counter()
        result = function()
        times[name].append(1e6 * (time.perf_counter() - start))
        return result

    sharing.forget(target)
    with runtime.guard():
        runtime.use_device()
        for _ in range(measure.WARM_UP + repeats):
            measure.wait(device)
            handle = timed("register", lambda: runtime.register_image(target.color))
            for _ in range(
                2
            ):  # the first mapping of a registration may cost more: the second counts
                timed("map", lambda h=handle: runtime.map([h], runtime.stream()))
                timed("unmap", lambda h=handle: runtime.unmap([h], runtime.stream()))
            timed("unregister", lambda h=handle: runtime.unregister(h))
    return {
        "register": statistics.median(times["register"]),
        "unregister": statistics.median(times["unregister"]),
        "map": statistics.median(times["map"][1::2]),
        "unmap": statistics.median(times["unmap"][1::2]),
    }


def _drawn(context: DeviceContext, device: torch.device, repeats: int) -> dict[str, float | None]:
    target, array = _thing(context, "target"), _thing(context, "array")
    commands = context.objects[("buffer", "commands")]
    shape = (target.layers, target.height, target.width)
    out = torch.empty(shape, dtype=target.format[3], device=device)

    def draw() -> None:
        context.sharing.to_opengl()
        target.clear()
        array.render_indirect(commands, count=1)

    def image() -> None:
        draw()
        context.sharing.read(target, out)

    found: dict[str, float | None] = {
        "draw": _median(draw, repeats),
        "image": _median(image, repeats, device),
    }
    context.sharing.to_opengl()
    return found


def _resolve(made, rast: torch.Tensor, rast_db: torch.Tensor, repeats: int) -> float:
    """The kernel from ids in memory."""
    height, width = made.resolution
    pos, ids = made.pos_clip, glrast.triangle_id(rast) + 1
    arguments = dict(
        width=width, rows=height, ids=ids, from_rast=0, drawn=0, pos=pos, pos_stride=0, tri=made.tri,
        V=pos.shape[1], T=len(made.tri), H=height, rast=rast, rast_db=rast_db,
        per_width=1 / width, per_height=1 / height,
    )  # fmt: skip
    return _median(
        lambda: launch("rasterize", "rasterize_resolve", rast.device, **arguments),
        repeats,
        rast.device,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    for name, value in (("triangles", TRIANGLES), ("resolution", RESOLUTION), ("repeats", REPEATS)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    device = glrast.Context(args.device).device
    found = measure_sharing(device, args.repeats, args.triangles, args.resolution)
    for name, value in found.items():
        print(f"{name:14} {value if not isinstance(value, float) else f'{value:.1f} us'}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
