"""Writes COLMAP's files, text and binary, from what its documentation says of their layout."""

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

NUMBERS = {
    "SIMPLE_PINHOLE": 0, "PINHOLE": 1, "SIMPLE_RADIAL": 2, "RADIAL": 3, "OPENCV": 4, "OPENCV_FISHEYE": 5,
    "FULL_OPENCV": 6, "FOV": 7, "SIMPLE_RADIAL_FISHEYE": 8, "RADIAL_FISHEYE": 9, "THIN_PRISM_FISHEYE": 10,
    "EQUIRECTANGULAR": 17,
}  # fmt: skip


@dataclass
class Shot:
    """One image: x_cam = R(quaternion) x + t, seen points (x, y, id)."""

    name: str
    camera: int
    quaternion: list[float]
    translation: list[float]
    seen: list[tuple[float, float, int]] = field(default_factory=list)


@dataclass
class Scene:
    """cameras: id to (model, width, height, parameters); points: id to (xyz, rgb, error, [(image, index)])."""

    cameras: dict[int, tuple[str, int, int, list[float]]]
    shots: list[Shot]
    points: dict[int, tuple[list[float], list[int], float, list[tuple[int, int]]]] = field(
        default_factory=dict
    )


def example() -> Scene:
    """Two cameras of two sizes, three images, one with a blank in its name, one without points."""
    turn = [math.cos(0.3), 0.0, math.sin(0.3), 0.0]
    return Scene(
        {
            3: ("OPENCV", 33, 17, [40.0, 41.0, 16.4, 8.7, -0.1, 0.02, 0.001, -0.002]),
            1: ("SIMPLE_RADIAL", 17, 33, [50.0, 8.5, 16.5, 0.05]),
        },
        [
            Shot("b/left one.jpg", 3, turn, [0.1, -0.2, 3.0], [(1.25, 2.5, 7), (3.0, 4.0, -1)]),
            Shot("a.jpg", 1, [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0]),
            Shot("c.jpg", 3, [0.5, 0.5, -0.5, 0.5], [1 / 3, 0.7, 2.0], [(5.5, 6.5, 7)]),
        ],
        {7: ([0.1, 0.2, 0.3], [255, 0, 128], 0.625, [(1, 0), (3, 0)]), 9: ([1.0, -2.0, 1 / 7], [1, 2, 3], 1.5, [])},
    )  # fmt: skip


def write_binary(folder: Path, scene: Scene) -> Path:
    """cameras.bin, images.bin, points3D.bin."""
    folder.mkdir(parents=True, exist_ok=True)
    out = struct.pack("<Q", len(scene.cameras))
    for identity, (model, width, height, params) in scene.cameras.items():
        out += struct.pack(f"<IiQQ{len(params)}d", identity, NUMBERS[model], width, height, *params)
    (folder / "cameras.bin").write_bytes(out)
    out = struct.pack("<Q", len(scene.shots))
    for identity, shot in enumerate(scene.shots, 1):
        out += struct.pack("<I7dI", identity, *shot.quaternion, *shot.translation, shot.camera)
        out += shot.name.encode() + b"\0" + struct.pack("<Q", len(shot.seen))
        out += b"".join(struct.pack("<2dq", *seen) for seen in shot.seen)
    (folder / "images.bin").write_bytes(out)
    out = struct.pack("<Q", len(scene.points))
    for identity, (xyz, rgb, error, track) in scene.points.items():
        out += struct.pack("<Q3d3BdQ", identity, *xyz, *rgb, error, len(track))
        out += b"".join(struct.pack("<II", *pair) for pair in track)
    (folder / "points3D.bin").write_bytes(out)
    return folder


def write_text(folder: Path, scene: Scene) -> Path:
    """cameras.txt, images.txt, points3D.txt, with COLMAP's comments."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Camera list with one line of data per camera:",
        "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]",
    ]
    for identity, (model, width, height, params) in scene.cameras.items():
        lines.append(joined(identity, model, width, height, *params))
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n")
    lines = ["# Image list with two lines of data per image:"]
    for identity, shot in enumerate(scene.shots, 1):
        lines.append(joined(identity, *shot.quaternion, *shot.translation, shot.camera, shot.name))
        lines.append(joined(*(value for seen in shot.seen for value in seen)))
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    lines = ["# 3D point list with one line of data per point:"]
    for identity, (xyz, rgb, error, track) in scene.points.items():
        lines.append(
            joined(identity, *xyz, *rgb, error, *(value for pair in track for value in pair))
        )
    (folder / "points3D.txt").write_text("\n".join(lines) + "\n")
    return folder


def joined(*words) -> str:
    return " ".join(repr(word) if isinstance(word, float) else str(word) for word in words)


def quaternion(rotation: np.ndarray) -> list[float]:
    """w x y z of a rotation [3,3]: the eigenvector of Bar-Itzhack's matrix, exact for any angle."""
    r = rotation
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r.trace()],
        ]
    )
    x, y, z, w = np.linalg.eigh(k)[1][:, -1]
    return [float(v) for v in (w, x, y, z)]


def pose_of(world_to_camera: torch.Tensor) -> tuple[list[float], list[float]]:
    """COLMAP's quaternion and translation of a matrix [4,4] in OpenGL's axes."""
    matrix = world_to_camera.double().numpy() * np.array([1.0, -1.0, -1.0, 1.0])[:, None]
    return quaternion(matrix[:3, :3]), [float(v) for v in matrix[:3, 3]]
