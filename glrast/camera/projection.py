"""Projections: camera space (looks along -z, y up) to OpenGL's clip space.

A point at distance d = -z along the axis lands on w = d, x/w and y/w in [-1,1] inside the image
(x/w = -1 at its left, y/w = -1 at its bottom), z/w = -1 on the near and +1 on the far plane.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.arguments import device_of, numbers
from ..core.check import wrong


def perspective(fov_rad: Any, aspect: Any, near: Any, far: Any) -> Tensor:
    """[4,4] pinhole projection with the optical axis in the middle of the image.

    Args:
        fov_rad: vertical field of view, in (0, pi).
        aspect: width / height of the image.
        near, far: distances along the axis, 0 < near < far.
    Gradients: to every argument that is a tensor.
    """
    name = "perspective"
    fov, aspect, near, far = _scalars(name, fov_rad=fov_rad, aspect=aspect, near=near, far=far)
    if not 0 < fov.item() < math.pi:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "fov_rad must be in (0, pi)",
                f"{fov.item():g}",
                "it is in radians: math.radians(40) for 40 degrees",
            )
        )
    _positive(name, "aspect", aspect, "pass width / height")
    _near_far(name, near, far)
    scale = 1 / torch.tan(fov / 2)
    return _pinhole(scale / aspect, scale, 0 * scale, 0 * scale, near, far)


def from_intrinsics(
    fx: Any,
    fy: Any,
    cx: Any,
    cy: Any,
    resolution: Any,
    near: Any,
    far: Any,
    pixel_centre: float = 0.5,
) -> Tensor:
    """[4,4] projection of a pinhole camera given in pixels, as computer vision gives it.

    Args:
        fx, fy: focal lengths in pixels.
        cx, cy: principal point in pixels, from the LEFT and from the TOP of the image.
        resolution: (height, width) that the four belong to; the result serves every size of
            the same aspect.
        near, far: distances along the axis, 0 < near < far.
        pixel_centre: the coordinate at which the convention puts the middle of the first pixel.
            0.5: COLMAP, nerfstudio, instant-ngp, Blender (origin in the corner of the image; a
            centred camera has cx = width / 2).
            0.0: OpenCV's calibrateCamera, solvePnP, projectPoints, Kalibr, ROS (origin in the
            middle of the first pixel; a centred camera has cx = (width - 1) / 2).
    Gradients: to fx, fy, cx, cy, near, far where they are tensors.
    Note: the wrong pixel_centre shifts the image by half a pixel. Nothing looks broken; the
        fit is only blurred.
    """
    name = "from_intrinsics"
    height, width = check.resolution(f"clip.{name}", resolution)
    fx, fy, cx, cy, near, far = _scalars(name, fx=fx, fy=fy, cx=cx, cy=cy, near=near, far=far)
    _positive(name, "fx", fx, "pass the focal length in pixels")
    _positive(name, "fy", fy, "pass the focal length in pixels")
    _near_far(name, near, far)
    if check.number(
        f"clip.{name}", "pixel_centre", pixel_centre, "0.5 or 0.0", finite=False
    ) not in (0.0, 0.5):
        raise ValueError(
            wrong(
                f"clip.{name}",
                "pixel_centre must be 0.5 (COLMAP, nerfstudio) or 0.0 (OpenCV)",
                f"{pixel_centre!r}",
                "the docstring says which tool uses which",
            )
        )
    # with the origin in the corner, u = fx X/d + cx from the left and v = -fy Y/d + cy from the
    # top (camera y is up); u/width = (x/w + 1)/2 and v/height = (1 - y/w)/2
    to_corner = 0.5 - pixel_centre
    offset_x = 2 * (cx + to_corner) / width - 1
    offset_y = 1 - 2 * (cy + to_corner) / height
    return _pinhole(2 * fx / width, 2 * fy / height, offset_x, offset_y, near, far)


def orthographic(half_height: Any, aspect: Any, near: Any, far: Any) -> Tensor:
    """[4,4] parallel projection: camera y from -half_height to half_height fills the image.

    Args:
        half_height: in world units.
        aspect: width / height of the image.
        near, far: distances along the axis, near < far; near may be 0 or negative.
    Gradients: to every argument that is a tensor.
    """
    name = "orthographic"
    half, aspect, near, far = _scalars(
        name, half_height=half_height, aspect=aspect, near=near, far=far
    )
    _positive(name, "half_height", half, "pass half the height of what the image shows")
    _positive(name, "aspect", aspect, "pass width / height")
    if not near.item() < far.item():
        raise ValueError(
            wrong(
                f"clip.{name}",
                "near must be less than far",
                f"near={near.item():g}, far={far.item():g}",
                "swap them or move one",
            )
        )
    depth = far - near
    return _matrix(
        [1 / (half * aspect), 0, 0, 0],
        [0, 1 / half, 0, 0],
        [0, 0, -2 / depth, -(far + near) / depth],
        [0, 0, 0, 1],
    )


def _pinhole(
    scale_x: Tensor, scale_y: Tensor, offset_x: Tensor, offset_y: Tensor, near: Tensor, far: Tensor
) -> Tensor:
    """x/w = scale_x X/d + offset_x and y/w = scale_y Y/d + offset_y, with w = d = -Z."""
    depth = far - near
    return _matrix(
        [scale_x, 0, -offset_x, 0],
        [0, scale_y, -offset_y, 0],
        [0, 0, -(far + near) / depth, -2 * far * near / depth],
        [0, 0, -1, 0],
    )


def _matrix(*rows: list[Any]) -> Tensor:
    like = next(x for row in rows for x in row if isinstance(x, Tensor))
    flat = [x if isinstance(x, Tensor) else like.new_tensor(x) for row in rows for x in row]
    return torch.stack(flat).reshape(4, 4).float()


def _scalars(function: str, **values: Any) -> list[Tensor]:
    device = device_of(*values.values())
    return [numbers(function, name, value, (), device) for name, value in values.items()]


def _positive(function: str, name: str, value: Tensor, todo: str) -> None:
    if not value.item() > 0:
        raise ValueError(
            wrong(f"clip.{function}", f"{name} must be positive", f"{value.item():g}", todo)
        )


def _near_far(function: str, near: Tensor, far: Tensor) -> None:
    if not 0 < near.item() < far.item():
        raise ValueError(
            wrong(
                f"clip.{function}",
                "near and far must satisfy 0 < near < far",
                f"near={near.item():g}, far={far.item():g}",
                "near is a distance, never 0",
            )
        )
