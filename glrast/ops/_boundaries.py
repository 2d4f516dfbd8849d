"""Visible boundaries: which parts of edges, intersections and cuts are seen, and what is seen on both their sides.

The steps of kernels/fragments.cu, with the prefix sums between them. How much there is of everything depends on what is
seen, so a GPU is waited for a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..launch import launch
from ._topology import edges_of, welded

_ROW = 256  # elements of a list that lie in one row of a launch
_SIDES = {"none": 0, "back": 1, "front": -1}


@dataclass
class Drawn:
    """The triangles of all images as affine functions of the pixel; sizes as in kernels/fragments_setup.cuh."""

    pos: torch.Tensor
    tri: torch.Tensor  # as given
    welded: torch.Tensor  # [T,3] or [N,T,3]: vertices in one place under one name; or tri itself
    images: torch.Tensor  # int64 [N,3] (first triangle, number, place) on the device
    planes: torch.Tensor  # float64 [M,12]
    flags: torch.Tensor  # int8 [M]
    size: tuple[int, int, int]  # N, H, W

    @property
    def mesh(self) -> dict:
        """What kernels that look at vertices take."""
        stride = self.tri.numel() if self.welded.ndim == 3 else 0
        return dict(tri=self.welded, tri_stride=stride, images=self.images, planes=self.planes)

    @property
    def placed(self) -> dict:
        pos_stride = stride_of(self.pos, self.size[0])
        return dict(pos=self.pos, pos_stride=pos_stride, **self.mesh)

    @property
    def screen(self) -> dict:
        return dict(lines=self.size[1], columns=self.size[2])


@dataclass
class Runs:
    """The visible runs [R] of boundaries [K]."""

    edges: torch.Tensor  # float64 [K,10]
    info: torch.Tensor  # int32 [K,6]
    edge: torch.Tensor  # int32 [R]
    pixel: torch.Tensor  # int32 [R]: index into pixels
    ends: torch.Tensor  # float64 [R,2]
    sides: torch.Tensor  # int32 [R,2]: triangles of all images', or -1
    pixels: torch.Tensor  # int64 [F], ascending, counted over all images: those with a run
    seen: torch.Tensor  # int32 [F]: the triangle at one point of the pixel, or -1


def each(kernel: str, count: int, device: torch.device, **arguments) -> None:
    """Run a kernel over the `count` elements of a list."""
    rows = -(-count // _ROW)
    launch("fragments", kernel, device, width=_ROW, H=1, rows=rows, count=count, **arguments)


def draw(pos, tri, images: torch.Tensor, size, cull: str) -> Drawn:
    """images int64 [N,3] on the CPU."""
    M, device = int(images[:, 1].sum()), pos.device
    most = int(images[:, 1].max()) if len(images) else 0
    planes = torch.empty((M, 12), dtype=torch.float64, device=device)
    flags = torch.empty(M, dtype=torch.int8, device=device)
    drawn = Drawn(pos, tri, welded(pos, tri), images.to(device), planes, flags, size)
    launch(
        "fragments", "fragments_planes", device, width=most, H=1, rows=size[0], V=pos.shape[-2], T=len(tri),
        cull=_SIDES[cull], drawn=flags, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    return drawn


def find_runs(drawn: Drawn, rast: torch.Tensor, images: torch.Tensor, near: bool) -> Runs:
    """All visible runs; `near`: only in pixels where one that is no crease is seen."""
    edges, info = _boundaries(drawn, rast, images)
    pieces = _pieces(drawn, edges, info, None, only_open=near)
    lists = _lists(drawn, pieces[1])
    runs = _visible(drawn, edges, info, pieces, lists)
    if near:
        kept = torch.zeros(len(lists.pixels), dtype=torch.bool, device=rast.device)
        kept[runs[1].long()] = True
        crossed = torch.full_like(lists.crossed, -1)
        crossed[lists.pixels[kept]] = kept.nonzero()[:, 0].to(torch.int32)
        creases = info.clone()
        creases[:, 2] = torch.where(info[:, 2] & _OPEN != 0, 0, info[:, 2])
        pieces = _pieces(drawn, edges, creases, crossed, only_open=False)
        more = _visible(drawn, edges, info, pieces, lists)
        runs = tuple(torch.cat(pair) for pair in zip(runs, more))
    return _compact(drawn, edges, info, runs, lists)


_OPEN = 8  # GLRAST_OPEN


def _boundaries(drawn: Drawn, rast, images) -> tuple[torch.Tensor, torch.Tensor]:
    """edges float64 [K,10] and info int32 [K,6]: the mesh's, then intersections and cuts."""
    device, N = rast.device, drawn.size[0]
    topology = edges_of(drawn.welded, images)
    edges = torch.empty((topology.total, 10), dtype=torch.float64, device=device)
    info = torch.empty((topology.total, 6), dtype=torch.int32, device=device)
    launch(
        "fragments", "fragments_edges", device, width=topology.most, H=1, rows=N, regions=topology.regions,
        vertices=topology.vertices, starts=topology.starts, faces=topology.faces, drawn=drawn.flags,
        V=drawn.pos.shape[-2], edges=edges, info=info, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    pairs = torch.cat([_meeting(drawn, rast), _cut(drawn)])
    if not len(pairs):
        return edges, info
    lines = torch.empty((len(pairs), 10), dtype=torch.float64, device=device)
    about = torch.empty((len(pairs), 6), dtype=torch.int32, device=device)
    each(
        "fragments_lines", len(pairs), device, pairs=pairs, planes=drawn.planes, M=len(drawn.planes), edges=lines,
        info=about, **drawn.screen,
    )  # fmt: skip
    return torch.cat([edges, lines]), torch.cat([info, about])


def _meeting(drawn: Drawn, rast: torch.Tensor) -> torch.Tensor:
    """int64 [P,3]: image and two triangles of neighbouring pixels that pass through each other, each pair once."""
    N, H, W = drawn.size
    meets = torch.empty((N, H, W), dtype=torch.int8, device=rast.device)
    launch(
        "fragments", "fragments_meet", rast.device, width=W, H=H, rows=N * H, rast=rast, drawn=drawn.flags, meets=meets,
        **drawn.placed,
    )  # fmt: skip
    from .rasterize import triangle_id

    found = []
    for bit, stride in ((1, 1), (2, W)):
        pixel = (meets & bit).reshape(-1).nonzero()[:, 0]
        n = pixel // (H * W)
        shift = (drawn.images[:, 2] - drawn.images[:, 0])[n]
        ids = [triangle_id(rast.view(-1, 4)[at]).long() + shift for at in (pixel, pixel + stride)]
        found.append(torch.stack([n, torch.minimum(*ids), torch.maximum(*ids)], 1))
    return torch.unique(torch.cat(found), dim=0)


def _cut(drawn: Drawn) -> torch.Tensor:
    """int64 [P,3]: image, triangle and M or M + 1 for those that the near or the far plane cuts."""
    M, places = len(drawn.planes), drawn.images[:, 2].contiguous()
    found = []
    for plane, bit in ((M, 2), (M + 1, 4)):
        t = (drawn.flags & bit).nonzero()[:, 0]
        n = torch.searchsorted(places + drawn.images[:, 1], t, right=True)
        found.append(torch.stack([n, t, torch.full_like(t, plane)], 1))
    return torch.cat(found)


def places_of(counts: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Where each of several lists begins when they lie one after the other, and their length together."""
    ends = counts.reshape(-1).cumsum(0)
    return (ends - counts.reshape(-1)).reshape(counts.shape), int(ends[-1]) if len(ends) else 0


def _pieces(drawn: Drawn, edges, info, crossed, only_open: bool):
    """Pieces of edges in pixels: edge int32 [P], pixel int64 [P], ends float64 [P,2]."""
    device, K = edges.device, len(edges)
    counts = torch.empty(K, dtype=torch.int32, device=device)
    arguments = dict(
        edges=edges,
        info=info,
        crossed=crossed,
        only_open=int(only_open),
        counts=counts,
        **drawn.screen,
    )
    nothing = dict(places=None, piece_edge=None, piece_pixel=None, piece_ends=None)
    each("fragments_walk", K, device, **arguments, **nothing)
    places, P = places_of(counts)
    edge = torch.empty(P, dtype=torch.int32, device=device)
    pixel = torch.empty(P, dtype=torch.int64, device=device)
    ends = torch.empty((P, 2), dtype=torch.float64, device=device)
    if P:
        each(
            "fragments_walk", K, device, places=places, piece_edge=edge, piece_pixel=pixel, piece_ends=ends,
            **arguments,
        )  # fmt: skip
    return edge, pixel, ends


@dataclass
class _Lists:
    """The triangles that touch each of some pixels."""

    pixels: torch.Tensor  # int64 [F]
    crossed: torch.Tensor  # int32 [N*H*W]: their number, or -1
    starts: torch.Tensor  # int64 [F+1]
    triangles: torch.Tensor  # int32


def _lists(drawn: Drawn, piece_pixel: torch.Tensor) -> _Lists:
    N, H, W = drawn.size
    device, most = piece_pixel.device, int(drawn.images[:, 1].max()) if N else 0
    mark = torch.zeros(N * H * W, dtype=torch.bool, device=device)
    mark[piece_pixel] = True
    pixels = mark.nonzero()[:, 0]
    crossed = torch.where(mark, mark.cumsum(0) - 1, -1).to(torch.int32)
    lines = torch.arange(N * H + 1, device=device) * W
    counts = torch.empty((N, most), dtype=torch.int32, device=device)
    arguments = dict(
        width=most, H=1, rows=N, drawn=drawn.flags, pixels=pixels, lines_at=torch.searchsorted(pixels, lines),
        counts=counts, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    nothing = dict(places=None, entry_pixel=None, entry_triangle=None)
    launch("fragments", "fragments_touch", device, **arguments, **nothing)
    places, L = places_of(counts)
    pixel = torch.empty(L, dtype=torch.int32, device=device)
    triangle = torch.empty(L, dtype=torch.int32, device=device)
    written = dict(places=places, entry_pixel=pixel, entry_triangle=triangle)
    if L:
        launch("fragments", "fragments_touch", device, **arguments, **written)
    pixel, order = torch.sort(pixel, stable=True)  # stable: triangles of a pixel in order
    numbers = torch.arange(len(pixels) + 1, device=device, dtype=torch.int32)
    return _Lists(pixels, crossed, torch.searchsorted(pixel, numbers), triangle[order])


def _visible(drawn: Drawn, edges, info, pieces, lists: _Lists):
    """Runs of pieces: edge int32 [R], number of the pixel int32 [R], ends float64 [R,2], sides int32 [R,2]."""
    edge, pixel, ends = pieces
    device, P = edges.device, len(edge)
    counts = torch.empty(P, dtype=torch.int32, device=device)
    arguments = dict(
        piece_edge=edge, piece_pixel=pixel, piece_ends=ends, edges=edges, info=info, crossed=lists.crossed,
        starts=lists.starts, triangles=lists.triangles, counts=counts,
        first_ends=torch.empty((P, 2), dtype=torch.float64, device=device),
        first_sides=torch.empty((P, 2), dtype=torch.int32, device=device), **drawn.mesh,
    )  # fmt: skip
    nothing = dict(places=None, run_edge=None, run_pixel=None, run_ends=None, run_sides=None)
    each("fragments_runs", P, device, **arguments, **nothing)
    places, R = places_of(counts)
    run_edge, run_pixel = torch.empty((2, R), dtype=torch.int32, device=device)
    run_ends = torch.empty((R, 2), dtype=torch.float64, device=device)
    sides = torch.empty((R, 2), dtype=torch.int32, device=device)
    written = dict(run_edge=run_edge, run_pixel=run_pixel, run_ends=run_ends, run_sides=sides)
    if R:
        each("fragments_runs", P, device, **arguments, places=places, **written)
    return run_edge, run_pixel, run_ends, sides


def _compact(drawn: Drawn, edges, info, runs, lists: _Lists) -> Runs:
    """Only the pixels and the edges that have a run."""
    edge, pixel, ends, sides = runs
    used, pixel = _used(pixel, len(lists.pixels))
    pixels = lists.pixels[used]
    seen = torch.empty(len(pixels), dtype=torch.int32, device=edges.device)
    each(
        "fragments_viewpoint", len(pixels), edges.device, pixels=pixels, crossed=lists.crossed, starts=lists.starts,
        triangles=lists.triangles, planes=drawn.planes, seen=seen, **drawn.screen,
    )  # fmt: skip
    used, edge = _used(edge, len(edges))
    return Runs(edges[used], info[used], edge, pixel, ends, sides, pixels, seen)


def _used(index: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Those of `count` things that an index int32 names, and the index among them."""
    mark = torch.zeros(count, dtype=torch.bool, device=index.device)
    mark[index.long()] = True
    return mark.nonzero()[:, 0], (mark.cumsum(0) - 1)[index.long()].to(torch.int32)


def stride_of(pos: torch.Tensor, N: int) -> int:
    """Floats from one image's vertices to the next."""
    return pos.shape[1] * 4 if pos.ndim == 3 and pos.shape[0] == N and N > 1 else 0
