"""MeshRasterizer: PyTorch3D's module, with any meshes and cameras that have the methods called here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..core import check
from .rasterize_meshes import rasterize_faces


class Fragments(NamedTuple):
    """What PyTorch3D's shaders take: see `rasterize_meshes`."""

    pix_to_face: Tensor
    zbuf: Tensor
    bary_coords: Tensor
    dists: Tensor

    def detach(self) -> Fragments:
        return Fragments(*(t.detach() for t in self))


@dataclass
class RasterizationSettings:
    """PyTorch3D's, with its defaults; None is decided by the cameras."""

    image_size: int | tuple[int, int] = 256
    blur_radius: float = 0.0
    faces_per_pixel: int = 1
    bin_size: int | None = None
    max_faces_opengl: int = 10_000_000
    max_faces_per_bin: int | None = None
    perspective_correct: bool | None = None
    clip_barycentric_coords: bool | None = None
    cull_backfaces: bool = False
    z_clip_value: float | None = None
    cull_to_frustum: bool = False


class MeshRasterizer(nn.Module):
    """Meshes in the world to Fragments.

    Args:
        cameras: has get_world_to_view_transform(), get_projection_transform() and get_ndc_camera_transform(), each with
            transform_points [N,P,3]; is_perspective(); and, where there is a near plane, get_znear() or `znear`.
        raster_settings: RasterizationSettings, or PyTorch3D's.

    `forward(meshes_world, **kwargs)` takes cameras and raster_settings too, which go before those given here; other
    keywords go to the cameras (R, T). meshes_world has verts_packed(), faces_packed(), verts_padded(),
    mesh_to_faces_packed_first_idx() and num_faces_per_mesh().

    Where a setting is None: perspective_correct is cameras.is_perspective(), clip_barycentric_coords blur_radius > 0,
    and z_clip_value is half of the near plane of perspective cameras, if they have one.

    Gradients: verts_packed and what the cameras' transforms are made of.

    Raises:
        ValueError: no cameras. TypeError, ValueError: as `rasterize_meshes`.
    """

    def __init__(self, cameras: Any = None, raster_settings: Any = None) -> None:
        super().__init__()
        self.cameras = cameras
        self.raster_settings = raster_settings or RasterizationSettings()

    def to(self, device: Any) -> MeshRasterizer:  # pyright: ignore[reportIncompatibleMethodOverride] as PyTorch3D's
        if self.cameras is not None:
            self.cameras = self.cameras.to(device)
        return self

    def transform(self, meshes_world: Any, **kwargs: Any) -> Tensor:
        """The corners of all faces [F,3,3]: x and y in NDC, z in view space."""
        cameras = self._cameras(kwargs)
        options = {
            k: v for k, v in kwargs.items() if k not in ("cameras", "raster_settings", "eps")
        }
        eps = {"eps": kwargs["eps"]} if "eps" in kwargs else {}
        verts, faces = meshes_world.verts_packed(), meshes_world.faces_packed().long()
        count = meshes_world.num_faces_per_mesh().long()
        N, most = len(count), int(count.max()) if len(count) else 0
        # Faces of a mesh in a row: where a vertex lies does not say which mesh, and so which camera, it belongs to.
        image = torch.repeat_interleave(torch.arange(N, device=count.device), count)
        place = torch.arange(len(faces), device=count.device) - (count.cumsum(0) - count)[image]
        padded = verts.new_zeros((N, most, 3, 3)).index_put((image, place), verts[faces])
        world = padded.reshape(N, 3 * most, 3)
        view = cameras.get_world_to_view_transform(**options).transform_points(world, **eps)
        to_ndc = cameras.get_ndc_camera_transform(**options)
        project = getattr(cameras, "get_projection_transform", None)
        if project is not None:
            projected = project(**options).transform_points(view, **eps)
        else:  # no matrix: fish-eye
            projected = cameras.transform_points(world, **eps)
        ndc = to_ndc.transform_points(projected, **eps)
        corners = torch.cat([ndc[..., :2], view[..., 2:]], -1)
        return corners.reshape(N, most, 3, 3)[image, place]

    def forward(self, meshes_world: Any, **kwargs: Any) -> Fragments:
        cameras = self._cameras(kwargs)
        settings = kwargs.get("raster_settings", self.raster_settings)
        corners = self.transform(meshes_world, **kwargs)
        first = meshes_world.mesh_to_faces_packed_first_idx()
        ranges = torch.stack([first, meshes_world.num_faces_per_mesh()], 1).to("cpu", torch.int64)
        perspective, clip = settings.perspective_correct, settings.clip_barycentric_coords
        if perspective is None:
            perspective = bool(cameras.is_perspective())
        if clip is None:
            clip = settings.blur_radius > 0.0
        name = "pytorch3d.MeshRasterizer"
        corners = check.floats(name, "what the cameras make of meshes_world", corners)
        made = rasterize_faces(
            name, corners, ranges, settings.image_size, settings.blur_radius, settings.faces_per_pixel, perspective,
            clip, settings.cull_backfaces, _z_clip(settings.z_clip_value, cameras), settings.cull_to_frustum,
        )  # fmt: skip
        return Fragments(*made)

    def _cameras(self, kwargs: dict[str, Any]) -> Any:
        cameras = kwargs.get("cameras", self.cameras)
        if cameras is None:
            raise ValueError(
                "glrast.pytorch3d.MeshRasterizer: cameras must be given, here or in forward; got None: pass cameras="
            )
        return cameras


def _z_clip(given: float | None, cameras: Any) -> float | None:
    if given is not None or not cameras.is_perspective():
        return given
    znear = (
        cameras.get_znear() if hasattr(cameras, "get_znear") else getattr(cameras, "znear", None)
    )
    if znear is None:
        return None
    return 0.5 * float(znear.min() if isinstance(znear, Tensor) else znear)
