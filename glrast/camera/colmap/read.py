"""A COLMAP model found in a folder, read and checked, and its images as frames.

World to camera is a quaternion and a translation in the axes of computer vision; pixels are counted from the corner of
the first one, so a centred camera has cx = width / 2. Rigs and frames (COLMAP 3.12 and later) lie in files of their
own: the images still have the pose of each picture, so they are not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..frame_reader import Absent, FrameFiles
from ..frames import Drafts, drafts_of
from ..image_file import Folder, read_head, same_aspect, turn
from ..lens import Lens
from ..transforms_json import Problem, file_text, short
from . import binary, text
from .models import NAME, ColmapImage, ColmapModel, no_points

# Where a model lies in the folder of a capture: COLMAP's own place, 3DGS', nerfstudio's, the undistorter's, the folder.
PLACES = (
    "sparse/0",
    "sparse",
    "colmap/sparse/0",
    "colmap/sparse",
    "dense/sparse",
    "dense/0/sparse",
    ".",
)
PICTURES = ("images", "image", "input", "rgb", "pictures", "photos", ".")


def find_model(folder: Path) -> Path | None:
    """Where in the folder of a capture the model lies; of several in sparse/ the one with most in its images file."""
    for place in PLACES:
        here = folder / place
        if not is_model(here):
            continue
        others = [
            other for other in here.parent.iterdir() if other.name.isdecimal() and is_model(other)
        ]
        if here.name == "0" and others:
            return max(sorted(others), key=lambda other: images_file(other).stat().st_size)
        return here
    return None


def is_model(folder: Path) -> bool:
    """Whether cameras and images of COLMAP lie there."""
    return any(_both(folder, suffix) for suffix in (".bin", ".txt"))


def images_file(folder: Path) -> Path:
    """images.bin, or images.txt where there is no binary model."""
    return folder / ("images.bin" if _both(folder, ".bin") else "images.txt")


def read_model(folder: Path) -> ColmapModel:
    """The model in `folder`: the binary files, or else the text files.

    Raises: ValueError with the file, what was expected, what was found and what to do.
    """
    reader, suffix = (binary, ".bin") if _both(folder, ".bin") else (text, ".txt")
    cameras = _told(folder / f"cameras{suffix}", reader.read_cameras)
    images = _told(folder / f"images{suffix}", reader.read_images)
    points = folder / f"points3D{suffix}"
    found = _told(points, reader.read_points) if points.is_file() else no_points()
    model = ColmapModel(
        folder, suffix == ".txt", cameras, sorted(images, key=lambda i: i.name), found
    )
    _check(model, suffix)
    return model


def read_drafts(
    model: ColmapModel,
    pictures: Path,
    missing: str = "error",
    find_mask: Callable[[str], str | None] | None = None,
) -> Drafts:
    """The images of a model as frames, their files below the folder `pictures`."""
    path, files, poses = model.images_file, [], []
    reader = _Reader(model, Folder(str(pictures)), find_mask)
    for image in model.images:
        try:
            files.append(reader.read(image))
        except Problem as problem:
            raise ValueError(f"{NAME}: {path}: image {short(image.name)}: {problem}") from None
        poses.append(image.camera_to_world())
    return drafts_of(path, list(range(len(files))), np.stack(poses), files, missing)


def picture_folder(model: ColmapModel, root: Path) -> Path:
    """The folder that holds most of the model's pictures; images/ of `root` where none holds any."""
    names = [image.name for image in model.images[:: max(1, len(model.images) // 50)]]
    above = [model.folder, *model.folder.parents]
    last = above.index(root) + 1 if root in above else 1
    bases = above[:last] if root != model.folder else above[:4]
    best, most = root / PICTURES[0], 0
    for base in reversed(bases) if root != model.folder else bases:
        for place in PICTURES:
            count = sum((base / place / name).is_file() for name in names)
            if count > most:
                best, most = base / place, count
    return best


class _Reader:
    """One image after the other; a camera's lens is found once."""

    def __init__(self, model: ColmapModel, folder: Folder, find_mask):
        self.model, self.folder, self.find_mask = model, folder, find_mask
        self.lenses = {
            key: camera.model.lens(camera.params) for key, camera in model.cameras.items()
        }

    def read(self, image: ColmapImage) -> FrameFiles | Absent:
        path, there = self.folder.find(file_text({"NAME": image.name}, "NAME"))
        if not there:
            return Absent("file_path", path)
        camera = self.model.cameras[image.camera]
        stated = (camera.height, camera.width)
        head = read_head(path, "NAME")
        orientation, _ = turn(head, stated)
        size = head.size if orientation == 1 else head.turned
        if not same_aspect(size, stated):
            raise Problem(
                f"must have the aspect of camera {image.camera}, {camera.width} x {camera.height}; the picture has "
                f"{size[1]} x {size[0]} pixels; take the pictures that COLMAP was given."
            )
        fx, fy, cx, cy, distortion = self.lenses[image.camera]
        lens = Lens(fx, fy, cx, cy, camera.height, camera.width)
        mask = self.find_mask(path) if self.find_mask else None
        return FrameFiles(path, mask, size, lens, orientation, distortion)


def _check(model: ColmapModel, suffix: str) -> None:
    for identity, camera in model.cameras.items():
        try:
            camera.check()
        except Problem as problem:
            where = model.folder / f"cameras{suffix}"
            raise ValueError(f"{NAME}: {where}: camera {identity}: {problem}") from None
    if not model.images:
        raise ValueError(
            f"{NAME}: {model.images_file}: must have at least one image; found none; map the pictures again."
        )
    for image in model.images:
        try:
            image.check(model.cameras)
        except Problem as problem:
            raise ValueError(f"{NAME}: {model.images_file}: {problem}") from None


def _told(path: Path, read: Callable):
    """What `read` makes of the file; its problems get the file's name."""
    try:
        return read(path)
    except Problem as problem:
        raise ValueError(f"{NAME}: {path}: {problem}") from None
    except OSError as error:
        raise ValueError(
            f"{NAME}: {path}: must be a file that can be read; {error.strerror}."
        ) from None


def _both(folder: Path, suffix: str) -> bool:
    return all((folder / f"{name}{suffix}").is_file() for name in ("cameras", "images"))
