"""The pictures of a mesh that image models are conditioned on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..camera.camera import Camera
from ..context import Context
from ..core import check
from ..core.check import wrong
from ..mesh.mesh import Mesh
from ..mesh.normals import vertex_normals
from ..ops.interpolate import interpolate
from .sight import Sight, check_mesh, checked_cameras, look_at_mesh

LAYERS = ("position", "normal", "depth", "mask", "uv", "id")


@torch.no_grad()
def views(
    mesh: Mesh,
    cameras: Sequence[Camera],
    layers: Sequence[str] = LAYERS,
    *,
    normal_space: str = "camera",
    ctx: Context | None = None,
) -> dict[str, Tensor]:
    """What each pixel of the cameras shows of the mesh, at its centre, without antialiasing. Row 0 is the BOTTOM.

    Args:
        mesh: 'uv' asks for its uv.
        cameras: N, of one resolution; near and far follow from the mesh.
        layers: of these:
            'position' [N,H,W,3], as mesh.pos;
            'normal' [N,H,W,3], unit, outwards (also where a triangle is seen from behind);
            'depth' [N,H,W,1], the distance along the camera's axis;
            'mask' bool [N,H,W,1];
            'uv' [N,H,W,2];
            'id' int32 [N,H,W,1], the triangle, -1 on the background.
            All others are 0 there.
        normal_space: 'camera' (x right, y up, z to the viewer) or 'world'.
        ctx: a Context on the mesh's device; None: one is made.
    Returns: {layer: tensor}.
    """
    name = "bake.views"
    check_mesh(name, mesh)
    cameras = checked_cameras(name, cameras)
    wanted = [check.choice(name, "layers", layer, LAYERS) for layer in layers]
    check.choice(name, "normal_space", normal_space, ("camera", "world"))
    sizes = sorted({camera.resolution for camera in cameras})
    if len(sizes) > 1:
        found = ", ".join(f"{h} x {w}" for h, w in sizes)
        raise ValueError(
            wrong(name, "cameras must have one resolution", found, "use camera.at_resolution")
        )
    if "uv" in wanted and mesh.uv is None:
        raise ValueError(
            wrong(name, "mesh must have uv for the layer 'uv'", "none", "leave it out")
        )
    ctx = Context(mesh.pos.device, output_db=False) if ctx is None else ctx
    maker = _Layers(mesh, normal_space)
    images: dict[str, list[Tensor]] = {layer: [] for layer in wanted}
    for camera in cameras:
        sight = look_at_mesh(ctx, mesh, camera)
        for layer in wanted:
            images[layer].append(maker.of[layer](sight))
    return {layer: torch.stack(parts) for layer, parts in images.items()}


class _Layers:
    """Of each layer the function that makes its image [H,W,C] of a sight."""

    def __init__(self, mesh: Mesh, normal_space: str) -> None:
        self.mesh, self.normal_space = mesh, normal_space
        self._normal: Tensor | None = None
        self.of: dict[str, Callable[[Sight], Tensor]] = {
            "position": lambda s: interpolate(mesh.pos, s.rast, mesh.tri)[0][0],
            "normal": self._normals,
            "depth": lambda s: s.depth[..., None],
            "mask": lambda s: s.face[..., None] >= 0,
            "uv": self._uv,
            "id": lambda s: s.face[..., None],
        }

    def _normals(self, sight: Sight) -> Tensor:
        mesh = self.mesh
        if self._normal is None:
            given = mesh.normal
            self._normal = vertex_normals(mesh.pos, mesh.tri) if given is None else given
        normal = interpolate(self._normal, sight.rast, mesh.tri)[0][0]
        normal = functional.normalize(normal, dim=-1)
        if self.normal_space == "world":
            return normal
        return normal @ sight.camera.world_to_camera[:3, :3].T

    def _uv(self, sight: Sight) -> Tensor:
        assert self.mesh.uv is not None and self.mesh.uv_tri is not None
        return interpolate(self.mesh.uv, sight.rast, self.mesh.uv_tri)[0][0]
