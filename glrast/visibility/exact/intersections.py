"""Boundaries that are no edges: where triangles pass through each other, and where the near and far planes cut them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from ...core.rast import triangle_id
from ...launch import Argument, launch
from .lines import Lines
from .lists import Lists, Pieces, in_pixels
from .screen import Chosen, Mesh, each, places_of
from .tiles import NO_TILES, Tiles

_unique = cast(Callable[..., torch.Tensor], torch.unique)  # pyright: ignore[reportUnknownMemberType] no types


def lines_of(mesh: Mesh, pairs: torch.Tensor) -> Lines:
    """The lines of pairs int64 [P,3], in the form of edges."""
    lines = Lines.empty(len(pairs), mesh.device)
    each(
        "fragments_lines", len(pairs), mesh.device, pairs=pairs, M=len(mesh.state), **lines.members,
        **mesh.members, **mesh.screen,
    )  # fmt: skip
    return lines


def meeting(mesh: Mesh, rast: torch.Tensor, tiles: Tiles | None) -> torch.Tensor:
    """int64 [P,3]: image and two triangles of neighbouring pixels that pass through each other's planes, each once;
    the lines of those that pass each other by come to nothing."""
    N, H, W = mesh.size
    meets = torch.empty((N, H, W), dtype=torch.int8, device=rast.device)
    bounds = NO_TILES if tiles is None else tiles.bounds
    launch(
        "fragments", "fragments_meet", rast.device, width=W, H=H, rows=N * H, rast=rast, state=mesh.state,
        regions=mesh.edges.regions, neighbours=mesh.edges.neighbours, meets=meets, **bounds, **mesh.members,
    )  # fmt: skip
    meets = meets.reshape(-1)
    if not bool(meets.view(torch.bool).any()):
        return torch.empty((0, 3), dtype=torch.int64, device=rast.device)
    some = meets.nonzero()[:, 0]
    found: list[torch.Tensor] = []
    for bit, stride in ((1, 1), (2, W)):
        pixel = some[meets[some] & bit != 0]
        n = pixel // (H * W)
        shift = (mesh.images[:, 2] - mesh.images[:, 0])[n]
        ids = [triangle_id(rast.view(-1, 4)[at]).long() + shift for at in (pixel, pixel + stride)]
        found.append(torch.stack([n, torch.minimum(*ids), torch.maximum(*ids)], 1))
    return _unique(torch.cat(found), dim=0)


def cut(mesh: Mesh) -> torch.Tensor:
    """int64 [P,3]: image, triangle and M or M + 1 for those that the near or the far plane cuts."""
    M, places = len(mesh.state), mesh.images[:, 2].contiguous()
    if not bool((mesh.state & 6).any()):
        return torch.empty((0, 3), dtype=torch.int64, device=mesh.device)
    found: list[torch.Tensor] = []
    for plane, bit in ((M, 2), (M + 1, 4)):
        t = (mesh.state & bit).nonzero()[:, 0]
        n = torch.searchsorted(places + mesh.images[:, 1], t, right=True)
        found.append(torch.stack([n, t, torch.full_like(t, plane)], 1))
    return torch.cat(found)


def pierced(
    chosen: Chosen,
    edges: torch.Tensor,
    info: torch.Tensor,
    pieces: Pieces,
    lists: Lists,
    crosses: torch.Tensor,
    known: torch.Tensor,
) -> torch.Tensor:
    """int64 [P,3]: pairs of triangles, not yet known, one of which a boundary of the other goes through."""
    some = crosses.nonzero()[:, 0]
    if not len(some):
        return known[:0]
    counts = torch.empty(len(some), dtype=torch.int32, device=edges.device)
    arguments: dict[str, Argument] = dict(
        pieces=some, counts=counts, **in_pixels(chosen, edges, info, pieces, lists)
    )
    each("fragments_pierce", len(some), edges.device, places=None, pairs=None, **arguments)
    places, P = places_of(counts)
    pairs = torch.empty((P, 3), dtype=torch.int64, device=edges.device)
    if P:
        each("fragments_pierce", len(some), edges.device, places=places, pairs=pairs, **arguments)
    pairs = _unique(pairs, dim=0)
    pairs = torch.cat([pairs[:, :1], chosen.of[pairs[:, 1:]]], 1)
    key, old = (x[:, 1] * (len(chosen.numbers)) + x[:, 2] for x in (pairs, known))
    return pairs[~torch.isin(key, old)]
