"""Who is compared in the paper's table, and the process that each of them runs in.

glrast      rasterize, interpolate, antialias
softras     nearest_faces, shade_faces, softras: K = 8 faces of a pixel, the paper's sigma and reach (Liu et al. 2019)
PyTorch3D   its rasterizer and softmax_rgb_blend with the same K, reach, sigma and gamma; needed only here, if at all
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

import glrast

from .. import visibility
from ..visibility.softras import GAMMA, SIGMA_NDC
from . import measure
from .scene import Scene, even_sphere

FACES_PER_PIXEL = 8
NOT_HERE = "not installed"  # how the reason begins that holds for every case
_MEMORY_SHARE = (
    0.8  # of what is free when a case begins: more is refused, so that the machine goes on
)


def serve(pipe: Connection, name: str, device: str) -> None:
    """Answer "prepare" T R, "run" and "forget" until the pipe ends: a tuple of milliseconds, or a text: why not."""
    case: Callable[[], tuple[float, float, float]] | None = None
    while True:
        try:
            what, *numbers = pipe.recv()
            triangles, resolution = numbers or (0, 0)
        except (EOFError, OSError):
            return
        try:
            if what == "run":
                assert case is not None
                answer: object = case()
            else:
                case = None
                if what == "prepare":
                    case = prepared(name, triangles, resolution, torch.device(device))
                answer = (0.0, 0.0, 0.0)
        except ImportError as error:
            answer = f"{NOT_HERE} ({error})"
        except (MemoryError, RuntimeError, ValueError) as error:
            case = None
            answer = _reason(error)
        pipe.send(answer)


def _reason(error: Exception) -> str:
    text = str(error)
    memory = ("memory", "bad_alloc", "allocate")
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(w in text for w in memory):
        return "does not fit in memory"
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__


def prepared(
    name: str, T: int, R: int, device: torch.device
) -> Callable[[], tuple[float, float, float]]:
    """A forward and backward pass: milliseconds of each, and of both by the clock. On the CPU each is the processor's
    time, of all threads, which a busy machine disturbs least; on a GPU the clock's, with the GPU waited for.
    """
    image, inputs = RENDERERS[name](even_sphere(T, R, device))
    if device.type == "cpu":
        _bound_memory()
    clock = time.process_time if device.type == "cpu" else time.perf_counter

    def run() -> tuple[float, float, float]:
        measure.wait(device)
        begin, wall = clock(), time.perf_counter()
        out = image()
        measure.wait(device)
        between = clock()
        torch.autograd.grad(out.sum(), inputs)
        measure.wait(device)
        end = clock()
        return 1e3 * (between - begin), 1e3 * (end - between), 1e3 * (time.perf_counter() - wall)

    return run


def _bound_memory() -> None:
    """What this process may have, from what it has and what is free (Linux): an error beyond, not the end of others."""
    if sys.platform != "linux":
        return
    free = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(
        resource.RLIMIT_AS, (has + int(_MEMORY_SHARE * free), resource.RLIM_INFINITY)
    )


# ---- the renderers: a function that makes the image, and what it is differentiated by ---------------------

Made = tuple[Callable[[], Tensor], tuple[Tensor, Tensor]]


def _glrast(scene: Scene) -> Made:
    ctx, tri, (pos, color) = glrast.Context(scene.tri.device), scene.tri, _inputs(scene)

    def image() -> Tensor:
        rast, _ = glrast.rasterize(ctx, pos, tri, scene.resolution)
        return glrast.antialias(glrast.interpolate(color, rast, tri)[0], rast, pos, tri)

    return image, (pos, color)


def _softras(scene: Scene) -> Made:
    ctx, tri, (pos, color) = glrast.Context(scene.tri.device), scene.tri, _inputs(scene)
    reach = visibility.softras_reach(scene.resolution)

    def image() -> Tensor:
        near = visibility.nearest_faces(ctx, pos, tri, scene.resolution, FACES_PER_PIXEL, reach)
        return visibility.softras(near, visibility.shade_faces(color, near, tri))

    return image, (pos, color)


def _pytorch3d(scene: Scene) -> Made:
    from pytorch3d.ops import interpolate_face_attributes  # pyright: ignore
    from pytorch3d.renderer.blending import BlendParams, softmax_rgb_blend  # pyright: ignore
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore
    from pytorch3d.structures import Meshes  # pyright: ignore

    (pos, color), tri, R = _inputs(scene), scene.tri.long(), scene.resolution[0]
    blur = (visibility.softras_reach(scene.resolution) * 2 / R) ** 2
    params: Any = BlendParams(sigma=SIGMA_NDC, gamma=GAMMA)

    def image() -> Tensor:
        x, y, w = pos[0, :, 0], pos[0, :, 1], pos[0, :, 3]
        mesh: Any = Meshes(
            [torch.stack([-x / w, y / w, w], 1)], [tri]
        )  # +X left; the depth of the camera
        found = rasterize_meshes(mesh, R, blur, FACES_PER_PIXEL, perspective_correct=True)
        fragments = SimpleNamespace(
            **dict(zip(("pix_to_face", "zbuf", "bary_coords", "dists"), found))
        )
        colors = interpolate_face_attributes(found[0], found[2], color[tri])
        return softmax_rgb_blend(colors, fragments, params)

    return image, (pos, color)


def _inputs(scene: Scene) -> tuple[Tensor, Tensor]:
    return scene.pos_clip.detach().requires_grad_(), scene.color.clone().requires_grad_()


RENDERERS: dict[str, Callable[[Scene], Made]] = {
    "glrast": _glrast,
    "softras": _softras,
    "PyTorch3D": _pytorch3d,
}
