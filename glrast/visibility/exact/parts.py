"""Fragments from runs: areas, centres of gravity, and where each fragment lies among those of its image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch

from .boundaries import Runs
from .screen import Drawn, each

LIGHTEST = 1e-7  # of a pixel's area: fragments below are left out


@dataclass
class Parts:
    """The fragments of all images, as many of each: those that fill an image up have triangle -1 and weight 0."""

    pixel: torch.Tensor  # int64 [F], counted over all images
    run_parts: (
        torch.Tensor
    )  # int64 [R,2]: the fragments on the left and on the right of each run, or -1
    triangles: torch.Tensor  # int32 [F]: of all images', or -1
    numbers: torch.Tensor  # int32 [F]: their index in tri
    image: torch.Tensor  # int32 [F]
    points: torch.Tensor  # float64 [F,2]: centres of gravity, in pixels
    weights: torch.Tensor  # float64 [F]


def parts_of(drawn: Drawn, runs: Runs) -> Parts:
    """What each pixel with a run shows."""
    device, U, R, M = runs.pixels.device, len(runs.pixels), len(runs.edge), len(drawn.planes)
    shadows = torch.empty((R, 3), dtype=torch.float64, device=device)
    each(
        "fragments_shadows", R, device, edges=runs.edges, run_edge=runs.edge, run_pixel=runs.pixel,
        run_ends=runs.ends, pixels=runs.pixels, shadows=shadows, **drawn.screen,
    )  # fmt: skip
    # A part is a triangle in a pixel; entries: what is seen from the viewpoints, then both sides of runs.
    pixel, number = runs.pixel.long(), torch.arange(U, device=device)
    key = torch.cat([number, pixel, pixel]) * (M + 1)
    key = key + torch.cat([runs.seen, runs.sides[:, 0], runs.sides[:, 1]]) + 1
    key, entries = torch.sort(key, stable=True)
    unique = cast(Callable[..., Any], torch.unique_consecutive)  # pyright: ignore[reportUnknownMemberType] no types
    part_key, part, counts = unique(key, return_inverse=True, return_counts=True)
    entries_at = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    part_pixel = part_key // (M + 1)
    parts_at = torch.searchsorted(part_pixel, torch.arange(U + 1, device=device))
    weights = torch.empty(len(part_key), dtype=torch.float64, device=device)
    centers = torch.empty((len(part_key), 2), dtype=torch.float64, device=device)
    each(
        "fragments_weigh", U, device, runs=R, parts_at=parts_at, entries_at=entries_at, entries=entries,
        shadows=shadows, weights=weights, centers=centers,
    )  # fmt: skip
    kept = (weights > LIGHTEST).nonzero()[:, 0]
    N, H, W = drawn.size
    at = runs.pixels[part_pixel[kept]]
    image = at // (H * W)
    slot, F = _slots(image, N)

    def spread(values: torch.Tensor, fill: int = 0) -> torch.Tensor:
        return values.new_full((F, *values.shape[1:]), fill).index_copy_(0, slot, values)

    middle = torch.stack([at % W, at // W % H], 1) + 0.5
    triangle = part_key[kept] % (M + 1) - 1
    number = triangle + (drawn.images[:, 0] - drawn.images[:, 2])[image]
    where = torch.full_like(part_key, -1)
    where[kept] = slot
    of_entry = torch.empty_like(part).index_copy_(0, entries, part)[U:]
    return Parts(
        # What fills an image up belongs, with weight 0, to some crossed pixel.
        pixel=spread(at, int(at[0]) if len(at) else 0),
        run_parts=where[of_entry].reshape(2, R).T.contiguous(),
        triangles=spread(triangle.to(torch.int32), -1),
        numbers=spread(number.to(torch.int32)),
        image=spread(image.to(torch.int32)),
        points=spread(middle + centers[kept]),
        weights=spread(weights[kept]),
    )


def _slots(image: torch.Tensor, N: int) -> tuple[torch.Tensor, int]:
    """The place of each fragment, of these images (ascending), where each image has as many; and their number."""
    if N <= 1:
        return torch.arange(len(image), device=image.device), len(image)
    begin = torch.searchsorted(image, torch.arange(N + 1, device=image.device))
    most = int(begin.diff().max())
    rank = torch.arange(len(image), device=image.device) - begin[image]
    return image * most + rank, N * most
