"""Jacobian images: how each pixel changes while a star moves to the right, by every method, beside the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...context import Context
from ...core.files import replacing
from ...ops.interpolate import interpolate
from ...ops.rasterize import rasterize
from ..by_name import render
from ..claims import CLAIMS, Claim
from .draw import length, seeded

RESOLUTION, QUICK = 48, 24
SAMPLES, STEP_PIX = 32, 0.125  # of the truth: a pixel's side in samples, half of the motion
AT_ONCE = 64  # pixels whose derivative one backward pass gives
COLUMNS = 6


def jacobian(image: Callable[[Tensor], Tensor], resolution: Sequence[int]) -> Tensor:
    """[H,W]: d pixel / d shift by autograd, each pixel the mean of its channels.

    Args:
        image: of shifts [N], one for each image, the images [N,H,W,C].

    Note: every pixel needs a backward pass; here many images in one each ask for one.
    """
    H, W = resolution
    found: list[Tensor] = []
    for first in range(0, H * W, AT_ONCE):
        pixel = torch.arange(first, min(first + AT_ONCE, H * W))
        shift = torch.zeros(len(pixel), requires_grad=True)
        flat = image(shift).mean(-1).reshape(len(pixel), H * W)
        if not flat.requires_grad:
            return torch.zeros(H, W)
        asked = flat.gather(1, pixel.to(flat.device)[:, None]).sum()
        found.append(torch.autograd.grad(asked, shift)[0])
    return torch.cat(found).reshape(H, W)


class Star:
    """Ten flat facets before a wall that one of its points goes through: outlines, creases, an intersection."""

    def __init__(self, ctx: Context, resolution: int):
        self.ctx, self.resolution = ctx, resolution
        corner = torch.arange(10)
        angle, radius = (
            corner * math.pi / 5 + 0.3,
            torch.where(corner % 2 == 0, 0.85, 0.45),
        )
        x, y = radius * angle.cos(), radius * angle.sin()
        ring = torch.stack([x, y, 0.6 * x - 0.1, torch.ones(10)], 1)
        top = torch.tensor([[0.0, 0.0, -0.3, 1.0]])
        wall = torch.tensor([[-3.0, -3, 0.2, 1], [3, -3, 0.2, 1], [3, 3, 0.2, 1], [-3, 3, 0.2, 1]])
        self.pos = torch.cat([top, ring, wall]).to(ctx.device)
        self.moves = torch.zeros(15, 4)
        self.moves[:11, 0] = 2 / resolution
        fan = torch.stack([0 * corner, 1 + corner, 1 + (corner + 1) % 10], 1)
        self.tri = torch.cat([fan, torch.tensor([[11, 12, 13], [11, 13, 14]])]).int().to(ctx.device)
        facets = torch.where(corner % 2 == 0, 1.0, 0.75)
        colors = torch.cat([facets, torch.tensor([0.25, 0.25])])[:, None]
        self.corners = colors.repeat_interleave(3, 0).to(ctx.device)
        self.own = torch.arange(36, dtype=torch.int32, device=ctx.device).reshape(12, 3)

    def moved(self, shift: Tensor) -> Tensor:
        """Clip positions [N,V,4] for shifts [N] in pixels."""
        return self.pos + (shift[:, None, None] * self.moves).to(self.pos.device)

    def shade(self, rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        return interpolate(self.corners, rast, self.own)[0]

    def image(self, claim: Claim, shift: Tensor) -> Tensor:
        options = seeded(claim.name, claim.options, self.pos.device)
        size = (self.resolution, self.resolution)
        pos = self.moved(shift)
        return render(claim.name, self.ctx, pos, self.tri, self.shade, size, **options)

    def truth(self) -> Tensor:
        """[H,W]: central differences of images of 32 x 32 samples a pixel."""
        size = (SAMPLES * self.resolution, SAMPLES * self.resolution)
        made: list[Tensor] = []
        for step in (STEP_PIX, -STEP_PIX):
            pos = self.moved(torch.tensor([step]))
            rast, db = rasterize(self.ctx, pos, self.tri, size)
            large = self.shade(rast, db, self.tri).mean(-1)
            made.append(torch.nn.functional.avg_pool2d(large, SAMPLES)[0].cpu())
        return (made[0] - made[1]) / (2 * STEP_PIX)


def jacobians(
    methods: Sequence[str], ctx: Context, resolution: int = RESOLUTION
) -> dict[str, Tensor]:
    """Of labels of CLAIMS: [H,W] each, and "truth" first."""
    star = Star(ctx, resolution)
    with torch.no_grad():
        found = {"truth": star.truth()}
    for claim in CLAIMS:
        if claim.label in methods:
            size = (resolution, resolution)
            found[claim.label] = jacobian(lambda s, c=claim: star.image(c, s), size)
    return found


def plot(path: Path, methods: Sequence[str], ctx: Context, quick: bool = False) -> None:
    """A picture of the star, the truth and every method, all on one scale; needs matplotlib.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    from matplotlib.figure import Figure

    star = Star(ctx, QUICK if quick else RESOLUTION)
    found = jacobians(methods, ctx, star.resolution)
    with torch.no_grad():
        exact = next(claim for claim in CLAIMS if claim.name == "exact")
        seen = star.image(exact, torch.zeros(1))[0, :, :, 0].cpu()
    rows = -(-(len(found) + 1) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.95 * rows), layout="constrained")
    axes: Any = figure.subplots(rows, COLUMNS, squeeze=False).reshape(-1)  # pyright: ignore
    axes[0].imshow(seen, cmap="gray", origin="lower", vmin=0, vmax=1)
    axes[0].set_title("the star, which moves right", fontsize=9)
    shown = None
    for axis, (name, slope) in zip(axes[1:], found.items()):
        shown = axis.imshow(slope, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower")
        axis.set_title(_title(name, slope, found["truth"]), fontsize=9)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    for axis in axes[len(found) + 1 :]:
        axis.axis("off")
    figure.colorbar(shown, ax=list(axes), label="d pixel / d shift", shrink=0.6)  # pyright: ignore
    with replacing(path) as file:
        figure.savefig(file, dpi=80)  # pyright: ignore


def _title(name: str, slope: Tensor, truth: Tensor) -> str:
    if name == "truth":
        return "truth: differences of\nsupersampled images"

    def blurred(image: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(image[None], 5, stride=1, padding=2)[0]

    errors = [length(f(slope) - f(truth)) / length(f(truth)) for f in (torch.clone, blurred)]
    return f"{name}\nerror {errors[0]:.2f}; of 5 x 5 means {errors[1]:.2f}"
