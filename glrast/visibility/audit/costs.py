"""What a method costs: milliseconds and bytes of a sphere of 5,120 triangles, 256 x 256, forward and backward."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from ...context import Context
from ...mesh.shapes import icosphere
from ...ops.interpolate import interpolate
from ..by_name import render
from ..claims import Claim
from .draw import length, usual

LEVEL, RESOLUTION = 4, (256, 256)
ROUNDS = 5


@dataclass
class Cost:
    ms: float  # median, forward and backward; on a CPU processor time
    bytes: int  # what the graph keeps for the backward pass
    repeats: float  # |difference of the gradients of two runs| / |gradient|: 0 where their bits are the same


def costs(
    ctx: Context,
    claims: tuple[Claim, ...],
    rounds: int = ROUNDS,
    level: int = LEVEL,
    resolution: tuple[int, int] = RESOLUTION,
) -> dict[str, Cost]:
    """By label, measured in turns: a machine that slows down slows all of them."""
    xyz, tri = icosphere(level)
    shape = torch.cat([0.8 * xyz, torch.ones_like(xyz[:, :1])], 1)[None].to(ctx.device)
    color, tri = (0.5 + 0.5 * xyz).to(ctx.device), tri.to(ctx.device)
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(1, *resolution, 3, generator=random).to(ctx.device)

    def shade(rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        return interpolate(color, rast, tri)[0]

    def image(claim: Claim, pos: Tensor) -> Tensor:
        return render(claim.name, ctx, pos, tri, shade, resolution, **usual(claim))

    def run(claim: Claim) -> Tensor:
        pos = shape.clone().requires_grad_()
        loss = (image(claim, pos) * weight).sum()
        return torch.autograd.grad(loss, pos)[0] if loss.requires_grad else torch.zeros_like(pos)

    times: dict[str, list[float]] = {c.label: [] for c in claims}
    last = {c.label: run(c) for c in claims}
    again: dict[str, float] = {}
    for _ in range(rounds):
        for claim in claims:
            grad, ms = _timed(lambda claim=claim: run(claim), ctx.device)
            times[claim.label].append(ms)
            size = max(length(grad), 1e-30)
            apart = length(grad - last[claim.label]) / size
            again[claim.label] = max(again.get(claim.label, 0.0), apart)
    kept = {c.label: _kept(lambda c=c: image(c, shape.clone().requires_grad_())) for c in claims}
    return {label: Cost(median(ms), kept[label], again[label]) for label, ms in times.items()}


def _timed(run: Callable[[], Tensor], device: torch.device) -> tuple[Tensor, float]:
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        found = run()
        end.record()
        torch.cuda.synchronize(device)
        return found, float(start.elapsed_time(end))
    begin = time.process_time()
    found = run()
    return found, 1e3 * (time.process_time() - begin)


def _kept(forward: Callable[[], Tensor]) -> int:
    """Bytes of the storages that the graph saves, each once."""
    storages: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no address comes twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        image = forward()
    return sum(storages.values()) if image.requires_grad else 0
