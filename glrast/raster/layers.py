"""What peeling knows of the layer drawn last, and which triangles it therefore need not draw again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..core import check
from ..gl.registry import by_handle
from ..launch import launch
from .batch import BLOCK
from .peeled import Peeled
from .plan import drawable

_TILE = 8  # pixels; kernels/peel.cu says the same
_MOST_EMPTY = 8  # index sets of all images may hold so many times the triangles that are drawn


class Peeling:
    """What is known of the last layer: ids and depths in OpenGL textures, and the nearest depth in each tile."""

    def __init__(self, handle: int, function: str = "DepthPeeler"):
        self.function = function  # for messages
        self.targets = Peeled(by_handle(handle))
        self.nearest: torch.Tensor | None = (
            None  # [N,tiles,tiles], 0 to 1; 2 where the layer is empty
        )
        self.size = (0, 0)
        self.drawn = None  # what the first layer was drawn from
        self.boxes = (
            None  # [N,T,2] and [N,T]: the tiles of each of its triangles, and the farthest depth
        )

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

    def drawable(self, context, pos, tri, ranges, height: int, width: int, cull: str):
        """What `rasterize` would draw, without triangles that are wholly before the last layer."""
        most = context.limits["size"]
        check.value(
            self.function, "resolution", f"at most {most} on a side on this OpenGL driver",
            max(height, width) <= most, f"{height} x {width}", "peel it in parts",
        )  # fmt: skip
        if self.drawn is None:
            self.drawn = drawable(context, pos, tri, ranges, height, width, cull)
        return self.without_what_lies_before(self.drawn, ranges)

    def without_what_lies_before(self, batch, ranges):
        """The batch with an index set for each image, where triangles that need not be drawn are (0, 0, 0); or with
        the corners of those only that need."""
        if self.nearest is None or batch.placed:
            return batch
        if batch.indices is None:
            return self._corners_that_stay(batch)
        N, T = self.nearest.shape[0], batch.indices.shape[1]
        if ranges is not None and N * T > _MOST_EMPTY * int(ranges[:, 1].sum()):
            return batch
        stride = T * 3 if len(batch.indices) > 1 else 0
        indices = dict(indices=batch.indices, indices_stride=stride)
        known = self._boxes(batch.pos, N, T, indices)
        out = batch.indices.new_empty((N, T, 3))
        launch(
            "peel",
            "peel_prepare",
            batch.pos.device,
            width=T,
            H=1,
            rows=N,
            **indices,
            **known,
            out=out,
        )
        images = batch.images.copy()
        images[:, 0] = np.arange(N)
        return replace(batch, indices=out, images=images)

    def _corners_that_stay(self, batch):
        known = self._boxes(batch.pos, 1, len(batch.pos), dict(indices=None, indices_stride=0))
        counts, out = torch.from_numpy(batch.blocks), torch.empty_like(batch.pos)
        kept = torch.empty_like(counts)
        launch(
            "peel", "peel_keep", out.device, width=counts.shape[1], H=1, rows=len(counts), corners=batch.pos,
            places=torch.from_numpy(batch.images[:, 2].copy()), counts=counts, block=BLOCK, **known, out=out, kept=kept,
        )  # fmt: skip
        return replace(batch, pos=out, blocks=kept.numpy())

    def _boxes(self, pos, rows: int, width: int, indices: dict) -> dict:
        """What the kernels know of triangles and layer; the triangles' boxes are found once."""
        assert self.nearest is not None
        _, down, across = self.nearest.shape
        tiles = dict(tiles_x=across, tiles_y=down)
        if self.boxes is None:
            boxes = pos.new_empty((rows, width, 2), dtype=torch.int32), pos.new_empty((rows, width))
            launch(
                "peel", "peel_boxes", pos.device, width=width, H=1, rows=rows, **indices, pos=pos,
                pos_stride=pos.shape[1] * 4 if pos.ndim == 3 else 0, **tiles, image_width=self.size[1],
                image_height=self.size[0], boxes=boxes[0], farthest=boxes[1],
            )  # fmt: skip
            self.boxes = boxes
        return dict(boxes=self.boxes[0], farthest=self.boxes[1], nearest=self.nearest, **tiles)
