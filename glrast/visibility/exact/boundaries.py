"""Visible boundaries: which parts of edges, intersections and cuts are seen, and what is seen on both their sides.

The steps of kernels/visibility/fragments.cu, with the prefix sums between them. How much there is of everything depends
on what is seen, so a GPU is waited for a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument, launch
from .edges import edges_of
from .intersections import cut, lines_of, meeting, pierced
from .screen import Drawn, Lists, Pieces, each, in_pixels, places_of

_Runs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]  # edge, pixel, ends, sides


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


def find_runs(drawn: Drawn, rast: torch.Tensor, images: torch.Tensor, near: bool) -> Runs:
    """All visible runs; `near`: only in pixels where one that is no crease is seen."""
    mesh = _edges(drawn, images)
    pairs = torch.cat([meeting(drawn, rast), cut(drawn)])
    while True:
        edges, info = (torch.cat(x) for x in zip(mesh, lines_of(drawn, pairs)))
        pieces = _pieces(drawn, edges, info, None, only_open=near)
        lists = _lists(drawn, pieces[1])
        runs, crosses = _visible(drawn, edges, info, pieces, lists)
        more = pierced(drawn, edges, info, pieces, lists, crosses, pairs)
        if not len(more):
            break
        pairs = torch.cat([pairs, more])
    if near:
        kept = torch.zeros(len(lists.pixels), dtype=torch.bool, device=rast.device)
        kept[runs[1].long()] = True
        crossed = torch.full_like(lists.crossed, -1)
        crossed[lists.pixels[kept]] = kept.nonzero()[:, 0].to(torch.int32)
        creases = info.clone()
        creases[:, 2] = torch.where(info[:, 2] & _OPEN != 0, 0, info[:, 2])
        pieces = _pieces(drawn, edges, creases, crossed, only_open=False)
        more, _ = _visible(drawn, edges, info, pieces, lists)
        edge, pixel, ends, sides = (torch.cat(pair) for pair in zip(runs, more))
        runs = edge, pixel, ends, sides
    return _compact(drawn, edges, info, runs, lists)


_OPEN = 8  # GLRAST_OPEN


def _edges(drawn: Drawn, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mesh's edges float64 [K,10] and what is known of them int32 [K,6]."""
    device, N = drawn.planes.device, drawn.size[0]
    topology = edges_of(drawn.welded, images)
    edges = torch.empty((topology.total, 10), dtype=torch.float64, device=device)
    info = torch.empty((topology.total, 6), dtype=torch.int32, device=device)
    launch(
        "fragments", "fragments_edges", device, width=topology.most, H=1, rows=N, regions=topology.regions,
        vertices=topology.vertices, starts=topology.starts, faces=topology.faces, drawn=drawn.flags,
        V=drawn.pos.shape[-2], edges=edges, info=info, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    return edges, info


def _pieces(
    drawn: Drawn,
    edges: torch.Tensor,
    info: torch.Tensor,
    crossed: torch.Tensor | None,
    only_open: bool,
) -> Pieces:
    """Pieces of edges in pixels: edge int32 [P], pixel int64 [P], ends float64 [P,2]."""
    device, K = edges.device, len(edges)
    counts = torch.empty(K, dtype=torch.int32, device=device)
    arguments: dict[str, Argument] = dict(
        edges=edges,
        info=info,
        crossed=crossed,
        only_open=int(only_open),
        counts=counts,
        **drawn.screen,
    )
    nothing: dict[str, Argument] = dict(
        places=None, piece_edge=None, piece_pixel=None, piece_ends=None
    )
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


def _lists(drawn: Drawn, piece_pixel: torch.Tensor) -> Lists:
    N, H, W = drawn.size
    device, most = piece_pixel.device, int(drawn.images[:, 1].max()) if N else 0
    mark = torch.zeros(N * H * W, dtype=torch.bool, device=device)
    mark[piece_pixel] = True
    pixels = mark.nonzero()[:, 0]
    crossed = torch.full((N * H * W,), -1, dtype=torch.int32, device=device)
    crossed[pixels] = torch.arange(len(pixels), dtype=torch.int32, device=device)
    lines = torch.arange(N * H + 1, device=device) * W
    counts = torch.empty((N, most), dtype=torch.int32, device=device)
    arguments: dict[str, Argument] = dict(
        width=most, H=1, rows=N, drawn=drawn.flags, pixels=pixels, lines_at=torch.searchsorted(pixels, lines),
        counts=counts, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    nothing: dict[str, Argument] = dict(places=None, entry_pixel=None, entry_triangle=None)
    launch("fragments", "fragments_touch", device, **arguments, **nothing)
    places, L = places_of(counts)
    pixel = torch.empty(L, dtype=torch.int32, device=device)
    triangle = torch.empty(L, dtype=torch.int32, device=device)
    written: dict[str, Argument] = dict(places=places, entry_pixel=pixel, entry_triangle=triangle)
    if L:
        launch("fragments", "fragments_touch", device, **arguments, **written)
    pixel, order = torch.sort(pixel, stable=True)  # stable: triangles of a pixel in order
    numbers = torch.arange(len(pixels) + 1, device=device, dtype=torch.int32)
    return Lists(pixels, crossed, torch.searchsorted(pixel, numbers), triangle[order])


def _visible(
    drawn: Drawn, edges: torch.Tensor, info: torch.Tensor, pieces: Pieces, lists: Lists
) -> tuple[_Runs, torch.Tensor]:
    """(runs of pieces: edge int32 [R], number of the pixel int32 [R], ends float64 [R,2], sides int32 [R,2]), and
    which pieces go through a triangle, int8 [P]."""
    device, P = edges.device, len(pieces[0])
    counts = torch.empty(P, dtype=torch.int32, device=device)
    crosses = torch.empty(P, dtype=torch.int8, device=device)
    arguments: dict[str, Argument] = dict(
        counts=counts, crosses=crosses, **in_pixels(drawn, edges, info, pieces, lists),
        first_ends=torch.empty((P, 2), dtype=torch.float64, device=device),
        first_sides=torch.empty((P, 2), dtype=torch.int32, device=device),
    )  # fmt: skip
    nothing: dict[str, Argument] = dict(
        places=None, run_edge=None, run_pixel=None, run_ends=None, run_sides=None
    )
    each("fragments_runs", P, device, **arguments, **nothing)
    places, R = places_of(counts)
    run_edge, run_pixel = torch.empty((2, R), dtype=torch.int32, device=device)
    run_ends = torch.empty((R, 2), dtype=torch.float64, device=device)
    sides = torch.empty((R, 2), dtype=torch.int32, device=device)
    written: dict[str, Argument] = dict(
        run_edge=run_edge, run_pixel=run_pixel, run_ends=run_ends, run_sides=sides
    )
    if R:
        each("fragments_runs", P, device, **arguments, places=places, **written)
    return (run_edge, run_pixel, run_ends, sides), crosses


def _compact(
    drawn: Drawn, edges: torch.Tensor, info: torch.Tensor, runs: _Runs, lists: Lists
) -> Runs:
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
