"""Masks of solids by ray casting in a distance field: any shape, any cameras, exact outlines."""

import math

import numpy as np
import torch
from torch import Tensor

from glrast.clip import look_at, perspective

FOV_RAD = math.radians(40.0)


def sphere_cameras(count: int, distance: float = 4.0) -> Tensor:
    """World to clip, float64 [N,4,4], evenly around the origin (a golden spiral)."""
    golden = math.pi * (3 - math.sqrt(5))
    projection = perspective(FOV_RAD, 1.0, 0.1, 20.0).double()
    matrices = []
    for index in range(count):
        height = 0.9 - 1.8 * (index + 0.5) / count
        across, angle = math.sqrt(1 - height * height), golden * index
        eye = [distance * x for x in (across * math.cos(angle), across * math.sin(angle), height)]
        matrices.append(projection @ look_at(eye, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)).double())
    return torch.stack(matrices)


def torus(points: np.ndarray, ring: float = 0.75, tube: float = 0.3) -> np.ndarray:
    """Signed distance, negative inside; the axis is z."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.hypot(np.hypot(x, y) - ring, z) - tube


def rod(points: np.ndarray) -> np.ndarray:
    """A ball with a thin rod through it along x."""
    x, y, z = np.moveaxis(points, -1, 0)
    ball = np.linalg.norm(points, axis=-1) - 0.5
    thin = np.maximum(np.hypot(y, z) - 0.025, np.abs(x) - 1.0)
    return np.minimum(ball, thin)


def masks(solid, matrices: Tensor, size: int) -> Tensor:
    """Coverage [N,size,size] (0 or 1) of the solid, row 0 at the bottom."""
    return torch.stack([_mask(solid, matrix, size) for matrix in matrices])


def _mask(solid, matrix: Tensor, size: int) -> Tensor:
    to_world = np.linalg.inv(matrix.numpy())
    place = 2 * (np.arange(size) + 0.5) / size - 1
    x, y = np.meshgrid(place, place)
    near, far = (
        np.stack([x, y, np.full_like(x, z), np.ones_like(x)], axis=-1) @ to_world.T
        for z in (-1.0, 1.0)
    )
    near, far = near[..., :3] / near[..., 3:], far[..., :3] / far[..., 3:]
    direction = (far - near) / np.linalg.norm(far - near, axis=-1, keepdims=True)
    along, closest = np.zeros(x.shape), np.full(x.shape, np.inf)
    # Sphere tracing: a step of the distance never passes the surface.
    for _ in range(60):
        distance = solid(near + along[..., None] * direction)
        closest = np.minimum(closest, distance)
        along += np.maximum(distance, 1e-4)
    return torch.from_numpy((closest < 1e-3).astype(np.float32))
