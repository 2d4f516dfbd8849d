"""What the float64 twins of the image estimators share: the points that pixels show, as functions of positions.

Estimators whose backward pass is linear in the incoming gradient are written as images: the shaded colour plus terms
that are 0, as (place - its value) is, and whose derivative is the estimator's.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..rasterize import triangle_id


class Shown(NamedTuple):
    """Points of surfaces, P of them."""

    corners: Tensor  # [P,3,4] clip positions of the vertices, differentiable
    weights: Tensor  # [P,3] perspective-correct barycentrics, constant

    def clip(self) -> Tensor:
        """[P,4]: clip positions of the points."""
        return (self.weights[..., None] * self.corners).sum(1)

    def place(self, resolution) -> Tensor:
        """[P,3]: x and y in pixels, and z/w; moves with the vertices at constant weights."""
        return screen(self.clip(), resolution)


def shown(rast: Tensor, pos: Tensor, tri: Tensor, at) -> tuple[Shown, Tensor]:
    """The points that the pixels at = (n, y, x) show, and bool [P]: whether they show any (of finite vertices)."""
    ids = triangle_id(rast)[at]
    pos = per_image(pos.double(), len(rast))
    T, V = len(tri), pos.shape[1]
    known = (ids >= 0) & (ids < T)
    if T == 0 or V == 0:
        return Shown(pos.new_zeros(len(ids), 3, 4), pos.new_zeros(len(ids), 3)), known & False
    vertices = tri.long()[ids.clamp(0, T - 1)]
    known &= ((vertices >= 0) & (vertices < V)).all(1)
    vertices = torch.where(known[:, None], vertices, 0)
    corners = pos[at[0][:, None], vertices]
    known &= corners.detach().isfinite().all(-1).all(-1)
    u, v = rast.double()[at][:, :2].unbind(1)
    return Shown(corners, torch.stack([u, v, 1 - u - v], 1)), known


def screen(clip: Tensor, resolution) -> Tensor:
    """[...,3]: x and y in pixels from the image's corner, and z/w."""
    height, width = resolution
    ndc = clip[..., :3] / clip[..., 3:]
    scale = torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64)
    return ndc * scale + scale * torch.tensor([1.0, 1.0, 0.0])


def per_image(pos: Tensor, images: int) -> Tensor:
    return (pos if pos.ndim == 3 else pos[None]).expand(images, -1, -1)


def pixels(rast: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(n, y, x) of all pixels, in order."""
    return tuple(torch.ones(rast.shape[:3]).nonzero().unbind(1))


def still(x: Tensor) -> Tensor:
    """0, with the derivative of x."""
    return x - x.detach()
