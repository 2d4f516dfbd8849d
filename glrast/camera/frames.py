"""The frames of a transforms.json: poses in float64 until an origin is subtracted, then cameras."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.check import wrong
from .camera import Camera, checked_cameras
from .distortion import Distortion
from .frame_reader import Absent, FrameFiles, FrameReader
from .lens import projections
from .planes import guess_planes
from .pose import from_poses
from .transforms_json import NAME, Problem, at_frame, poses_of, short


@dataclass(frozen=True, eq=False)
class Frame:
    """One photograph: where its file is, where its mask is if it has one, and its camera.

    `orientation` is the EXIF orientation by which the file's pixels must be turned before they are what the
    camera saw; 1 (as they are stored) unless w and h, or else the mask, have the turned size. `distortion` is how
    its lens bends what `camera`, a pinhole, would see straight.
    """

    image: Path
    mask: Path | None
    camera: Camera
    orientation: int = 1
    distortion: Distortion | None = None


def read_frames(
    path: Path,
    data: dict[str, Any],
    indices: Sequence[int],
    resolution: tuple[int, int] | None = None,
    need_images: bool = True,
    missing: str = "error",
    find_mask: Callable[[str], str | None] | None = None,
    straighten: bool = False,
) -> Drafts:
    """The frames `indices` of the file's `data`.

    Args:
        find_mask: may know the mask of an image without mask_path.
        straighten: the caller will undo the distortion of lenses, which is refused otherwise.
    """
    indices = list(indices)
    poses = poses_of(path, data, indices)
    reader = FrameReader(path, data, resolution, need_images, find_mask, straighten)
    files = []
    for index in indices:
        try:
            files.append(reader.read(data["frames"][index]))
        except Problem as problem:
            raise at_frame(path, index, problem) from None
    reader.warn_of_guesses()
    return drafts_of(path, indices, poses, files, missing)


def drafts_of(
    path: Path,
    indices: list[int],
    poses: np.ndarray,
    found: Sequence[FrameFiles | Absent],
    missing: str,
) -> Drafts:
    """The frames whose files are there; the others are one error, or left out where missing="skip"."""
    absent = [(i, file) for i, file in zip(indices, found, strict=True) if isinstance(file, Absent)]
    skipped = ""
    if absent:
        text = _count_absent(absent, len(indices))
        kept = [n for n, file in enumerate(found) if not isinstance(file, Absent)]
        if missing == "error" or not kept:
            raise FileNotFoundError(
                f"{NAME}: {path}: {text}; file_path and mask_path must be existing images. Add the files, or go on "
                "without these frames: missing='skip' (glrast fit: --skip-missing)."
            )
        skipped = f"{text}; {'its frame is' if len(absent) == 1 else 'their frames are'} left out"
        indices, poses = [indices[n] for n in kept], poses[kept]
    files = [file for file in found if isinstance(file, FrameFiles)]
    return Drafts(path, indices, poses, files, skipped)


@dataclass(frozen=True, eq=False)
class Drafts:
    """Frames with their poses still in float64: `indices` into the file's frames, poses float64 [N,4,4]."""

    path: Path
    indices: list[int]
    poses: np.ndarray
    files: list[FrameFiles]
    skipped: str

    @property
    def centres(self) -> Tensor:
        """Where the cameras stand, float64 [N,3]."""
        return torch.from_numpy(self.poses[:, :3, 3])

    @property
    def backward(self) -> Tensor:
        """The axes that point away from what the cameras see, float64 [N,3]."""
        return torch.from_numpy(self.poses[:, :3, 2])

    def frames(self, near: float | None, far: float | None, shift: Tensor) -> list[Frame]:
        """The frames with cameras, `shift` (float64 [3]) subtracted from where they stand."""
        poses = self.poses.copy()
        poses[:, :3, 3] -= shift.numpy()
        near, far = _planes(self.path, torch.from_numpy(poses), near, far)
        views = from_poses(poses)
        lenses = projections(np.array([f.lens for f in self.files]), near, far)
        finite = torch.isfinite(views).flatten(1).all(1) & torch.isfinite(lenses).flatten(1).all(1)
        if not bool(finite.all()):
            index = self.indices[int((~finite).nonzero()[0, 0])]
            raise at_frame(
                self.path,
                index,
                Problem("position and lens must fit float32; they overflow; fix it."),
            )
        names = [os.path.splitext(os.path.basename(f.image))[0] for f in self.files]
        cameras = checked_cameras(views, lenses, [f.size for f in self.files], names)
        return [
            Frame(
                Path(f.image), Path(f.mask) if f.mask else None, camera, f.orientation, f.distortion
            )
            for f, camera in zip(self.files, cameras, strict=True)
        ]


def _count_absent(absent: list[tuple[int, Absent]], total: int) -> str:
    """3 of 32 pictures are missing: frame 4 (a.png), frame 7 (b.png), frame 9 (c.png)"""
    parts = []
    for key, what in (("file_path", "picture"), ("mask_path", "mask")):
        these = [(index, found) for index, found in absent if found.key == key]
        if these:
            named = [
                f"frame {index} ({short(Path(found.file), 300)})" for index, found in these[:5]
            ]
            more = ", ..." if len(these) > len(named) else ""
            verb = "is" if len(these) == 1 else "are"
            parts.append(
                f"{len(these)} of {total} {what}s {verb} missing: {', '.join(named)}{more}"
            )
    return "; ".join(parts)


def _planes(
    path: Path, poses: Tensor, near: float | None, far: float | None
) -> tuple[float, float]:
    """near and far, those not given guessed from the cameras."""
    if near is None or far is None:
        guess = guess_planes(poses[:, :3, 3], poses[:, :3, 2])
        if guess is None:
            raise ValueError(
                f"{NAME}: {path}: near and far must be given where the cameras tell nothing of the scene's size "
                f"({len(poses)} at the world's origin); pass near= and far= in world units "
                "(glrast render: --near, --far)."
            )
        near, far = guess[0] if near is None else near, guess[1] if far is None else far
    if not 0 < near < far < math.inf:
        raise ValueError(
            wrong(
                "clip.load_cameras",
                f"{path}: near and far must satisfy 0 < near < far",
                f"near={near:g}, far={far:g}",
                "pass near= and far= in world units (glrast render: --near, --far)",
            )
        )
    return near, far
