"""One small scene for each kind of discontinuity, 64 x 64.

Colours belong to corners (three for each triangle), so that triangles that share vertices may still differ in colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .shapes import closed_mesh

SIZE = (64, 64)


class Kind(NamedTuple):
    pos: Tensor  # [V,4]
    tri: Tensor  # [T,3]
    corners: Tensor  # [3T,C] colours
    axes: tuple[int, ...] = (0, 1)  # of pos that are moved


_Rows = Sequence[Sequence[float]]


def in_pixels(
    corners: _Rows,
    tri: Sequence[Sequence[int]],
    colors: _Rows,
    axes: tuple[int, ...] = (0, 1),
    w: Sequence[float] | None = None,
) -> Kind:
    """Vertices (x, y, z/w) in pixels; `colors`: one for each triangle, or one for each corner."""
    at = torch.tensor(corners, dtype=torch.float32)
    by = torch.ones(len(at)) if w is None else torch.tensor(w)
    x, y = 2 * at[:, 0] / SIZE[1] - 1, 2 * at[:, 1] / SIZE[0] - 1
    pos = torch.stack([x * by, y * by, at[:, 2] * by, by], -1)
    each = torch.tensor(colors, dtype=torch.float32)
    if len(each) == len(tri):
        each = each.repeat_interleave(3, 0)
    return Kind(pos, torch.tensor(tri, dtype=torch.int32), each, axes)


RED, GREEN, BLUE, GREY = (0.9, 0.2, 0.1), (0.2, 0.8, 0.3), (0.1, 0.3, 0.7), (0.5, 0.5, 0.5)
PYRAMID = [
    (-9.3, -11.2, 0.2),
    (75.1, -13.4, 0.3),
    (77.3, 74.2, 0.1),
    (-12.4, 79.1, 0.2),
    (29.3, 36.4, -0.6),
]
SIDES = [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]
W = [1.0, 1.3, 1.1, 1.6, 0.9]


def silhouette() -> Kind:
    """A flat triangle over about a third of the image, no edge along an axis or a diagonal."""
    corners = [(5.02, 5.03, 0.0), (60.03, 10.01, 0.0), (30.04, 60.02, 0.0)]
    return in_pixels(corners, [[0, 1, 2]], [(1.0, 0.7, 0.4)])


def occlusion() -> Kind:
    """A triangle before a screen of another colour."""
    corners = [(5.02, 5.03, -0.5), (60.03, 10.01, -0.5), (30.04, 60.02, -0.5)]
    screen = [(-90.0, -90.0, 0.5), (300.0, -90.0, 0.5), (-90.0, 300.0, 0.5)]
    return in_pixels(corners + screen, [[0, 1, 2], [3, 4, 5]], [RED, GREEN])


def flat_crease() -> Kind:
    """A pyramid from above, its base beyond the image: four faces, each of one colour."""
    return in_pixels(PYRAMID, SIDES, [RED, GREEN, BLUE, GREY], w=W)


def shaded_crease() -> Kind:
    """The pyramid with a step at every edge and a slope on every face."""
    colors = torch.rand(12, 3, generator=torch.Generator().manual_seed(3))
    return flat_crease()._replace(corners=colors)


def smooth_crease() -> Kind:
    """The pyramid with colours at its vertices: no step anywhere, a kink at every edge."""
    colors = torch.rand(5, 3, generator=torch.Generator().manual_seed(4))
    kind = flat_crease()
    return kind._replace(corners=colors[kind.tri.reshape(-1).long()])


def smooth_mesh() -> Kind:
    """A closed mesh of 80 triangles with colours at its vertices: silhouettes and many small smooth creases."""
    pos, tri = closed_mesh(1)
    attr = torch.rand(pos.shape[1], 3, generator=torch.Generator().manual_seed(1))
    return Kind(pos[0], tri, attr[tri.reshape(-1).long()])


def flat_mesh() -> Kind:
    """The same mesh, each face of one colour."""
    pos, tri = closed_mesh(1)
    colors = torch.rand(len(tri), 3, generator=torch.Generator().manual_seed(5))
    return Kind(pos[0], tri, colors.repeat_interleave(3, 0))


def intersection() -> Kind:
    """Two tilted triangles larger than the image that pass through each other along a line across it."""
    corners = [
        (-70.3, -55.2, 0.7), (120.1, -40.4, -0.8), (31.2, 150.3, 0.1),
        (-60.4, -35.1, -0.6), (130.2, -55.3, 0.8), (22.5, 160.7, -0.3),
    ]  # fmt: skip
    w = [1.0, 1.2, 0.8, 1.1, 0.9, 1.4]
    return in_pixels(corners, [[0, 1, 2], [3, 4, 5]], [RED, GREEN], axes=(0, 1, 2), w=w)


def sliver() -> Kind:
    """A strip 0.6 pixels wide across the image, in two triangles."""
    corners = [(-5.2, 20.1, 0.0), (70.3, 41.2, 0.0), (70.3, 41.8, 0.0), (-5.2, 20.7, 0.0)]
    return in_pixels(corners, [[0, 1, 2], [0, 2, 3]], [RED, RED])


def leaving() -> Kind:
    """A triangle half of which is beyond the image: its edges end at the border."""
    corners = [(20.2, 10.3, 0.0), (90.3, 25.2, 0.0), (40.4, 85.3, 0.0)]
    return in_pixels(corners, [[0, 1, 2]], [RED])


def image_border() -> Kind:
    """An edge in the outer half of the last pixels, where no pair of pixel centres has it between them."""
    corners = [(-90.2, -80.1, 0.0), (63.7, -80.2, 0.0), (63.8, 140.3, 0.0), (-90.4, 140.2, 0.0)]
    return in_pixels(corners, [[0, 1, 2], [0, 2, 3]], [RED, RED])


_ALL = (
    silhouette, occlusion, flat_crease, shaded_crease, smooth_crease, flat_mesh, smooth_mesh, intersection, sliver,
    leaving, image_border,
)  # fmt: skip
KINDS: dict[str, Callable[[], Kind]] = {kind.__name__: kind for kind in _ALL}


def faces(kind: Kind) -> Tensor:
    """The triangles as indices of corners."""
    return torch.arange(3 * len(kind.tri), dtype=torch.int32).reshape(-1, 3)


def entries_of(kind: Kind, most: int | None = None) -> list[tuple[int, int]]:
    """Entries of pos to check: all of the mesh's, or `most` of them spread evenly."""
    used = sorted({int(v) for v in kind.tri.reshape(-1)})
    every = [(v, axis) for v in used for axis in kind.axes]
    return every if most is None else every[:: -(-len(every) // most)]


def smooth_weight() -> Tensor:
    """A loss that varies slowly over the image, so that two steps of opposite colour do not cancel."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, s) for s in SIZE), indexing="ij")
    channels = [1 + torch.sin(3 * x + 1 + c) * torch.cos(2 * y + c) for c in range(3)]
    return torch.stack(channels, -1)[None].double()


def noise_weight() -> Tensor:
    """White noise: a loss that sees every pixel for itself."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, *SIZE, 3, generator=random, dtype=torch.float64)
