"""From a fine mesh onto the texture of a coarse one: normals, colours, displacement, or any attribute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core import check
from ..core.check import wrong
from ..core.rast import channel_of
from ..mesh.mesh import Mesh
from ..mesh.normals import vertex_normals
from ..ops.interpolate import interpolate
from .closest import Closest
from .colors import colors_of
from .sight import check_mesh
from .texels import Texels, check_texels

WAYS = ("normal", "closest")
# Rounds of: the plane of the nearest triangle, cut by the normal's line. A smooth surface needs two or three.
ROUNDS = 6
# How far from the line, as a share of the mesh's diagonal, the point found may be.
ON_THE_LINE = 1e-5


@dataclass(frozen=True, eq=False)
class Transfer:
    """What of a fine mesh lies over the texels of a coarse one, row 0 at the BOTTOM.

    Args:
        texels: of the coarse mesh.
        high: the fine one.
        rast: float32 [1,H,W,4] with the fine mesh's triangles: `glrast.interpolate(attr, rast, high.tri)` brings any
            attribute of it onto the texture.
        found: bool [H,W], whether there is a point of it within reach.
        displacement: float32 [H,W], how far that point lies along the coarse mesh's normal, negative inside.
    """

    texels: Texels
    high: Mesh
    rast: Tensor
    found: Tensor
    displacement: Tensor

    @cached_property
    def normal(self) -> Tensor:
        """[H,W,3], the fine mesh's unit normals in the mesh's axes; 0 where nothing was found."""
        mesh = self.high
        normal = vertex_normals(mesh.pos, mesh.tri) if mesh.normal is None else mesh.normal
        return functional.normalize(interpolate(normal, self.rast, mesh.tri)[0][0], dim=-1)

    @cached_property
    def tangent_normal(self) -> Tensor:
        """[H,W,3], the same in the coarse mesh's tangent, bitangent and normal, as glTF's normal maps hold it; 0, 0, 1
        where nothing was found. The picture is 0.5 + 0.5 of it."""
        tangent, normal = self.texels.tangent, self.texels.normal
        along = tangent[..., :3]
        across = tangent[..., 3:] * torch.linalg.cross(normal, along)
        axes = torch.stack([along, across, normal], -2)
        turned = (axes @ self.normal[..., None])[..., 0]
        straight = turned.new_tensor([0.0, 0.0, 1.0])
        return torch.where(self.found[..., None], functional.normalize(turned, dim=-1), straight)

    @cached_property
    def color(self) -> Tensor:
        """[H,W,4], sRGB 0..1 and straight alpha: what the fine mesh's materials and vertex colours say."""
        return colors_of(self.high, self.rast)


@torch.no_grad()
def transfer(
    high: Mesh, texels: Texels, way: str = "normal", reach: float | None = None
) -> Transfer:
    """The points of a fine mesh that lie over the texels of a coarse one.

    Args:
        high: the fine mesh, in the same place.
        texels: of the coarse mesh.
        way: 'normal': where the line along the coarse mesh's normal meets the fine one, near the point of it that is
            nearest; where it meets none there, that nearest point. 'closest': the nearest point.
        reach: points further than this, in the mesh's unit, are not taken; None: a tenth of the diagonal.
    Returns: `Transfer`.
    Raises: ModuleNotFoundError: SciPy is not there. ValueError: no triangle with an area.
    Note: in float64 on the CPU, about a million texels in a minute or two of one core.
    """
    name = "bake.transfer"
    check_mesh(name, high, "high")
    check_texels(name, texels)
    way = check.choice(name, "way", way, WAYS)
    pos = high.pos.detach().double().cpu().numpy()
    diagonal = float(np.linalg.norm(pos.max(0, initial=-np.inf) - pos.min(0, initial=np.inf)))
    reach = 0.1 * diagonal if reach is None else check.number(name, "reach", reach)
    surface = Closest(pos, high.tri.cpu().numpy().astype(np.int64))
    if not len(surface.number):
        raise ValueError(wrong(name, "high must have a triangle with an area", "none"))
    place = texels.mask.reshape(-1).nonzero()[:, 0]
    shift = np.subtract(texels.mesh.origin, high.origin)
    points, normals = (
        x.detach().reshape(-1, 3)[place].double().cpu().numpy()
        for x in (texels.position, texels.normal)
    )
    points = points + shift
    at, face, weight = surface.find(points)
    if way == "normal":
        at, face, weight = _along(surface, points, normals, (at, face, weight), diagonal)
    away = at - points
    kept = np.linalg.norm(away, axis=1) <= reach
    return _written(
        texels, high, place, kept, surface.number[face], weight, (away * normals).sum(1)
    )


def _along(
    surface: Closest,
    points: np.ndarray,
    normals: np.ndarray,
    nearest: tuple[np.ndarray, np.ndarray, np.ndarray],
    diagonal: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the lines along the normals meet the surface, begun at the nearest points and in their place where none."""
    at, face, weight = (x.copy() for x in nearest)
    mesh = surface.surface
    corners = mesh.pos[mesh.tri]
    plane = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    limit = np.linalg.norm(at - points, axis=1) * 4 + ON_THE_LINE * diagonal
    for _ in range(ROUNDS):
        slope = (plane[face] * normals).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (plane[face] * (corners[face, 0] - points)).sum(1) / slope
        along = np.where(np.isfinite(along), along, 0)
        along = np.clip(along, -limit, limit)
        at, face, weight = surface.find(points + along[:, None] * normals, face)
    away = at - points
    beside = away - (away * normals).sum(1, keepdims=True) * normals
    missed = np.linalg.norm(beside, axis=1) > ON_THE_LINE * diagonal
    return tuple(np.where(missed.reshape(-1, *[1] * (x.ndim - 1)), y, x) for x, y in zip((at, face, weight), nearest))  # type: ignore[return-value]  # fmt: skip


def _written(
    texels: Texels,
    high: Mesh,
    place: Tensor,
    kept: np.ndarray,
    face: np.ndarray,
    weight: np.ndarray,
    displacement: np.ndarray,
) -> Transfer:
    height, width = texels.resolution
    device = place.device
    place = place[torch.from_numpy(kept).to(device)]
    code = channel_of(torch.from_numpy(face[kept]))
    uv = torch.from_numpy(weight[kept, :2]).float()
    rast = torch.zeros((1, height, width, 4), device=device)
    rows = torch.cat([uv, torch.zeros_like(uv[:, :1]), code[:, None]], 1)
    rast.view(-1, 4)[place] = rows.to(device)
    signed = torch.zeros(height * width, device=device)
    signed[place] = torch.from_numpy(displacement[kept]).float().to(device)
    return Transfer(texels, high, rast, rast[0, ..., 3] > 0, signed.view(height, width))
