"""Simple meshes of known answers, counter-clockwise seen from outside."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong
from .subdivide import subdivide

MOST_ROWS = 1 << 16  # 2^32 vertices and more have no int32 tri


def icosphere(level: int) -> tuple[Tensor, Tensor]:
    """(pos [V,3], tri int32 [T,3]) of the unit sphere: T = 20 * 4^level nearly equal triangles.

    81,920 triangles at level 6, 327,680 at level 7; V = T / 2 + 2.
    """
    level = _count("icosphere", "level", level, 0, 10)
    g = (1 + math.sqrt(5)) / 2
    signs = [(-1, g), (1, g), (-1, -g), (1, -g)]
    corners = [(x, y, 0.0) for x, y in signs]
    corners += [(0.0, x, y) for x, y in signs]
    corners += [(y, 0.0, x) for x, y in signs]
    faces = "0 11 5 0 5 1 0 1 7 0 7 10 0 10 11 1 5 9 5 11 4 11 10 2 10 7 6 7 1 8 "
    faces += "3 9 4 3 4 2 3 2 6 3 6 8 3 8 9 4 9 5 2 4 11 6 2 10 8 6 7 9 8 1"
    pos = torch.tensor(corners, dtype=torch.float64)
    tri = torch.tensor([int(i) for i in faces.split()]).reshape(20, 3)
    pos = pos / pos.norm(dim=1, keepdim=True)
    for _ in range(level):
        pos, tri = subdivide(pos, tri)
        pos = pos / pos.norm(dim=1, keepdim=True)
    return pos.float(), tri.int()


def cube() -> tuple[Tensor, Tensor]:
    """(pos [8,3], tri int32 [12,3]) with corners at -1 and 1, z changing first."""
    pos = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float32)] * 3)
    quads = "0 1 3 2  4 6 7 5  0 4 5 1  2 3 7 6  0 2 6 4  1 5 7 3"
    return pos, _split(torch.tensor([int(i) for i in quads.split()]).reshape(6, 4))


def grid(rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """(pos [V,3], tri int32 [T,3]) of the square [-1,1] x [-1,1] at z = 0 that faces +z.

    V = (rows+1)(cols+1), row by row from y = -1; T = 2 rows cols.
    """
    rows = _count("grid", "rows", rows, 1)
    cols = _count("grid", "cols", cols, 1)
    lines = [torch.linspace(-1, 1, n + 1, dtype=torch.float32) for n in (rows, cols)]
    y, x = torch.meshgrid(*lines, indexing="ij")
    pos = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3)
    index = torch.arange(len(pos)).reshape(rows + 1, cols + 1)
    quads = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    return pos, _split(torch.stack(quads, -1).reshape(-1, 4))


def torus(
    rows: int = 24, cols: int = 48, radius: float = 1.0, tube: float = 0.4
) -> tuple[Tensor, Tensor]:
    """(pos [rows cols,3], tri int32 [2 rows cols,3]) of a torus around the z axis.

    Args:
        rows, cols: divisions around the tube and around the axis, 3 or more.
        radius: from the axis to the middle of the tube.
        tube: radius of the tube, 0 < tube < radius.
    """
    rows = _count("torus", "rows", rows, 3)
    cols = _count("torus", "cols", cols, 3)
    tube = check.number("clip.torus", "tube", tube, "it is the radius of the tube", finite=False)
    radius = check.number(
        "clip.torus", "radius", radius, "it is that of the middle of the tube", finite=False
    )
    if not 0 < tube < radius < math.inf:
        raise ValueError(
            wrong(
                "clip.torus",
                "tube and radius must satisfy 0 < tube < radius",
                f"tube={tube:g}, radius={radius:g}",
                "make the tube thinner",
            )
        )
    step = torch.arange(rows, dtype=torch.float64) * (2 * math.pi / rows)
    turn = torch.arange(cols, dtype=torch.float64) * (2 * math.pi / cols)
    v, u = torch.meshgrid(step, turn, indexing="ij")
    ring = radius + tube * v.cos()
    pos = torch.stack([ring * u.cos(), ring * u.sin(), tube * v.sin()], -1).reshape(-1, 3)
    index = torch.arange(rows * cols).reshape(rows, cols)
    right, up = index.roll(-1, 1), index.roll(-1, 0)
    quads = torch.stack([index, right, right.roll(-1, 0), up], -1)
    return pos.float(), _split(quads.reshape(-1, 4))


def _split(quads: Tensor) -> Tensor:
    """Two triangles for each counter-clockwise quad, cut from corner 0 to corner 2."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).int()


def _count(function: str, name: str, value: int, low: int, high: int = MOST_ROWS) -> int:
    return check.whole(
        f"clip.{function}", name, value, low, high, remedy="choose one in that range"
    )
