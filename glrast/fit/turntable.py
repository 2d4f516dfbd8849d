"""The fitted mesh seen from a circle of cameras around it, as an animated GIF."""

import math
from pathlib import Path

import imageio.v3 as iio
import torch
from torch import Tensor

import glrast

from ..camera.pose import look_at
from ..camera.projection import perspective
from ..core.files import replacing
from .dataset import Views
from .images import to_bytes
from .losses import composite
from .model import ColoredMesh, supersampled

FRAMES = 48
PIXELS = 256
# Rendered larger and averaged: GIF's 256 colours want clean edges to begin with.
SUPERSAMPLE = 2
FOV_RAD = math.radians(35.0)
ELEVATION_RAD = math.radians(20.0)
MILLISECONDS = 70


@torch.no_grad()
def write_turntable(
    path: Path, ctx: glrast.Context, mesh: ColoredMesh, up: Tensor, device: torch.device
) -> None:
    """FRAMES pictures over white, once around the direction `up` [3]."""
    mesh = mesh.to(device)
    frames = []
    for matrix in orbit(mesh.pos.cpu(), up).float().to(device):
        rgba = supersampled(ctx, mesh, matrix[None], (PIXELS, PIXELS), SUPERSAMPLE)
        frames.append(to_bytes(composite(rgba, 1.0).flip(1))[0])
    with replacing(path) as temporary:
        iio.imwrite(temporary, torch.stack(frames).numpy(), duration=MILLISECONDS, loop=0)


def up_axis(views: Views) -> Tensor:
    """[3], the mean up direction of the cameras; the nearest axis of the world if it is close."""
    mean = views.world_to_camera[:, 1, :3].mean(dim=0)
    if float(mean.norm()) < 0.1:  # they stand on no axis: any will do
        mean = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    up = torch.nn.functional.normalize(mean, dim=0)
    axis = int(up.abs().argmax())
    # People turn cameras around an axis; a mean over few views misses it by some degrees.
    if abs(up[axis]) > math.cos(math.radians(30.0)):
        return torch.eye(3, dtype=torch.float64)[axis] * up[axis].sign()
    return up


def axis(name: str) -> Tensor:
    """[3], the direction of 'x', 'y', 'z', '-x', '-y' or '-z'."""
    direction = torch.eye(3, dtype=torch.float64)["xyz".index(name[-1])]
    return -direction if name[0] == "-" else direction


def orbit(pos: Tensor, up: Tensor) -> Tensor:
    """[FRAMES,4,4] world-to-clip matrices of cameras that just hold the vertices [V,3]."""
    up = up.double()
    centre = (pos.max(dim=0).values + pos.min(dim=0).values).double() / 2
    radius = float((pos - centre).norm(dim=1).max())
    distance = radius / math.sin(FOV_RAD / 2)
    side = torch.linalg.cross(up, torch.eye(3, dtype=torch.float64)[int(up.abs().argmin())])
    side = torch.nn.functional.normalize(side, dim=0)
    front = torch.linalg.cross(side, up)
    projection = perspective(FOV_RAD, 1.0, 0.5 * (distance - radius), 2.0 * (distance + radius))
    matrices = []
    for frame in range(FRAMES):
        angle = 2 * math.pi * frame / FRAMES
        around = side * math.cos(angle) + front * math.sin(angle)
        away = around * math.cos(ELEVATION_RAD) + up * math.sin(ELEVATION_RAD)
        matrices.append(projection @ look_at(centre + distance * away, centre, up))
    return torch.stack(matrices)
