"""What a method can do, by trial: what gets a gradient, which shading and which calls work; and whether light that
surfaces throw at each other comes into its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from ...context import Context
from ...ops.interpolate import interpolate
from ...ops.texture import texture
from ..by_name import render
from ..claims import Claim
from .draw import by_claim, gradients, length, seeded, usual
from .errors import Truth
from .scenes import RED, in_pixels
from .shapes import closed_mesh

SIZE = (24, 24)
SOME = 1e-3  # of the exact gradient's length: what is less counts as none


class Mesh:
    """A closed mesh in perspective, drawn small by a claimed method."""

    def __init__(self, ctx: Context, claim: Claim, right: Mapping[str, Truth]):
        self.ctx, self.claim, self.right = ctx, claim, right
        pos, tri = closed_mesh(1)
        self.pos, self.tri = pos.to(ctx.device), tri.to(ctx.device)
        random = torch.Generator().manual_seed(1)
        self.color = torch.rand(pos.shape[1], 3, generator=random).to(ctx.device)

    def image(self, shade: Callable[..., Tensor], pos: Tensor | None = None, **how: Any) -> Tensor:
        options = seeded(self.claim.name, usual(self.claim), self.pos.device)
        at, tri = self.pos if pos is None else pos, how.pop("tri", self.tri)
        return render(self.claim.name, self.ctx, at, tri, shade, SIZE, **options, **how)

    def colors(self, rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        return interpolate(self.color, rast, tri)[0]


def _gets(image: Tensor, what: Tensor) -> bool:
    """Does some of an image's gradient reach it?"""
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(image.shape, generator=random).to(image.device)
    if not image.requires_grad:
        return False
    grad = _gradient((image * weight).sum(), what)
    return grad is not None and bool(torch.isfinite(grad).all()) and float(grad.abs().max()) > 1e-6


def _gradient(loss: Tensor, what: Tensor) -> Tensor | None:
    found = torch.autograd.grad(loss, what, allow_unused=True)
    return cast("tuple[Tensor | None, ...]", found)[0]


def _moves(mesh: Mesh, kind: str, loss: int, axes: tuple[int, ...]) -> bool:
    """Is there a thousandth of the gradient that there should be, in a kind of scene?"""
    right, pos = mesh.right[kind], mesh.right[kind].kind.pos.to(mesh.ctx.device)
    draw = by_claim(mesh.ctx, right.kind, mesh.claim)
    (found,) = gradients(draw, pos, right.losses[loss : loss + 1])
    by = list(axes)
    return length(found[:, by]) > SOME * length(right.gradients[loss][:, by])


def _attributes(mesh: Mesh) -> bool:
    mesh.color = mesh.color.clone().requires_grad_()
    return _gets(mesh.image(mesh.colors), mesh.color)


def _texture(mesh: Mesh) -> bool:
    random = torch.Generator().manual_seed(2)
    tex = torch.rand(1, 16, 16, 3, generator=random).to(mesh.pos.device).requires_grad_()
    uv = mesh.color[:, :2].contiguous()

    def shade(rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        at, da = interpolate(uv, rast, tri, rast_db, "all")
        return texture(tex, at, da, filter_mode="linear-mipmap-linear")

    return _gets(mesh.image(shade), tex)


def _light(mesh: Mesh) -> bool:
    """Normals of the positions, specular light: both get a gradient."""
    direction = torch.tensor([0.3, 0.4, 0.8], device=mesh.pos.device).requires_grad_()
    world = mesh.pos[0, :, :3].clone().requires_grad_()

    def shade(rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        corners = world[tri.long()]
        normal = torch.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=1)
        at = torch.arange(3 * len(tri), device=tri.device, dtype=torch.int32).reshape(-1, 3)
        n, _ = interpolate(normal.repeat_interleave(3, 0), rast, at)
        n = torch.nn.functional.normalize(n, dim=-1, eps=1e-3)
        return ((n * direction).sum(-1, keepdim=True).clamp(min=0) ** 4).expand(*n.shape[:3], 3)

    image = mesh.image(shade)
    return _gets(image, direction) and _gets(mesh.image(shade), world)


def _background(mesh: Mesh) -> bool:
    picture = torch.full((*SIZE, 3), 0.5, device=mesh.pos.device).requires_grad_()
    return _gets(mesh.image(mesh.colors, background=picture), picture)


def _channels(mesh: Mesh) -> bool:
    mesh.color = mesh.color.repeat(1, 3)[:, :7].contiguous().requires_grad_()
    image = mesh.image(mesh.colors)
    return image.shape[-1] == 7 and _gets(image, mesh.color)


def _batch(mesh: Mesh) -> bool:
    pos = torch.cat([mesh.pos, 0.7 * mesh.pos]) * mesh.pos.new_tensor(
        [[[1.0] * 4], [[1, 1, 1, 1.4]]]
    )
    pos.requires_grad_()
    image = mesh.image(mesh.colors, pos)
    return image.shape[0] == 2 and not torch.equal(image[0], image[1])


def _meshes(mesh: Mesh) -> bool:
    T = len(mesh.tri)
    image = mesh.image(mesh.colors, mesh.pos[0], ranges=[[0, T], [T // 2, T // 2]])
    return image.shape[0] == 2 and not torch.equal(image[0], image[1])


TRIALS: dict[str, Callable[[Mesh], bool]] = {
    "positions by the mask": lambda mesh: _moves(mesh, "silhouette", 2, (0, 1)),
    "positions by flat colours at outlines": lambda mesh: _moves(mesh, "silhouette", 0, (0, 1)),
    "positions by flat colours at creases": lambda mesh: _moves(mesh, "flat_crease", 0, (0, 1)),
    "depth where surfaces intersect": lambda mesh: _moves(mesh, "intersection", 0, (2,)),
    "vertex attributes": _attributes,
    "mip-mapped textures": _texture,
    "normals and light in one's own shading": _light,
    "a picture as background": _background,
    "seven channels": _channels,
    "a batch of poses": _batch,
    "several meshes in one call": _meshes,
}


def flexible(ctx: Context, claim: Claim, right: Mapping[str, Truth]) -> list[str]:
    """The trials that succeed; `right`: of silhouette, flat_crease and intersection, among others."""
    return [name for name, trial in TRIALS.items() if trial(Mesh(ctx, claim, right))]


# ---- light between surfaces ------------------------------------------------------------------------------


def indirect(ctx: Context, claim: Claim) -> float:
    """Of the derivative of a floor's brightness by the brightness of a wall beside it, the part that arrives.

    The floor, seen from above, is a square of side 2; along its edge x = 1 stands a wall of height 2, seen edge-on. A
    diffuse white floor at (x, y) takes up F(x, y) of what the wall gives off, the form factor; with shading by what a
    surface gives off itself the floor knows nothing of the wall.
    """
    corners = [(0.0, 0.0, 0.0), (64.0, 0.0, 0.0), (64.0, 64.0, 0.0), (0.0, 64.0, 0.0)]
    upright = [(64.0, 0.0, 0.0), (64.0, 64.0, 0.0), (64.0, 64.0, -0.9), (64.0, 0.0, -0.9)]
    kind = in_pixels(corners + upright, [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], [RED] * 4)
    mesh = Mesh(ctx, claim, {})
    wall = torch.ones(3, device=ctx.device).requires_grad_()
    floor = torch.full((4, 3), 0.5, device=ctx.device)
    colors = torch.cat([floor, wall.expand(4, 3)])

    def shade(rast: Tensor, rast_db: Tensor, tri: Tensor) -> Tensor:
        return interpolate(colors, rast, tri)[0]

    image = mesh.image(shade, kind.pos[None].to(ctx.device), tri=kind.tri.to(ctx.device))
    floors = image[:, :, : SIZE[1] - 2].sum()
    grad = _gradient(floors, wall)
    return 0.0 if grad is None else float(grad.sum()) / (3 * _lit())


def _lit() -> float:
    """The sum of form factors of the wall over the floor's pixels, but the two columns next to it."""
    x = (torch.arange(SIZE[1] - 2, dtype=torch.float64) + 0.5) * 2 / SIZE[1]
    y = (torch.arange(SIZE[0], dtype=torch.float64) + 0.5) * 2 / SIZE[0]
    away = (2 - x)[None, :].expand(SIZE[0], -1)
    total = torch.zeros_like(away)
    for width in (
        y,
        2 - y,
    ):  # a wall from the point's foot to either side, perpendicular to the floor, height 2
        w = width[:, None]
        slant = torch.sqrt(away**2 + 4)
        total += (torch.atan(w / away) - away / slant * torch.atan(w / slant)) / (2 * math.pi)
    return float(total.sum())
