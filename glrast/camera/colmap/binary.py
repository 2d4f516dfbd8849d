"""COLMAP's binary files: little endian, a count of 8 bytes, then one record after the other.

    cameras.bin   id u32, model i32, width u64, height u64, parameters f64 ...
    images.bin    id u32, quaternion f64 x 4, translation f64 x 3, camera u32, name ended by 0,
                  count u64, then for each point x f64, y f64, id of the point in space i64 (-1: none)
    points3D.bin  id u64, xyz f64 x 3, rgb u8 x 3, error f64, count u64, then (image u32, index u32) for each

A count is never believed: what it asks for must be in the file before anything of that size is made.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..transforms_json import Problem
from .models import MODELS, ColmapCamera, ColmapImage, ColmapPoints

LARGEST_FILE = 1 << 34  # bytes; the largest captures have models of a few GB
OBSERVATION = np.dtype([("xy", "<f8", 2), ("point", "<i8")])
TRACK_BYTES = 8
LEAST = {"camera": 24 + 2 * 8, "image": 4 + 7 * 8 + 4 + 1 + 8, "point": 8 + 24 + 3 + 8 + 8}


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """The cameras by their ids."""
    file = _File(path)
    cameras = {}
    for _ in range(file.count("camera")):
        identity, number, width, height = file.take("<IiQQ", "a camera")
        if number not in MODELS:
            raise Problem(
                f"the model of camera {identity} must be a number from 0 to {max(MODELS)}; got {number}; the file is "
                "damaged, or of a newer COLMAP: export it as text."
            )
        model = MODELS[number]
        params = file.take(f"<{model.count}d", f"the parameters of camera {identity}")
        cameras[identity] = ColmapCamera(model, width, height, params)
    file.end()
    return cameras


def read_images(path: Path) -> list[ColmapImage]:
    """The images with their poses and observations."""
    file = _File(path)
    images = []
    for _ in range(file.count("image")):
        _, *pose, camera = file.take("<I7dI", "an image")
        name = file.text()
        (count,) = file.take("<Q", f"the points of {name!r}")
        seen = np.frombuffer(
            file.block(count, OBSERVATION.itemsize, f"the points of {name!r}"), OBSERVATION
        )
        images.append(
            ColmapImage(name, camera, tuple(pose[:4]), tuple(pose[4:]), seen["xy"], seen["point"])
        )
    file.end()
    return images


def read_points(path: Path) -> ColmapPoints:
    """The points in space."""
    file = _File(path)
    count = file.count("point")
    points: list[tuple[Any, ...]] = []
    for index in range(count):
        identity, x, y, z, _, _, _, error, views = file.take("<Q3d3BdQ", f"point {index}")
        file.block(views, TRACK_BYTES, f"the track of point {index}")
        points.append((identity, x, y, z, error, views))
    file.end()
    table = np.array(points, dtype=np.float64).reshape(-1, 6)
    return ColmapPoints(
        np.array([p[0] for p in points], dtype=np.uint64).astype(np.int64),
        table[:, 1:4],
        table[:, 4],
        table[:, 5].astype(np.int64),
    )


class _File:
    """A file in memory, and how far it has been read."""

    def __init__(self, path: Path):
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise Problem(
                f"must have at most {LARGEST_FILE >> 30} GiB; got {size >> 30}; is it COLMAP's?"
            )
        self.data, self.at = path.read_bytes(), 0

    def count(self, what: str) -> int:
        """How many records follow: no more than have room."""
        (count,) = self.take("<Q", f"the number of {what}s")
        room = (len(self.data) - self.at) // LEAST[what]
        if count > room:
            raise Problem(
                f"must have room for its {count} {what}s; found {len(self.data)} bytes, enough for {room}; the file is "
                "damaged or cut: export the model again."
            )
        return count

    def take(self, layout: str, what: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        return struct.unpack(layout, self.block(1, size, what))

    def block(self, count: int, size: int, what: str) -> bytes:
        end = self.at + count * size
        if end > len(self.data):
            raise Problem(
                f"must have {count * size} bytes for {what} from byte {self.at} on; the file has {len(self.data)}; it "
                "is damaged or cut: export the model again."
            )
        start, self.at = self.at, end
        return self.data[start:end]

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Problem(
                f"must have a name that ends with 0 from byte {self.at} on; found none; the file is damaged or cut: "
                "export the model again."
            )
        start, self.at = self.at, end + 1
        return self.data[start:end].decode("utf-8", "surrogateescape")

    def end(self) -> None:
        left = len(self.data) - self.at
        if left:
            raise Problem(
                f"must end after its last record, at byte {self.at}; {left} bytes follow; the file is damaged: export "
                "the model again."
            )
