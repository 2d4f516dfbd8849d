"""What a COLMAP model holds, and which camera models there are, with their numbers in binary files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..distortion import Distortion, bent
from ..lens import LARGEST_SIDE
from ..transforms_json import Problem

NAME = "glrast.clip.load_cameras"
UNIT = 1e-3  # how far a quaternion's length may be from 1


@dataclass(frozen=True)
class CameraModel:
    """A camera model by its name, its formula in distortion.py ("" where that is not done), and its parameters.

    focal: how many focal lengths come first, 1 or 2; count: of all parameters, distortion last.
    """

    name: str
    kind: str
    focal: int
    count: int

    def lens(self, params: Sequence[float]) -> tuple[float, float, float, float, Distortion | None]:
        """fx, fy, cx, cy and the distortion of these parameters."""
        values = [float(value) for value in params]
        cx, cy = values[self.focal : self.focal + 2]
        bend = bent(self.kind, tuple(values[self.focal + 2 :]))
        return values[0], values[self.focal - 1], cx, cy, bend


# By their numbers in COLMAP's source.
MODELS = {
    0: CameraModel("SIMPLE_PINHOLE", "radial", 1, 3),
    1: CameraModel("PINHOLE", "radial", 2, 4),
    2: CameraModel("SIMPLE_RADIAL", "radial", 1, 4),
    3: CameraModel("RADIAL", "radial", 1, 5),
    4: CameraModel("OPENCV", "radial", 2, 8),
    5: CameraModel("OPENCV_FISHEYE", "fisheye", 2, 8),
    6: CameraModel("FULL_OPENCV", "radial", 2, 12),
    7: CameraModel("FOV", "fov", 2, 5),
    8: CameraModel("SIMPLE_RADIAL_FISHEYE", "fisheye", 1, 4),
    9: CameraModel("RADIAL_FISHEYE", "fisheye", 1, 5),
    10: CameraModel("THIN_PRISM_FISHEYE", "thin prism", 2, 12),
    11: CameraModel("RAD_TAN_THIN_PRISM_FISHEYE", "fisheye624", 2, 16),
    12: CameraModel("SIMPLE_DIVISION", "division", 1, 4),
    13: CameraModel("DIVISION", "division", 2, 5),
    14: CameraModel("SIMPLE_FISHEYE", "fisheye", 1, 3),
    15: CameraModel("FISHEYE", "fisheye", 2, 4),
    16: CameraModel("EUCM", "eucm", 2, 6),
    17: CameraModel("EQUIRECTANGULAR", "", 0, 2),
}
BY_NAME = {model.name: model for model in MODELS.values()}
READ = ", ".join(model.name for model in MODELS.values() if model.kind)


@dataclass(frozen=True)
class ColmapCamera:
    """A lens and the size of its pictures, in pixels."""

    model: CameraModel
    width: int
    height: int
    params: tuple[float, ...]

    def check(self) -> None:
        """Raises Problem for what no camera has."""
        name = self.model.name
        if not self.model.kind:
            raise Problem(
                f"MODEL must be one of {READ}; got {name}; choose another --ImageReader.camera_model, or undistort "
                "(colmap image_undistorter)."
            )
        if not (1 <= self.width <= LARGEST_SIDE and 1 <= self.height <= LARGEST_SIDE):
            raise Problem(
                f"WIDTH and HEIGHT must be from 1 to {LARGEST_SIDE:g} pixels; got {self.width} x {self.height}; the "
                "file is damaged: export the model again."
            )
        if not all(map(math.isfinite, self.params)):
            raise Problem(
                f"PARAMS of {name} must be finite; got {list(self.params)}; export again."
            )
        if min(self.params[: self.model.focal]) <= 0:
            raise Problem(
                f"PARAMS of {name} must begin with {self.model.focal} focal lengths above 0; got "
                f"{list(self.params[: self.model.focal])}; export the model again."
            )


@dataclass(frozen=True)
class ColmapImage:
    """A picture: its pose x_camera = R(quaternion) x_world + translation, and the points that were found in it."""

    name: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    xy: np.ndarray = field(repr=False)  # float64 [K,2], pixels from the top left corner
    point: np.ndarray = field(repr=False)  # int64 [K], the id of the point in space, -1 for none

    def check(self, cameras: dict[int, ColmapCamera]) -> None:
        """Raises Problem for what no picture has."""
        if self.camera not in cameras:
            known = ", ".join(str(key) for key in sorted(cameras)[:8])
            raise Problem(
                f"CAMERA_ID of {self.name!r} must be one of the cameras ({known}); got {self.camera}; take cameras and "
                "images of one model."
            )
        if not all(map(math.isfinite, (*self.quaternion, *self.translation))):
            raise Problem(
                f"the pose of {self.name!r} must be finite; got {[*self.quaternion, *self.translation]}; "
                "export the model again."
            )
        length = math.hypot(*self.quaternion)
        if abs(length - 1) > UNIT:
            raise Problem(
                f"QW QX QY QZ of {self.name!r} must have the length 1; got {length:g}; export the model again."
            )

    def camera_to_world(self) -> np.ndarray:
        """float64 [4,4] in OpenGL's camera axes: y up, looking along -z."""
        w, x, y, z = np.array(self.quaternion) / math.hypot(*self.quaternion)
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        pose = np.eye(4)
        pose[:3, :3] = rotation.T * [1.0, -1.0, -1.0]
        pose[:3, 3] = -rotation.T @ np.array(self.translation)
        return pose


@dataclass(frozen=True)
class ColmapPoints:
    """The points in space: id int64 [P], xyz float64 [P,3], error in pixels [P], seen by how many pictures [P]."""

    id: np.ndarray
    xyz: np.ndarray
    error: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class ColmapModel:
    """A whole model: the folder it lies in, cameras by id, images in the order of their names, points (may be none)."""

    folder: Path
    text: bool
    cameras: dict[int, ColmapCamera]
    images: list[ColmapImage]
    points: ColmapPoints

    @property
    def images_file(self) -> Path:
        """The file whose images these are: for messages."""
        return self.folder / ("images.txt" if self.text else "images.bin")


def no_points() -> ColmapPoints:
    """Of a model without a file of points."""
    nothing = np.zeros(0)
    return ColmapPoints(
        nothing.astype(np.int64), np.zeros((0, 3)), nothing, nothing.astype(np.int64)
    )
