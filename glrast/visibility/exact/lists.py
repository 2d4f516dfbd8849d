"""The triangles that touch each crossed pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument
from .screen import Chosen, Mesh, each, places_of, stride_of

# Of boundaries in pixels: edge int32 [P], pixel int64 [P], ends float64 [P,2].
Pieces = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass
class Lists:
    """The chosen triangles that touch each of some pixels."""

    pixels: torch.Tensor  # int64 [F], ascending, counted over all images
    crossed: torch.Tensor  # int32 [N*H*W]: their number, or -1
    starts: torch.Tensor  # int64 [F+1]
    triangles: torch.Tensor  # int32 [L], by pixel, ascending in each
    numbers: torch.Tensor  # int32 [L]: the number of each entry's pixel


def lists_of(mesh: Mesh, chosen: Chosen, pieces: Pieces) -> tuple[Lists, Pieces]:
    """Of the pixels that have a piece; and these, by pixel, since each is held against the triangles of its own."""
    N, H, W = mesh.size
    device, C = mesh.device, len(chosen.of)
    pixels, _, by = by_pixel(pieces[1], mesh.size)
    edge, at, ends = (part.index_select(0, by) for part in pieces)
    crossed = torch.full((N * H * W,), -1, dtype=torch.int32, device=device)
    crossed.index_copy_(0, pixels, torch.arange(len(pixels), dtype=torch.int32, device=device))
    lines = torch.arange(N * H + 1, device=device) * W
    counts = torch.empty(C, dtype=torch.int32, device=device)
    arguments: dict[str, Argument] = dict(
        pos=mesh.pos, pos_stride=stride_of(mesh.pos, N), corners=chosen.corners, origin=chosen.origin,
        planes=chosen.planes, crossed=crossed, pixels=pixels, lines_at=torch.searchsorted(pixels, lines),
        counts=counts, **mesh.screen,
    )  # fmt: skip
    each(
        "fragments_touch",
        C,
        device,
        **arguments,
        places=None,
        entry_pixel=None,
        entry_triangle=None,
    )
    places, L = places_of(counts)
    pixel, triangle = torch.empty((2, L), dtype=torch.int32, device=device)
    if L:
        each(
            "fragments_touch", C, device, **arguments, places=places, entry_pixel=pixel, entry_triangle=triangle
        )  # fmt: skip
    pixel, order = torch.sort(pixel, stable=True)  # stable: triangles of a pixel in order
    numbers = torch.arange(len(pixels) + 1, device=device, dtype=torch.int32)
    starts = torch.searchsorted(pixel, numbers)
    lists = Lists(pixels, crossed, starts, triangle.index_select(0, order), pixel)
    return lists, (edge, at, ends)


def by_pixel(
    pixel: torch.Tensor, size: tuple[int, int, int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The pixels that things are in, int64 [U], ascending; where those of each begin in order, int64 [U+1]; order."""
    N, H, W = size
    key = pixel.to(torch.int32) if N * H * W < 2**31 else pixel  # sorts three times as fast
    key, order = torch.sort(key, stable=True)
    begins = torch.ones(len(key), dtype=torch.bool, device=key.device)
    torch.ne(key[1:], key[:-1], out=begins[1:])
    first = begins.nonzero()[:, 0]
    end = torch.full((1,), len(key), dtype=torch.int64, device=key.device)
    return key.index_select(0, first).long(), torch.cat([first, end]), order


def in_pixels(
    chosen: Chosen, edges: torch.Tensor, info: torch.Tensor, pieces: Pieces, lists: Lists
) -> dict[str, Argument]:
    edge, pixel, ends = pieces
    return dict(
        piece_edge=edge, piece_pixel=pixel, piece_ends=ends, edges=edges, info=info, crossed=lists.crossed,
        starts=lists.starts, triangles=lists.triangles, corners=chosen.corners, planes=chosen.planes,
    )  # fmt: skip
