"""A mesh before a camera: which triangle each pixel shows, and how far away it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera.camera import Camera
from ..camera.planes import planes_around
from ..context import Context
from ..core.check import wrong
from ..core.rast import triangle_id
from ..mesh.mesh import Mesh
from ..ops.interpolate import interpolate
from ..ops.rasterize import rasterize
from ..ops.transform import transform_points


@dataclass(frozen=True)
class Sight:
    """What a camera shows of a mesh, row 0 at the BOTTOM.

    camera: with near and far around the mesh. rast: [1,H,W,4]. face: int32 [H,W], -1 on the background. depth: [H,W],
    the distance along the camera's axis, 0 on the background.
    """

    camera: Camera
    rast: Tensor
    face: Tensor
    depth: Tensor


@torch.no_grad()
def look_at_mesh(ctx: Context, mesh: Mesh, camera: Camera, cull: str = "none") -> Sight:
    """The mesh from the camera; its own near and far planes do not matter."""
    camera = with_planes_around(camera.to(mesh.pos.device), mesh)
    pos = mesh.pos.detach()
    clip = transform_points(camera.world_to_clip, pos)
    rast, _ = rasterize(ctx, clip[None], mesh.tri, camera.resolution, grad_db=False, cull=cull)
    axis = -transform_points(camera.world_to_camera, pos)[:, 2:3]
    depth = interpolate(axis.contiguous(), rast, mesh.tri)[0][0, ..., 0]
    return Sight(camera, rast, triangle_id(rast)[0], depth)


def with_planes_around(camera: Camera, mesh: Mesh) -> Camera:
    """The camera with planes that hold all that it can see of the mesh."""
    # where nothing of the mesh is before the camera any planes will do
    near, far = planes_around(camera, mesh.pos, mesh.tri) or (1.0, 2.0)
    return camera.with_planes(near, far)


def check_mesh(function: str, mesh: object, name: str = "mesh") -> None:
    if not isinstance(mesh, Mesh):
        found = type(mesh).__name__
        raise TypeError(wrong(function, f"{name} must be a glrast.clip.Mesh", found, "make one"))


def checked_cameras(function: str, cameras: Sequence[Camera]) -> list[Camera]:
    """A list of cameras, one at least."""
    if isinstance(cameras, Camera):
        cameras = [cameras]
    wanted = "cameras must be a list of glrast.clip.Camera"
    if not isinstance(cameras, Sequence) or not all(isinstance(c, Camera) for c in cameras):
        found = type(cameras).__name__
        if isinstance(cameras, Sequence):
            found = f"a list with {', '.join(sorted({type(c).__name__ for c in cameras}))}"
        raise TypeError(wrong(function, wanted, found, "take frame.camera of load_cameras"))
    if not cameras:
        raise ValueError(wrong(function, f"{wanted}, one at least", "none", "pass one"))
    return list(cameras)
