"""What tests of obj and ply files share: writing them, pictures of one colour, areas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, load_mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def load_text(folder: Path, text: str | bytes, name: str = "a.obj", **options: Any) -> Mesh:
    """The mesh in a file of this content."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_mesh(path, **options)


def picture(path: Path, color: tuple[int, ...], size: tuple[int, int] = (3, 2)) -> None:
    """A file of one colour: one, two, three or four channels."""
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(color)]
    image.new(mode, size, color if len(color) > 1 else color[0]).save(path)


def area(mesh: Mesh) -> float:
    a, b, c = mesh.pos.double()[mesh.tri.long()].unbind(1)
    return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)


def texels(mesh: Mesh) -> list[list[float] | None]:
    """The colour of the picture of each triangle, None without one."""
    materials, index = mesh.appearance()
    found = []
    for i in index.tolist():
        texture = materials[i].texture
        found.append(None if texture is None else [round(x, 4) for x in texture[0, 0].tolist()])
    return found


def srgb_factors(mesh: Mesh) -> list[list[float]]:
    """The factor of each triangle as a file would hold it, alpha with it."""
    materials, index = mesh.appearance()
    found = []
    for i in index.tolist():
        *rgb, alpha = materials[i].factor
        srgb = [c * 12.92 if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in rgb]
        found.append([round(c, 3) for c in (*srgb, alpha)])
    return found


def ply(elements: str, body: str | bytes, kind: str = "ascii", comments: str = "") -> bytes:
    """A file: `elements` as lines "vertex 3: float x, float y; face 1: list uchar int vertex_indices"."""
    lines = ["ply", f"format {kind} 1.0", *comments.splitlines()]
    for element in elements.split(";"):
        name, _, properties = element.partition(":")
        lines.append(f"element {name.strip()}")
        lines += [f"property {p.strip()}" for p in properties.split(",") if p.strip()]
    header = "\n".join([*lines, "end_header", ""]).encode()
    return header + (body.encode() if isinstance(body, str) else body)


XYZ = "float x, float y, float z"
INDICES = "list uchar int vertex_indices"
POINTS = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"


def packed(kind: str, *values: float) -> bytes:
    return np.array(values).astype(kind).tobytes()
