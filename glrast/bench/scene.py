"""The scene of all measurements: an icosphere in perspective that fills 64 % of a square image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..clip import Camera, icosphere, look_at, perspective, transform_points

DISTANCE, NEAR, FAR = 3.0, 1.0, 10.0
COVERAGE = 0.64
LARGEST_LEVEL = 9


@dataclass(frozen=True, eq=False)
class Scene:
    """A mesh with vertex colours before a camera, on one device."""

    pos_world: Tensor  # [V,3]
    color: Tensor  # [V,3]
    tri: Tensor  # int32 [T,3]
    camera: Camera
    resolution: tuple[int, int]

    @property
    def pos_clip(self) -> Tensor:
        """[1,V,4]."""
        return transform_points(self.camera.world_to_clip[None], self.pos_world)


def sphere(triangles: int, resolution: int, device: torch.device) -> Scene:
    """The scene with `triangles` = 20 * 4^level triangles at resolution x resolution pixels.

    Raises: ValueError for another number of triangles.
    """
    level = next((n for n in range(LARGEST_LEVEL + 1) if 20 * 4**n == triangles), None)
    if level is None:
        known = ", ".join(str(20 * 4**n) for n in range(LARGEST_LEVEL + 1))
        raise ValueError(
            f"glrast bench: --triangles must be those of an icosphere, one of {known}; got {triangles}"
        )
    return _before_camera(*icosphere(level), resolution, device)


def even_sphere(triangles: int, resolution: int, device: torch.device) -> Scene:
    """The scene with any even number of triangles, from 4 on: the convex hull of a spiral of points on the sphere, of
    which V in general position have 2 V - 4 triangles.

    Raises: ValueError for another number of triangles; ModuleNotFoundError without SciPy.
    """
    try:
        from scipy.spatial import ConvexHull  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "glrast bench: --paper and --members need SciPy for their meshes, which is not installed; run: "
            'pip install "glrast[fit]"',
            name="scipy",
        ) from error
    if triangles < 4 or triangles % 2:
        raise ValueError(
            f"glrast bench: a closed mesh has an even number of triangles, 4 or more; got {triangles}"
        )
    V = triangles // 2 + 2
    z = 1 - (2 * np.arange(V) + 1) / V
    angle = np.pi * (3 - math.sqrt(5)) * np.arange(V)  # the golden angle
    around = np.sqrt(1 - z * z)
    pos = np.stack([around * np.cos(angle), around * np.sin(angle), z], 1)
    hull = ConvexHull(pos)
    tri = np.where(
        (_volumes(pos[hull.simplices]) > 0)[:, None], hull.simplices, hull.simplices[:, ::-1]
    )
    if len(tri) != triangles:
        raise RuntimeError(f"glrast bench: wanted {triangles} triangles; the hull has {len(tri)}")
    tri = tri[np.argsort(tri.min(1), kind="stable")].astype(np.int32)  # neighbours near each other
    return _before_camera(torch.from_numpy(pos).float(), torch.from_numpy(tri), resolution, device)


def _volumes(corners: np.ndarray) -> np.ndarray:
    """[T]: of the tetrahedra that corners [T,3,3] span with the origin; positive: counter-clockwise from outside."""
    return np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))


def _before_camera(pos: Tensor, tri: Tensor, resolution: int, device: torch.device) -> Scene:
    # A unit sphere at distance d shows as a disc of radius f / sqrt(d^2 - 1), where the image spans -1..1.
    focal = math.sqrt(COVERAGE * 4 / math.pi) * math.sqrt(DISTANCE**2 - 1)
    camera = Camera(
        look_at((0, 0, DISTANCE), (0, 0, 0)),
        perspective(2 * math.atan(1 / focal), 1.0, NEAR, FAR),
        (resolution, resolution),
    )
    color = torch.rand(len(pos), 3, generator=torch.Generator().manual_seed(0))
    return Scene(
        pos.to(device),
        color.to(device),
        tri.to(device),
        camera.to(device),
        (resolution, resolution),
    )
