"""The CPU's results against a GPU's: every operation, forward and backward. `python -m glrast.bench.parity`.

OpenGL's rules leave a driver room at triangle edges: pixels that show another triangle are counted, and left out of
the comparison. What follows rasterization is given the CPU's image on both sides.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

import glrast

from .scene import Scene, sphere

TRIANGLES, RESOLUTION = 1280, 193
# float32 sums over some thousand pixels, in another order; measured by no GPU yet.
TOLERANCE = 1e-4
OTHER_TRIANGLES = 2e-3  # of all pixels


@dataclass(frozen=True)
class Parity:
    """One tensor of one operation: the norm of the difference over the CPU's."""

    op: str
    tensor: str
    error: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.error <= self.limit  # not for NaN


def measure_parity(
    device: torch.device, triangles: int = TRIANGLES, resolution: int = RESOLUTION
) -> list[Parity]:
    """All comparisons; none of them raises."""
    made = sphere(triangles, resolution, torch.device("cpu"))
    drawn = [_drawn(made, d) for d in (torch.device("cpu"), device)]
    same = (drawn[0][0][..., 3] == drawn[1][0][..., 3])[..., None]
    rows = [Parity("rasterize", "other triangle", 1 - same.float().mean().item(), OTHER_TRIANGLES)]
    rast, rast_db = drawn[0]
    inputs = {"rast": rast, "rast_db": rast_db, "same": same}
    for op, function in OPERATIONS.items():
        wanted, found = (
            function(made, d, {k: v.to(d) for k, v in inputs.items()})
            for d in (torch.device("cpu"), device)
        )
        rows += [Parity(op, name, _error(found[name], wanted[name]), TOLERANCE) for name in wanted]
    return rows


def _error(found: Tensor, wanted: Tensor) -> float:
    difference = (found.detach().cpu().double() - wanted.detach().cpu().double()).norm()
    return (difference / wanted.detach().cpu().double().norm().clamp(min=1e-30)).item()


def _drawn(made: Scene, device: torch.device) -> tuple[Tensor, Tensor]:
    pos, tri = made.pos_clip.to(device), made.tri.to(device)
    drawn = glrast.rasterize(glrast.Context(device), pos, tri, made.resolution)
    return drawn[0].cpu(), drawn[1].cpu()


def _random(like: Tensor, seed: int) -> Tensor:
    made = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return made.to(like.device)


def _rasterize(made: Scene, device: torch.device, given: dict[str, Tensor]) -> dict[str, Tensor]:
    pos, tri = made.pos_clip.to(device).requires_grad_(), made.tri.to(device)
    rast, rast_db = (
        t * given["same"]
        for t in glrast.rasterize(glrast.Context(device), pos, tri, made.resolution)
    )
    of_rast, of_db = (
        torch.autograd.grad((t * _random(t, seed)).sum(), pos, retain_graph=True)[0]
        for seed, t in ((1, rast), (2, rast_db))
    )
    return {"rast": rast, "rast_db": rast_db, "grad of rast": of_rast, "grad of rast_db": of_db}


def _interpolate(made: Scene, device: torch.device, given: dict[str, Tensor]) -> dict[str, Tensor]:
    attr, rast = made.color.to(device).requires_grad_(), given["rast"].requires_grad_()
    rast_db, tri = given["rast_db"].requires_grad_(), made.tri.to(device)
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    loss = (out * _random(out, 3)).sum() + (out_da * _random(out_da, 4)).sum()
    grads = torch.autograd.grad(loss, (attr, rast, rast_db))
    names = ("out", "out_da", "grad attr", "grad rast", "grad rast_db")
    return dict(zip(names, (out, out_da, *grads)))


def _texture(boundary: str, filter: str) -> Callable:
    def run(made: Scene, device: torch.device, given: dict[str, Tensor]) -> dict[str, Tensor]:
        cube = boundary == "cube"
        shape = (1, 6, 32, 32, 3) if cube else (1, 64, 32, 3)
        tex = _random(torch.empty(shape, device=device), 5).requires_grad_()
        extent = 3 if cube else 2
        pixels = torch.empty((*given["rast"].shape[:3], extent), device=device)
        uv = _random(pixels, 6).requires_grad_()
        uv_da = (0.1 * _random(torch.cat([pixels, pixels], -1), 7)).requires_grad_()
        out = glrast.texture(tex, uv, uv_da, filter_mode=filter, boundary_mode=boundary)
        inputs = {"tex": tex, "uv": uv, "uv_da": uv_da}
        grads = torch.autograd.grad(
            (out * _random(out, 8)).sum(), list(inputs.values()), allow_unused=True
        )
        named = {f"grad {name}": g for name, g in zip(inputs, grads) if g is not None}
        return {"out": out, **named}

    return run


def _antialias(made: Scene, device: torch.device, given: dict[str, Tensor]) -> dict[str, Tensor]:
    rast, tri = given["rast"], made.tri.to(device)
    pos = made.pos_clip.to(device).requires_grad_()
    color = _random(rast[..., :3], 9).requires_grad_()
    out = glrast.antialias(color, rast, pos, tri)
    grads = torch.autograd.grad((out * _random(out, 10)).sum(), (color, pos))
    return {"out": out, "grad color": grads[0], "grad pos": grads[1]}


OPERATIONS = {
    "rasterize": _rasterize,
    "interpolate": _interpolate,
    "texture wrap trilinear": _texture("wrap", "linear-mipmap-linear"),
    "texture clamp linear": _texture("clamp", "linear"),
    "texture zero nearest": _texture("zero", "nearest"),
    "texture cube trilinear": _texture("cube", "linear-mipmap-linear"),
    "antialias": _antialias,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--triangles", type=int, default=TRIANGLES)
    parser.add_argument("--resolution", type=int, default=RESOLUTION)
    args = parser.parse_args()
    device = glrast.Context(args.device).device
    rows = measure_parity(device, args.triangles, args.resolution)
    for row in rows:
        mark = "" if row.holds else f"   more than {row.limit:g}"
        print(f"{row.op:24} {row.tensor:16} {row.error:.1e}{mark}")
    if args.json:
        args.json.write_text(json.dumps([asdict(r) | {"holds": r.holds} for r in rows], indent=1))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
