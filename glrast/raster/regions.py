"""Which triangles each image draws: all of them, or a range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from .batch import Integers, shared


@dataclass(frozen=True)
class Regions:
    """One region of triangles for each image."""

    # int64 [N,3]: first triangle, number of triangles, place of the first among those of all images
    regions: torch.Tensor
    images: Integers  # int64 [N,4]: 0, first vertex, first triangle, number of triangles
    places: Integers  # int64 [N], as in `regions`
    triangles: int  # of all images
    most: int  # of one image

    def blocks(self, size: int) -> int:
        """Of so many triangles, in one image; one at least."""
        return max(1, -(-self.most // size))


def regions(pos: torch.Tensor, tri: torch.Tensor, ranges: torch.Tensor | None) -> Regions:
    """Those of positions [N,V,4], or [V,4] with ranges [N,2] (first triangle, count)."""
    if ranges is None:
        return _instanced(pos.shape[0], tri.shape[0], pos.shape[1])
    rows = ranges.numpy()
    return _regions(rows[:, 0], rows[:, 1], np.zeros(len(rows), np.int64))


@lru_cache(maxsize=64)
def _instanced(N: int, T: int, V: int) -> Regions:
    """All triangles in each image: asked for in every iteration, so kept."""
    return _regions(np.full(N, 0), np.full(N, T), V * np.arange(N))


def _regions(first: Integers, count: Integers, first_vertex: Integers) -> Regions:
    places = np.cumsum(count) - count
    rows = np.ascontiguousarray(np.column_stack([first, count, places]).astype(np.int64))
    images = np.column_stack([np.zeros_like(first), first_vertex, first, count]).astype(np.int64)
    return Regions(shared(rows), images, places, int(count.sum()), int(count.max()))
