"""A call of `visibility.render` but for the method, and what methods ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...context import Context
from ...core import check
from ...ops.rasterize import Ranges, rasterize
from ..nearest_faces import NearestFaces, nearest_faces
from ..shade_faces import derivatives_of, rast_of

NAME = "visibility.render"

Shade = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass
class Scene:
    """A call of `render` but for the method and its options."""

    ctx: Context
    pos: Tensor
    tri: Tensor
    shade: Shade
    size: tuple[int, int]
    background: Tensor | None
    alpha: bool
    ranges: Ranges | None
    cull: str

    def draw(self, factor: int = 1) -> tuple[Tensor, Tensor]:
        """rast and rast_db, so many times as large."""
        size = factor * self.size[0], factor * self.size[1]
        return rasterize(self.ctx, self.pos, self.tri, size, ranges=self.ranges, cull=self.cull)

    def color(self, rast: Tensor, rast_db: Tensor) -> Tensor:
        """What shade returns, checked."""
        what = "what shade returns"
        color = check.floats(NAME, what, self.shade(rast, rast_db, self.tri), device=rast.device)
        fits = color.ndim == 4 and color.shape[:3] == rast.shape[:3]
        hint = f"for a rast of {check.show(rast)}"
        check.shape(NAME, what, color, "[N,h,w,C]", fits, hint)
        return color

    def behind(self, N: int, C: int, like: Tensor) -> Tensor:
        """The background [N,H,W,C]."""
        H, W = self.size
        if self.background is None:
            return like.new_zeros(()).expand(N, H, W, C)
        given = check.floats(NAME, "background", self.background, device=like.device)
        fits = given.shape == (C,) or given.shape in ((H, W, C), (1, H, W, C), (N, H, W, C))
        hint = f"with N={N}, H={H}, W={W} (from resolution), C={C} (from what shade returns)"
        check.shape(NAME, "background", given, "[C], [H,W,C] or [N,H,W,C]", fits, hint)
        return given.expand(N, H, W, C)

    def over(self, color: Tensor, covered: Tensor, factor: int = 1) -> Tensor:
        """color where triangles are, the background elsewhere; covered bool [N,H,W,1]."""
        behind = self.behind(len(color), color.shape[3], color)
        if factor > 1:
            behind = behind.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        return torch.where(covered, color, behind)

    def near(self, faces: int, reach: float, **how: Any) -> NearestFaces:
        return nearest_faces(
            self.ctx, self.pos, self.tri, self.size, faces, reach, ranges=self.ranges, cull=self.cull, **how
        )  # fmt: skip

    def faces(self, near: NearestFaces, perspective: bool = True) -> Tensor:
        """Colours [N,H,W,K,C] of the nearest faces."""
        rast = rast_of(near)
        if self.ctx.output_db:
            db = derivatives_of(near, self.pos, self.tri, perspective)
        else:  # as rasterize gives it
            db = rast.new_empty((*rast.shape[:3], 0))
        color = self.color(rast, db)
        return color.reshape(*near.id.shape, color.shape[3])

    def masked(self, image: Tensor) -> Tensor:
        """Of an image [N,H,W,C+1], what was asked for."""
        return image if self.alpha else image[..., :-1]
