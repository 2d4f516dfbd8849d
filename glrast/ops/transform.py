"""transform_points: points through 4 x 4 matrices into clip space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core.arguments import device_of, tensor
from ..core.check import show, wrong
from ..launch import launch
from .function import Operation, call, forward
from .operator import operator
from .saved import save, saved


def transform_points(matrix: Any, points: Any) -> Tensor:
    """Points in clip space, ready for `rasterize`.

    Args:
        matrix: [4,4] or [N,4,4], e.g. `camera.world_to_clip` or a stack of several.
        points: [V,3], or [N,V,3] where each image has its own.
    Returns: float32 [V,4] where neither has an N, else [N,V,4]. An N of 1 is broadcast.
    Gradients: to both arguments.
    Note: it is a kernel of our own, so neither autocast nor TF32 can move a vertex.
    Example:
        >>> transform_points(torch.eye(4), [[1.0, 2.0, 3.0]])
        tensor([[1., 2., 3., 1.]])
    """
    name = "transform_points"
    device = device_of(points, matrix)
    matrix = tensor(name, "matrix", matrix, device, torch.float32)
    points = tensor(name, "points", points, device, torch.float32)
    if matrix.ndim not in (2, 3) or matrix.shape[-2:] != (4, 4):
        raise ValueError(
            wrong(
                f"clip.{name}",
                "matrix must be [4,4] or [N,4,4]",
                show(matrix),
                "pass camera.world_to_clip or torch.stack of several",
            )
        )
    if points.ndim not in (2, 3) or points.shape[-1] != 3:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "points must be [V,3] or [N,V,3]",
                show(points),
                "pass positions without the fourth coordinate",
            )
        )
    images = [len(x) for x in (matrix, points) if x.ndim == 3 and len(x) != 1]
    if len(set(images)) > 1:
        raise ValueError(
            wrong(
                f"clip.{name}",
                f"points must have N={len(matrix)} (from matrix) or be [V,3]",
                show(points),
                "give each matrix its points, or one set to all",
            )
        )
    return transform(matrix, points)


def transform(matrix: Tensor, points: Tensor) -> Tensor:
    """Homogeneous products.

    Args:
        matrix: float32 [4,4] or [N,4,4]. points: float32 [V,3] or [N,V,3]. An N of 1 is broadcast.
    Returns: float32 [V,4] where neither has an N, else [N,V,4].
    Gradients: to both, which have gradients themselves.
    """
    return call(_Transform, Transform(matrix, points))


@dataclass
class Transform:
    matrix: Tensor
    points: Tensor

    def fake(self) -> Tensor:
        images = [len(t) for t in (self.matrix, self.points) if t.ndim == 3]
        N = next((n for n in images if n != 1), 1)
        return self.points.new_empty((N, self.points.shape[-2], 4))

    def run(self) -> Tensor:
        out, matrix, points = self.fake(), self.matrix, self.points
        launch(
            "transform", "transform_points", points.device, width=points.shape[-2], H=1, rows=out.shape[0],
            matrix=matrix, matrix_stride=_stride(matrix), points=points, points_stride=_stride(points), out=out,
        )  # fmt: skip
        return out


@dataclass
class TransformBackward:
    """To the points; the gradient of the matrix is a sum that PyTorch makes."""

    grad: Tensor  # [N,V,4]
    matrix: Tensor
    sets: int  # of points: one for all images, or N

    def fake(self) -> Tensor:
        return self.grad.new_empty((self.sets, self.grad.shape[1], 3))

    def run(self) -> Tensor:
        out, grad, matrix = self.fake(), self.grad, self.matrix
        launch(
            "transform", "transform_points_backward", grad.device, width=grad.shape[1], H=1, rows=self.sets,
            images=len(grad) // max(self.sets, 1), matrix=matrix, matrix_stride=_stride(matrix), grad_out=grad,
            grad_points=out,
        )  # fmt: skip
        return out


def _stride(tensor: Tensor) -> int:
    """Floats from one image's part to the next: none where one serves all."""
    return tensor[0].numel() if tensor.ndim == 3 and len(tensor) > 1 else 0


_forward = operator("transform", Transform)
_backward = operator("transform_backward", TransformBackward)


class _Transform(Operation):
    glrast, function = "transform", "clip.transform_points"
    call = Transform

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Transform, Transform, 1, ctx, inputs)

    @staticmethod
    def compute(given: Transform) -> tuple[Tensor]:
        matrix, points = given.matrix, given.points
        out = _forward(Transform(matrix.contiguous(), points.contiguous()))
        return (out[0] if matrix.ndim == points.ndim == 2 else out,)

    @staticmethod
    def keep(ctx: Any, given: Transform, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, matrix=given.matrix, points=given.points)
        return ()

    @staticmethod  # takes one gradient, PyTorch's any number
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        matrix, points = saved(ctx, "clip.transform_points")
        grad_matrix = grad_points = None
        if ctx.needs_input_grad[0]:
            columns = [(grad * points[..., k : k + 1]).sum(-2) for k in range(3)]
            grad_matrix = _summed(torch.stack([*columns, grad.sum(-2)], dim=-1), matrix.shape)
        if ctx.needs_input_grad[1]:
            grad_points = _to_points(grad, matrix, points.shape)
        return grad_matrix, grad_points


def _to_points(grad: Tensor, matrix: Tensor, shape: torch.Size) -> Tensor:
    """sum_i grad_i M_ik; by the kernel, or by PyTorch's operators where that gradient is to have a gradient."""
    if torch.is_grad_enabled():
        return _summed((grad[..., None] * matrix[..., None, :, :3]).sum(-2), shape)
    sets = shape[0] if len(shape) == 3 else 1
    grad = (grad[None] if grad.ndim == 2 else grad).contiguous()
    return _backward(TransformBackward(grad, matrix.contiguous(), sets)).reshape(shape)


def _summed(grad: Tensor, shape: torch.Size) -> Tensor:
    """Summed over what was broadcast; without a copy where nothing was."""
    return grad.reshape(shape) if grad.numel() == shape.numel() else grad.sum_to_size(shape)
