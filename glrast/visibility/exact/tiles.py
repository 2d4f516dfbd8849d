"""Tiles of the image: where a single surface is seen, and which triangles reach a tile that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...launch import Argument, launch
from .screen import Mesh

SHIFT = 2  # pixels on a side are 2^SHIFT
FAR_OFF = 1e30  # GLRAST_FAR_OFF


@dataclass
class Tiles:
    """How deep one may look in each tile: kernels/visibility/fragments/tiles.cuh."""

    bound: torch.Tensor  # float32 [N,down,across]: what is farther is hidden; FAR_OFF: nobody knows

    @property
    def members(self) -> dict[str, Argument]:
        _, down, across = self.bound.shape
        return dict(shift=SHIFT, across=across, down=down)

    @property
    def bounds(self) -> dict[str, Argument]:
        return dict(bound=self.bound, **self.members)


NO_TILES: dict[str, Argument] = dict(shift=0, across=0, down=0, bound=None)


def _extent(mesh: Mesh) -> tuple[int, int, int]:
    N, H, W = mesh.size
    return N, (H - 1 >> SHIFT) + 1, (W - 1 >> SHIFT) + 1


def settled(mesh: Mesh, rast: torch.Tensor) -> Tiles:
    """The bounds of the tiles in which a single surface is seen."""
    N, down, across = extent = _extent(mesh)
    tiles = Tiles(torch.empty(extent, dtype=torch.float32, device=mesh.device))
    launch(
        "fragments", "fragments_bound", mesh.device, width=across, H=down, rows=N * down, shift=SHIFT, rast=rast,
        images=mesh.images, state=mesh.state, depth=mesh.depth, bound=tiles.bound, **mesh.screen,
    )  # fmt: skip
    against = torch.zeros(extent, dtype=torch.int32, device=mesh.device)
    launch(
        "fragments", "fragments_layers", mesh.device, width=mesh.most, H=1, rows=N, regions=mesh.edges.regions,
        neighbours=mesh.edges.neighbours, bound=tiles.bound, against=against, **mesh.members, **mesh.screened,
        **tiles.members, **mesh.screen,
    )  # fmt: skip
    tiles.bound.masked_fill_(against != 1, FAR_OFF)
    return tiles


def looked_at(mesh: Mesh, pixels: torch.Tensor) -> Tiles:
    """Tiles with one of these pixels, counted over all images, and, with a bound that nothing is before, the others."""
    N, down, across = _extent(mesh)
    _, H, W = mesh.size
    line = pixels // W
    tile = ((line // H) * down + (line % H >> SHIFT)) * across + (pixels - line * W >> SHIFT)
    bound = torch.full((N * down * across,), -2 * FAR_OFF, dtype=torch.float32, device=mesh.device)
    return Tiles(bound.index_fill_(0, tile, FAR_OFF).reshape(N, down, across))


def relevant(mesh: Mesh, tiles: Tiles) -> torch.Tensor:
    """int8 [M]: which triangles lie before the bound of a tile that they reach."""
    out = torch.empty(len(mesh.state), dtype=torch.int8, device=mesh.device)
    launch(
        "fragments", "fragments_relevant", mesh.device, width=mesh.most, H=1, rows=mesh.size[0], bound=tiles.bound,
        relevant=out, **mesh.members, **mesh.screened, **tiles.members,
    )  # fmt: skip
    return out
