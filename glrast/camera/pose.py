"""Where a camera stands: world-to-camera matrices (x right, y up, looks along -z)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.arguments import as_tensor, device_of, numbers, tensor
from ..core.check import show, wrong

ORTHONORMAL_TOLERANCE = 1e-2  # camera files carry 3 to 7 digits; a real shear is larger than this
LAST_ROW_TOLERANCE = 1e-6  # of 0 0 0 1
SINGULAR = 1e-6  # a determinant below this times the scale cubed


def look_at(eye: Any, target: Any, up: Any = (0.0, 1.0, 0.0)) -> Tensor:
    """World-to-camera [4,4] of a camera at `eye` with `target` in the middle and `up` upwards.

    Args:
        eye, target: [3], in the world.
        up: [3], any length, not along the line of sight.
    Gradients: to all three.
    """
    name = "look_at"
    device = device_of(eye, target, up)
    eye = numbers(name, "eye", eye, (3,), device)
    target = numbers(name, "target", target, (3,), device)
    up = numbers(name, "up", up, (3,), device)
    back = eye - target
    distance = torch.linalg.vector_norm(back)
    if not distance.item() > 0:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "target must differ from eye",
                f"{eye.tolist()} for both",
                "move one of them",
            )
        )
    back = back / distance
    right = torch.linalg.cross(up, back)
    across = torch.linalg.vector_norm(right)
    if not across.item() > 1e-9 * torch.linalg.vector_norm(up).item():
        raise ValueError(
            wrong(
                f"clip.{name}",
                "up must be neither zero nor along the line of sight",
                f"{up.tolist()} with the line of sight {(-back).tolist()}",
                "take another axis",
            )
        )
    right = right / across
    rotation = torch.stack([right, torch.linalg.cross(back, right), back])
    return _rigid(rotation, -(rotation @ eye))


def world_to_camera_from_opencv(R: Any, t: Any) -> Tensor:
    """World-to-camera [4,4] in OpenGL's axes from OpenCV's or COLMAP's x_cam = R x_world + t.

    Args:
        R: [3,3] rotation, e.g. cv2.Rodrigues(rvec)[0].
        t: [3] or [3,1].
    Gradients: to both.
    Note: their camera has y DOWN and looks along +z: the second and third rows change sign.
    """
    name = "world_to_camera_from_opencv"
    device = device_of(R, t)
    R = numbers(name, "R", R, (3, 3), device)
    t = tensor(name, "t", t, device)
    t = numbers(name, "t", t.squeeze(1) if t.shape == (3, 1) else t, (3,), device)
    problem = _rotation_problem(R, scaled=False)
    if problem:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "R must be a rotation",
                f"a matrix that {problem}",
                "pass the world-to-camera R, not the camera matrix K",
            )
        )
    flip = R.new_tensor([1.0, -1.0, -1.0])
    return _rigid(flip[:, None] * R, flip * t)


def from_blender(camera_to_world: Any) -> Tensor:
    """World-to-camera [4,4] from camera-to-world of Blender, NeRF-synthetic or nerfstudio.

    Args:
        camera_to_world: [4,4] or [3,4]; its columns are the camera's right, up and backward
            axes and its position. A uniform scale (a scaled camera object) is divided out.
    Gradients: to camera_to_world.
    """
    name = "from_blender"
    matrix = tensor(name, "camera_to_world", camera_to_world)
    problem = pose_problem(matrix)
    if problem:
        raise ValueError(
            wrong(
                f"clip.{name}",
                "camera_to_world must be a [4,4] or [3,4] pose",
                f"a matrix that {problem}",
                "pass the transform_matrix of a camera",
            )
        )
    rotation, position = matrix[:3, :3], matrix[:3, 3]
    rotation = rotation / rotation.square().sum(0).mean().sqrt()
    inverse = torch.linalg.inv(rotation)
    return _rigid(inverse, -(inverse @ position))


def from_poses(poses: np.ndarray) -> Tensor:
    """`from_blender` of many checked poses at once: float64 [N,4,4] to float32 [N,4,4]."""
    matrix = torch.from_numpy(poses)
    rotation, position = matrix[:, :3, :3], matrix[:, :3, 3:]
    scale = rotation.square().sum(1, keepdim=True).mean(2, keepdim=True).sqrt()
    inverse = torch.linalg.inv(rotation / scale)
    out = torch.zeros_like(matrix)
    out[:, :3, :3], out[:, :3, 3:], out[:, 3, 3] = inverse, -(inverse @ position), 1.0
    return out.float()


def bad_poses(poses: np.ndarray) -> np.ndarray:
    """Which of the float64 [N,4,4] `pose_problem` has something to say of, bool [N]."""
    with np.errstate(all="ignore"):  # what overflows is not finite, and so bad
        last = np.abs(poses[:, 3] - [0.0, 0.0, 0.0, 1.0]).max(axis=1)
        axes = poses[:, :3, :3]
        gram = axes.transpose(0, 2, 1) @ axes
        squared_scale = np.trace(gram, axis1=1, axis2=2) / 3
        determinant = np.linalg.det(axes)
        skew = np.abs(gram / squared_scale[:, None, None] - np.eye(3)).max(axis=(1, 2))
        good = np.isfinite(poses).all(axis=(1, 2)) & (last <= LAST_ROW_TOLERANCE)
        good &= determinant >= SINGULAR * squared_scale**1.5
        good &= (squared_scale > 0) & (skew <= ORTHONORMAL_TOLERANCE)
    return ~good


def pose_problem(matrix: Any) -> str | None:
    """What keeps `matrix` from being camera-to-world, as the end of "a matrix that", or None."""
    matrix = as_tensor(matrix)
    if tuple(matrix.shape) not in ((4, 4), (3, 4)):
        return f"has the shape {show(matrix)}"
    if not bool(torch.isfinite(matrix).all()):
        return "is not finite"
    if len(matrix) == 4:
        last = matrix[3].tolist()
        if max(abs(a - b) for a, b in zip(last, (0, 0, 0, 1), strict=True)) > LAST_ROW_TOLERANCE:
            return f"has the last row {last} instead of 0 0 0 1"
    return _rotation_problem(matrix[:3, :3], scaled=True)


def _rotation_problem(matrix: Tensor, scaled: bool) -> str | None:
    matrix = matrix.detach().double()
    gram = matrix.T @ matrix
    squared_scale = float(gram.trace()) / 3
    if not math.isfinite(squared_scale):
        return "has axes whose length overflows"
    determinant = float(torch.linalg.det(matrix))
    if squared_scale == 0 or abs(determinant) < SINGULAR * squared_scale**1.5:
        return "is not invertible"
    identity = torch.eye(3, dtype=gram.dtype, device=gram.device)
    skew = float((gram / (squared_scale if scaled else 1) - identity).abs().max())
    if skew > ORTHONORMAL_TOLERANCE:
        return f"has axes that are not orthonormal (off by {skew:.2g})"
    if determinant < 0:
        return "mirrors the world (negative determinant)"
    return None


def _rigid(rotation: Tensor, translation: Tensor) -> Tensor:
    upper = torch.cat([rotation, translation[:, None]], 1)
    return torch.cat([upper, upper.new_tensor([[0.0, 0.0, 0.0, 1.0]])]).float()
