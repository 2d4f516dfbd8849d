"""The float64 twin of glrast.antialias(discontinuities="exact"), of one image: one fragment after the other.

What each pixel shows, with which area and where, is clipped (reference/visibility/fragments.py). The colour of a
fragment begins at the nearest of the 5 x 5 pixels around that shows the same, and goes on by the slope that fits the
colours of the four next among them which do, weighted by 1 / (1 + distance^2)^2: the least squares' solution of least
norm, so that pixels on a line have a slope along it alone. Places are (u, v), carried into pixels by the derivatives of
u and v at the fragment.
"""

import numpy as np
import torch
from torch import Tensor

from .fragments import affine, fragments

AROUND = sorted(
    ((x, y) for y in range(-2, 3) for x in range(-2, 3)), key=lambda o: o[0] ** 2 + o[1] ** 2
)
NONE = -2  # what a pixel beyond the border shows
ON_A_LINE = 1e-6  # places no wider than that by their length


def antialias_exact(color: Tensor, ids: np.ndarray, pos: Tensor, tri: Tensor) -> Tensor:
    """color [H,W,C], shaded where ids [H,W] are seen (-1: nothing), pos [V,4], both float64: the image [H,W,C].

    Gradients: color; pos, also from where the pixels' u and v are.
    """
    height, width, _ = color.shape
    planes, _ = affine(pos, tri, (height, width))
    frag = fragments(pos, tri, (height, width))
    least, most = color.detach().amin((0, 1)), color.detach().amax((0, 1))
    image = list(color.reshape(height * width, -1))
    for pixel in frag.pixel.unique().tolist():
        image[pixel] = torch.zeros_like(image[pixel])
    for pixel, t, weight, uv, db in zip(
        frag.pixel.tolist(), frag.triangle.tolist(), frag.weight, frag.uv, frag.db
    ):
        shown = _colour(color, ids, planes, tri, pixel, t, uv, db.reshape(2, 2))
        image[pixel] = image[pixel] + weight * shown.clamp(least, most)
    return torch.stack(image).reshape(color.shape)


def _colour(color, ids, planes, tri, pixel: int, t: int, uv: Tensor, slopes: Tensor) -> Tensor:
    """[C]: what a fragment of triangle t in this pixel shows."""
    height, width = ids.shape
    column, row = pixel % width, pixel // width
    places = [(column + dx, row + dy) for dx, dy in AROUND]
    shows = [ids[y, x] if 0 <= x < width and 0 <= y < height else NONE for x, y in places]
    mine = [k for k, s in enumerate(shows) if s == t]
    if not mine:
        return _stranger(color, ids, tri, places, shows, t)
    anchor, others = mine[0], mine[1:5]
    start = color[places[anchor][1], places[anchor][0]]
    if t < 0 or not others:
        return start

    def place(k: int) -> Tensor:
        return torch.linalg.solve(slopes, uv_of(planes[t], *places[k]) - uv)

    roots = [1 / (1 + AROUND[k][0] ** 2 + AROUND[k][1] ** 2) for k in others]
    apart = torch.stack([r * (place(k) - place(anchor)) for r, k in zip(roots, others)])
    steps = [r * (color[places[k][1], places[k][0]] - start) for r, k in zip(roots, others)]
    slope = torch.linalg.pinv(apart, rtol=ON_A_LINE) @ torch.stack(steps)
    return start - place(anchor) @ slope


def uv_of(plane: Tensor, x: int, y: int) -> Tensor:
    """u and v of a triangle at a pixel's centre."""
    b = plane[:3] @ torch.tensor([x + 0.5, y + 0.5, 1.0], dtype=torch.float64)
    return b[:2] / b.sum()


def _stranger(color, ids, tri, places, shows, t: int) -> Tensor:
    """What no pixel around shows: its mean colour in the image, else a neighbour's, else its pixel's own."""
    if (ids == t).any():
        return color[torch.from_numpy(ids == t)].mean(0)
    corners = set(tri[t].tolist()) if t >= 0 else set()
    kin = [k for k, s in enumerate(shows) if s >= 0 and corners & set(tri[s].tolist())]
    drawn = [k for k, s in enumerate(shows) if s >= 0]
    at = [*kin, *drawn, 0][0] if t >= 0 else 0
    return color[places[at][1], places[at][0]]
