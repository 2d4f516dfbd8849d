"""A snail made by code, for a demonstration that downloads nothing.

The surface is the zero level of a smooth union of balls strung along curves: foot, neck and head,
two eye stalks, and a shell that winds up on a shrinking spiral. z is up, the head looks along +x.
demo_paint.py gives it colours.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

# Voxel edge: about 45 000 vertices, so that the outline shows no corners.
VOXEL = 0.0135
# The shell winds around an axis along y, from this angle at its mouth.
SHELL_TURNS, SHELL_START = 2.6, -0.9
SHELL_AXIS = (-0.2, 0.72)  # x, z
EYES = ((1.2, 0.2, 1.1), (1.2, -0.2, 1.1))


@dataclass
class Balls:
    """Balls [B] along one curve; `place` runs from 0 to 1 along it."""

    centre: np.ndarray
    radius: np.ndarray
    place: np.ndarray


@dataclass
class Snail:
    """A closed surface and what demo_paint.py asks of it; float32, and int32 for tri.

    Args:
        pos, tri: [V,3], [T,3].
        part: [V,4], the distances to body, shell, stalks and eyes.
        up: [V], z of the normal.
        turn: [T], the angle along the shell at the point of its curve nearest to the triangle.
    """

    pos: Tensor
    tri: Tensor
    part: Tensor
    up: Tensor
    turn: Tensor


def demo_mesh() -> Snail:
    """The snail, in the voxels' resolution."""
    parts = [_body(), _shell(), _stalks(), _eyes()]
    balls = np.concatenate([part.centre for part in parts])
    reach = np.concatenate([part.radius for part in parts])[:, None] + 3 * VOXEL
    low, high = (balls - reach).min(axis=0), (balls + reach).max(axis=0)
    axes = [np.arange(lo, hi, VOXEL, dtype=np.float32) for lo, hi in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = _union([_distance(part, grid)[0] for part in parts], blend=0.03)
    field = field.reshape([len(axis) for axis in axes])
    pos, tri, normal, _ = marching_cubes(field, 0.0, gradient_direction="descent")
    pos = (pos * VOXEL + low).astype(np.float32)
    part = np.stack([_distance(part, pos)[0] for part in parts], axis=1)
    # Of a triangle, not of a vertex: between two turns there is nothing to interpolate.
    place = parts[1].place[_distance(parts[1], pos[tri].mean(axis=1))[1]]
    turn = SHELL_START + 2 * math.pi * SHELL_TURNS * place
    fields = (pos, tri.astype(np.int32), part, normal[:, 2], turn.astype(np.float32))
    return Snail(*(torch.from_numpy(np.ascontiguousarray(field)) for field in fields))


def shell_curve(place: Tensor) -> Tensor:
    """The middle of the shell's tube [P,3] at `place` [P], 0 at its mouth and 1 at its tip."""
    angle = SHELL_START + 2 * math.pi * SHELL_TURNS * place
    winding = _winding(place)
    x, z = SHELL_AXIS
    # The spiral climbs to +y as it shrinks, so that its inner turns stand out on that side.
    return torch.stack(
        [winding * angle.cos() + x, 0.3 * place**1.2, winding * angle.sin() + z], dim=-1
    )


def _winding(place: Tensor) -> Tensor:
    return 0.44 * torch.exp(-1.75 * place)


def _body() -> Balls:
    tail, head = np.array([-1.05, 0.0, 0.08]), np.array([1.02, 0.0, 0.66])
    knots = np.array([tail, [-0.5, 0, 0.15], [0.25, 0, 0.2], [0.68, 0, 0.24], [0.9, 0, 0.45], head])
    return _string(knots, np.array([0.06, 0.17, 0.22, 0.2, 0.15, 0.2]), 48)


def _shell() -> Balls:
    place = torch.linspace(0.0, 1.0, 200, dtype=torch.float64)
    # The inner turns are thicker than their winding asks for: they close the hole in the middle.
    radius = 0.62 * _winding(place) + 0.035 * place
    return Balls(shell_curve(place).numpy(), radius.numpy(), place.numpy())


def _stalks() -> Balls:
    return _pair(
        lambda k, s: _string(np.array([[1.0, s * 0.07, 0.75], EYES[k]]), np.full(2, 0.04), 12)
    )


def _eyes() -> Balls:
    return _pair(lambda k, s: _string(np.array([EYES[k]]), np.array([0.085]), 1))


def _pair(make) -> Balls:
    left, right = make(0, 1.0), make(1, -1.0)
    joined = [np.concatenate(pair) for pair in zip(vars(left).values(), vars(right).values())]
    return Balls(*joined)


def _string(knots: np.ndarray, radii: np.ndarray, count: int) -> Balls:
    """`count` balls along the polyline through the knots, radii interpolated."""
    place = np.linspace(0.0, 1.0, count) if count > 1 else np.zeros(1)
    at = place * (len(knots) - 1)
    centre = np.stack([np.interp(at, range(len(knots)), knots[:, k]) for k in range(3)], axis=1)
    return Balls(centre, np.interp(at, range(len(knots)), radii), place)


def _distance(part: Balls, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance of the points [P,3] to a part (negative inside), and the nearest ball."""
    best = np.full(len(points), np.inf, dtype=np.float32)
    ball = np.zeros(len(points), dtype=np.int64)
    for index, (centre, radius) in enumerate(zip(part.centre, part.radius, strict=True)):
        away = points - centre.astype(np.float32)
        distance = np.sqrt(np.einsum("pk,pk->p", away, away)) - np.float32(radius)
        ball[distance < best] = index
        np.minimum(best, distance, out=best)
    return best, ball


def _union(fields: list[np.ndarray], blend: float) -> np.ndarray:
    """Smooth minimum (Quilez's polynomial): rounds the seams over the width `blend`."""
    result = fields[0]
    for field in fields[1:]:
        overlap = np.maximum(blend - np.abs(result - field), 0.0) / blend
        result = np.minimum(result, field) - overlap**2 * blend / 4
    return result
