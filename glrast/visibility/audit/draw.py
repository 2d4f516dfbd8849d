"""The scenes drawn by a claimed method, by the exact one, and supersampled: these two say what is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...context import Context
from ...ops.interpolate import interpolate
from ...ops.rasterize import rasterize
from ..by_name import render
from ..claims import Claim
from .scenes import SIZE, Kind, entries_of, faces

SEED = 0  # of methods that draw random numbers
# The supersampled image: a pixel's side, and how often, each time moved by another part of a sample: an edge along an
# axis meets 128 columns a pixel.
SAMPLES, SHIFTS = 8, 16
STEP_PIX = 0.25  # of its central differences: a vertex moves by it either way, edges by less
OWN_STEP_PIX = 0.02  # of those of a method's own image, which has no noise but rounding

Draw = Callable[[Tensor], Tensor]  # [1,64,64,4], mask last, of clip positions [V,4]


def shade_of(kind: Kind, device: torch.device) -> Callable[..., Tensor]:
    """The colours of corners, whatever the triangles' vertices are."""
    corners, own = kind.corners.to(device), faces(kind).to(device)

    def shade(rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        return interpolate(corners, rast, own)[0]

    return shade


def seeded(name: str, options: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The options, with a generator that begins anew for a method that draws random numbers."""
    if name != "edge_sampling":
        return options
    return {"generator": torch.Generator(device).manual_seed(SEED), **options}


def usual(claim: Claim) -> dict[str, Any]:
    """The options of a claim, but so many samples of edges as are usual: a claim has many, to show no noise."""
    return {k: v for k, v in claim.options.items() if k != "samples_per_edge"}


def drawn(ctx: Context, kind: Kind, name: str, options: dict[str, Any], pos: Tensor) -> Tensor:
    """[1,64,64,C+1] over black, mask last."""
    tri, options = kind.tri.to(pos.device), seeded(name, options, pos.device)
    shade = shade_of(kind, pos.device)
    return render(name, ctx, pos, tri, shade, SIZE, alpha=True, ranges=[[0, len(tri)]], **options)


def by_claim(ctx: Context, kind: Kind, claim: Claim) -> Draw:
    return partial(drawn, ctx, kind, claim.name, claim.options)


def exactly(ctx: Context, kind: Kind) -> Draw:
    return partial(drawn, ctx, kind, "exact", {})


@torch.no_grad()
def supersampled(ctx: Context, kind: Kind, pos: Tensor, shifts: int = SHIFTS) -> Tensor:
    """[1,64,64,C+1]: the mean of 8 x 8 point samples in each pixel, so many times, which knows nothing of edges."""
    size = [SAMPLES * side for side in SIZE]
    tri, shade, total = kind.tri.to(pos.device), shade_of(kind, pos.device), 0.0
    order = sorted(range(shifts), key=lambda k: f"{k:04b}"[::-1])
    for x, y in enumerate(order):
        by = [(2 * (at + 0.5) / shifts - 1) / s for at, s in ((x, size[1]), (y, size[0]))]
        moved = pos + pos[:, 3:] * pos.new_tensor([*by, 0.0, 0.0])
        rast, db = rasterize(ctx, moved, tri, size, ranges=[[0, len(tri)]])
        image = torch.cat([shade(rast, db, tri), (rast[..., 3:] > 0).float()], -1)
        small = torch.nn.functional.avg_pool2d(image.movedim(3, 1), SAMPLES).movedim(1, 3)
        total = total + small.double()
    return torch.as_tensor(total) / shifts


def gradients(draw: Draw, pos: Tensor, losses: Sequence[Tensor]) -> list[Tensor]:
    """float64 [V,4] for each loss sum(weight * image); 0 where the image does not know of pos."""
    pos = pos.detach().requires_grad_()
    image = draw(pos)
    found: list[Tensor] = []
    for weight in losses:
        grad = None
        if image.requires_grad:
            loss = (image * weight.to(image)).sum()
            (grad,) = torch.autograd.grad(loss, pos, retain_graph=True, allow_unused=True)
        found.append(torch.zeros_like(pos).double() if grad is None else grad.cpu().double())
    return [g.cpu() for g in found]


@torch.no_grad()
def differences(
    draw: Draw,
    pos: Tensor,
    losses: Sequence[Tensor],
    entries: Sequence[tuple[int, int]],
    step_pix: float,
) -> list[Tensor]:
    """float64 [entries] for each loss: central differences of the image."""
    found = [torch.zeros(len(entries), dtype=torch.float64) for _ in losses]
    for n, (vertex, axis) in enumerate(entries):
        size = SIZE[1] if axis == 0 else SIZE[0]
        move = torch.zeros_like(pos)
        move[vertex, axis] = step_pix * 2 / size * max(abs(float(pos[vertex, 3])), 0.1)
        up, down = pos + move, pos - move
        taken = float(up[vertex, axis] - down[vertex, axis])  # as float32 has it
        change = (draw(up).double() - draw(down).double()).cpu() / taken
        for out, weight in zip(found, losses):
            out[n] = (change * weight).sum()
    return found


def length(vector: Tensor) -> float:
    return math.sqrt(float(vector.double().square().sum()))


def moving(kind: Kind, gradient: Tensor, most: int) -> list[tuple[int, int]]:
    """Entries of vertices that move something, spread evenly; at most so many."""
    every = [(v, a) for v, a in entries_of(kind) if float(gradient[v].abs().max()) > 1e-3]
    return every[:: -(-len(every) // most)] if every else []
