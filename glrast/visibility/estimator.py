"""What the image estimators share: `f(color, rast, pos, tri, ...)` returns the image as it was shaded, and its backward
pass adds what visibility gives pos.

Each is a call (`Shaded`, and options of its own), an operator that copies the image, and an operator NAME_backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..core import check
from ..launch import Argument, launch, launch_scatter
from ..ops.function import Operation
from ..ops.saved import save, saved


class Checked(NamedTuple):
    """The four tensors that every image estimator takes, as kernels take them."""

    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor


def checked(function: str, color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> Checked:
    color = check.floats(function, "color", color)
    device = color.device
    rast = check.floats(function, "rast", rast, device=device)
    check.not_swapped(function, pos, tri)
    pos = check.positions(function, pos, device=device)
    tri = check.triangles(function, tri, device=device)
    check.shape(function, "color", color, "[N,H,W,C]", color.ndim == 4)
    N, H, W = color.shape[:3]
    hint = f"with N={N}, H={H}, W={W} (from color)"
    check.shape(function, "rast", rast, "[N,H,W,4]", tuple(rast.shape) == (N, H, W, 4), hint)
    shaped = pos.ndim == 2 or (pos.ndim == 3 and pos.shape[0] in (1, N))
    fits = shaped and pos.shape[-1] == 4
    check.shape(function, "pos", pos, "[N,V,4], [1,V,4] or [V,4]", fits, hint)
    return Checked(color, rast, pos, tri)


@dataclass
class Shaded:
    """A call of an image estimator, its arguments checked."""

    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor

    def fake(self) -> Tensor:
        return torch.empty_like(self.color)

    def run(self) -> Tensor:
        return self.color.clone()


class Estimator(Operation):
    """In the graph: what it keeps is the four tensors, and the options by their names."""

    @staticmethod
    def keep(ctx: Any, given: Shaded, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, color=given.color, rast=given.rast, pos=given.pos, tri=given.tri)
        ctx.options = {k: v for k, v in vars(given).items() if k not in Checked._fields}
        return ()


def kept(ctx: Any, function: str) -> Checked:
    return Checked(*saved(ctx, function))


def sets_of(pos: Tensor) -> int:
    """Sets of vertices: one for all images, or one each."""
    return pos.shape[0] if pos.ndim == 3 else 1


def seen(color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor) -> dict[str, Argument]:
    """The members of an argument struct that say what is seen: GLRAST_IMAGE_MEMBERS but grad_out."""
    N, H, W, C = color.shape
    V = pos.shape[-2]
    return dict(
        width=W, rows=N * H, H=H, color=color, rast=rast, pos=pos,
        pos_stride=V * 4 if sets_of(pos) > 1 else 0, tri=tri, V=V, T=tri.shape[0], C=C,
    )  # fmt: skip


def scatter(stem: str, kernel: str, **members: Argument) -> Tensor:
    """The gradient of the member `pos` that a kernel adds up."""
    pos = cast(Tensor, members["pos"])
    return launch_scatter(stem, kernel, tuple(pos.shape), sets_of(pos), pos.device, **members)


def silhouettes(pos: Tensor, tri: Tensor, opposite: Tensor) -> Tensor:
    """int8 [1 or N,T]: bit k is set where the edge opposite vertex k is a silhouette."""
    V, T = pos.shape[-2], tri.shape[0]
    flags = torch.empty((sets_of(pos), T), dtype=torch.int8, device=pos.device)
    launch(
        "antialias", "antialias_silhouettes", pos.device, width=T, H=1, rows=flags.shape[0], pos=pos,
        pos_stride=V * 4, tri=tri, opposite=opposite, V=V, flags=flags,
    )  # fmt: skip
    return flags
