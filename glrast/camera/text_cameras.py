"""Cameras in text files: Middlebury's list, and one file of K, R, t or of a 3 x 4 matrix P for each picture.

    NAME_par.txt       a count, then for each picture: its name, K (9 numbers, row by row), R (9), t (3)
    cameras/NAME.txt   12 numbers: P = K [R|t]; 21 numbers: K, R, t; or words before the numbers: K, R, t, P, CONTOUR,
                       extrinsic (R and t, 3 x 4 or 4 x 4) and intrinsic, as MVSNet and multi-view stereo programs write

x_pixel = K (R x_world + t), in the axes of computer vision. Whole numbers are the middles of pixels, as OpenCV and
Middlebury have it, so cx and cy grow by a half here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .distortion import bent
from .frame_reader import Absent, FrameFiles
from .frames import Drafts, drafts_of
from .image_file import Folder, read_head
from .lens import Lens
from .matrices import TextCamera, read_camera, read_rows
from .pose import bad_poses, pose_problem
from .transforms_json import NAME, Problem

CAMERA_FOLDERS = (
    "cameras",
    "camera",
    "cams",
    "cam",
    "calib",
    "calibration",
    "txt",
    "krt",
    "par",
    "pose",
    ".",
)
# Of the picture a.png; {name} is a.png, {stem} is a.
CAMERA_NAMES = (
    "{stem}.txt", "{name}.txt", "{stem}_cam.txt", "{stem}.P", "{name}.P", "{stem}_P.txt", "{stem}.krt",
    "{name}.camera", "{stem}.camera", "{stem}_par.txt", "{stem}_KRt.txt",
)  # fmt: skip
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp")
LEAST_FOCAL = 4.0  # pixels: less is a matrix [R|t] without K
STRAIGHT = 0.05  # pixels that a skew may move the corner of a picture without being undone


def middlebury_file(folder: Path) -> Path | None:
    """The list NAME_par.txt of a folder; None where there is none, or more than one."""
    found = sorted(folder.glob("*_par.txt"))
    return found[0] if len(found) == 1 else None


def pictures_with_files(root: Path, folders: tuple[str, ...]) -> dict[Path, Path]:
    """The pictures below `root`, in the first of `folders` that has some with a camera's file, and those files."""
    for place in folders:
        here = root / place
        if not here.is_dir():
            continue
        names = sorted(os.listdir(here))
        pictures = [name for name in names if name.lower().endswith(PICTURE_SUFFIXES)]
        above = [here.parent / folder for folder in CAMERA_FOLDERS if place != "."]
        for beside in (*above, *(here / folder for folder in CAMERA_FOLDERS)):
            if not beside.is_dir():
                continue
            there = set(os.listdir(beside))
            found = {
                here / name: beside / text for name in pictures if (text := _named(name, there))
            }
            if found:
                return found
    return {}


def read_list(path: Path, missing: str, find_mask: Callable[[str], str | None] | None) -> Drafts:
    """The frames of Middlebury's list; its pictures lie beside it, or in images/."""
    cameras = list(read_rows(path))
    if not cameras:
        raise ValueError(
            f"{NAME}: {path}: must have a line for each picture; found none; copy the file again."
        )
    folder = next(
        (f for f in (path.parent, path.parent / "images") if (f / cameras[0][0]).is_file()),
        path.parent,
    )
    there = Folder(str(folder))
    files = [(name, *there.find(name), camera, where) for name, camera, where in cameras]
    frames = [
        (where, path, image if found else None, image, camera)
        for _, image, found, camera, where in files
    ]
    return _drafts(path, frames, missing, find_mask)


def read_files(
    pictures: dict[Path, Path], missing: str, find_mask: Callable[[str], str | None] | None
) -> Drafts:
    """The frames of pictures with a camera's file each."""
    frames = [
        (picture.name, text, str(picture), str(picture), read_camera(text))
        for picture, text in pictures.items()
    ]
    return _drafts(next(iter(pictures.values())).parent, frames, missing, find_mask)


def _drafts(path: Path, frames, missing: str, find_mask) -> Drafts:
    """`frames` are (what to call it, its file, the picture or None, its name, its camera)."""
    files, poses = [], []
    for what, file, image, name, camera in frames:
        try:
            poses.append(_pose(camera))
            if image is None:
                files.append(Absent("file_path", name))
                continue
            size = read_head(image).size
            mask = find_mask(image) if find_mask else None
            files.append(FrameFiles(image, mask, size, *_lens(camera, size)))
        except Problem as problem:
            raise ValueError(f"{NAME}: {file}: {what}: {problem}") from None
    return drafts_of(path, list(range(len(files))), np.stack(poses), files, missing)


def _pose(camera: TextCamera) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = camera.R.T * [1.0, -1.0, -1.0]
    pose[:3, 3] = -camera.R.T @ camera.t
    if bad_poses(pose[None])[0] or abs(np.linalg.norm(camera.R) ** 2 - 3) > 0.03:
        problem = pose_problem(pose) or "is scaled"
        raise Problem(
            f"R must be a rotation, from the world to the camera; it is a matrix that {problem}; export it again."
        )
    return pose


def _lens(camera: TextCamera, size: tuple[int, int]):
    """(lens, orientation, distortion) of a picture of this size."""
    K = camera.K / camera.K[2, 2]
    fx, fy, cx, cy = (float(v) for v in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    if not np.isfinite(K).all() or not min(fx, fy) > LEAST_FOCAL:
        raise Problem(
            f"K must have focal lengths in pixels; got {fx:.4g} and {fy:.4g}; a matrix [R|t] alone is no camera: write "
            "K [R|t], or K, R and t."
        )
    height, width = size
    lens = Lens(fx, fy, cx + 0.5, cy + 0.5, height, width)
    moved = abs(K[0, 1]) * max(abs(cy), abs(height - cy)) / fy
    return lens, 1, bent("skew", (float(K[0, 1]) / fx,)) if moved > STRAIGHT else None


def _named(picture: str, there: set[str]) -> str | None:
    stem = os.path.splitext(picture)[0]
    names = (pattern.format(stem=stem, name=picture) for pattern in CAMERA_NAMES)
    return next((name for name in names if name in there), None)
