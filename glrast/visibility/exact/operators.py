"""The operators of fragments: what crossed pixels show, and its gradient to the vertices."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from ...launch import Argument, launch_scatter
from ...ops.operator import operator
from .boundaries import find_runs
from .parts import parts_of
from .screen import draw, each, stride_of

R = TypeVar("R")


def _untraced(run: Callable[[Any], R]) -> Callable[[Any], R]:
    """`run`, which torch.compile, having broken the graph here, does not look into. Importing its part of PyTorch
    takes seconds: where nobody has, nobody compiles."""
    disable: Any = torch._disable_dynamo  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    disabled: Callable[[Any], R] = disable(run)

    @wraps(run)
    def called(given: Any) -> R:
        return (disabled if "torch._dynamo" in sys.modules else run)(given)

    return called


class Found(NamedTuple):
    """The fragments, and what the backward pass needs: see Drawn, Runs and Parts."""

    rast: Tensor
    rast_db: Tensor
    weight: Tensor
    pixel: Tensor
    welded: Tensor  # empty where it is tri itself
    images: Tensor
    planes: Tensor
    edges: Tensor
    info: Tensor
    run_edge: Tensor
    run_ends: Tensor
    run_parts: Tensor
    triangles: Tensor
    numbers: Tensor
    image: Tensor
    points: Tensor
    weights: Tensor


@dataclass
class Find:
    rast: Tensor
    pos: Tensor
    tri: Tensor
    ranges: Tensor | None
    cull: str
    near: bool

    @_untraced
    def run(self) -> Found:
        rast, pos, tri = self.rast, self.pos, self.tri
        N, H, W = rast.shape[:3]
        images = _images(N, tri.shape[0], self.ranges)
        drawn = draw(pos, tri, images, (N, H, W), self.cull)
        runs = find_runs(drawn, rast, images, self.near)
        parts = parts_of(drawn, runs)
        F = len(parts.pixel)
        at, db = (torch.empty((N, 1, F // max(N, 1), 4), device=pos.device) for _ in range(2))
        each(
            "fragments_place", F, pos.device, triangles=parts.triangles, numbers=parts.numbers, points=parts.points,
            planes=drawn.planes, rast=at, rast_db=db,
        )  # fmt: skip
        return Found(
            at, db, parts.weights.float(), parts.pixel,
            welded=tri.new_empty(0) if drawn.welded is tri else drawn.welded, images=drawn.images,
            planes=drawn.planes, edges=runs.edges, info=runs.info, run_edge=runs.edge, run_ends=runs.ends,
            run_parts=parts.run_parts, triangles=parts.triangles, numbers=parts.numbers, image=parts.image,
            points=parts.points, weights=parts.weights,
        )  # fmt: skip

    def fake(self) -> Found:
        get_context = cast(Callable[[], Any], torch.library.get_ctx)  # pyright: ignore[reportUnknownMemberType] no types
        context, rast = get_context(), self.rast
        N, T = rast.shape[0], self.tri.shape[0]
        F, R, K, welded = (context.new_dynamic_size() for _ in range(4))
        M = N * T if self.ranges is None else context.new_dynamic_size()

        def made(*shape: Any, dtype: torch.dtype = torch.float64) -> Tensor:
            return rast.new_empty(shape, dtype=dtype)

        number, whole = dict(dtype=torch.int32), dict(dtype=torch.int64)
        at, db = (made(N, 1, F, 4, dtype=rast.dtype) for _ in range(2))
        return Found(
            at, db, made(N * F, dtype=rast.dtype), made(N * F, **whole),
            welded=made(welded, **number), images=made(N, 3, **whole), planes=made(M, 12), edges=made(K, 10),
            info=made(K, 6, **number), run_edge=made(R, **number), run_ends=made(R, 2),
            run_parts=made(R, 2, **whole), triangles=made(N * F, **number), numbers=made(N * F, **number),
            image=made(N * F, **number), points=made(N * F, 2), weights=made(N * F),
        )  # fmt: skip


def _images(N: int, T: int, ranges: Tensor | None) -> Tensor:
    """int64 [N,3]: first triangle, number of triangles, place of the first among all images'."""
    if ranges is None:
        return torch.tensor([[0, T, n * T] for n in range(N)], dtype=torch.int64).reshape(N, 3)
    count = ranges[:, 1]
    return torch.stack([ranges[:, 0], count, count.cumsum(0) - count], 1)


@dataclass
class FindBackward:
    grad_rast: Tensor | None
    grad_db: Tensor | None
    grad_weight: Tensor | None
    size: list[int]  # N, H, W
    pos: Tensor
    tri: Tensor
    welded: Tensor  # from here on what Found has after `pixel`
    images: Tensor
    planes: Tensor
    edges: Tensor
    info: Tensor
    run_edge: Tensor
    run_ends: Tensor
    run_parts: Tensor
    triangles: Tensor
    numbers: Tensor
    image: Tensor
    points: Tensor
    weights: Tensor

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    @_untraced
    def run(self) -> Tensor:
        pos, tri, welded, (N, H, W) = self.pos, self.tri, self.welded, self.size
        F, R = len(self.points), len(self.run_edge)
        motion = torch.empty((F, 2), dtype=torch.float64, device=pos.device)
        screen: dict[str, Argument] = dict(
            pos_stride=stride_of(pos, N), planes=self.planes, columns=W, lines=H
        )
        grad = _scatter(
            "fragments_backward_points", F, pos, triangles=self.triangles, numbers=self.numbers, image=self.image,
            points=self.points, weights=self.weights, tri=tri, grad_rast=_contiguous(self.grad_rast),
            grad_db=_contiguous(self.grad_db), motion=motion, **screen,
        )  # fmt: skip
        moved = _scatter(
            "fragments_backward_runs", R, pos, edges=self.edges, info=self.info, run_edge=self.run_edge,
            run_ends=self.run_ends, run_parts=self.run_parts, points=self.points,
            grad_weight=_contiguous(self.grad_weight), motion=motion, tri=tri,
            welded=welded if welded.numel() else None, welded_stride=tri.numel() if welded.ndim == 3 else 0,
            images=self.images, M=len(self.planes), **screen,
        )  # fmt: skip
        return grad.add_(moved)


_ROW = 32  # elements that lie in one row: the CPU shares out rows


def _scatter(kernel: str, count: int, pos: Tensor, **arguments: Argument) -> Tensor:
    rows = -(-count // _ROW)
    return launch_scatter(
        "fragments", kernel, tuple(pos.shape), 1, pos.device, width=_ROW, H=1, rows=rows, count=count, **arguments
    )  # fmt: skip


def _contiguous(grad: Tensor | None) -> Tensor | None:
    return None if grad is None else grad.contiguous()


find = operator("fragments", Find)
find_backward = operator("fragments_backward", FindBackward)
