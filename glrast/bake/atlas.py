"""Where each triangle lies on the texture: the mesh's own uv, or a new atlas."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong
from ..mesh.mesh import Mesh
from .report import report
from .sight import check_mesh
from .texels import LARGEST
from .unwrap import Atlas, unwrap

WAYS = ("auto", "own", "new")
# Overlaps are looked for at this many texels a side: more would find no others that matter.
LOOKED_AT = 1024


@torch.no_grad()
def atlas(mesh: Mesh, size: int = 1024, uv: str = "auto") -> Atlas:
    """Where the mesh lies on a texture of size x size texels.

    Args:
        mesh: a mesh with an area.
        size: texels a side, 4 to 16384.
        uv: 'own': the mesh's uv, as it is. 'new': charts are cut and packed by xatlas, 6 texels apart, which mipmaps of
            two levels need; the same mesh gives the same to the bit. 'auto': its own where each place of the surface
            has texels of its own (none overlap, none lie beyond 0..1), else new: `glrast.bake.report` says why.
    Returns: `Atlas`: uv [U,2], uv_tri int32 [T,3], size.
    Raises: ValueError: 'own' without uv, no area. ModuleNotFoundError: xatlas is needed and not there.
    Note: xatlas takes seconds for 10,000 triangles and hours for millions: give those a uv of their own.
    """
    name = "bake.atlas"
    check_mesh(name, mesh)
    size = check.whole(name, "size", size, 4, LARGEST)
    uv = check.choice(name, "uv", uv, WAYS)
    if uv == "own" and mesh.uv is None:
        raise ValueError(wrong(name, "mesh must have uv for uv='own'", "none", "pass uv='new'"))
    if uv != "new" and mesh.uv is not None and mesh.uv_tri is not None:
        if uv == "own" or report(mesh, min(size, LOOKED_AT)).usable:
            return Atlas(mesh.uv.detach(), mesh.uv_tri, size)
    if not torch.isfinite(mesh.pos).all():
        raise ValueError(wrong(name, "mesh.pos must be finite", "nan or inf", "remove those"))
    if not float(_area(mesh.pos, mesh.tri)) > 0:
        raise ValueError(wrong(name, "mesh must have an area", "none", "give it triangles"))
    return unwrap(mesh.pos, mesh.tri, 0.0, size)


def with_atlas(mesh: Mesh, atlas: Atlas, texture: Tensor | None = None) -> Mesh:
    """The mesh with the atlas's uv in place of its own, and one plain material with the texture [H,W,C]."""
    if len(atlas.uv_tri) != len(mesh.tri):
        raise ValueError(
            wrong(
                "bake.with_atlas",
                f"atlas must have a row of uv_tri for each of the mesh's {len(mesh.tri)} triangles",
                f"{len(atlas.uv_tri)}",
                "make it of this mesh",
            )
        )
    bare = replace(mesh, texture=None, materials=(), material=None, color=None)
    return replace(bare, uv=atlas.uv, uv_tri=atlas.uv_tri, texture=texture)


def _area(pos: Tensor, tri: Tensor) -> Tensor:
    a, b, c = pos.double()[tri.long()].unbind(1)
    return torch.linalg.cross(b - a, c - a).norm(dim=1).sum()
