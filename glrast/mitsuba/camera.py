"""A camera of glrast, projection and modelview, as the numbers that Mitsuba's `perspective` sensor takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong

# Mitsuba's pixels are square, and its cameras rigid: what float32 matrices are off by is allowed.
_SQUARE = 1e-4
_RIGID = 1e-4
_ENTRIES = 1e-6
# OpenGL's camera has x to the right and looks along -z; Mitsuba's x to the left, and along +z. y is up in both.
_TURN = np.diag([-1.0, 1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Pinhole:
    """What Mitsuba's `perspective` is told.

    Args:
        fov_deg: horizontal field of view, of a principal point in the middle.
        shift_x, shift_y: of the image against the principal point, in widths and heights, to the right and downwards.
        near, far: clipping distances.
        to_world: [4,4] float64, from Mitsuba's camera axes.
    """

    fov_deg: float
    shift_x: float
    shift_y: float
    near: float
    far: float
    to_world: np.ndarray

    def sensor(self, mitsuba: Any, resolution: tuple[int, int]) -> Any:
        """The sensor: linear float32 colour, the mean over each pixel's area."""
        film = {
            "type": "hdrfilm", "width": resolution[1], "height": resolution[0], "pixel_format": "rgb",
            "component_format": "float32", "rfilter": {"type": "box"}, "sample_border": True,
        }  # fmt: skip
        return mitsuba.load_dict(
            {
                "type": "perspective",
                "fov": self.fov_deg,
                "fov_axis": "x",
                "principal_point_offset_x": self.shift_x,
                "principal_point_offset_y": self.shift_y,
                "near_clip": self.near,
                "far_clip": self.far,
                "to_world": mitsuba.ScalarTransform4f(self.to_world.tolist()),
                "film": film,
                "sampler": {"type": "independent"},
            }
        )


def pinholes(
    function: str, projection: Tensor, modelview: Tensor, resolution: tuple[int, int]
) -> list[Pinhole]:
    """One for each camera.

    Args:
        projection: [4,4] or [N,4,4], camera space to clip space, as from `clip.perspective`.
        modelview: [4,4] or [N,4,4], world to camera space, as from `clip.look_at`.
    Raises: ValueError for what Mitsuba has no camera for: a parallel projection, skew, pixels that are not square, a
        modelview that scales or mirrors; RuntimeError where a gradient is asked for, which cameras get none of.
    """
    projections = _matrices(function, "projection", projection)
    modelviews = _matrices(function, "modelview", modelview)
    counts = {len(projections), len(modelviews)} - {1}
    if len(counts) > 1:
        raise ValueError(
            wrong(
                function,
                "projection and modelview must be of one camera or of the same N",
                f"{len(projections)} and {len(modelviews)}",
            )
        )
    count = max(len(projections), len(modelviews))
    pairs = zip(_of(projections, count), _of(modelviews, count))
    return [_pinhole(function, p, m, resolution) for p, m in pairs]


def _matrices(function: str, name: str, given: Tensor) -> np.ndarray:
    """[N,4,4] float64."""
    check.tensor(function, name, given)
    holds = given.ndim in (2, 3) and given.shape[-2:] == (4, 4) and given.numel() > 0
    check.shape(function, name, given, "[4,4] or [N,4,4]", holds)
    if given.requires_grad:
        raise RuntimeError(
            wrong(
                function,
                f"{name} must not require a gradient, for cameras get none from Mitsuba",
                "requires_grad=True",
                f"pass {name}.detach(), or move pos instead",
            )
        )
    matrices = given.detach().to("cpu", torch.float64).reshape(-1, 4, 4).numpy()
    check.value(function, name, "finite", bool(np.isfinite(matrices).all()), "nan or infinite")
    return matrices


def _of(matrices: np.ndarray, count: int) -> np.ndarray:
    return np.broadcast_to(matrices, (count, 4, 4))


def _pinhole(function: str, P: np.ndarray, M: np.ndarray, resolution: tuple[int, int]) -> Pinhole:
    height, width = resolution
    # What a pinhole has: x/w = sx X/d - P[0,2], y/w = sy Y/d - P[1,2] and z from the depth alone, with w = d = -Z.
    has = np.zeros((4, 4), bool)
    has[[0, 0, 1, 1, 2, 2, 3], [0, 2, 1, 2, 2, 3, 2]] = True
    scale = abs(P[3, 2])
    extra = np.abs(P[~has]).max() > _ENTRIES * max(scale, 1)
    P = P / -P[3, 2] if scale > 0 else P
    if scale == 0 or extra or P[0, 0] <= 0 or P[1, 1] <= 0:
        raise ValueError(
            wrong(
                function,
                "projection must be that of a pinhole without skew, as from clip.perspective or clip.from_intrinsics",
                _rows(P),
                "Mitsuba has no parallel or skewed camera here",
            )
        )
    square = P[0, 0] * width / (P[1, 1] * height)
    if abs(square - 1) > _SQUARE:
        raise ValueError(
            wrong(
                function,
                f"projection must have square pixels at resolution {(height, width)}",
                f"pixels {square:.4g} times as high as wide",
                "pass aspect = width / height, or one focal length for both axes",
            )
        )
    near, far = P[2, 3] / (P[2, 2] - 1), P[2, 3] / (P[2, 2] + 1) if P[2, 2] < -1 else np.inf
    if not 0 < near < far:
        raise ValueError(
            wrong(
                function,
                "projection must have 0 < near < far",
                f"near {near:g}, far {far:g}",
                "make it with clip.perspective",
            )
        )
    # -P[0,2] and -P[1,2] say where the axis goes through the image, in -1..1 to the right and up: half of that in
    # widths and heights. Mitsuba's offsets move the image the other way.
    return Pinhole(
        math.degrees(2 * math.atan(1 / P[0, 0])),
        P[0, 2] / 2,
        -P[1, 2] / 2,
        float(near),
        float(min(far, 1e30)),
        _to_world(function, M),
    )


def _to_world(function: str, M: np.ndarray) -> np.ndarray:
    R = M[:3, :3]
    off = np.abs(R @ R.T - np.eye(3)).max()
    last = np.abs(M[3] - [0, 0, 0, 1]).max()
    if off > _RIGID or last > _ENTRIES or np.linalg.det(R) < 0:
        raise ValueError(
            wrong(
                function,
                "modelview must turn and move, as from clip.look_at, not scale or mirror",
                _rows(M),
                "apply the rest to pos",
            )
        )
    u, _, v = np.linalg.svd(R)  # the nearest rotation: Mitsuba refuses a scale of 1.0001
    rotation = (u @ v).T
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = rotation, -rotation @ M[:3, 3]
    return world @ _TURN


def _rows(matrix: np.ndarray) -> str:
    return "[" + ", ".join("[" + " ".join(f"{x:.4g}" for x in row) + "]" for row in matrix) + "]"
