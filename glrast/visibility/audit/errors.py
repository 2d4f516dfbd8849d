"""How wrong gradients and images are: a claimed method in a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...context import Context
from ..by_name.soft import SOFT
from ..claims import Claim
from .draw import (
    OWN_STEP_PIX,
    SHIFTS,
    STEP_PIX,
    by_claim,
    differences,
    exactly,
    gradients,
    length,
    moving,
    supersampled,
)
from .scenes import KINDS, Kind, entries_of, noise_weight, smooth_weight

NOTHING = 1e-6  # a gradient of rounding alone
OWN_ENTRIES = 6
MOVING = (
    "antialias",
    "exact",
    "exact near",
    *SOFT,
)  # the image itself changes while an edge moves within a pixel


@dataclass
class Difference:
    """A gradient beside what it should be, as vectors."""

    error: float  # |found - right| / |right|
    scale: float  # found.right / right.right: 1 where it is right, whatever is perpendicular
    cosine: float


@dataclass
class Case:
    """A method in a scene. None: there is nothing to compare with."""

    method: str
    kind: str
    smooth: Difference  # of colours, under a loss that varies slowly over the image
    noise: Difference  # under white noise
    mask: Difference | None  # of the last channel, smooth
    own: (
        Difference | None
    )  # of colours, smooth, with central differences of the method's own image, if it moves
    own_mask: Difference | None
    own_noise: Difference | None
    forward: float  # rms of the image's error against the box-filtered one, in colours from 0 to 1


@dataclass
class Truth:
    """The exact image and its gradients, of one scene."""

    kind: Kind
    entries: list[tuple[int, int]]
    losses: list[Tensor]  # [1,64,64,4] each: smooth, noise, smooth of the mask
    gradients: list[Tensor]  # [V,4] each
    image: Tensor


def losses() -> list[Tensor]:
    none = torch.zeros(1, *smooth_weight().shape[1:3], 1, dtype=torch.float64)
    colors = [torch.cat([w, none], -1) for w in (smooth_weight(), noise_weight())]
    return [*colors, torch.cat([torch.zeros_like(smooth_weight()), smooth_weight()[..., :1]], -1)]


def truth(ctx: Context, name: str) -> Truth:
    kind, by = KINDS[name](), losses()
    draw, pos = exactly(ctx, kind), kind.pos.to(ctx.device)
    with torch.no_grad():
        image = draw(pos).cpu()
    return Truth(kind, entries_of(kind), by, gradients(draw, pos, by), image)


def compared(found: Tensor, right: Tensor) -> Difference:
    one, other = found.reshape(-1), right.reshape(-1)
    long, size = length(one), length(other)
    product = float(one @ other)
    cosine = product / (long * size) if long > 0 and size > 0 else 0.0
    return Difference(length(one - other) / size, product / size**2, cosine)


def at(gradient: Tensor, entries: Sequence[tuple[int, int]]) -> Tensor:
    vertices, axes = zip(*entries)
    return gradient[list(vertices), list(axes)]


def case(ctx: Context, claim: Claim, name: str, right: Truth, own: bool = True) -> Case:
    """`own`: whether its own image is asked as well, which costs twelve more of them."""
    draw, pos = by_claim(ctx, right.kind, claim), right.kind.pos.to(ctx.device)
    found = gradients(draw, pos, right.losses)
    smooth, noise = (
        compared(at(f, right.entries), at(r, right.entries))
        for f, r in zip(found[:2], right.gradients)
    )
    by_mask = at(right.gradients[2], right.entries)
    mask = None
    if length(by_mask) > NOTHING:
        mask = compared(at(found[2], right.entries), by_mask)
    with torch.no_grad():
        apart = draw(pos).cpu() - right.image
    rms = float(apart[..., :3].double().square().mean().sqrt())
    mine: list[Difference | None] = [None, None, None]
    if own and claim.name in MOVING:
        few = moving(right.kind, right.gradients[0], OWN_ENTRIES)
        wanted = differences(draw, pos, right.losses, few, OWN_STEP_PIX) if few else []
        for n, (f, w) in enumerate(zip(found, wanted)):
            if length(w) > NOTHING and (n < 2 or mask is not None):
                mine[n] = compared(at(f, few), w)
    by_color, by_noise, of_mask = mine
    return Case(claim.label, name, smooth, noise, mask, by_color, of_mask, by_noise, rms)


@dataclass
class Check:
    """The exact gradient beside central differences of a supersampled image: what says that the yardstick is true."""

    kind: str
    entries: int
    smooth: Difference
    noise: Difference
    image: float  # rms


def check(ctx: Context, name: str, right: Truth, most: int = 4, shifts: int = SHIFTS) -> Check:
    pos = right.kind.pos.to(ctx.device)
    draw = partial(supersampled, ctx, right.kind, shifts=shifts)
    few = moving(right.kind, right.gradients[0], most)
    wanted = differences(draw, pos, right.losses[:2], few, STEP_PIX)
    smooth, noise = (compared(at(r, few), w) for r, w in zip(right.gradients, wanted))
    with torch.no_grad():
        apart = draw(pos).cpu() - right.image
    return Check(name, len(few), smooth, noise, float(apart.double().square().mean().sqrt()))
