"""A snail made by code, for a demonstration that downloads nothing.

The surface is the zero level of a smooth union of balls strung along curves: foot, neck and head,
two eye stalks, and a shell that winds up on a shrinking spiral. z is up, the head looks along +x.
"""

from dataclasses import dataclass

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

# Voxel edge: about 45 000 vertices, several to each pixel of the demo's images.
VOXEL = 0.0135
SHELL_TURNS = 2.6


@dataclass
class Balls:
    """Balls [B] along one curve; `place` runs from 0 to 1 along it and steers the colouring."""

    centre: np.ndarray
    radius: np.ndarray
    place: np.ndarray


def demo_mesh() -> tuple[Tensor, Tensor, Tensor]:
    """The snail: pos [V,3], tri [T,3] and colour [V,3] (sRGB, 0..1), float32 and int32."""
    parts = {"body": _body(), "shell": _shell(), "stalks": _stalks(), "eyes": _eyes()}
    balls = np.concatenate([part.centre for part in parts.values()])
    reach = np.concatenate([part.radius for part in parts.values()])[:, None] + 3 * VOXEL
    low, high = (balls - reach).min(axis=0), (balls + reach).max(axis=0)
    axes = [np.arange(lo, hi, VOXEL, dtype=np.float32) for lo, hi in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = _union([_distance(part, grid)[0] for part in parts.values()], blend=0.03)
    field = field.reshape([len(axis) for axis in axes])
    pos, tri, normal, _ = marching_cubes(field, 0.0, gradient_direction="descent")
    pos = (pos * VOXEL + low).astype(np.float32)
    color = _paint(parts, pos) * _shade(normal)
    return torch.from_numpy(pos), torch.from_numpy(tri.astype(np.int32)), torch.from_numpy(color)


def _body() -> Balls:
    tail, head = np.array([-1.05, 0.0, 0.08]), np.array([1.02, 0.0, 0.66])
    knots = np.array([tail, [-0.5, 0, 0.15], [0.25, 0, 0.2], [0.68, 0, 0.24], [0.9, 0, 0.45], head])
    return _string(knots, np.array([0.06, 0.17, 0.22, 0.2, 0.15, 0.2]), 48)


def _shell() -> Balls:
    place = np.linspace(0.0, 1.0, 200)
    angle = -0.9 + 2 * np.pi * SHELL_TURNS * place
    winding = 0.44 * np.exp(-1.75 * place)
    # The spiral climbs to +y as it shrinks, so that its inner turns stand out on that side.
    centre = np.stack(
        [winding * np.cos(angle) - 0.2, 0.3 * place**1.2, winding * np.sin(angle) + 0.72], axis=1
    )
    # The inner turns are thicker than their winding asks for: they close the hole in the middle.
    return Balls(centre, 0.62 * winding + 0.035 * place, place)


def _stalks() -> Balls:
    return _pair(
        lambda s: _string(np.array([[1.0, s * 0.07, 0.75], *_eye(s)]), np.full(2, 0.04), 12)
    )


def _eyes() -> Balls:
    return _pair(lambda s: _string(_eye(s), np.array([0.085]), 1))


def _eye(side: float) -> np.ndarray:
    return np.array([[1.2, side * 0.2, 1.1]])


def _pair(make) -> Balls:
    left, right = make(1.0), make(-1.0)
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


def _paint(parts: dict[str, Balls], pos: np.ndarray) -> np.ndarray:
    """The colour of each vertex by the part that it lies on."""
    near = {name: _distance(part, pos) for name, part in parts.items()}
    owner = np.argmin(np.stack([distance for distance, _ in near.values()]), axis=0)
    place = parts["shell"].place[near["shell"][1]]
    painted = {
        "body": _body_color(pos),
        "shell": _shell_color(place, pos, parts["shell"].centre[near["shell"][1]]),
        "stalks": np.broadcast_to([0.96, 0.72, 0.38], pos.shape),
        "eyes": _eye_color(pos),
    }
    return np.stack([painted[name] for name in parts])[owner, np.arange(len(pos))].astype(
        np.float32
    )


def _body_color(pos: np.ndarray) -> np.ndarray:
    skin, spot, sole = np.array([[0.98, 0.76, 0.42], [0.93, 0.45, 0.28], [0.99, 0.93, 0.78]])
    dots = np.sin(11 * pos[:, 0] + 2.5 * np.sin(9 * pos[:, 2])) * np.sin(17 * pos[:, 1] + 1.0)
    color = np.where(dots[:, None] > 0.55, spot, skin)
    return np.where(pos[:, 2:] < 0.06, sole, color)


def _shell_color(place: np.ndarray, pos: np.ndarray, centre: np.ndarray) -> np.ndarray:
    night, teal, cream = np.array([[0.13, 0.2, 0.42], [0.1, 0.6, 0.62], [0.97, 0.95, 0.86]])
    # Ribs across the winding, evenly spaced in angle, and a cream band along its flanks.
    rib = np.sin(2 * np.pi * SHELL_TURNS * place * 5.0)
    flank = np.abs(pos[:, 1] - centre[:, 1]) / np.linalg.norm(pos - centre, axis=1)
    color = np.where(rib[:, None] > 0.0, night, teal)
    band = (np.abs(flank - 0.62) < 0.11) & (place < 0.8)  # the innermost turn is too small for it
    return np.where(band[:, None], cream, color)


def _eye_color(pos: np.ndarray) -> np.ndarray:
    side = np.where(pos[:, 1:2] > 0, 1.0, -1.0)
    forward = (pos - np.concatenate([_eye(1.0), _eye(-1.0)])[(side[:, 0] < 0).astype(int)])[:, 0]
    return np.where(forward[:, None] > 0.045, [[0.06, 0.06, 0.09]], [[0.98, 0.98, 0.98]])


def _shade(normal: np.ndarray) -> np.ndarray:
    """Light from above, the same from everywhere, so that a colour per vertex can hold it."""
    return (0.86 + 0.14 * normal[:, 2:]).astype(np.float32)
