"""Ambient occlusion: how much of the sky each texel sees."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..camera.camera import Camera
from ..camera.pose import look_at
from ..camera.projection import orthographic
from ..context import Context
from ..core import check
from ..mesh.mesh import Mesh
from .sight import look_at_mesh
from .texels import Texels, check_texels
from .view_samples import pixel_size, pixels, slack

PORTION = 1 << 20


@torch.no_grad()
def ambient_occlusion(
    texels: Texels,
    occluders: Mesh | None = None,
    *,
    directions: int = 128,
    resolution: int = 512,
    tolerance: float = 1.5,
    ctx: Context | None = None,
) -> Tensor:
    """The share of the sky's light, weighted by the cosine, that reaches each texel: 1 where nothing is in the way.

    Args:
        texels: of the mesh that is lit.
        occluders: what stands in the way, all of it, however far; None: the mesh itself.
        directions: from which the sky is looked down from, evenly over the sphere; the error falls a little faster than
            their root (below 0.02 at 128 under a disc).
        resolution: pixels a side of each look.
        tolerance: how far behind what a look shows a texel may be and still be lit, in pixels' widths on the surface.
        ctx: a Context on the mesh's device; None: one is made.
    Returns: float32 [H,W], 1 where no surface is.
    """
    name = "bake.ambient_occlusion"
    check_texels(name, texels)
    directions = check.whole(name, "directions", directions, 1)
    resolution = check.whole(name, "resolution", resolution, 1)
    mesh = texels.mesh
    hiding = mesh if occluders is None else occluders
    ctx = Context(mesh.pos.device, output_db=False) if ctx is None else ctx
    place = texels.mask.reshape(-1).nonzero()[:, 0]
    pos = texels.position.detach().reshape(-1, 3)[place]
    normal = texels.normal.detach().reshape(-1, 3)[place]
    lit, sky = pos.new_zeros(len(place)), pos.new_zeros(len(place))
    for camera in _around(hiding, mesh, directions, resolution):
        sight = look_at_mesh(ctx, hiding, camera)
        axis = sight.camera.world_to_camera[2, :3]
        for part in torch.arange(len(place), device=pos.device).split(PORTION):
            cos = normal[part] @ axis
            part, cos = part[cos > 0], cos[cos > 0]
            x, y, depth = pixels(sight.camera, pos[part])
            column, row = (v.floor().long().clamp(0, resolution - 1) for v in (x, y))
            there = sight.depth[row, column]
            reach = slack(pixel_size(sight.camera, depth), cos, tolerance)
            free = (there == 0) | (depth <= there + reach)
            sky[part] += cos
            lit[part] += cos * free
    height, width = texels.resolution
    out = pos.new_ones(height * width)
    out[place] = torch.where(sky > 0, lit / sky.clamp_min(1e-20), 1)
    return out.view(height, width)


def _around(hiding: Mesh, mesh: Mesh, count: int, resolution: int) -> list[Camera]:
    """Parallel projections from all sides that show both meshes whole."""
    pos = torch.cat([hiding.pos.detach(), mesh.pos.detach()]).double().cpu()
    centre = (pos.amin(0) + pos.amax(0)) / 2
    radius = float((pos - centre).norm(dim=1).max()) * 1.01 + 1e-30
    lens = orthographic(radius, 1.0, radius, 3 * radius)
    golden = math.pi * (3 - math.sqrt(5))
    cameras = []
    for n in range(count):
        z = 1 - (2 * n + 1) / count
        across, angle = math.sqrt(1 - z * z), n * golden
        away = torch.tensor([across * math.cos(angle), across * math.sin(angle), z]).double()
        up = (0.0, 0.0, 1.0) if abs(z) < 0.9 else (1.0, 0.0, 0.0)
        pose = look_at(centre + 2 * radius * away, centre, up)
        cameras.append(Camera(pose, lens, (resolution, resolution)))
    return cameras
