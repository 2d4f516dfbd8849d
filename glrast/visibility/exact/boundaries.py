"""Visible boundaries: which parts of edges, intersections and cuts are seen, and what is seen on both their sides.

The steps of kernels/visibility/fragments.cu, with the prefix sums between them. How much there is of everything depends
on what is seen, so a GPU is waited for a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument, launch
from .intersections import cut, lines_of, meeting, pierced
from .lines import Lines, joined
from .lists import Lists, Pieces, in_pixels, lists_of
from .screen import Chosen, Mesh, choose, each, places_of
from .tiles import NO_TILES, Tiles, looked_at, relevant, settled

_CREASE, _OPEN = 1, 2  # GLRAST_IS_CREASE, GLRAST_IS_OPEN


@dataclass
class Runs:
    """The visible runs [R] of boundaries [K], by the pixels that show them."""

    chosen: Chosen
    edges: torch.Tensor  # float64 [K,10]
    info: torch.Tensor  # int32 [K,6]
    edge: torch.Tensor  # int32 [R]
    pixel: torch.Tensor  # int64 [R], counted over all images
    ends: torch.Tensor  # float64 [R,2]
    sides: torch.Tensor  # int32 [R,2]: chosen triangles, or -1
    lists: Lists  # of some of the pixels: the others show a single surface


_Found = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]  # edge, pixel, ends, sides


def find_runs(mesh: Mesh, rast: torch.Tensor, near: bool) -> Runs:
    """All visible runs; `near`: only in pixels where one that is no crease is seen."""
    tiles = None if near else settled(mesh, rast)
    matter = None if tiles is None else relevant(mesh, tiles)
    classes = _classes(mesh, matter)
    edges = _edges(mesh, classes == _OPEN if near else classes)
    pairs = torch.cat([meeting(mesh, rast, tiles), cut(mesh)])
    while True:
        lines = joined(edges, lines_of(mesh, pairs))
        seen, pieces = _pieces(mesh, lines, None, tiles)
        chosen = choose(mesh, _reached(mesh, pieces) if matter is None else matter)
        info = chosen.renumbered(lines.info)
        lists, pieces = lists_of(mesh, chosen, pieces)
        runs, crosses = _visible(chosen, lines.edges, info, pieces, lists)
        more = pierced(chosen, lines.edges, info, pieces, lists, crosses, pairs)
        if not len(more):
            break
        pairs = torch.cat([pairs, more])
    found = [runs, _seen(info, seen)]
    if near and len(runs[0]):
        creases, pieces = _creases(mesh, chosen, classes, lists, runs)
        shifted = pieces[0] + len(info), pieces[1], pieces[2]
        info = torch.cat([info, chosen.renumbered(creases.info)])
        lines = joined(lines, creases)
        found[1] = _visible(chosen, lines.edges, info, shifted, lists)[0]
    edge, pixel, ends, sides = (torch.cat(parts) for parts in zip(*found))
    return Runs(chosen, lines.edges, info, edge, pixel, ends, sides, lists)


def _classes(mesh: Mesh, matter: torch.Tensor | None) -> torch.Tensor:
    """int8: for each edge of all images whether it is a crease or open; 0 where it is not drawn, or does not matter."""
    topology = mesh.edges
    classes = torch.empty(topology.total, dtype=torch.int8, device=mesh.device)
    launch(
        "fragments", "fragments_classes", mesh.device, width=topology.most, H=1, rows=mesh.size[0],
        images=mesh.images, relevant=matter, classes=classes, **_topology(mesh),
    )  # fmt: skip
    return classes


def _topology(mesh: Mesh) -> dict[str, Argument]:
    edges = mesh.edges
    return dict(
        regions=edges.regions,
        vertices=edges.vertices,
        starts=edges.starts,
        faces=edges.faces,
        state=mesh.state,
    )


def _edges(mesh: Mesh, wanted: torch.Tensor) -> Lines:
    """Those edges of all images that are wanted, non-zero."""
    chosen = wanted.nonzero()[:, 0]
    lines = Lines.empty(len(chosen), mesh.device)
    each(
        "fragments_edges", len(chosen), mesh.device, chosen=chosen, depth=mesh.depth, **lines.members,
        **mesh.members, **_topology(mesh), **mesh.screen,
    )  # fmt: skip
    return lines


def _pieces(
    mesh: Mesh, lines: Lines, crossed: torch.Tensor | None, tiles: Tiles | None
) -> tuple[Pieces, Pieces]:
    """Pieces in pixels: those that are seen, and those of which nobody knows."""
    device = mesh.device
    places, P = places_of(lines.most)
    edge = torch.empty(P, dtype=torch.int32, device=device)
    pixel = torch.empty(P, dtype=torch.int64, device=device)
    ends = torch.empty((P, 2), dtype=torch.float64, device=device)
    bounds = NO_TILES if tiles is None else tiles.bounds
    each(
        "fragments_walk", len(lines.info), device, edges=lines.edges, info=lines.info, places=places,
        crossed=crossed, nearest=lines.nearest, piece_edge=edge, piece_pixel=pixel, piece_ends=ends,
        **bounds, **mesh.screen,
    )  # fmt: skip

    def of(which: torch.Tensor) -> Pieces:
        some = which.nonzero()[:, 0]
        return edge.index_select(0, some), pixel.index_select(0, some), ends.index_select(0, some)

    unknown = of(pixel < -1)
    return of(pixel >= 0), (unknown[0], -2 - unknown[1], unknown[2])


def _reached(mesh: Mesh, pieces: Pieces) -> torch.Tensor:
    return relevant(mesh, looked_at(mesh, pieces[1]))


def _seen(info: torch.Tensor, pieces: Pieces) -> _Found:
    """Pieces that are seen as a whole, as runs."""
    return *pieces, info[:, :2].contiguous().index_select(0, pieces[0])


def _visible(
    chosen: Chosen, edges: torch.Tensor, info: torch.Tensor, pieces: Pieces, lists: Lists
) -> tuple[_Found, torch.Tensor]:
    """(runs of pieces: edge int32 [R], pixel int64 [R], ends float64 [R,2], sides int32 [R,2]), and which pieces go
    through a triangle, int8 [P]."""
    device, P = edges.device, len(pieces[0])
    counts = torch.empty(P, dtype=torch.int32, device=device)
    crosses = torch.empty(P, dtype=torch.int8, device=device)
    arguments: dict[str, Argument] = dict(
        counts=counts, crosses=crosses, **in_pixels(chosen, edges, info, pieces, lists),
        first_ends=torch.empty((P, 2), dtype=torch.float64, device=device),
        first_sides=torch.empty((P, 2), dtype=torch.int32, device=device),
    )  # fmt: skip
    nothing: dict[str, Argument] = dict(
        places=None, run_edge=None, run_pixel=None, run_ends=None, run_sides=None
    )
    each("fragments_runs", P, device, **arguments, **nothing)
    places, R = places_of(counts)
    run_edge = torch.empty(R, dtype=torch.int32, device=device)
    run_pixel = torch.empty(R, dtype=torch.int64, device=device)
    run_ends = torch.empty((R, 2), dtype=torch.float64, device=device)
    sides = torch.empty((R, 2), dtype=torch.int32, device=device)
    written: dict[str, Argument] = dict(
        run_edge=run_edge, run_pixel=run_pixel, run_ends=run_ends, run_sides=sides
    )
    if R:
        each("fragments_runs", P, device, **arguments, places=places, **written)
    return (run_edge, run_pixel, run_ends, sides), crosses


def _creases(
    mesh: Mesh, chosen: Chosen, classes: torch.Tensor, lists: Lists, runs: _Found
) -> tuple[Lines, Pieces]:
    """The creases that pass pixels with a run, and their pieces in these."""
    shows = torch.zeros(len(lists.pixels), dtype=torch.bool, device=mesh.device)
    shows[lists.crossed.index_select(0, runs[1]).long()] = True
    crossed = lists.crossed.index_fill_(
        0, lists.pixels[~shows], -1
    )  # nobody asks for the others again
    near = shows.index_select(0, lists.numbers)
    triangles = torch.zeros(len(chosen.of), dtype=torch.bool, device=mesh.device)
    triangles[lists.triangles[near].long()] = True
    origin = chosen.origin[triangles].long()
    of_image = origin[:, 0]
    regions, first = mesh.edges.regions[of_image], mesh.images[:, 0][of_image]
    sides = mesh.edges.sides[regions[:, 3] + origin[:, 1] - first] + regions[:, 2:3]
    passed = torch.zeros_like(classes, dtype=torch.bool).index_fill_(0, sides.reshape(-1), True)
    lines = _edges(mesh, passed & (classes == _CREASE))
    return lines, _pieces(mesh, lines, crossed, None)[1]
