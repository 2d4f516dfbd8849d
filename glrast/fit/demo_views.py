"""The built-in data set: the snail of demo_scene.py, photographed by our own renderer."""

import math

import torch
from torch import Tensor

import glrast

from ..camera.pose import look_at
from ..camera.projection import perspective
from ..clip import transform_points
from .dataset import Dataset, Views
from .demo_paint import Place, paint
from .demo_scene import Snail, demo_mesh
from .images import to_bytes

TRAIN_VIEWS = 28
TEST_VIEWS = 6
# Each pixel is the mean of 3 x 3: edges and stripes as a camera would see them.
SUPERSAMPLE = 3
FOV_RAD = math.radians(32.0)
DISTANCE = 5.0


@torch.no_grad()
def demo_dataset(device: torch.device, resolution: int) -> Dataset:
    """Training views and, from cameras of their own, the views held out."""
    ctx = glrast.Context(device, output_db=False)
    snail = Snail(*(x.to(ctx.device) for x in vars(demo_mesh()).values()))
    # A spiral of another length: no camera of one set stands where one of the other does.
    train = _photograph(ctx, snail, _cameras(TRAIN_VIEWS), resolution, "train")
    test = _photograph(ctx, snail, _cameras(TEST_VIEWS), resolution, "test")
    return Dataset(train, test, held_out=f"{TEST_VIEWS} cameras of their own")


def _cameras(count: int) -> list[Tensor]:
    """World-to-camera matrices [4,4], evenly spread over the sphere but for its poles."""
    golden = math.pi * (3.0 - math.sqrt(5.0))
    centre = torch.tensor([0.09, 0.03, 0.62], dtype=torch.float64)
    matrices = []
    for index in range(count):
        height = 0.95 - 1.6 * (index + 0.5) / count
        across = math.sqrt(1.0 - height * height)
        angle = index * golden
        away = torch.tensor([across * math.cos(angle), across * math.sin(angle), height])
        matrices.append(look_at(centre + DISTANCE * away, centre, (0.0, 0.0, 1.0)))
    return matrices


def _photograph(
    ctx: glrast.Context, snail: Snail, cameras: list[Tensor], resolution: int, name: str
) -> Views:
    projection = perspective(FOV_RAD, 1.0, 0.5, 20.0)
    pictures = []
    for world_to_camera in cameras:
        matrix = (projection.double() @ world_to_camera.double()).float().to(snail.pos.device)
        large = _picture(ctx, snail, matrix, resolution * SUPERSAMPLE)
        blocks = large.reshape(1, resolution, SUPERSAMPLE, resolution, SUPERSAMPLE, 4)
        pictures.append(to_bytes(blocks.mean(dim=(2, 4))))
    return Views(
        rgba=torch.cat(pictures),
        world_to_camera=torch.stack(cameras).double(),
        projection=projection.double().expand(len(cameras), 4, 4).clone(),
        names=[f"{name}_{index:02d}" for index in range(len(cameras))],
    )


def _picture(ctx: glrast.Context, snail: Snail, world_to_clip: Tensor, size: int) -> Tensor:
    """[1,size,size,4], colour premultiplied by coverage; each pixel painted by itself."""
    pos_clip = transform_points(world_to_clip[None], snail.pos)
    rast, _ = glrast.rasterize(ctx, pos_clip, snail.tri, (size, size))
    attr = torch.cat([snail.pos, snail.part, snail.up[:, None]], dim=1)
    surface, _ = glrast.interpolate(attr, rast, snail.tri)
    covered = rast[..., 3] > 0
    pos, part, up = surface[covered].split((3, 4, 1), dim=1)
    turn = snail.turn[glrast.triangle_id(rast)[covered].long()]
    rgba = torch.zeros_like(rast)
    rgba[covered] = torch.cat([paint(Place(pos, part, up[:, 0], turn)), torch.ones_like(up)], dim=1)
    return glrast.antialias(rgba, rast, pos_clip, snail.tri)
