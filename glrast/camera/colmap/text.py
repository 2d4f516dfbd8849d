"""COLMAP's text files: a line or two for each record, # for comments.

cameras.txt   CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]
images.txt    IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, and a second line, perhaps empty, X Y POINT3D_ID ...
points3D.txt  POINT3D_ID X Y Z R G B ERROR (IMAGE_ID POINT2D_IDX) ...
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..transforms_json import Problem, short
from .models import BY_NAME, READ, ColmapCamera, ColmapImage, ColmapPoints

LONGEST_ID = 19  # digits: a count of 64 bits


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """The cameras by their ids."""
    cameras = {}
    for where, line in _lines(path):
        words = line.split()
        if len(words) < 4:
            raise Problem(
                f"{where} must be CAMERA_ID MODEL WIDTH HEIGHT PARAMS; got {short(line)}; correct it."
            )
        if words[1] not in BY_NAME:
            raise Problem(
                f"{where}: MODEL must be one of {READ}; got {short(words[1])}; undistort first."
            )
        model = BY_NAME[words[1]]
        if len(words) != 4 + model.count:
            raise Problem(
                f"{where}: {model.name} must have {model.count} parameters; got {len(words) - 4}; export it again."
            )
        identity, width, height = (_whole(where, words[k]) for k in (0, 2, 3))
        params = tuple(_number(where, word) for word in words[4:])
        cameras[identity] = ColmapCamera(model, width, height, params)
    return cameras


def read_images(path: Path) -> list[ColmapImage]:
    """The images with their poses and observations."""
    images = []
    lines = _lines(path, empty=True)
    for where, line in lines:
        if not line:
            continue
        words = line.split(maxsplit=9)
        if len(words) != 10:
            raise Problem(
                f"{where} must be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME; got {short(line)}; correct it."
            )
        _whole(where, words[0])
        pose = [_number(where, word) for word in words[1:8]]
        camera, name = _whole(where, words[8]), words[9]
        xy, point = _observations(*next(lines, (where, "")))
        images.append(ColmapImage(name, camera, tuple(pose[:4]), tuple(pose[4:]), xy, point))
    return images


def read_points(path: Path) -> ColmapPoints:
    """The points in space."""
    rows = []
    for where, line in _lines(path):
        words = line.split()
        if len(words) < 8 or len(words) % 2:
            raise Problem(
                f"{where} must be POINT3D_ID X Y Z R G B ERROR and pairs IMAGE_ID POINT2D_IDX; got {len(words)} words; "
                "export the model again."
            )
        values = [_number(where, word) for word in (*words[1:4], words[7])]
        rows.append((_whole(where, words[0]), *values, (len(words) - 8) // 2))
    table = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 5)
    identity = np.array([row[0] for row in rows], dtype=np.uint64).astype(np.int64)
    return ColmapPoints(identity, table[:, :3], table[:, 3], table[:, 4].astype(np.int64))


def _lines(path: Path, empty: bool = False) -> Iterator[tuple[str, str]]:
    """("line 7", its text) of the lines that are no comment; without the empty ones unless asked for."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line[:1] != "#" and (line or empty):
                yield f"line {number}", line


def _observations(where: str, line: str) -> tuple[np.ndarray, np.ndarray]:
    words = line.split()
    if len(words) % 3:
        raise Problem(
            f"{where} must be X Y POINT3D_ID for each point of the image above; got {len(words)} words; every image "
            "has two lines, the second perhaps empty."
        )
    try:
        xy = np.array([words[0::3], words[1::3]], dtype=np.float64).T.reshape(-1, 2)
        return xy, np.array(words[2::3]).astype(np.int64)
    except (ValueError, OverflowError) as error:
        raise Problem(
            f"{where} must be numbers; {short(str(error))}; export the model again."
        ) from None


def _whole(where: str, word: str) -> int:
    if not word.isdecimal() or len(word) > LONGEST_ID:
        raise Problem(f"{where} must have a whole number; got {short(word)}; correct it.")
    return int(word)


def _number(where: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Problem(f"{where} must have finite numbers; got {short(word)}; correct it.")
    return value
