"""Which triangles a set of views sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera.camera import Camera
from ..context import Context
from ..core import check
from ..mesh.mesh import Mesh
from .sight import check_mesh, checked_cameras, look_at_mesh


@dataclass(frozen=True)
class Visible:
    """views: int32 [T], how many views show each triangle. pixels: int64 [T], how many pixels of all of them do."""

    views: Tensor
    pixels: Tensor

    @property
    def seen(self) -> Tensor:
        """bool [T], whether any view shows it."""
        return self.views > 0


@torch.no_grad()
def visible(
    mesh: Mesh,
    cameras: Sequence[Camera],
    *,
    ctx: Context | None = None,
    finer: int = 1,
    cull: str = "none",
) -> Visible:
    """The triangles that the cameras see, with counts.

    Args:
        mesh: what they look at; nothing else hides it.
        cameras: near and far follow from the mesh.
        ctx: a Context on the mesh's device; None: one is made.
        finer: pixels are this many times finer than the cameras': a triangle is seen where it is in front at a pixel's
            centre, so one smaller than a pixel may be missed.
        cull: as of `glrast.rasterize`: 'back' leaves out triangles seen from behind.
    Returns: `Visible`.
    """
    check_mesh("bake.visible", mesh)
    cameras = checked_cameras("bake.visible", cameras)
    finer = check.whole("bake.visible", "finer", finer, 1)
    ctx = Context(mesh.pos.device, output_db=False) if ctx is None else ctx
    T = len(mesh.tri)
    views = torch.zeros(T, dtype=torch.int32, device=mesh.pos.device)
    pixels = torch.zeros(T, dtype=torch.int64, device=mesh.pos.device)
    for camera in cameras:
        height, width = camera.resolution
        fine = camera.at_resolution(height * finer, width * finer)
        face = look_at_mesh(ctx, mesh, fine, cull).face
        count = torch.bincount(face[face >= 0].long(), minlength=T)
        pixels += count
        views += count > 0
    return Visible(views, pixels)
