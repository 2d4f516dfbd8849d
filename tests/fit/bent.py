"""Pictures through bent lenses by exact rays: points of each pixel go back through the lens by Newton's method."""

import numpy as np
import torch

from glrast.camera.distortion import Distortion

RAYS = 4  # to a pixel, each way
STEPS = 12


def unbent(
    distortion: Distortion | None, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pinhole's (x, y), y down, that the lens shows at these, to 1e-10; NaN where there is none."""
    if distortion is None:
        return x, y
    u, v, h = x.copy(), y.copy(), 1e-6
    for _ in range(STEPS):
        f, g = distortion(u, v)
        fu, gu = (a - b for a, b in zip(distortion(u + h, v), distortion(u - h, v), strict=True))
        fv, gv = (a - b for a, b in zip(distortion(u, v + h), distortion(u, v - h), strict=True))
        det = fu * gv - fv * gu
        u, v = (
            u - 2 * h * ((f - x) * gv - (g - y) * fv) / det,
            v - 2 * h * ((g - y) * fu - (f - x) * gu) / det,
        )
    f, g = distortion(u, v)
    lost = ~(np.hypot(f - x, g - y) < 1e-9)
    return np.where(lost, np.nan, u), np.where(lost, np.nan, v)


def photograph(scene, world_to_camera, lens, size, distortion=None) -> torch.Tensor:
    """uint8 [H,W,4], row 0 at the bottom, premultiplied: `scene(origin [3], direction [...,3])` gives RGBA in 0..1.

    lens: fx, fy, cx, cy in pixels from the upper left corner.
    """
    height, width = size
    fx, fy, cx, cy = lens
    column = (np.arange(width * RAYS) + 0.5) / RAYS
    row = (np.arange(height * RAYS) + 0.5) / RAYS
    x, y = np.meshgrid((column - cx) / fx, (row - cy) / fy)
    x, y = unbent(distortion, x, y)
    to_world = np.linalg.inv(np.asarray(world_to_camera, dtype=np.float64))
    ray = np.stack([x, -y, -np.ones_like(x)], axis=-1) @ to_world[:3, :3].T
    rgba = np.nan_to_num(scene(to_world[:3, 3], ray / np.linalg.norm(ray, axis=-1, keepdims=True)))
    rgba[..., :3] *= rgba[..., 3:]
    rgba = rgba.reshape(height, RAYS, width, RAYS, 4).mean(axis=(1, 3))
    return torch.from_numpy(np.round(rgba[::-1] * 255).astype(np.uint8).copy())


def ball(
    origin: np.ndarray, ray: np.ndarray, radius: float = 0.7, centre=(0.2, -0.1, 0.3)
) -> np.ndarray:
    """A ball in waves of colour."""
    from_centre = origin - np.array(centre)
    along = -(ray @ from_centre)
    inside = radius**2 - (from_centre @ from_centre - along**2)
    hit = from_centre + ray * (along - np.sqrt(np.maximum(inside, 0)))[..., None]
    colour = 0.5 + 0.4 * np.sin(5 * hit / radius + np.array([0.0, 1.0, 2.0]))
    return np.concatenate([colour, np.where(inside > 0, 1.0, 0.0)[..., None]], axis=-1)


def sky(origin: np.ndarray, ray: np.ndarray) -> np.ndarray:
    """Waves of colour all around, opaque."""
    colour = 0.5 + 0.4 * np.sin(6 * ray + np.array([0.0, 1.0, 2.0]))
    return np.concatenate([colour, np.ones_like(ray[..., :1])], axis=-1)
