"""Triangles on the screen, and how kernels run over lists whose lengths only they know."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument, launch
from .edges import Edges, edges_of, welded

_ROW = 256  # elements of a list that lie in one row of a launch
_SIDES = {"none": 0, "back": 1, "front": -1}


@dataclass
class Mesh:
    """The meshes of all images, M triangles together: kernels/visibility/fragments/members.cuh."""

    pos: torch.Tensor
    given: torch.Tensor  # tri
    tri: torch.Tensor  # [T,3] or [N,T,3]: vertices in one place under one name; or `given` itself
    images: torch.Tensor  # int64 [N,3] (first triangle, number, place) on the device
    edges: Edges
    state: torch.Tensor  # int8 [M]: drawn, and what else fragments_triangles knows, or 0
    depth: torch.Tensor  # float32 [M,2]: z/w of the nearest and of the farthest vertex
    spots: torch.Tensor  # float32 [1 or N,V,4]: vertices on the screen
    size: tuple[int, int, int]  # N, H, W
    most: int  # triangles of one image

    @property
    def members(self) -> dict[str, Argument]:
        """Pos, tri and images, as kernels take them."""
        return _members(self.pos, self.tri, self.images, self.size[0])

    @property
    def screened(self) -> dict[str, Argument]:
        stride = stride_of(self.pos, self.size[0])
        return dict(spots=self.spots, spots_stride=stride, state=self.state, depth=self.depth)

    @property
    def screen(self) -> dict[str, Argument]:
        return dict(lines=self.size[1], columns=self.size[2])

    @property
    def device(self) -> torch.device:
        return self.pos.device


def draw(
    pos: torch.Tensor,
    tri: torch.Tensor,
    images: torch.Tensor,
    size: tuple[int, int, int],
    cull: str,
) -> Mesh:
    """images int64 [N,3] on the CPU."""
    M, device, (N, H, W) = int(images[:, 1].sum()), pos.device, size
    most = int(images[:, 1].max()) if len(images) else 0
    state = torch.empty(M, dtype=torch.int8, device=device)
    depth = torch.empty((M, 2), dtype=torch.float32, device=device)
    spots = torch.empty_like(pos)
    joined, on_device, V = welded(pos, tri), images.to(device), pos.shape[-2]
    launch(
        "fragments", "fragments_spots", device, width=V, H=1, rows=pos.numel() // max(4 * V, 1), pos=pos, columns=W,
        lines=H, spots=spots,
    )  # fmt: skip
    launch(
        "fragments", "fragments_triangles", device, width=most, H=1, rows=N, columns=W, lines=H, cull=_SIDES[cull],
        spots=spots, state=state, depth=depth, **_members(pos, joined, on_device, N),
    )  # fmt: skip
    edges = edges_of(joined, images)
    return Mesh(pos, tri, joined, on_device, edges, state, depth, spots, size, most)


def _members(
    pos: torch.Tensor, tri: torch.Tensor, images: torch.Tensor, N: int
) -> dict[str, Argument]:
    tri_stride = tri.numel() // max(N, 1) if tri.ndim == 3 else 0
    return dict(
        pos=pos, pos_stride=stride_of(pos, N), tri=tri, tri_stride=tri_stride, images=images, N=N, V=pos.shape[-2],
        T=tri.shape[-2],
    )  # fmt: skip


@dataclass
class Chosen:
    """The triangles that matter, C of all images' M, in the same order."""

    of: torch.Tensor  # int64 [C]: their places among all images'
    planes: torch.Tensor  # float64 [C,12]
    corners: torch.Tensor  # int32 [C,3]
    vertices: (
        torch.Tensor
    )  # int32 [C,3]: of tri as given; the corners themselves where no vertices share a place
    origin: torch.Tensor  # int32 [C,2]: image, and index in tri
    numbers: (
        torch.Tensor
    )  # int32 [M + 3]: of each triangle, or -1; of the near and far plane C and C + 1; -1

    def renumbered(self, info: torch.Tensor) -> torch.Tensor:
        """What is known of boundaries [K,6], with chosen triangles for those of all images'. A boundary that has others
        comes to no pixel that matters."""
        none = len(self.numbers) - 1
        sides, out = info[:, :2].reshape(-1), info.clone()
        sides = self.numbers.index_select(0, torch.where(sides < 0, none, sides))
        out[:, :2] = sides.reshape(-1, 2)
        between = (-1 - info[:, 4:]).reshape(-1)  # of lines: which triangles; of edges, negative
        between = self.numbers.index_select(0, torch.where(between < 0, none, between))
        out[:, 4:] = torch.where(info[:, 4:] < 0, -1 - between.reshape(-1, 2), info[:, 4:])
        return out


def choose(mesh: Mesh, relevant: torch.Tensor) -> Chosen:
    """relevant int8 [M]."""
    of = relevant.nonzero()[:, 0]
    C, device, seam = len(of), mesh.device, mesh.tri is not mesh.given
    planes = torch.empty((C, 12), dtype=torch.float64, device=device)
    corners, vertices = (torch.empty((C, 3), dtype=torch.int32, device=device) for _ in range(2))
    origin = torch.empty((C, 2), dtype=torch.int32, device=device)
    each(
        "fragments_planes", C, device, given=mesh.given, chosen=of, planes=planes, corners=corners,
        vertices=vertices if seam else None, origin=origin, **mesh.members, **mesh.screen,
    )  # fmt: skip
    numbers = torch.full((len(relevant) + 3,), -1, dtype=torch.int32, device=device)
    numbers.index_copy_(0, of, torch.arange(C, dtype=torch.int32, device=device))
    numbers[-3], numbers[-2] = C, C + 1
    return Chosen(of, planes, corners, vertices if seam else corners, origin, numbers)


def each(kernel: str, count: int, device: torch.device, **arguments: Argument) -> None:
    """Run a kernel over the `count` elements of a list."""
    rows = -(-count // _ROW)
    launch("fragments", kernel, device, width=_ROW, H=1, rows=rows, count=count, **arguments)


def places_of(counts: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Where each of several lists begins when they lie one after the other, and at the end where the last ends; and
    that number."""
    places = torch.zeros(len(counts) + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, 0, out=places[1:])
    return places, int(places[-1])


def stride_of(pos: torch.Tensor, N: int) -> int:
    """Floats from one image's vertices to the next."""
    return pos.shape[1] * 4 if pos.ndim == 3 and pos.shape[0] == N and N > 1 else 0
