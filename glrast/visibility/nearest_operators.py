"""The operators of nearest_faces: faces set up, listed by the tiles they may touch, and the nearest of each pixel's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ..core.rast import images_of, stride_of
from ..launch import Argument, constant, launch, launch_scatter
from ..ops.operator import operator

_FACE = 30  # GLRAST_FACE
_TILE = 16  # GLRAST_TILE
_SIDES = {"none": 0, "back": 1, "front": -1}


class Found(NamedTuple):
    """What NearestFaces says, in the same order."""

    id: Tensor
    z: Tensor
    bary: Tensor
    dist2: Tensor


@dataclass
class Looked:
    """What a call and its gradient have in common."""

    pos: Tensor
    tri: Tensor
    ranges: Tensor | None  # int64 [N,2] on the CPU
    height: int
    width: int
    faces_per_pixel: int
    reach: float  # pixels
    perspective: bool
    clip: int  # GLRAST_LOOK_MEMBERS
    strict: bool
    cuts: bool  # near and far plane
    cull: str

    def images(self) -> tuple[Tensor, int, int]:
        """[N,3] (first triangle, number, place of the first among all images'); how many in all, and at most."""
        N, T = images_of(self.pos, self.ranges), self.tri.shape[0]
        rows = [[0, T]] * N
        if self.ranges is not None:
            rows = cast("list[list[int]]", self.ranges.tolist())  # pyright: ignore[reportUnknownMemberType] no types
        flat: list[int] = []
        total = longest = 0
        for first, count in rows:
            flat += [first, count, total]
            total, longest = total + count, max(longest, count)
        table = constant(tuple(flat), torch.int64, self.pos.device).reshape(N, 3)
        return table, total, longest

    def set_up(self, counts: bool, box: tuple[float, float] = (0.0, 0.0)) -> SetUp:
        images, total, longest = self.images()
        device = self.pos.device
        faces = torch.empty((total, _FACE), dtype=torch.float64, device=device)
        tiles = torch.empty(total, dtype=torch.int32, device=device) if counts else None
        launch(
            "nearest_faces", "nearest_faces_set_up", device, width=longest, H=1, rows=len(images), pos=self.pos,
            pos_stride=stride_of(self.pos), tri=self.tri, images=images, V=self.pos.shape[-2], T=self.tri.shape[0],
            columns=self.width, lines=self.height, reach=self.reach, faces=faces, cull=_SIDES[self.cull],
            cuts=int(self.cuts), counts=tiles, box_x=box[0], box_y=box[1],
        )  # fmt: skip
        return SetUp(images, longest, faces, tiles)

    @property
    def look(self) -> dict[str, Argument]:
        return dict(perspective=int(self.perspective), clip=self.clip, strict=int(self.strict))


@dataclass
class SetUp:
    images: Tensor  # int64 [N,3]
    longest: int  # faces of an image, at most
    faces: Tensor  # float64 [M,_FACE]
    counts: Tensor | None  # int32 [M]: tiles that each may touch

    def listed(self, height: int, width: int, reach: float) -> tuple[Tensor, Tensor]:
        """(starts [tiles+1], the entries of each tile one after the other, ascending). A GPU is waited for."""
        assert self.counts is not None
        device, N = self.faces.device, len(self.images)
        ends = self.counts.cumsum(0)
        total = int(ends[-1]) if len(ends) else 0
        tiles = torch.empty(total, dtype=torch.int32, device=device)
        listed = torch.empty(total, dtype=torch.int64, device=device)
        if total:
            launch(
                "nearest_faces", "nearest_faces_bin", device, width=self.longest, H=1, rows=N, images=self.images,
                columns=width, lines=height, reach=reach, faces=self.faces, places=ends - self.counts, tiles=tiles,
                listed=listed,
            )  # fmt: skip
        tiles, order = torch.sort(tiles, stable=True)
        every = (
            N * -(-height // _TILE) * -(-width // _TILE)
        )  # below 2^31: their lists would not fit anywhere
        numbers = torch.arange(every + 1, dtype=torch.int32, device=device)
        return torch.searchsorted(tiles, numbers), listed[order]


@dataclass
class Nearest(Looked):
    other: Tensor | None = None  # int32 [T]: as the kernel takes it
    front: int = 0
    box_x: float = (
        0.0  # pixels; more than 0: a face is its box, grown by so much, and ids decide alone
    )
    box_y: float = 0.0

    def fake(self) -> Found:
        N, new = images_of(self.pos, self.ranges), self.pos.new_empty
        entries = (N, self.height, self.width, self.faces_per_pixel)
        return Found(
            new(entries, dtype=torch.int32), new(entries), new((*entries, 3)), new(entries)
        )

    def run(self) -> Found:
        found, H, W, K = self.fake(), self.height, self.width, self.faces_per_pixel
        up = self.set_up(counts=True, box=(self.box_x, self.box_y))
        starts, listed = up.listed(H, W, self.reach)
        rows = len(up.images) * H
        shared: dict[str, Argument] = dict(
            images=up.images, faces=up.faces, K=K, id=found.id, **self.look
        )
        launch(
            "nearest_faces", "nearest_faces_walk", self.pos.device, width=W, H=H, rows=rows, reach=self.reach,
            starts=starts, listed=listed, other=self.other, front=self.front, z=found.z, **shared,
        )  # fmt: skip
        if self.box_x > 0:  # boxes have ids alone
            none = found.z.new_full((1,), -1)
            return found._replace(bary=none.expand_as(found.bary), dist2=none.expand_as(found.z))
        launch(
            "nearest_faces", "nearest_faces_place", self.pos.device, width=W * K, H=H, rows=rows, columns=W,
            bary=found.bary, dist2=found.dist2, **shared,
        )  # fmt: skip
        return found


@dataclass
class NearestBackward(Looked):
    id: Tensor
    grad_z: Tensor | None
    grad_bary: Tensor | None
    grad_dist2: Tensor | None

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        up, pos, K = self.set_up(counts=False), self.pos, self.faces_per_pixel
        N = len(up.images)
        return launch_scatter(
            "nearest_faces", "nearest_faces_backward", tuple(pos.shape), N if pos.ndim == 3 else 1, pos.device,
            width=self.width * K, H=self.height, rows=N * self.height, columns=self.width, K=K, images=up.images,
            faces=up.faces, id=self.id, tri=self.tri, pos_stride=stride_of(pos), grad_z=_contiguous(self.grad_z),
            grad_bary=_contiguous(self.grad_bary), grad_dist2=_contiguous(self.grad_dist2), **self.look,
        )  # fmt: skip


def _contiguous(grad: Tensor | None) -> Tensor | None:
    return None if grad is None else grad.contiguous()


find = operator("nearest_faces", Nearest, in_graphs=False)
find_backward = operator("nearest_faces_backward", NearestBackward, in_graphs=False)
