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
from .screen import draw, stride_of

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
    """The fragments, and what the backward pass needs: see Parts, Chosen and Runs."""

    rast: Tensor
    rast_db: Tensor
    weight: Tensor
    pixel: Tensor
    vertices: Tensor
    corners: Tensor  # empty where they are the vertices
    origin: Tensor
    planes: Tensor
    edges: Tensor
    info: Tensor
    run_edge: Tensor
    run_ends: Tensor
    run_parts: Tensor
    triangle: Tensor
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
        mesh = draw(pos, tri, _images(N, tri.shape[0], self.ranges), (N, H, W), self.cull)
        runs = find_runs(mesh, rast, self.near)
        parts, chosen = parts_of(mesh, runs), runs.chosen
        F, seam = len(parts.pixel), chosen.corners is not chosen.vertices
        return Found(
            parts.rast.view(N, 1, F // max(N, 1), 4), parts.rast_db.view(N, 1, F // max(N, 1), 4), parts.weight,
            parts.pixel, chosen.vertices, chosen.corners if seam else chosen.corners.new_empty(0), chosen.origin,
            chosen.planes, runs.edges, runs.info, runs.edge, runs.ends, parts.run_parts, parts.triangle,
            parts.points, parts.weights,
        )  # fmt: skip

    def fake(self) -> Found:
        get_context = cast(Callable[[], Any], torch.library.get_ctx)  # pyright: ignore[reportUnknownMemberType] no types
        context, rast = get_context(), self.rast
        N = rast.shape[0]
        F, R, K, C, seam = (context.new_dynamic_size() for _ in range(5))

        def made(*shape: Any, dtype: torch.dtype = torch.float64) -> Tensor:
            return rast.new_empty(shape, dtype=dtype)

        number, whole = dict(dtype=torch.int32), dict(dtype=torch.int64)
        at, db = (made(N, 1, F, 4, dtype=rast.dtype) for _ in range(2))
        return Found(
            at, db, made(N * F, dtype=rast.dtype), made(N * F, **whole), made(C, 3, **number), made(seam, **number),
            made(C, 2, **number), made(C, 12), made(K, 10), made(K, 6, **number), made(R, **number), made(R, 2),
            made(R, 2, **whole), made(N * F, **number), made(N * F, 2), made(N * F),
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
    vertices: Tensor  # from here on what Found has after `pixel`
    corners: Tensor
    origin: Tensor
    planes: Tensor
    edges: Tensor
    info: Tensor
    run_edge: Tensor
    run_ends: Tensor
    run_parts: Tensor
    triangle: Tensor
    points: Tensor
    weights: Tensor

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    @_untraced
    def run(self) -> Tensor:
        pos, (N, H, W) = self.pos, self.size
        F, R = len(self.points), len(self.run_edge)
        worth = torch.empty((F, 3), dtype=torch.float64, device=pos.device)
        shared: dict[str, Argument] = dict(
            pos_stride=stride_of(pos, N), vertices=self.vertices, planes=self.planes, worth=worth,
            columns=W, lines=H,
        )  # fmt: skip
        grad = _scatter(
            "fragments_backward_points", F, pos, triangle=self.triangle, origin=self.origin, points=self.points,
            weights=self.weights, grad_weight=_contiguous(self.grad_weight),
            grad_rast=_contiguous(self.grad_rast), grad_db=_contiguous(self.grad_db), **shared,
        )  # fmt: skip
        moved = _scatter(
            "fragments_backward_runs", R, pos, edges=self.edges, info=self.info, run_edge=self.run_edge,
            run_ends=self.run_ends, run_parts=self.run_parts, C=len(self.planes),
            corners=self.corners if self.corners.numel() else None, **shared,
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
