"""A camera, and points through it: world -> camera (looks along -z, y up) -> OpenGL clip space.

    clip = projection @ world_to_camera @ (x, y, z, 1)        visible iff -w <= x, y, z <= w

The matrices come from pose.py (where it stands) and projection.py (how it projects). All of them
take tensors, arrays or lists and return float32 tensors; a tensor that requires a gradient gets
one. The arithmetic is float64 inside, so an inverse or a product of matrices costs no accuracy.
Row 0 of a rendered image is the BOTTOM: flip image files (row 0 at the top) before comparing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.arguments import numbers
from ..core.check import wrong


@dataclass(frozen=True, eq=False)
class Camera:
    """One view of the world: where it stands, how it projects, how many pixels it has.

    Args:
        world_to_camera: [4,4], from `look_at`, `from_blender` or `world_to_camera_from_opencv`.
        projection: [4,4], from `perspective`, `orthographic` or `from_intrinsics`.
        resolution: (height, width) in pixels.
        name: free text, e.g. the stem of the image file.
    Gradients: `world_to_clip` and `centre` pass them to both matrices.
    """

    world_to_camera: Tensor
    projection: Tensor
    resolution: tuple[int, int]
    name: str = ""

    def __post_init__(self) -> None:
        for field in ("world_to_camera", "projection"):
            matrix = numbers("Camera", field, getattr(self, field), (4, 4))
            object.__setattr__(self, field, matrix.float())
        object.__setattr__(self, "resolution", check.resolution("clip.Camera", self.resolution))

    @property
    def world_to_clip(self) -> Tensor:
        """[4,4], projection @ world_to_camera."""
        # float64 is out of reach of autocast and TF32, which would move silhouettes
        return (self.projection.double() @ self.world_to_camera.double()).float()

    @property
    def centre(self) -> Tensor:
        """[3], the position of the camera in the world."""
        inverse, failed = torch.linalg.inv_ex(self.world_to_camera.double())
        if failed.item():
            raise ValueError(
                wrong(
                    "clip.Camera",
                    "centre needs a world_to_camera that can be inverted",
                    self.world_to_camera.tolist(),
                    "make it by look_at or from_blender",
                )
            )
        return inverse[:3, 3].float()

    @property
    def is_perspective(self) -> bool:
        """True for a pinhole, whose lines meet in the centre; False for a parallel projection."""
        x, y, z, one = self.projection[3].tolist()
        if x == y == 0 and ((z < 0 and one == 0) or (z == 0 and one > 0)):
            return z != 0
        raise ValueError(
            wrong(
                "clip.Camera",
                "projection must be a perspective, with the last row 0 0 -1 0, or parallel, 0 0 0 1",
                f"the last row {[x, y, z, one]}",
                "make it by perspective, orthographic or from_intrinsics",
            )
        )

    @property
    def near_plane(self) -> float:
        """The distance of the near plane along the axis; negative behind the camera."""
        z, w = self.projection[2:].double()
        # z_clip = -w_clip at the point (0, 0, -near, 1)
        return float((z[3] + w[3]) / (z[2] + w[2]))

    def with_planes(self, near: Any, far: Any) -> Camera:
        """The same view with other near and far planes.

        Args:
            near, far: distances along the axis, near < far, and 0 < near for a perspective.
        Gradients: to near, far and the other rows of the projection.
        """
        name = "Camera.with_planes"
        device = self.projection.device
        near, far = (numbers(name, n, v, (), device) for n, v in (("near", near), ("far", far)))
        perspective = self.is_perspective
        if not near.item() < far.item() or (perspective and not near.item() > 0):
            raise ValueError(
                wrong(
                    f"clip.{name}",
                    f"near and far must satisfy {'0 < ' * perspective}near < far",
                    f"near={near.item():g}, far={far.item():g}",
                    "pass distances along the axis",
                )
            )
        scale = -self.projection[3, 2].double() if perspective else self.projection[3, 3].double()
        depth, none = far - near, torch.zeros_like(near)
        if perspective:
            row = [none, none, -(far + near) / depth, -2 * far * near / depth]
        else:
            row = [none, none, -2 / depth, -(far + near) / depth]
        row = (scale * torch.stack(row)).float()
        projection = torch.cat([self.projection[:2], row[None], self.projection[3:]])
        return replace(self, projection=projection)

    def at_resolution(self, height: int, width: int) -> Camera:
        """The same view with another number of pixels: the projection does not depend on it."""
        return replace(self, resolution=(height, width))

    def to(self, device: torch.device | str) -> Camera:
        """The same camera with its matrices on `device`."""
        return replace(
            self,
            world_to_camera=self.world_to_camera.to(device),
            projection=self.projection.to(device),
        )


def checked_cameras(
    world_to_camera: Tensor, projection: Tensor, sizes: list[tuple[int, int]], names: list[str]
) -> list[Camera]:
    """`Camera` for each of float32 [N,4,4], [N,4,4], (height, width) and name, which are known to be right.

    A million cameras, checked one by one, would take minutes.
    """
    cameras = []
    views, lenses = world_to_camera.unbind(0), projection.unbind(0)
    for view, lens, size, name in zip(views, lenses, sizes, names, strict=True):
        camera = object.__new__(Camera)
        vars(camera).update(world_to_camera=view, projection=lens, resolution=size, name=name)
        cameras.append(camera)
    return cameras
