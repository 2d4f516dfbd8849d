"""The closed mesh of the scenes, in float64 until it is done, and the sphere that it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

_G = (1 + 5**0.5) / 2
_CORNERS = (
    (-1, _G, 0), (1, _G, 0), (-1, -_G, 0), (1, -_G, 0), (0, -1, _G), (0, 1, _G), (0, -1, -_G), (0, 1, -_G),
    (_G, 0, -1), (_G, 0, 1), (-_G, 0, -1), (-_G, 0, 1),
)  # fmt: skip
_FACES = (
    (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
    (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7),
    (9, 8, 1),
)  # fmt: skip


def closed_mesh(subdivisions: int = 1, images: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(pos [N,V,4], tri [T,3]): a perturbed sphere with 20 * 4^subdivisions triangles, turned differently in each
    image, in perspective."""
    random = torch.Generator().manual_seed(seed)
    vertices, tri = sphere(subdivisions)
    uneven = torch.rand(len(vertices), 1, generator=random, dtype=torch.float64)
    vertices = vertices * (1 + 0.3 * (uneven - 0.5))
    pos: list[Tensor] = []
    for _ in range(images):
        square = torch.randn(3, 3, generator=random, dtype=torch.float64)
        turn = cast("tuple[Tensor, Tensor]", torch.linalg.qr(square))[0]  # pyright: ignore[reportUnknownMemberType]
        pos.append(perspective(vertices @ turn.t() - torch.tensor([0.0, 0.0, 3.0])))
    return torch.stack(pos).float(), tri.int()


def perspective(camera: Tensor, focal: float = 2.0, near: float = 1.0, far: float = 10.0) -> Tensor:
    """Clip positions of points in an OpenGL camera (looking along -z)."""
    x, y, z = camera.unbind(-1)
    depth = ((far + near) * z + 2 * far * near) / (near - far)
    return torch.stack([focal * x, focal * y, depth, -z], -1)


def sphere(subdivisions: int) -> tuple[Tensor, Tensor]:
    """(float64 [V,3], int64 [T,3]) of radius 1, counter-clockwise from outside."""
    tri = list(_FACES)
    points = [_unit(v) for v in _CORNERS]
    for _ in range(subdivisions):
        middles: dict[tuple[int, int], int] = {}

        def middle(a: int, b: int, middles: dict[tuple[int, int], int] = middles) -> int:
            edge = (min(a, b), max(a, b))
            if edge not in middles:
                middles[edge] = len(points)
                points.append(_unit([p + q for p, q in zip(points[a], points[b], strict=True)]))
            return middles[edge]

        tri = [
            t
            for a, b, c in tri
            for ab, bc, ca in [(middle(a, b), middle(b, c), middle(c, a))]
            for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))
        ]
    return torch.tensor(points, dtype=torch.float64), torch.tensor(tri)


def _unit(v: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in v))
    return [x / length for x in v]
