"""What is drawn, and where of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

# Triangles of a block of `select`: two threads share a mesh of several, and each block is a draw command more
# (with 2048, 81,920 triangles at 1024 x 1024 took up to 2 ms longer).
BLOCK = 1 << 13


@dataclass(frozen=True)
class Batch:
    """What is drawn: vertices [N,V,4] or [V,4] with index sets [S,T,3] that are safe to draw, or corners [K,3,5] of
    triangles one after the other (clip position, bits of the triangle's index) and no indices, or `placed` pieces
    [K,3,10] of triangles likewise (kernels/rasterize/place.cuh); and per image the index set, first vertex, first
    triangle and number of triangles. `blocks` says how many of every BLOCK of an image's triangles are to be drawn, the
    first of the block; None: all."""

    pos: torch.Tensor
    indices: torch.Tensor | None
    images: np.ndarray  # int64 [N,4]
    cull: str  # "none", "back", "front"
    blocks: np.ndarray | None = None  # int [N,B]
    placed: bool = False  # a window says where


@dataclass(frozen=True)
class Window:
    """The part of an image that a target shows."""

    origin: tuple[int, int]  # the image's pixel (x, y) at the target's lower left
    centre: tuple[int, int]  # and at the middle of the viewport
    viewport: tuple[int, int, int, int]  # x, y, width, height in the target's pixels
