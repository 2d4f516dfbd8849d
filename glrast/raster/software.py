"""llvmpipe's tactics: what makes OpenGL on a CPU fast and a GPU does not need.

It transforms vertices in the calling thread and rasterizes in others, but only what was flushed: drawn in pieces, the
two overlap (81,920 triangles at 1024 x 1024 on two cores: 23.7 ms in one piece, 13.7 ms in eight). And a triangle that
shows nothing costs it as much as others: `select` leaves those out before OpenGL sees them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..core.rast import stride_of
from ..gl.limits import Limits
from ..launch import launch
from .batch import BLOCK, SIDES, Batch, Corners, Draws, shared
from .regions import Regions

_SELECTED_BYTES = 60  # of a triangle: three times a clip position and the triangle's index


class Submissions(NamedTuple):
    """How the images of one chunk are drawn."""

    draws: Draws
    together: list[tuple[int, int]]  # ranges of draws that are submitted at once
    flush: bool  # after each submission but the last, which reading flushes


def plan(batch: Batch, chunk: slice, limits: Limits) -> Submissions:
    """One submission of all draws; on a software driver one per few thousand triangles."""
    draws, most = batch.draws(chunk), limits.submission_triangles
    if len(draws) == 1 and (most is None or draws.count[0] <= most):  # often, and quick
        return Submissions(draws, [(0, 1)], flush=False)
    if most is not None:
        draws = cut(draws, most)
    D = len(draws)
    if not limits.layered_vertex:
        together = [(i, i + 1) for i in range(D)]
    elif most is None or D <= 1:
        together = [(0, D)] if D else []
    else:
        group = np.cumsum(draws.count) // most
        ends = np.append(np.flatnonzero(np.diff(group)) + 1, D).tolist()
        together = list(zip([0, *ends[:-1]], ends))
    return Submissions(draws, together, flush=most is not None)


def cut(draws: Draws, most: int) -> Draws:
    """The same with no more than `most` triangles each, in the same order."""
    if draws.count.max(initial=0) <= most:
        return draws
    pieces = np.maximum(1, -(-draws.count // most))
    row = np.repeat(np.arange(len(draws)), pieces)
    offset = most * (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces))
    count = np.minimum(draws.count[row] - offset, most)
    return Draws(draws.image[row], draws.first[row] + offset, count)


def selects(limits: Limits, pos: torch.Tensor, regions: Regions) -> bool:
    """Whether triangles are chosen one by one: on a CPU, as far as memory goes."""
    on_cpu = pos.device.type == "cpu" and not limits.culls_non_finite
    return on_cpu and regions.triangles * _SELECTED_BYTES <= limits.selected_bytes


def select(
    pos: torch.Tensor, tri: torch.Tensor, regions: Regions, height: int, width: int, cull: str
) -> Corners:
    """Without the triangles that cannot cover a pixel centre."""
    K = max(1, regions.triangles)
    corners = torch.empty((K, 3, 5), dtype=torch.float32, device="cpu")
    counts = np.empty((len(regions.places), regions.blocks(BLOCK)), np.int32)
    launch(
        "rasterize", "rasterize_select", pos.device, width=counts.shape[1], H=1, rows=len(counts), tri=tri, pos=pos,
        pos_stride=stride_of(pos), images=regions.regions, T=tri.shape[0], V=pos.shape[-2], block=BLOCK, columns=width,
        lines=height, cull=SIDES[cull], corners=corners, counts=shared(counts),
    )  # fmt: skip
    return Corners(corners, regions.places, counts, cull)
