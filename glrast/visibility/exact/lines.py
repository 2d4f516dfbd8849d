"""Boundaries on the screen: edges, intersections and cuts in one form."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...launch import Argument


class Lines(NamedTuple):
    """K boundaries: kernels/visibility/fragments/edges.cuh."""

    edges: torch.Tensor  # float64 [K,10]
    info: torch.Tensor  # int32 [K,6]: triangles count all images'
    nearest: torch.Tensor  # float32 [K]: z/w of the nearest vertex of the triangles on it
    most: torch.Tensor  # int64 [K]: pieces of it in pixels, at most

    @property
    def members(self) -> dict[str, Argument]:
        return dict(edges=self.edges, info=self.info, nearest=self.nearest, most=self.most)

    @staticmethod
    def empty(count: int, device: torch.device) -> Lines:
        return Lines(
            torch.empty((count, 10), dtype=torch.float64, device=device),
            torch.empty((count, 6), dtype=torch.int32, device=device),
            torch.empty(count, dtype=torch.float32, device=device),
            torch.empty(count, dtype=torch.int64, device=device),
        )


def joined(first: Lines, second: Lines) -> Lines:
    return (
        first if not len(second.info) else Lines(*(torch.cat(pair) for pair in zip(first, second)))
    )
