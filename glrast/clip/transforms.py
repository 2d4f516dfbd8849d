"""Cameras from transforms.json, as NeRF-synthetic (Blender) and nerfstudio write it.

Both hold camera-to-world matrices in OpenGL's camera axes. NeRF-synthetic gives one horizontal
field of view and image paths without ".png"; nerfstudio gives focal lengths and the principal
point in pixels, for the file or for each frame, pixel centres at + 1/2.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .camera import Camera
from .pose import from_blender, pose_problem
from .projection import from_intrinsics

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")  # tried in this order where file_path has none
PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
ASPECT_TOLERANCE = 0.01  # a downscaled image rounds its size; more than 1 % is another image


@dataclass(frozen=True, eq=False)
class Frame:
    """One photograph: where its file is, where its mask is if it has one, and its camera."""

    image: Path
    mask: Path | None
    camera: Camera


class _Problem(ValueError):
    """What is wrong and what to do, still without the file and the frame."""


def load_cameras(
    path: str | Path,
    near: float | None = None,
    far: float | None = None,
    resolution: tuple[int, int] | None = None,
    need_images: bool = True,
) -> list[Frame]:
    """The frames of a transforms.json, in the order of the file.

    Args:
        path: the json file; image paths in it are relative to its folder.
        near, far: planes in world units. By default from the cameras: with d the distance of a
            camera from the point nearest to all optical axes (the world's origin if the axes are
            parallel or there is one camera), near = median d / 100 and far = 10 max d.
        resolution: (height, width) for frames of which neither w and h nor an image tells it.
        need_images: False where only the cameras matter: a missing image is then no error.
    Returns: list of `Frame`; `camera.resolution` is the size of the image file where there is
        one, `camera.name` its stem.
    Raises: FileNotFoundError for a missing file, image or mask. ValueError for everything else;
        both name the file, the frame, the key and what to do.
    Note: lens distortion (k1, k2, p1, ... not 0) and fisheye models are refused, not ignored.
    """
    path = Path(path)
    data = _read(path)
    poses, drafts = [], []
    for index, entry in enumerate(data["frames"]):
        try:
            if not isinstance(entry, dict):
                raise _Problem(f"must be an object; got {type(entry).__name__}; write {{...}}.")
            settings = {key: value for key, value in data.items() if key != "frames"} | entry
            poses.append(_pose(settings))
            drafts.append(_draft(settings, path.parent, resolution, need_images))
        except (_Problem, FileNotFoundError) as problem:
            kind = FileNotFoundError if isinstance(problem, FileNotFoundError) else ValueError
            where = f"glrast.clip.load_cameras: {path}: frame {index}"
            raise kind(f"{where}: {problem}") from None
    near, far = _planes(path, torch.stack(poses), near, far)
    frames = []
    for pose, (image, mask, size, lens) in zip(poses, drafts, strict=True):
        projection = from_intrinsics(**lens, near=near, far=far)
        camera = Camera(from_blender(pose), projection, size, image.stem)
        frames.append(Frame(image, mask, camera))
    return frames


def _read(path: Path) -> dict[str, Any]:
    name = "glrast.clip.load_cameras"
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{name}: {path}: must be a file; it {what}; pass the path of transforms.json itself."
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {path}: must be JSON; {error}; write it again.") from None
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames:
        raise ValueError(
            f"{name}: {path}: must have 'frames', a list of at least one frame; "
            f"got {type(frames).__name__ if not isinstance(frames, list) else 'an empty list'}; "
            "pass a transforms.json of NeRF-synthetic or nerfstudio."
        )
    return data


def _pose(settings: dict[str, Any]) -> Tensor:
    value = _required(settings, "transform_matrix", "camera-to-world, 4 rows of 4 numbers")
    try:
        matrix = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise _Problem(f"transform_matrix must be 4 rows of 4 numbers; {error}; fix it.") from None
    problem = pose_problem(matrix)
    if problem:
        raise _Problem(
            f"transform_matrix must be a camera-to-world pose; it {problem}; "
            "fix or remove the frame."
        )
    return matrix


def _draft(
    settings: dict[str, Any], folder: Path, resolution: tuple[int, int] | None, need_images: bool
) -> tuple[Path, Path | None, tuple[int, int], dict[str, Any]]:
    """(image, mask, size, what `from_intrinsics` needs apart from near and far)."""
    _refuse_distortion(settings)
    _required(settings, "file_path", "the image's path")
    image = _image_path(folder, settings, "file_path")
    mask = _image_path(folder, settings, "mask_path") if settings.get("mask_path") else None
    for key, file in (("file_path", image), ("mask_path", mask)):
        if need_images and file is not None and not file.is_file():
            raise FileNotFoundError(
                f"{key} must be an existing image; found no {file}; "
                "add the file, or remove the frame."
            )
    size = _image_size(image) if image.is_file() else None
    lens = _lens(settings, size or resolution)
    if size is None:
        size = resolution or lens["resolution"]
    stated = lens["resolution"]
    if abs(math.log((size[1] / size[0]) / (stated[1] / stated[0]))) > ASPECT_TOLERANCE:
        raise _Problem(
            f"w and h must have the aspect of the image; got {stated[1]} x {stated[0]} for "
            f"{size[1]} x {size[0]} pixels; write the w, h, cx, cy of the image as it is."
        )
    return image, mask, size, lens


def _lens(settings: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    """Focal lengths and principal point in pixels, with the (height, width) they belong to."""
    if "w" in settings and "h" in settings:
        height, width = (_number(settings, key, low=1) for key in ("h", "w"))
        size = round(height), round(width)
    if size is None:
        raise _Problem(
            "must tell the image's size: there is no image and no 'w' and 'h'; "
            "add them, or pass resolution=(height, width)."
        )
    height, width = size
    if "fl_x" in settings:
        fx = _number(settings, "fl_x", low=1e-6)
    elif "camera_angle_x" in settings:
        fx = width / 2 / math.tan(_number(settings, "camera_angle_x", 1e-6, math.pi) / 2)
    else:
        raise _Problem(
            "must have 'fl_x' (pixels) or 'camera_angle_x' (radians), in the frame or the file; "
            "found neither; add one."
        )
    if "fl_y" in settings:
        fy = _number(settings, "fl_y", low=1e-6)
    elif "camera_angle_y" in settings and "fl_x" not in settings:
        fy = height / 2 / math.tan(_number(settings, "camera_angle_y", 1e-6, math.pi) / 2)
    else:
        fy = fx
    cx = _number(settings, "cx") if "cx" in settings else width / 2
    cy = _number(settings, "cy") if "cy" in settings else height / 2
    return {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "resolution": size}


def _refuse_distortion(settings: dict[str, Any]) -> None:
    model = settings.get("camera_model", "PINHOLE")
    if str(model).upper() not in PINHOLES or settings.get("is_fisheye"):
        raise _Problem(
            f"camera_model must be a pinhole (one of {', '.join(PINHOLES)}); "
            f"got {'is_fisheye' if settings.get('is_fisheye') else model!r}; "
            "undistort the images first (colmap image_undistorter)."
        )
    bent = [key for key in DISTORTION if key in settings and _number(settings, key) != 0]
    if bent:
        raise _Problem(
            f"{bent[0]} must be 0: straight lines stay straight in a rasterizer; "
            f"got {settings[bent[0]]}; undistort the images first (colmap image_undistorter)."
        )


def _planes(
    path: Path, poses: Tensor, near: float | None, far: float | None
) -> tuple[float, float]:
    """near and far, those not given from the distances of the cameras to what they look at."""
    if near is None or far is None:
        centres = poses[:, :3, 3]
        axes = torch.nn.functional.normalize(poses[:, :3, 2], dim=1)
        # the point nearest to all lines c + s a: sum (1 - a a^T) (x - c) = 0
        across = (
            torch.eye(3, dtype=poses.dtype, device=poses.device)
            - axes[:, :, None] * axes[:, None, :]
        )
        system, right = across.sum(0), (across @ centres[:, :, None]).sum(0)
        # the least eigenvalue over N is the mean square sine between the axes: 1e-4 is 0.6 degrees
        parallel = float(torch.linalg.eigvalsh(system)[0]) < 1e-4 * len(poses)
        focus = poses.new_zeros(3) if parallel else torch.linalg.solve(system, right)[:, 0]
        distance = (centres - focus).norm(dim=1)
        near = float(distance.median()) / 100 if near is None else near
        far = 10 * float(distance.max()) if far is None else far
    if not 0 < near < far < math.inf:
        raise ValueError(
            f"glrast.clip.load_cameras: {path}: near and far must satisfy 0 < near < far; "
            f"got near={near:g}, far={far:g}; pass near= and far= in world units."
        )
    return near, far


def _image_path(folder: Path, settings: dict[str, Any], key: str) -> Path:
    text = settings[key]
    if not isinstance(text, str) or not text:
        raise _Problem(f"{key} must be the path of a file; got {text!r}; write it as text.")
    exact = folder / text.replace("\\", "/")
    candidates = [exact, *(exact.with_name(exact.name + suffix) for suffix in IMAGE_SUFFIXES)]
    return next((c for c in candidates if c.is_file()), candidates[0 if exact.suffix else 1])


def _image_size(path: Path) -> tuple[int, int]:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "glrast.clip.load_cameras: reading image files needs Pillow; "
            "it is not installed; pip install glrast[fit]."
        ) from None
    try:
        with Image.open(path) as image:  # reads the header only
            width, height = image.size
    except Exception as error:  # Pillow raises what its plugins raise
        raise _Problem(
            f"file_path must be an image; {path}: {error}; replace the file or remove the frame."
        ) from None
    return height, width


def _required(settings: dict[str, Any], key: str, what: str) -> Any:
    if key not in settings:
        raise _Problem(f"must have '{key}' ({what}); found {sorted(settings)}; add it.")
    return settings[key]


def _number(
    settings: dict[str, Any], key: str, low: float = -math.inf, high: float = math.inf
) -> float:
    value = settings[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _Problem(f"{key} must be a finite number; got {value!r}; fix the file.")
    if not low <= value < high:
        raise _Problem(f"{key} must be at least {low:g} and below {high:g}; got {value!r}; fix it.")
    return float(value)
