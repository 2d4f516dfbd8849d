"""Fragments from runs: areas, centres of gravity, and where each fragment lies among those of its image."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument
from .boundaries import Runs
from .lists import by_pixel
from .screen import Mesh, each, places_of


@dataclass
class Parts:
    """The fragments of all images, as many of each: those that fill an image up have triangle -1 and weight 0."""

    rast: torch.Tensor  # float32 [F,4], and rast_db
    rast_db: torch.Tensor
    weight: torch.Tensor  # float32 [F]
    pixel: torch.Tensor  # int64 [F], counted over all images
    triangle: torch.Tensor  # int32 [F]: of the chosen, or -1
    points: torch.Tensor  # float64 [F,2]: centres of gravity, in pixels
    weights: torch.Tensor  # float64 [F]
    run_parts: torch.Tensor  # int64 [R,2]: the fragments on the left and right of each run, or -1


def parts_of(mesh: Mesh, runs: Runs) -> Parts:
    """What each pixel with a run shows."""
    device, R, chosen, lists = mesh.device, len(runs.edge), runs.chosen, runs.lists
    pixels, runs_at, order = by_pixel(runs.pixel, mesh.size)
    U = len(pixels)
    shadows = torch.empty((R, 3), dtype=torch.float64, device=device)
    each(
        "fragments_shadows", R, device, edges=runs.edges, run_edge=runs.edge, run_pixel=runs.pixel,
        run_ends=runs.ends, shadows=shadows, **mesh.screen,
    )  # fmt: skip
    part_triangle = torch.empty(2 * R + U, dtype=torch.int32, device=device)
    part_area = torch.empty((2 * R + U, 3), dtype=torch.float64, device=device)
    counts = torch.empty(U, dtype=torch.int32, device=device)
    shared: dict[str, Argument] = dict(
        pixels=pixels, runs_at=runs_at, order=order, run_sides=runs.sides, planes=chosen.planes,
        part_triangle=part_triangle, part_area=part_area, counts=counts, **mesh.screen,
    )  # fmt: skip
    each(
        "fragments_weigh", U, device, shadows=shadows, crossed=lists.crossed, starts=lists.starts,
        triangles=lists.triangles, **shared,
    )  # fmt: skip
    places, F, fill = _places(counts, pixels, mesh.size)
    parts = _empty(F, R, fill, device)
    each(
        "fragments_place", U, device, places=places, origin=chosen.origin, pixel=parts.pixel, triangle=parts.triangle,
        points=parts.points, weights=parts.weights, weight=parts.weight, rast=parts.rast, rast_db=parts.rast_db,
        run_parts=parts.run_parts, **shared,
    )  # fmt: skip
    return parts


def _places(
    counts: torch.Tensor, pixels: torch.Tensor, size: tuple[int, int, int]
) -> tuple[torch.Tensor, int, torch.Tensor | None]:
    """Where the fragments of each pixel go, where each image has as many; their number; and the pixel that those belong
    to that fill an image up, int64 [N]: the last before them that has fragments, or the first of all."""
    N, H, W = size
    places, F = places_of(counts)
    if N <= 1 or not F:
        return places, F, None
    begin = torch.searchsorted(pixels, torch.arange(N + 1, device=pixels.device) * (H * W))
    first = places[begin]
    most = int(first.diff().max())
    image = pixels // (H * W)
    fill = pixels[(begin[1:] - 1).clamp(min=0)]
    return places[:-1] - first[image] + image * most, N * most, fill


def _empty(F: int, R: int, fill: torch.Tensor | None, device: torch.device) -> Parts:
    """Room for all; where images are filled up, with fragments of weight 0."""

    def room(dtype: torch.dtype, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=device)

    parts = Parts(
        room(torch.float32, F, 4), room(torch.float32, F, 4), room(torch.float32, F), room(torch.int64, F),
        room(torch.int32, F), room(torch.float64, F, 2), room(torch.float64, F), room(torch.int64, R, 2),
    )  # fmt: skip
    if fill is not None:
        for filled in (parts.rast, parts.rast_db, parts.weight, parts.points, parts.weights):
            filled.zero_()
        parts.triangle.fill_(-1)
        parts.pixel.view(len(fill), -1).copy_(fill[:, None])
    return parts
