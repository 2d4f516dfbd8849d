"""The steps, in the order of what they are worth; how long each may take; the rungs of those that have some.

Seconds are parts of DEFAULT_LIMIT_S and shrink with --limit. A step may use what those before it left over, never what
belongs to those after it.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LIMIT_S = 420.0
PREPARE_S = 30.0  # of unpacking, and of compiling the host library where there is none

ITERATIONS = (1024, 256, 2048, 4096)
PIXELS = (256, 512, 1024, 2048, 4096, 8192)
TRIANGLES = (1280, 20480, 327680, 1310720)
FILTERS = ("linear", "linear-mipmap-linear")

# Seconds that a rung may take, as a process that is new begins with it.
RUNGS: dict[str, dict[str, float]] = {
    "ladder": {
        "versions": 20, "one kernel": 40, "every kernel": 60, "OpenGL": 20,
        **{f"interop {name} x {layers}": 10 for name in ("R32UI", "RG32UI", "RGBA32F") for layers in (1, 3)},
        "steps of a call": 12,
        **{f"iteration {size}": 12 for size in ITERATIONS},
        "kernels": 15,
    },
    "llvmpipe": {"soup": 15, "sheet": 15, "far plane": 15},
    "timings": {
        "copy": 10,
        **{f"{views} {program}": 15 for views in ("1 view", "64 views") for program in ("id", "full")},
        "deterministic": 15,
        **{f"texture {filter}": 20 for filter in FILTERS},
        "one layer or several": 15,
        **{f"pixels {size}": 12 for size in PIXELS},
        **{f"triangles {count}": 12 for count in TRIANGLES},
        "overhead": 10,
        "nvdiffrast": 15,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    name: str
    seconds: float  # of DEFAULT_LIMIT_S


STEPS = (
    Step("ladder", 105),  # the driver, a kernel, OpenGL, sharing, iterations: what nobody knows yet
    Step("llvmpipe", 25),  # ids against those that another rasterizer drew
    Step("depth", 20),  # is z = w seen? one test
    Step("waiting", 20),  # does any operation wait for the GPU?
    Step("parity", 30),  # every operation, forward and backward, against the CPU
    Step("timings", 90),
    Step("suite", 60),
    Step("memcheck", 40),
)


def ends(limit: float) -> dict[str, float]:
    """Seconds from the start by which each step must have ended, 'prepare' first; the last is `limit`."""
    at, found = 0.0, {}
    for name, seconds in (("prepare", PREPARE_S), *((s.name, s.seconds) for s in STEPS)):
        at += seconds * limit / DEFAULT_LIMIT_S
        found[name] = at
    return found
