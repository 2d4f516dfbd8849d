"""What a transforms.json says of the lens: focal lengths and principal point in pixels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .distortion import FLAT as PINHOLES
from .distortion import KEYS as DISTORTION
from .transforms_json import Problem, number, short

LARGEST_SIDE = 1e6  # pixels: no picture is larger, a slip of the keyboard is
KEYS = frozenset(
    (
        "w",
        "h",
        "fl_x",
        "fl_y",
        "cx",
        "cy",
        "camera_angle_x",
        "camera_angle_y",
        "camera_model",
        "is_fisheye",
    )
).union(DISTORTION)


class Lens(NamedTuple):
    """In pixels of a picture of height x width; cx and cy from the top left corner."""

    fx: float
    fy: float
    cx: float
    cy: float
    height: int
    width: int


def stated_size(settings: dict[str, Any]) -> tuple[int, int] | None:
    """(height, width) where the file says both."""
    if "w" not in settings or "h" not in settings:
        return None
    height, width = (number(settings, key, 1, LARGEST_SIDE) for key in ("h", "w"))
    return round(height), round(width)


def read_lens(settings: dict[str, Any], size: tuple[int, int] | None) -> Lens:
    """The lens of a frame; `size` (height, width) is that of its picture, for what w and h do not say."""
    size = stated_size(settings) or size
    if size is None:
        raise Problem(
            "must tell the image's size: there is no image and no 'w' and 'h'; "
            "add them, or pass resolution=(height, width)."
        )
    height, width = size
    if "fl_x" in settings:
        fx = number(settings, "fl_x", low=1e-6)
    elif "camera_angle_x" in settings:
        fx = width / 2 / math.tan(number(settings, "camera_angle_x", 1e-6, math.pi) / 2)
    else:
        raise Problem(
            "must have 'fl_x' (pixels) or 'camera_angle_x' (radians), in the frame or the file; "
            "found neither; add one."
        )
    if "fl_y" in settings:
        fy = number(settings, "fl_y", low=1e-6)
    elif "camera_angle_y" in settings and "fl_x" not in settings:
        fy = height / 2 / math.tan(number(settings, "camera_angle_y", 1e-6, math.pi) / 2)
    else:
        fy = fx
    cx = number(settings, "cx") if "cx" in settings else width / 2
    cy = number(settings, "cy") if "cy" in settings else height / 2
    return Lens(fx, fy, cx, cy, height, width)


def projections(lenses: np.ndarray, near: float, far: float) -> Tensor:
    """`from_intrinsics` of many lenses [N,6] at once: float32 [N,4,4]."""
    fx, fy, cx, cy, height, width = lenses.T
    out = np.zeros((len(lenses), 4, 4))
    out[:, 0, 0], out[:, 1, 1] = 2 * fx / width, 2 * fy / height
    out[:, 0, 2], out[:, 1, 2] = -(2 * cx / width - 1), -(1 - 2 * cy / height)
    depth = far - near
    out[:, 2, 2], out[:, 2, 3], out[:, 3, 2] = -(far + near) / depth, -2 * far * near / depth, -1
    return torch.from_numpy(out).float()


def refuse_distortion(settings: dict[str, Any]) -> None:
    """Raises Problem where lines are bent: for whoever draws, and does not straighten pictures."""
    model = settings.get("camera_model", "PINHOLE")
    if str(model).upper() not in PINHOLES or settings.get("is_fisheye"):
        raise Problem(
            f"camera_model must be a pinhole (one of {', '.join(PINHOLES)}); "
            f"got {'is_fisheye' if settings.get('is_fisheye') else short(model)}; "
            "undistort the images first (colmap image_undistorter)."
        )
    bent = [key for key in DISTORTION if key in settings and number(settings, key) != 0]
    if bent:
        raise Problem(
            f"{bent[0]} must be 0: straight lines stay straight in a rasterizer; "
            f"got {settings[bent[0]]}; undistort the images first (colmap image_undistorter)."
        )
