"""One small scene for each kind of discontinuity, 64 x 64, and how far a gradient is from an exact renderer's.

Colours belong to corners (three for each triangle), so that triangles that share vertices may still differ in colour.
"""

from typing import NamedTuple

import torch
from torch import Tensor

import glrast
from tests import scenes
from tests.ops.compare import Difference, difference
from tests.reference.visibility import clipped

SIZE = (64, 64)


class Kind(NamedTuple):
    pos: Tensor  # [V,4]
    tri: Tensor  # [T,3]
    corners: Tensor  # [3T,C] colours
    axes: tuple[int, ...] = (0, 1)  # of pos that are moved


def in_pixels(corners, tri, colors, axes=(0, 1), w=None) -> Kind:
    """Vertices (x, y, z/w) in pixels; `colors`: one for each triangle, or one for each corner."""
    at = torch.tensor(corners, dtype=torch.float32)
    w = torch.ones(len(at)) if w is None else torch.tensor(w)
    x, y = 2 * at[:, 0] / SIZE[1] - 1, 2 * at[:, 1] / SIZE[0] - 1
    pos = torch.stack([x * w, y * w, at[:, 2] * w, w], -1)
    colors = torch.tensor(colors, dtype=torch.float32)
    if len(colors) == len(tri):
        colors = colors.repeat_interleave(3, 0)
    return Kind(pos, torch.tensor(tri, dtype=torch.int32), colors, axes)


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
    return of(scenes.large_triangle())


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
    pos, tri, attr = scenes.closed_mesh(1)
    return Kind(pos[0], tri, attr[tri.reshape(-1).long()])


def flat_mesh() -> Kind:
    """The same mesh, each face of one colour."""
    pos, tri, _ = scenes.closed_mesh(1)
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


def of(scene) -> Kind:
    return Kind(scene.pos, scene.tri, scene.attr[scene.tri.reshape(-1).long()])


KINDS = {
    kind.__name__: kind
    for kind in (
        silhouette,
        occlusion,
        flat_crease,
        shaded_crease,
        smooth_crease,
        flat_mesh,
        smooth_mesh,
        intersection,
        sliver,
        leaving,
        image_border,
    )
}  # fmt: skip


def shaded(context, kind: Kind, pos: Tensor, discontinuities: str, size=SIZE) -> Tensor:
    """The image [1,H,W,C] by the operations, a function of pos through interpolation and visibility."""
    color, rast = interpolated(context, kind, pos, size)
    tri = kind.tri.to(pos.device)
    ranges = [[0, len(tri)]]
    return glrast.antialias(color, rast, pos, tri, discontinuities=discontinuities, ranges=ranges)


def interpolated(context, kind: Kind, pos: Tensor, size=SIZE) -> tuple[Tensor, Tensor]:
    """The colours [1,H,W,C] of pixels' centres, and rast."""
    tri, corners = kind.tri.to(pos.device), kind.corners.to(pos.device)
    rast, _ = glrast.rasterize(context, pos, tri, size, ranges=[[0, len(tri)]])
    return glrast.interpolate(corners, rast, faces(kind).to(pos.device))[0], rast


def faces(kind: Kind) -> Tensor:
    """The triangles as indices of corners."""
    return torch.arange(3 * len(kind.tri), dtype=torch.int32).reshape(-1, 3)


def smooth_weight() -> Tensor:
    """A loss that varies slowly over the image, so that two steps of opposite colour do not cancel."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, s) for s in SIZE), indexing="ij")
    channels = [1 + torch.sin(3 * x + 1 + c) * torch.cos(2 * y + c) for c in range(3)]
    return torch.stack(channels, -1)[None].double()


def noise_weight() -> Tensor:
    """White noise: a loss that sees every pixel for itself."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, *SIZE, 3, generator=random, dtype=torch.float64)


def gradient(context, kind: Kind, discontinuities: str, weight: Tensor) -> Tensor:
    pos = kind.pos.to(context.device).requires_grad_()
    image = shaded(context, kind, pos, discontinuities)
    return torch.autograd.grad((image * weight.to(image)).sum(), pos)[0].cpu().double()


def exact_gradient(kind: Kind, entries, weights) -> Tensor:
    """[len(weights), len(entries)]: derivatives of sum(weight * image) of the exact image, weights [1,64,64,C]."""
    arrays = clipped.as_arrays(*kind[:3])
    weights = [w[0].double().numpy() for w in weights]
    return torch.from_numpy(clipped.gradient(*arrays, SIZE, weights, entries))


def exact_image(kind: Kind) -> Tensor:
    """[64,64,C] float64."""
    return torch.from_numpy(clipped.image(*clipped.as_arrays(*kind[:3]), SIZE))


def entries_of(kind: Kind, most: int | None = None) -> list[tuple[int, int]]:
    """Entries of pos to check: all of the mesh's, or `most` of them spread evenly."""
    used = kind.tri.unique().tolist()
    every = [(v, axis) for v in used for axis in kind.axes]
    return every if most is None else every[:: -(-len(every) // most)]


def error(found: Tensor, exact: Tensor, entries) -> Difference:
    """How far a gradient shaped like pos is from the exact one in those entries."""
    return difference(found[tuple(torch.tensor(entries).T)], exact)
