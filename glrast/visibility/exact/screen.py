"""Triangles on the screen, and how kernels run over lists whose lengths only they know."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument, launch
from .edges import welded

_ROW = 256  # elements of a list that lie in one row of a launch
_SIDES = {"none": 0, "back": 1, "front": -1}


@dataclass
class Drawn:
    """The triangles of all images as affine functions of the pixel: kernels/visibility/fragments/setup.cuh."""

    pos: torch.Tensor
    tri: torch.Tensor  # as given
    welded: torch.Tensor  # [T,3] or [N,T,3]: vertices in one place under one name; or tri itself
    images: torch.Tensor  # int64 [N,3] (first triangle, number, place) on the device
    planes: torch.Tensor  # float64 [M,12]
    flags: torch.Tensor  # int8 [M]
    size: tuple[int, int, int]  # N, H, W

    @property
    def mesh(self) -> dict[str, Argument]:
        """What kernels that look at vertices take."""
        stride = self.tri.numel() if self.welded.ndim == 3 else 0
        return dict(tri=self.welded, tri_stride=stride, images=self.images, planes=self.planes)

    @property
    def placed(self) -> dict[str, Argument]:
        pos_stride = stride_of(self.pos, self.size[0])
        return dict(pos=self.pos, pos_stride=pos_stride, **self.mesh)

    @property
    def screen(self) -> dict[str, Argument]:
        return dict(lines=self.size[1], columns=self.size[2])


def draw(
    pos: torch.Tensor,
    tri: torch.Tensor,
    images: torch.Tensor,
    size: tuple[int, int, int],
    cull: str,
) -> Drawn:
    """images int64 [N,3] on the CPU."""
    M, device = int(images[:, 1].sum()), pos.device
    most = int(images[:, 1].max()) if len(images) else 0
    planes = torch.empty((M, 12), dtype=torch.float64, device=device)
    flags = torch.empty(M, dtype=torch.int8, device=device)
    drawn = Drawn(pos, tri, welded(pos, tri), images.to(device), planes, flags, size)
    launch(
        "fragments", "fragments_planes", device, width=most, H=1, rows=size[0], V=pos.shape[-2], T=len(tri),
        cull=_SIDES[cull], drawn=flags, **drawn.placed, **drawn.screen,
    )  # fmt: skip
    return drawn


# Of edges in pixels: edge int32 [P], pixel int64 [P], ends float64 [P,2].
Pieces = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass
class Lists:
    """The triangles that touch each of some pixels."""

    pixels: torch.Tensor  # int64 [F]
    crossed: torch.Tensor  # int32 [N*H*W]: their number, or -1
    starts: torch.Tensor  # int64 [F+1]
    triangles: torch.Tensor  # int32


def in_pixels(
    drawn: Drawn, edges: torch.Tensor, info: torch.Tensor, pieces: Pieces, lists: Lists
) -> dict[str, Argument]:
    edge, pixel, ends = pieces
    return dict(
        piece_edge=edge, piece_pixel=pixel, piece_ends=ends, edges=edges, info=info, crossed=lists.crossed,
        starts=lists.starts, triangles=lists.triangles, **drawn.mesh,
    )  # fmt: skip


def each(kernel: str, count: int, device: torch.device, **arguments: Argument) -> None:
    """Run a kernel over the `count` elements of a list."""
    rows = -(-count // _ROW)
    launch("fragments", kernel, device, width=_ROW, H=1, rows=rows, count=count, **arguments)


def places_of(counts: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Where each of several lists begins when they lie one after the other, and their length together."""
    ends = counts.reshape(-1).cumsum(0)
    return (ends - counts.reshape(-1)).reshape(counts.shape), int(ends[-1]) if len(ends) else 0


def stride_of(pos: torch.Tensor, N: int) -> int:
    """Floats from one image's vertices to the next."""
    return pos.shape[1] * 4 if pos.ndim == 3 and pos.shape[0] == N and N > 1 else 0
