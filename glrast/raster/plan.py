"""The triangles that OpenGL is given: safe ones, on a CPU only those that can show, of large images in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..core.per_tensor import unchanged
from ..gl.context import DeviceContext
from ..launch import launch
from .batch import BLOCK, Batch
from .tiles import cell, is_large

_SIDES = {"none": 0, "back": 1, "front": -1}
_SELECTED_BYTES = 60  # of a triangle: three times a clip position and the triangle's index
_PLACED_BLOCK = 256  # triangles that one thread puts in their places
_MOST_BYTES = (
    1 << 30
)  # beyond, as with hundreds of images of a large mesh, all images share their indices


def drawable(context: DeviceContext, pos, tri, ranges, height: int, width: int, cull: str) -> Batch:
    """What to draw; its ids are indices into `tri`."""
    if ranges is None:
        plan = _instanced(pos.shape[0], tri.shape[0], pos.shape[1])
    else:
        plan = _ranged(ranges.numpy())
    if is_large(context, height, width):
        return _placed(pos, tri, plan, height, width, cull)
    on_cpu = context.software and pos.device.type == "cpu" and not context.culls_non_finite
    if on_cpu and plan.triangles * _SELECTED_BYTES <= _MOST_BYTES:
        return _selected(pos, tri, plan, height, width, cull)
    indices, index_set = _safe(context, pos, tri)
    images = plan.images.copy()
    images[:, 0], images[:, 2] = index_set, plan.regions[:, 0].numpy()
    return Batch(pos, indices, images, cull)


@dataclass(frozen=True)
class _Plan:
    """Which triangles each image draws."""

    regions: (
        torch.Tensor
    )  # int64 [N,3]: first triangle, number of triangles, place of the first among all images'
    images: np.ndarray  # int64 [N,4] as Batch has it, when each image has triangles of its own
    triangles: int  # of all images
    most: int  # of one image


@lru_cache(maxsize=64)
def _instanced(N: int, T: int, V: int) -> _Plan:
    """All triangles in each image: asked for in every iteration, so kept."""
    return _plan(np.full(N, 0), np.full(N, T), V * np.arange(N))


def _ranged(ranges: np.ndarray) -> _Plan:
    return _plan(ranges[:, 0], ranges[:, 1], np.zeros(len(ranges), np.int64))


def _plan(first: np.ndarray, count: np.ndarray, first_vertex: np.ndarray) -> _Plan:
    place = np.cumsum(count) - count
    regions = np.ascontiguousarray(np.column_stack([first, count, place]).astype(np.int64))
    images = np.column_stack([np.zeros_like(first), first_vertex, place, count]).astype(np.int64)
    return _Plan(torch.from_numpy(regions), images, int(count.sum()), int(count.max()))


def _selected(pos, tri, plan: _Plan, height, width, cull) -> Batch:
    """Without the triangles that cannot cover a pixel centre: to llvmpipe they cost as much as others."""
    N, T, V, K = len(plan.images), tri.shape[0], pos.shape[-2], max(1, plan.triangles)
    corners = torch.empty((K, 3, 5), dtype=torch.float32, device="cpu")
    counts = np.empty((N, max(1, -(-plan.most // BLOCK))), np.int32)
    launch(
        "rasterize", "rasterize_select", pos.device, width=counts.shape[1], H=1, rows=N, tri=tri, pos=pos,
        pos_stride=V * 4 if pos.ndim == 3 else 0, images=plan.regions, T=T, V=V, block=BLOCK, columns=width,
        lines=height, cull=_SIDES[cull], corners=corners, counts=torch.from_numpy(counts),
    )  # fmt: skip
    return Batch(corners, None, plan.images, cull, counts)


def _placed(pos, tri, plan: _Plan, height: int, width: int, cull: str) -> Batch:
    """Pieces on OpenGL's grid, which draw the same in any tile. Waits for a GPU, to learn how many there are."""
    N, V, device = len(plan.images), pos.shape[-2], pos.device
    counts = torch.empty(
        (N, max(1, -(-plan.most // _PLACED_BLOCK))), dtype=torch.int32, device=device
    )
    arguments = dict(
        width=counts.shape[1], H=1, rows=N, tri=tri, pos=pos, pos_stride=V * 4 if pos.ndim == 3 else 0,
        images=plan.regions.to(device), T=tri.shape[0], V=V, block=_PLACED_BLOCK, columns=width,
        lines=height, cull=_SIDES[cull], cell=cell(height, width), counts=counts,
    )  # fmt: skip
    launch("rasterize", "rasterize_place", device, **arguments, places=None, pieces=None)
    places = (counts.flatten().cumsum(0) - counts.flatten()).reshape(counts.shape)
    images = np.zeros((N, 4), np.int64)
    images[:, 2], images[:, 3] = places[:, 0].cpu(), counts.sum(1).cpu()
    pieces = torch.empty((max(1, images[-1, 2:].sum()), 3, 10), dtype=torch.int32, device=device)
    launch("rasterize", "rasterize_place", device, **arguments, places=places, pieces=pieces)
    return Batch(pieces, None, images, "none", placed=True)


def _safe(
    context: DeviceContext, pos: torch.Tensor, tri: torch.Tensor
) -> tuple[torch.Tensor, np.ndarray | int]:
    """Index sets [S,T,3] without bad indices and non-finite vertices, and each image's set.

    One set serves all images, unless some image of several has a non-finite vertex: then each has its own. Where the
    vertex stage sees to such vertices, the set depends on tri alone and is kept as long as tri stays as it is.
    """
    V, images = pos.shape[-2], pos.shape[0] if pos.ndim == 3 else 1
    if context.culls_non_finite:
        found = context.objects.get(("checked",))
        if found is None or not found.serves(tri, V):
            found = context.objects[("checked",)] = _Checked(tri, V, _prepare(pos, tri, 1, False))
        return found.indices, 0
    sets = 1
    if images > 1:
        lowest, highest = torch.aminmax(pos.reshape(-1))  # NaN and infinity show in them
        if not bool(torch.isfinite(lowest) & torch.isfinite(highest)):
            sets = images
    return _prepare(pos, tri, sets, sets == images), np.arange(images) if sets > 1 else 0


class _Checked:
    """The index set of one tri and number of vertices; it holds on to tri's memory, so that no other can take its
    address, also where `tri.data = other` lets go of it."""

    def __init__(self, tri: torch.Tensor, V: int, indices: torch.Tensor):
        self.memory, self.state, self.indices = tri.detach(), _state(tri, V), indices

    def serves(self, tri: torch.Tensor, V: int) -> bool:
        return self.state is not None and _state(tri, V) == self.state

    def release(self) -> None: ...


def _state(tri: torch.Tensor, V: int) -> tuple | None:
    """Tells this tri from others and from what it was; None where PyTorch does not count changes in place."""
    return None if tri.is_inference() else (V, *unchanged(tri))


def _prepare(pos: torch.Tensor, tri: torch.Tensor, sets: int, check_finite: bool) -> torch.Tensor:
    V, T = pos.shape[-2], tri.shape[0]
    indices = torch.empty((sets, T, 3), dtype=torch.int32, device=pos.device)
    launch(
        "rasterize", "rasterize_prepare", pos.device, width=T, H=1, rows=sets, tri=tri, pos=pos,
        pos_stride=V * 4, V=V, check_finite=int(check_finite), out=indices,
    )  # fmt: skip
    return indices
