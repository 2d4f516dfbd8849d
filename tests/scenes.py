"""Small named scenes for every test that needs a mesh: each function returns a Scene (pos_clip, tri, attr).

pos_clip float32 [N,V,4] (instanced) or [V,4], tri int32 [T,3], attr float32 [V,3] vertex colours (equal at the three
vertices of a triangle where it is flat). Float32, so that a kernel and its float64 twin see the same numbers. Scenes
given in pixels take the resolution they are meant for. ODD is the resolution that divides nothing.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from glrast.visibility.audit import shapes
from glrast.visibility.audit.shapes import perspective as _perspective

ODD = (17, 33)
_icosphere = shapes.sphere  # of other tests too


class Scene(NamedTuple):
    pos: Tensor
    tri: Tensor
    attr: Tensor


def one_triangle(images: int | None = None) -> Scene:
    """A triangle with a different w at each vertex; with `images`, as many copies, each shrunk a little more."""
    pos = torch.tensor([[-0.9, -1.1, 0.1, 1.3], [1.9, -0.7, 0.9, 2.2], [0.2, 0.75, -0.3, 0.9]])
    if images is not None:
        shrink = 1 - 0.1 * torch.arange(images)[:, None, None] * torch.tensor([1.0, 1.0, 0.0, 0.0])
        pos = pos * shrink
    return Scene(pos, _tri([[0, 1, 2]]), torch.eye(3))


def large_triangle(resolution=(64, 64)) -> Scene:
    """A flat triangle over about a third of the image, no edge along an axis, a diagonal or through pixel centres."""
    corners = [(5.02, 5.03), (60.03, 10.01), (30.04, 60.02)]
    return _from_pixels([corners], [0.0], [(1.0, 0.7, 0.4)], resolution)


def shared_edge() -> Scene:
    """Two triangles with one common edge that passes exactly through pixel centres of a square image."""
    pos = torch.tensor(
        [[-0.8, -0.8, 0.0, 1.0], [0.8, 0.8, 0.0, 1.0], [0.8, -0.8, 0.0, 1.0], [-0.8, 0.8, 0.0, 1.0]]
    )
    return Scene(pos, _tri([[0, 2, 1], [0, 1, 3]]), _colors(4))


def vertical_edge(x_pix: float = 15.3, resolution=ODD) -> Scene:
    """Everything left of x_pix, white: a half plane whose other borders and diagonal are far outside the image.

    The right edge, vertices 1 and 2, belongs to triangle 0 alone.
    """
    height, width = resolution
    left, bottom, top = -3.0 * width, -2.0 * height, 3.0 * height
    return _from_pixels(
        [[(left, bottom), (x_pix, bottom), (x_pix, top), (left, top)]],
        [0.0],
        [(1.0, 1.0, 1.0)],
        resolution,
    )


def horizontal_edge(y_pix: float = 8.3, resolution=ODD) -> Scene:
    """Everything below y_pix, white: vertical_edge with the axes swapped. The edge is that of vertices 1 and 2."""
    pos, tri, attr = vertical_edge(y_pix, (resolution[1], resolution[0]))
    return Scene(pos[..., [1, 0, 2, 3]].contiguous(), tri, attr)


def edge_before_object(at_pix: float = 15.3, resolution=ODD, vertical: bool = True) -> Scene:
    """A white half plane (vertices 0 to 3) in front of a grey screen-filling quad (4 to 7): object against object."""
    front = vertical_edge(at_pix, resolution) if vertical else horizontal_edge(at_pix, resolution)
    height, width = resolution
    corners = [
        (-3 * width, -2 * height),
        (4 * width, -2 * height),
        (4 * width, 3 * height),
        (-3 * width, 3 * height),
    ]
    return _join(front, _from_pixels([corners], [0.5], [(0.25, 0.5, 0.75)], resolution))


def overlapping_polygons(resolution=(64, 64), polygons: int = 6, seed: int = 0) -> Scene:
    """Flat convex polygons of 3 to 6 corners, about 20 pixels wide, 13 apart: each overlaps its
    neighbours and hides some of their corners. Each has its own depth, colour and w."""
    random = _generator(seed)
    height, width = resolution
    outlines, depths, colors, ws = [], [], [], []
    for i in range(polygons):
        corners = 3 + i % 4
        angle = (torch.arange(corners) + 0.5 * torch.rand(corners, generator=random)) * (
            2 * math.pi / corners
        )
        place = torch.tensor([i % 3 - 1.0, i // 3 % 2 - 0.5]) * 0.2 * min(width, height)
        center = (
            torch.tensor([width / 2, height / 2]) + place + 4 * torch.rand(2, generator=random) - 2
        )
        outline = center + 10 * torch.stack([angle.cos(), angle.sin()], -1)
        outlines.append(outline.tolist())
        depths.append(-0.8 + 1.6 * i / polygons)
        colors.append(torch.rand(3, generator=random).tolist())
        ws.append(1.0 + torch.rand((), generator=random).item())
    return _from_pixels(outlines, depths, colors, resolution, ws)


def closed_mesh(subdivisions: int = 1, images: int = 1, seed: int = 0) -> Scene:
    """A perturbed icosphere with 20 * 4^subdivisions triangles, turned differently in each image, in perspective."""
    pos, tri = shapes.closed_mesh(subdivisions, images, seed)
    return Scene(pos, tri, _colors(pos.shape[1]))


def near_plane() -> Scene:
    """A floor that begins beyond the far plane, comes through the near plane and ends behind the camera."""
    corners = torch.tensor(
        [[-6.0, -1.0, -9.0], [6.0, -1.0, -9.0], [5.0, -0.6, 3.0], [-5.0, -0.6, 3.0]]
    )
    pos = _perspective(corners.double(), focal=1.2, near=1.2, far=8.0).float()
    return Scene(pos, _tri([[0, 1, 2], [0, 2, 3]]), _colors(4))


def behind_camera() -> Scene:
    """A triangle wholly behind the camera, every w < 0: its mirrored image must not appear."""
    pos = torch.tensor([[-0.9, -0.9, 0.0, -1.0], [0.9, -0.9, 0.0, -1.5], [0.0, 0.9, 0.0, -1.2]])
    return Scene(pos, _tri([[0, 1, 2]]), torch.eye(3))


def degenerate() -> Scene:
    """A good triangle (index 3) after one that names a vertex twice, one on a line, one in a point."""
    pos = torch.tensor(
        [
            [-0.8, -0.8, 0.0, 1.0],
            [0.8, -0.8, 0.0, 1.0],
            [0.0, 0.8, 0.0, 1.0],
            [0.0, -0.8, -0.5, 1.0],
            [0.5, 0.0, -0.5, 1.0],
            [0.5, 0.0, -0.5, 1.0],
            [0.5, 0.0, -0.5, 1.0],
        ]
    )
    return Scene(pos, _tri([[0, 0, 1], [0, 3, 1], [4, 5, 6], [0, 1, 2]]), _colors(7))


def non_finite() -> Scene:
    """Triangles 0, 1, 2 have a vertex with nan, inf and -inf; triangle 3 shares two vertices with them and is drawn."""
    pos = torch.tensor(
        [
            [-0.8, -0.8, 0.0, 1.0],
            [0.8, -0.8, 0.0, 1.0],
            [0.0, 0.8, 0.0, 1.0],
            [torch.nan, 0.0, 0.0, 1.0],
            [0.0, torch.inf, 0.0, 1.0],
            [0.0, 0.0, 0.0, -torch.inf],
        ]
    )
    return Scene(pos, _tri([[0, 1, 3], [0, 1, 4], [5, 1, 2], [0, 1, 2]]), _colors(6))


def index_out_of_range() -> Scene:
    """Triangles 0 and 1 name vertices -1 and V; triangle 2 is drawn."""
    pos, _, attr = one_triangle()
    return Scene(pos, _tri([[0, 1, -1], [3, 1, 2], [0, 1, 2]]), attr)


def coincident() -> Scene:
    """The same triangle three times, corners in the same order, so that depths are bit-equal: index 0 is seen."""
    pos, _, attr = one_triangle()
    return Scene(pos, _tri([[0, 1, 2]] * 3), attr)


def smaller_than_a_pixel() -> Scene:
    """A fan of triangles a fifth of an ODD pixel wide, most of which cover no centre."""
    height, width = ODD
    random = _generator(0)
    at = torch.rand(40, 1, 2, generator=random) * torch.tensor([width, height])
    corners = at + 0.4 * torch.rand(40, 3, 2, generator=random) - 0.2
    return _from_pixels(corners.tolist(), [0.0] * 40, [(1.0, 1.0, 1.0)] * 40, ODD)


def no_triangles() -> Scene:
    """Vertices, but T = 0."""
    return Scene(one_triangle().pos, _tri([]), torch.eye(3))


def no_vertices() -> Scene:
    """V = 0 and T = 0."""
    return Scene(torch.zeros(0, 4), _tri([]), torch.zeros(0, 3))


def no_images() -> Scene:
    """N = 0."""
    return Scene(torch.zeros(0, 3, 4), _tri([[0, 1, 2]]), torch.eye(3))


SCENES = {
    scene.__name__: scene
    for scene in (
        one_triangle,
        large_triangle,
        shared_edge,
        vertical_edge,
        horizontal_edge,
        edge_before_object,
        overlapping_polygons,
        closed_mesh,
        near_plane,
        behind_camera,
        degenerate,
        non_finite,
        index_out_of_range,
        coincident,
        smaller_than_a_pixel,
        no_triangles,
        no_vertices,
        no_images,
    )
}


def _from_pixels(outlines, depths, colors, resolution, ws=None) -> Scene:
    """Flat convex polygons with corners in pixels, as fans; every polygon has its own vertices, z/w, colour and w."""
    height, width = resolution
    pos, tri, attr = [], [], []
    for outline, depth, color, w in zip(
        outlines, depths, colors, ws or [1.0] * len(outlines), strict=True
    ):
        first = len(pos)
        tri += [[first, first + k, first + k + 1] for k in range(1, len(outline) - 1)]
        pos += [
            [(2 * x / width - 1) * w, (2 * y / height - 1) * w, depth * w, w] for x, y in outline
        ]
        attr += [list(color)] * len(outline)
    return Scene(torch.tensor(pos), _tri(tri), torch.tensor(attr))


def _join(*parts: Scene) -> Scene:
    """Scenes of [V,4] positions as one mesh."""
    firsts = [0]
    for part in parts:
        firsts.append(firsts[-1] + len(part.pos))
    tri = torch.cat([part.tri + first for part, first in zip(parts, firsts, strict=False)])
    return Scene(torch.cat([p.pos for p in parts]), tri.int(), torch.cat([p.attr for p in parts]))


def _tri(rows) -> Tensor:
    return torch.tensor(rows, dtype=torch.int32).reshape(-1, 3)


def _colors(vertices: int) -> Tensor:
    return torch.rand(vertices, 3, generator=_generator(1))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
