"""The scene of all measurements: an icosphere in perspective that fills 64 % of a square image."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    pos, tri = icosphere(level)
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
