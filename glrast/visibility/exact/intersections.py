"""Boundaries that are no edges: where triangles pass through each other, and where the near and far planes cut them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from ...core.rast import triangle_id
from ...launch import Argument, launch
from .screen import Drawn, Lists, Pieces, each, in_pixels, places_of

_unique = cast(Callable[..., torch.Tensor], torch.unique)  # pyright: ignore[reportUnknownMemberType] no types


def lines_of(drawn: Drawn, pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The lines of pairs int64 [P,3], in the form of edges."""
    lines = torch.empty((len(pairs), 10), dtype=torch.float64, device=pairs.device)
    about = torch.empty((len(pairs), 6), dtype=torch.int32, device=pairs.device)
    each(
        "fragments_lines", len(pairs), pairs.device, pairs=pairs, planes=drawn.planes, M=len(drawn.planes),
        edges=lines, info=about, **drawn.screen,
    )  # fmt: skip
    return lines, about


def meeting(drawn: Drawn, rast: torch.Tensor) -> torch.Tensor:
    """int64 [P,3]: image and two triangles of neighbouring pixels that pass through each other, each pair once."""
    N, H, W = drawn.size
    meets = torch.empty((N, H, W), dtype=torch.int8, device=rast.device)
    launch(
        "fragments", "fragments_meet", rast.device, width=W, H=H, rows=N * H, rast=rast, drawn=drawn.flags, meets=meets,
        **drawn.placed,
    )  # fmt: skip
    found: list[torch.Tensor] = []
    for bit, stride in ((1, 1), (2, W)):
        pixel = (meets & bit).reshape(-1).nonzero()[:, 0]
        n = pixel // (H * W)
        shift = (drawn.images[:, 2] - drawn.images[:, 0])[n]
        ids = [triangle_id(rast.view(-1, 4)[at]).long() + shift for at in (pixel, pixel + stride)]
        found.append(torch.stack([n, torch.minimum(*ids), torch.maximum(*ids)], 1))
    return _unique(torch.cat(found), dim=0)


def cut(drawn: Drawn) -> torch.Tensor:
    """int64 [P,3]: image, triangle and M or M + 1 for those that the near or the far plane cuts."""
    M, places = len(drawn.planes), drawn.images[:, 2].contiguous()
    found: list[torch.Tensor] = []
    for plane, bit in ((M, 2), (M + 1, 4)):
        t = (drawn.flags & bit).nonzero()[:, 0]
        n = torch.searchsorted(places + drawn.images[:, 1], t, right=True)
        found.append(torch.stack([n, t, torch.full_like(t, plane)], 1))
    return torch.cat(found)


def pierced(
    drawn: Drawn,
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
        pieces=some, counts=counts, **in_pixels(drawn, edges, info, pieces, lists)
    )
    each("fragments_pierce", len(some), edges.device, places=None, pairs=None, **arguments)
    places, P = places_of(counts)
    pairs = torch.empty((P, 3), dtype=torch.int64, device=edges.device)
    if P:
        each("fragments_pierce", len(some), edges.device, places=places, pairs=pairs, **arguments)
    pairs = _unique(pairs, dim=0)
    key, old = (x[:, 1] * (len(drawn.planes) + 2) + x[:, 2] for x in (pairs, known))
    return pairs[~torch.isin(key, old)]
