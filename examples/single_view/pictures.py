"""Photographs of the objects from known cameras, and which voxels a mesh fills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

import glrast
from glrast.clip import look_at, orthographic, perspective, transform_points

from .objects import FAMILIES, make

DISTANCE, FOV_RAD = 2.3, math.radians(30)
ELEVATION_DEG = (15.0, 45.0)
SAMPLES = 4  # of a pixel, along each axis
VOXELS, HALF = 32, 0.5  # of the cube around the origin, along each axis; half its side
BACKGROUND = (1.0, 1.0, 1.0)


@dataclass
class Pictures:
    """M objects from W views each.

    Args:
        rgba: uint8 [M,W,R,R,4], lowest row first, over BACKGROUND.
        matrix: [M,W,4,4], world to clip space.
        family: int64 [M].
        voxels: bool [M,32,32,32]; what a fit never sees.
    """

    rgba: Tensor
    matrix: Tensor
    family: Tensor
    voxels: Tensor

    def image(self, object: Tensor, view: Tensor) -> Tensor:
        """float32 [..,R,R,4]."""
        return self.rgba[object, view].float() / 255


def photograph(
    ctx: glrast.Context, seeds: range, views: int, resolution: int, cameras: int
) -> Pictures:
    """Objects `seeds` of every family, from `views` random cameras; `cameras` seeds those."""
    generator = torch.Generator().manual_seed(cameras)
    rgba, matrices, family, filled = [], [], [], []
    for seed in seeds:
        for number, name in enumerate(FAMILIES):
            pos, tri, color = make(name, seed)
            matrix = random_cameras(views, generator)
            face_tri = (
                torch.arange(len(tri))[:, None].expand(-1, 3).contiguous()
            )  # one colour a face
            rgba.append(photographs(ctx, pos, tri, color, face_tri, matrix, resolution))
            matrices.append(matrix)
            family.append(number)
            filled.append(voxels(ctx, pos[None], tri)[0])
    return Pictures(
        torch.stack(rgba), torch.stack(matrices), torch.tensor(family), torch.stack(filled)
    )


def random_cameras(count: int, generator: torch.Generator) -> Tensor:
    """[count,4,4], from all around and a little above."""
    low, high = (math.radians(x) for x in ELEVATION_DEG)
    around = 2 * math.pi * torch.rand(count, generator=generator)
    above = low + (high - low) * torch.rand(count, generator=generator)
    return torch.stack([camera(float(a), float(e)) for a, e in zip(around, above)])


def camera(azimuth_rad: float, elevation_rad: float) -> Tensor:
    flat = DISTANCE * math.cos(elevation_rad)
    eye = (
        flat * math.sin(azimuth_rad),
        DISTANCE * math.sin(elevation_rad),
        flat * math.cos(azimuth_rad),
    )
    return perspective(FOV_RAD, 1.0, 1.0, 5.0) @ look_at(eye, (0.0, 0.0, 0.0))


def photographs(
    ctx: glrast.Context, pos: Tensor, tri: Tensor, color: Tensor, color_tri: Tensor, matrix: Tensor, resolution: int
) -> Tensor:  # fmt: skip
    """uint8 [W,R,R,4]. Means of 4 x 4 samples: of no answer to the discontinuity problem."""
    size = SAMPLES * resolution
    rast, _ = glrast.rasterize(ctx, transform_points(matrix, pos), tri, (size, size))
    shown = rast[..., 3:] > 0
    image = glrast.interpolate(color, rast, color_tri)[0]
    image = torch.where(shown, image, torch.tensor(BACKGROUND))
    image = torch.cat([image, shown.float()], 3).movedim(3, 1)
    return (255 * F.avg_pool2d(image, SAMPLES)).round().byte().movedim(1, 3)


def voxels(ctx: glrast.Context, pos: Tensor, tri: Tensor) -> Tensor:
    """bool [N,32,32,32] as (y, x, depth): voxels whose centres lie within the closed meshes pos [N,V,3].

    A ray from the front that enters a surface n times more often than it leaves is n times inside: overlapping solids
    are a union, and a surface inside out counts too.
    """
    box = orthographic(HALF, 1.0, -4.0, 4.0)  # deep, so that no surface is missed
    pos_clip = transform_points(box, pos.detach())
    corners = pos_clip[:, tri.long(), :2]
    a, b = (corners[:, :, k] - corners[:, :, 0] for k in (1, 2))
    enters = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sign()  # [N,T]: 1 from the front
    center = (torch.arange(VOXELS) + 0.5) * (2 * HALF / VOXELS) - HALF
    depth = transform_points(box, torch.stack([0 * center, 0 * center, -center], 1))[..., 2]
    inside = torch.zeros(len(pos), VOXELS, VOXELS, VOXELS)
    for rast, _ in glrast.peel(ctx, pos_clip, tri, (VOXELS, VOXELS)):
        id = rast[..., 3].long()
        step = enters.gather(1, (id - 1).clamp(min=0).flatten(1)).view_as(id) * (id > 0)
        inside += step[..., None] * (rast[..., 2:3] < depth.flatten())
    return inside != 0
