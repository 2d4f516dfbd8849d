"""Images by brute supersampling, and their finite differences: the oracle for gradients of an antialiased image.

Nothing here knows of edges, pairs or derivatives. A pixel is the mean (box filter) of the colour at many points in it;
each point sees the nearest triangle by the rules of reference/rasterize.py. The mean is as smooth in the vertex
positions as the samples are many, so a central difference of it is the derivative that an exact renderer would have.
"""

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .rasterize import centre, drawable, edge_functions, nearest_triangle

# The lattice (i/n, i golden mod 1) spreads n points evenly so that every axis-parallel line moving through the pixel
# meets them one by one: a square grid of n points would move a vertical edge in steps of 1/sqrt n, this one of 1/n.
GOLDEN = (5**0.5 - 1) / 2
# Pixels along a side of the squares that are rendered one after the other, each with the triangles that may touch it.
TILE = 16


def supersample(
    pos: Tensor, tri: Tensor, attr: Tensor, resolution, samples: int = 64, background: float = 0.0
) -> Tensor:
    """[N,H,W,C] float64: the box-filtered image of a mesh with vertex colours `attr` [V,C] over a flat background.

    pos is [N,V,4] or [V,4] (one image). Flat colours: give the three vertices of a triangle the same one.
    """
    height, width = (int(x) for x in resolution)
    pos, attr = (pos if pos.ndim == 3 else pos[None]).double(), attr.double()
    offsets_x, offsets_y = lattice(samples)
    image = torch.empty(len(pos), height, width, attr.shape[-1], dtype=torch.float64)
    for n, y, x in itertools.product(
        range(len(pos)), range(0, height, TILE), range(0, width, TILE)
    ):
        tile = image[n, y : y + TILE, x : x + TILE]
        py = torch.arange(y, y + tile.shape[0])[:, None, None]
        px = torch.arange(x, x + tile.shape[1])[:, None]
        points = centre(px, py, height, width, offsets_x, offsets_y)
        fx, fy = (f.expand(*tile.shape[:2], samples).reshape(-1) for f in points)
        colors = _colors(pos[n], tri, attr, fx, fy, background)
        tile[:] = colors.reshape(*tile.shape[:2], samples, -1).mean(2)
    return image


def _colors(pos, tri, attr, fx, fy, background):
    """The colour [S,C] seen at the points fx, fy [S] of one image."""
    colors = torch.full((len(fx), attr.shape[-1]), background, dtype=torch.float64)
    tri = tri[_may_touch(pos, tri, fx, fy)].long()
    ids = nearest_triangle(pos, tri, 0, len(tri), fx, fy)
    hit = ids >= 0
    vertices = tri[ids[hit]]
    a = edge_functions(pos[vertices], fx[hit], fy[hit])
    colors[hit] = ((a / a.sum(-1, keepdim=True))[:, :, None] * attr[vertices]).sum(1)
    return colors


def _may_touch(pos, tri, fx, fy):
    """Indices of the triangles not wholly beyond one side of the box around the points (X > fx_max W and so on)."""
    usable = drawable(pos, tri).nonzero()[:, 0]
    x, y, _, w = pos[tri[usable].long()].unbind(-1)
    sides = (x < fx.min() * w, x > fx.max() * w, y < fy.min() * w, y > fy.max() * w)
    return usable[~torch.stack(sides).all(-1).any(0)]


def lattice(samples: int) -> tuple[Tensor, Tensor]:
    """Offsets of `samples` points in the unit pixel, each [samples], in (0,1)."""
    i = torch.arange(samples, dtype=torch.float64)
    return (0.5 + i) / samples, (0.5 + i * GOLDEN) % 1


def finite_difference_image(
    render: Callable[[Tensor], Tensor], pos: Tensor, direction: Tensor, eps: float
) -> Tensor:
    """d image per unit of `direction`: (render(pos + eps direction) - render(pos - eps direction)) / 2 eps."""
    pos, step = pos.double(), eps * direction.double()
    return (render(pos + step) - render(pos - step)) / (2 * eps)


def finite_difference_gradient(
    loss: Callable[[Tensor], Tensor], pos: Tensor, entries: Iterable[tuple[int, ...]], eps: float
) -> Tensor:
    """d loss/d pos, shaped like pos, by central differences at `entries` (indices into pos), 0 elsewhere."""
    gradient = torch.zeros(pos.shape, dtype=torch.float64)
    for entry in entries:
        direction = torch.zeros_like(gradient)
        direction[entry] = 1
        gradient[entry] = finite_difference_image(loss, pos, direction, eps)
    return gradient
