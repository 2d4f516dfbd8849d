"""What peeling knows of the layer drawn last, and which triangles it therefore need not draw again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..core import check
from ..core.rast import stride_of
from ..gl.context import DeviceContext
from ..gl.registry import by_handle
from ..launch import launch
from .batch import BLOCK, Batch, Corners, Indexed, Pieces, shared
from .peeled import Peeled
from .plan import drawable

_TILE = 8  # pixels; kernels/peel.cu says the same
_MOST_EMPTY = 8  # index sets of all images may hold so many times the triangles that are drawn


class Peeling:
    """What is known of the last layer: ids and depths in OpenGL textures, and the nearest depth in each tile."""

    def __init__(self, handle: int, function: str = "DepthPeeler"):
        self.function = function  # for messages
        self.targets = Peeled(by_handle(handle))
        # [N,tiles,tiles], 0 to 1; 2 where the layer is empty
        self.nearest: torch.Tensor | None = None
        self.size = (0, 0)
        self.drawn: Batch | None = None  # what the first layer was drawn from
        # [N,T,2] and [N,T]: the tiles of each of its triangles, and the farthest depth
        self.boxes: tuple[torch.Tensor, torch.Tensor] | None = None

    def remember(self, drawn: torch.Tensor) -> torch.Tensor:
        """Notes the depths of a drawn layer; returns it as it would be without them."""
        N, H, W, channels = drawn.shape
        across, down = -(-W // _TILE), -(-H // _TILE)
        self.size = (H, W)
        self.nearest = drawn.new_empty((N, down, across), dtype=torch.float32)
        ids = drawn.new_empty((N, H, W)) if channels == 2 else None
        launch(
            "peel", "peel_nearest", drawn.device, width=across, H=down, rows=N * down, drawn=drawn.view(torch.int32),
            channels=channels, image_width=W, image_height=H, ids=ids, nearest=self.nearest,
        )  # fmt: skip
        return drawn if ids is None else ids

    def drawable(
        self, context: DeviceContext, pos: torch.Tensor, tri: torch.Tensor, ranges: torch.Tensor | None,
        height: int, width: int, cull: str,
    ) -> Batch:  # fmt: skip
        """What `rasterize` would draw, without triangles that are wholly before the last layer."""
        most = context.limits.size
        check.value(
            self.function, "resolution", f"at most {most} on a side on this OpenGL driver",
            max(height, width) <= most, f"{height} x {width}", "peel it in parts",
        )  # fmt: skip
        if self.drawn is None:
            self.drawn = drawable(context, pos, tri, ranges, height, width, cull)
        return self.without_what_lies_before(self.drawn, ranges)

    def without_what_lies_before(self, batch: Batch, ranges: torch.Tensor | None) -> Batch:
        """The batch without triangles that need not be drawn: of Indexed an index set for each image, where those are
        (0, 0, 0); of Corners the corners of the others; of Pieces all."""
        if self.nearest is None or isinstance(batch, Pieces):
            return batch
        if isinstance(batch, Corners):
            return self._corners_that_stay(batch, self.nearest)
        N, T = len(self.nearest), batch.indices.shape[1]
        if ranges is not None and N * T > _MOST_EMPTY * int(ranges[:, 1].sum()):
            return batch
        return self._indices_that_stay(batch, self.nearest)

    def _indices_that_stay(self, batch: Indexed, nearest: torch.Tensor) -> Indexed:
        N, T = len(nearest), batch.indices.shape[1]
        stride = T * 3 if len(batch.indices) > 1 else 0
        indices: dict[str, Any] = dict(indices=batch.indices, indices_stride=stride)
        known = self._known(nearest, batch.pos, (N, T), indices)
        out = batch.indices.new_empty((N, T, 3))
        launch(
            "peel", "peel_prepare", out.device, width=T, H=1, rows=N, **indices, **known, out=out
        )
        images = np.array(batch.images)
        images[:, 0] = np.arange(N)
        return replace(batch, indices=out, images=images)

    def _corners_that_stay(self, batch: Corners, nearest: torch.Tensor) -> Corners:
        indices: dict[str, Any] = dict(indices=None, indices_stride=0)
        known = self._known(nearest, batch.corners, (1, len(batch.corners)), indices)
        counts, out = shared(batch.counts), torch.empty_like(batch.corners)
        kept = torch.empty_like(counts)
        launch(
            "peel", "peel_keep", out.device, width=counts.shape[1], H=1, rows=len(counts), corners=batch.corners,
            places=shared(batch.places), counts=counts, block=BLOCK, **known, out=out, kept=kept,
        )  # fmt: skip
        return replace(batch, corners=out, counts=kept.numpy())

    def _known(
        self, nearest: torch.Tensor, pos: torch.Tensor, shape: tuple[int, int], indices: dict[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """What the kernels know of triangles and layer; the triangles' boxes are found once."""
        _, down, across = nearest.shape
        tiles: dict[str, Any] = dict(tiles_x=across, tiles_y=down)
        if self.boxes is None:
            boxes = pos.new_empty((*shape, 2), dtype=torch.int32), pos.new_empty(shape)
            launch(
                "peel", "peel_boxes", pos.device, width=shape[1], H=1, rows=shape[0], **indices, pos=pos,
                pos_stride=stride_of(pos), **tiles, image_width=self.size[1], image_height=self.size[0],
                boxes=boxes[0], farthest=boxes[1],
            )  # fmt: skip
            self.boxes = boxes
        return dict(boxes=self.boxes[0], farthest=self.boxes[1], nearest=nearest, **tiles)
