"""The triangles that OpenGL is given: safe ones, on a CPU only those that can show, of large images in pieces."""

from __future__ import annotations

import numpy as np
import torch

from ..core.rast import stride_of
from ..gl.context import DeviceContext
from ..launch import launch
from . import software
from .batch import SIDES, Batch, Indexed, Integers, Pieces
from .regions import Regions, regions
from .tiles import cell, is_large, whole

_PLACED_BLOCK = 256  # triangles that one thread puts in their places


def drawable(
    context: DeviceContext, pos: torch.Tensor, tri: torch.Tensor, ranges: torch.Tensor | None,
    height: int, width: int, cull: str,
) -> Batch:  # fmt: skip
    """What to draw; its ids are indices into `tri`."""
    of_images = regions(pos, tri, ranges)
    if is_large(context.limits, height, width):
        return _placed(pos, tri, of_images, height, width, cull)
    if software.selects(context.limits, pos, of_images):
        return software.select(pos, tri, of_images, height, width, cull)
    indices, index_set = _safe(context, pos, tri)
    images = np.array(of_images.images)
    images[:, 0] = index_set
    return Indexed(pos, indices, images, cull)


def _placed(
    pos: torch.Tensor, tri: torch.Tensor, of_images: Regions, height: int, width: int, cull: str
) -> Pieces:
    """Pieces on OpenGL's grid, which draw the same in any tile. Waits for a GPU, to learn how many there are."""
    N, blocks, device = len(of_images.places), of_images.blocks(_PLACED_BLOCK), pos.device
    counts = torch.empty((N, blocks), dtype=torch.int32, device=device)
    arguments = dict(
        width=blocks, H=1, rows=N, tri=tri, pos=pos, pos_stride=stride_of(pos),
        images=of_images.regions.to(device), T=tri.shape[0], V=pos.shape[-2], block=_PLACED_BLOCK, columns=width,
        lines=height, cull=SIDES[cull], cell=cell(height, width), counts=counts,
    )  # fmt: skip
    launch("rasterize", "rasterize_place", device, **arguments, places=None, pieces=None)
    places = (counts.flatten().cumsum(0) - counts.flatten()).reshape(counts.shape)
    images = torch.stack([places[:, 0], counts.sum(1)], 1).cpu().numpy()
    pieces = torch.empty((max(1, images[-1].sum()), 3, 10), dtype=torch.int32, device=device)
    launch("rasterize", "rasterize_place", device, **arguments, places=places, pieces=pieces)
    return Pieces(pieces, images, whole(height, width))


def _safe(
    context: DeviceContext, pos: torch.Tensor, tri: torch.Tensor
) -> tuple[torch.Tensor, Integers | int]:
    """Index sets [S,T,3] without bad indices and non-finite vertices, and each image's set.

    One set serves all images, unless some image of several has a non-finite vertex: then each has its own. Where the
    vertex stage sees to such vertices, the set depends on tri alone and is kept as long as tri stays as it is.
    """
    V, images = pos.shape[-2], pos.shape[0] if pos.ndim == 3 else 1
    if context.limits.culls_non_finite:
        return context.checked.of(tri, lambda: _prepare(pos, tri, 1, False), V), 0
    sets = 1
    if images > 1:
        lowest, highest = torch.aminmax(pos.reshape(-1))  # NaN and infinity show in them
        if not bool(torch.isfinite(lowest) & torch.isfinite(highest)):
            sets = images
    return _prepare(pos, tri, sets, sets == images), np.arange(images) if sets > 1 else 0


def _prepare(pos: torch.Tensor, tri: torch.Tensor, sets: int, check_finite: bool) -> torch.Tensor:
    V, T = pos.shape[-2], tri.shape[0]
    indices = torch.empty((sets, T, 3), dtype=torch.int32, device=pos.device)
    launch(
        "rasterize", "rasterize_prepare", pos.device, width=T, H=1, rows=sets, tri=tri, pos=pos,
        pos_stride=V * 4, V=V, check_finite=int(check_finite), out=indices,
    )  # fmt: skip
    return indices
