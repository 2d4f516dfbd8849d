"""Pictures of a coloured sphere by ray casting: an object whose shape and silhouette are known."""

import json
import math
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from glrast.clip import look_at, perspective
from glrast.fit.dataset import Views

RADIUS = 0.7
CENTRE = (0.2, -0.1, 0.3)
FOV_RAD = math.radians(40.0)
DISTANCE = 3.0
# Rays to a pixel, each way: coverage in steps of 1/16.
RAYS = 4


def cameras(count: int) -> list[torch.Tensor]:
    """World-to-camera matrices, spread around the sphere at several heights."""
    matrices = []
    for index in range(count):
        angle, height = 2.4 * index, 0.8 * math.sin(1.7 * index + 0.5)
        across = math.sqrt(1.0 - height * height)
        away = (across * math.cos(angle), across * math.sin(angle), height)
        eye = [c + DISTANCE * a for c, a in zip(CENTRE, away, strict=True)]
        matrices.append(look_at(eye, CENTRE, (0.0, 0.0, 1.0)))
    return matrices


def sphere_views(count: int, height: int = 33, width: int = 33, stripe: float = 0.0) -> Views:
    """Views of the sphere, coloured by its normal, with dark rings `stripe` wide if that is not 0."""
    poses = cameras(count)
    projection = perspective(FOV_RAD, width / height, 0.1, 10.0).double()
    return Views(
        rgba=torch.stack([picture(pose, height, width, stripe) for pose in poses]),
        world_to_camera=torch.stack(poses).double(),
        projection=projection.expand(count, 4, 4).clone(),
        names=[f"view_{index}" for index in range(count)],
    )


def picture(
    world_to_camera: torch.Tensor, height: int, width: int, stripe: float = 0.0
) -> torch.Tensor:
    """uint8 [H,W,4], row 0 at the bottom, colour premultiplied."""
    to_world = np.linalg.inv(world_to_camera.double().numpy())
    tangent = math.tan(FOV_RAD / 2)
    y = (2 * (np.arange(height * RAYS) + 0.5) / (height * RAYS) - 1) * tangent
    x = (2 * (np.arange(width * RAYS) + 0.5) / (width * RAYS) - 1) * tangent * width / height
    x, y = np.meshgrid(x, y)
    ray = np.stack([x, y, -np.ones_like(x)], axis=-1) @ to_world[:3, :3].T
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    from_centre = to_world[:3, 3] - np.array(CENTRE)
    along = -(ray @ from_centre)
    inside = RADIUS**2 - (from_centre @ from_centre - along**2)
    hit = from_centre + ray * (along - np.sqrt(np.maximum(inside, 0)))[..., None]
    color = 0.5 + 0.5 * hit / RADIUS
    if stripe:
        color *= np.where(np.floor(hit[..., 2:] / stripe) % 2 == 0, 1.0, 0.3)
    rgba = np.concatenate([color, np.ones_like(color[..., :1])], axis=-1) * (inside > 0)[..., None]
    rgba = rgba.reshape(height, RAYS, width, RAYS, 4).mean(axis=(1, 3))
    return torch.from_numpy(np.round(rgba * 255).astype(np.uint8))


def write_png(path: Path, rgba: torch.Tensor) -> None:
    """A premultiplied picture with row 0 at the bottom, as a PNG with straight alpha."""
    pixels = rgba.flip(0).numpy().astype(np.float64)
    pixels[..., :3] *= 255.0 / np.maximum(pixels[..., 3:], 1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def write_dataset(folder: Path, views: Views, name: str = "transforms_train.json") -> dict:
    """The views in the NeRF-synthetic convention; returns what the transforms file holds."""
    frames = []
    split = name.removesuffix(".json").partition("_")[2] or "images"
    for index, rgba in enumerate(views.rgba):
        write_png(folder / split / f"r_{index}.png", rgba)
        pose = torch.linalg.inv(views.world_to_camera[index]).tolist()
        frames.append({"file_path": f"./{split}/r_{index}", "transform_matrix": pose})
    # Square pictures: the horizontal angle is the vertical one.
    content = {"camera_angle_x": FOV_RAD, "frames": frames}
    (folder / name).write_text(json.dumps(content))
    return content
