"""Triangle ids against those that llvmpipe drew, from a file: on a GPU machine nothing else may draw but the GPU.

`python -m tools.gpu.llvmpipe --make` draws them again (where OpenGL is llvmpipe) and writes drawn.npz, to be
committed. The scenes are numbers that float32 holds exactly, so that every machine has the same; their hash is in the
file. What follows from the ids, barycentrics, depth, derivatives and gradients, is compared with the host library's,
where both see the same triangle.
"""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import glrast
from glrast.bench.parity import TOLERANCE
from glrast.core.rast import stride_of
from glrast.launch import launch
from glrast.ops.rasterize import RasterizeBackward
from glrast.raster.self_test import tested

from .fake import host_library
from .rungs import Wrong
from .setting import Rung, Setting, run

FILE = Path(__file__).resolve().parent / "drawn.npz"
# Of all pixels. Rasterizers snap vertices to 1/256 pixel, and may round to it in another way; the sheet's edges
# together are some 10,000 pixels long.
OTHER_TRIANGLES = 5e-3
VERSION = 1  # of the scenes: what is in the file must be of the same


class Scene(NamedTuple):
    pos: Tensor  # [N,V,4], clip space
    tri: Tensor  # int32 [T,3]
    resolution: tuple[int, int]


def soup() -> Scene:
    """Three images of 40 triangles each, anywhere, some behind the viewer, most cut by another."""
    random = np.random.RandomState(5)  # whose numbers stay
    pos = random.randint(-2048, 2049, (3, 120, 4)) / 1024
    pos[..., 3] = random.randint(-2, 17, (3, 120)) / 8
    pos[..., :2] += np.repeat(random.randint(-1024, 1025, (3, 40, 2)) / 1024, 3, 1)
    tri = np.arange(120).reshape(40, 3)
    return _scene(pos, tri, (65, 97))


def sheet() -> Scene:
    """A rumpled sheet of 1,152 triangles in perspective, which hides parts of itself."""
    random, n = np.random.RandomState(6), 25
    y, x = np.mgrid[:n, :n]
    height = random.randint(-64, 65, (n, n)) / 256
    w = 1 + y / 32
    pos = np.stack([(x - 12) / 8, (y - 12) / 8 + height, height + (y - 12) / 64, w], -1).reshape(
        1, -1, 4
    )
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).reshape(-1, 1)
    tri = np.concatenate([corner + [0, 1, n], corner + [1, n + 1, n]])
    return _scene(pos, tri, (97, 129))


def far_plane() -> Scene:
    """Two triangles over the whole image at z = w: seen, as depth is cleared to what lies behind it. No pixel's centre
    is on their common edge, where drivers may choose."""
    pos = np.array([[[-1, -1, 1, 1], [1, -1, 1, 1], [1, 1, 1, 1], [-1, 1, 1, 1.0]]])
    return _scene(pos, np.array([[0, 1, 2], [0, 2, 3]]), (16, 32))


SCENES = {"soup": soup, "sheet": sheet, "far plane": far_plane}


def _scene(pos: np.ndarray, tri: np.ndarray, resolution: tuple[int, int]) -> Scene:
    return Scene(
        torch.from_numpy(pos.astype(np.float32)), torch.from_numpy(tri.astype(np.int32)), resolution
    )


def drawn(scene: Scene, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(rast, rast_db, ids + 1) as OpenGL draws it there, on the CPU."""
    ctx = glrast.Context(device, buffers="id")
    rast, rast_db = glrast.rasterize(
        ctx, scene.pos.to(device), scene.tri.to(device), scene.resolution
    )
    return rast.cpu(), rast_db.cpu(), (glrast.triangle_id(rast) + 1).cpu()


# ---- comparing -------------------------------------------------------------------------------------------


def rungs(setting: Setting) -> dict[str, Rung]:
    return {name: setting.shares(partial(compare, setting, name)) for name in SCENES}


def compare(setting: Setting, name: str) -> dict[str, Any]:
    """The part of pixels with another triangle, and the errors of the rest; Wrong where one is too large."""
    scene, wanted_ids = SCENES[name](), carried(name)
    with host_library():
        wanted = resolved(scene, wanted_ids)
    rast, rast_db, ids = drawn(scene, setting.device)
    same = ids == wanted_ids
    found = {"other triangle": 1 - same.float().mean().item()}
    for label, mine, theirs in zip(("rast", "rast_db"), (rast, rast_db), wanted):
        found[label] = _error(mine * same[..., None], theirs * same[..., None])
    found["grad pos"] = _gradient_error(setting, scene, wanted_ids, wanted)
    limits = {"other triangle": 0.0 if name == "far plane" else OTHER_TRIANGLES}
    wrong = {k: v for k, v in found.items() if not v <= limits.get(k, TOLERANCE)}
    if wrong:
        raise Wrong(
            f"more than allowed: {', '.join(f'{k} {v:.1e}' for k, v in wrong.items())}", found
        )
    return found


def carried(name: str) -> Tensor:
    """int32 [N,H,W] triangle id + 1 of the file. RuntimeError: it is of other scenes."""
    with np.load(FILE) as file:
        if int(file["version"]) != VERSION or str(file[f"{name} inputs"]) != fingerprint(
            SCENES[name]()
        ):
            raise RuntimeError(
                f"{FILE.name} holds other scenes: python -m tools.gpu.llvmpipe --make"
            )
        return torch.from_numpy(file[name].astype(np.int32))


def resolved(scene: Scene, ids: Tensor) -> tuple[Tensor, Tensor]:
    """(rast, rast_db) of given ids + 1, by the CPU's kernels."""
    N, H, W = ids.shape
    rast, rast_db = torch.empty(N, H, W, 4), torch.empty(N, H, W, 4)
    launch(
        "rasterize", "rasterize_resolve", ids.device, width=W, rows=N * H, ids=ids.contiguous(), from_rast=0, drawn=0,
        pos=scene.pos, pos_stride=stride_of(scene.pos), tri=scene.tri, V=scene.pos.shape[1], T=len(scene.tri), H=H,
        per_width=1 / W, per_height=1 / H, rast=rast, rast_db=rast_db,
    )  # fmt: skip
    return rast, rast_db


def _gradient_error(
    setting: Setting, scene: Scene, ids: Tensor, like: tuple[Tensor, Tensor]
) -> float:
    """Of the gradient to the positions, of the same ids on both sides."""
    generator = torch.Generator().manual_seed(0)
    grads = [torch.randn(t.shape, generator=generator) for t in like]
    with host_library():
        wanted = RasterizeBackward(scene.pos, scene.tri, ids, *grads).run()
    there = (t.to(setting.device) for t in (scene.pos, scene.tri, ids, *grads))
    given = RasterizeBackward(*there)
    if setting.fake:
        from glrast.launch import cpu

        assert cpu.run.__module__ != cpu.__name__, "the fake is not in place"
    return _error(given.run().cpu(), wanted)


def _error(found: Tensor, wanted: Tensor) -> float:
    """The norm of the difference over that of what is wanted."""
    difference = (found.double() - wanted.double()).norm()
    return (difference / wanted.double().norm().clamp(min=1e-30)).item()


def fingerprint(scene: Scene) -> str:
    held = hashlib.sha256(repr(scene.resolution).encode())
    for tensor in (scene.pos, scene.tri):
        held.update(tensor.numpy().tobytes())
    return held.hexdigest()[:16]


# ---- making the file -------------------------------------------------------------------------------------


def make(file: Path = FILE) -> None:
    device = torch.device("cpu")
    gl = tested(device)
    if "llvmpipe" not in gl.renderer:
        raise SystemExit(f"llvmpipe: OpenGL on the CPU is {gl.renderer} here, not llvmpipe")
    parts: dict[str, Any] = {"version": VERSION, "renderer": f"{gl.renderer} {gl.version}"}
    for name, scene in ((name, made()) for name, made in SCENES.items()):
        parts[name] = drawn(scene, device)[2].numpy().astype(np.uint16)
        parts[f"{name} inputs"] = fingerprint(scene)
    np.savez_compressed(file, **parts)
    print(f"wrote {file}, {file.stat().st_size} bytes, by {parts['renderer']}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--make"]:
        make()
    else:
        raise SystemExit(run("llvmpipe", rungs))
