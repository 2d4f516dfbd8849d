"""What a random file means: polygons and their looks, and whether a mesh is that; and how files are damaged."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = {
    "red.png": (255, 0, 0, 255),
    "a b.png": (0, 128, 255, 255),
    "sub/green.png": (10, 200, 30, 255),
    "half#1.png": (200, 100, 0, 0),  # see-through
}


@dataclass
class Polygon:
    """What a face must become: triangles of these corners that fill its area."""

    corners: np.ndarray  # float64 [n, 3 + uv 2 + colour 3]; uv 0 without
    look: Look


@dataclass
class Look:
    factor: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)  # linear
    texel: tuple[float, ...] | None = None
    clamp: bool = False
    alpha: str = "opaque"
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass
class Random:
    """Files by name, and what the one to load means."""

    files: dict[str, bytes] = field(default_factory=dict)
    name: str = "a.obj"
    polygons: list[Polygon] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder / self.name


def star(g: np.random.Generator, n: int) -> np.ndarray:
    """[n,2], a simple polygon around (0,0), counter-clockwise, concave where chance has it."""
    angle = (np.arange(n) + g.uniform(0.1, 0.9, n)) * 2 * np.pi / n
    radius = g.uniform(0.3, 1, n) if g.random() < 0.6 else np.ones(n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def png(color: tuple[int, ...]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    mode = "RGBA" if color[3] < 255 else "RGB"
    Image.new(mode, (2, 2), color if mode == "RGBA" else color[:3]).save(stream, "png")
    return stream.getvalue()


_PNG: dict[str, bytes] = {}


def pngs() -> dict[str, bytes]:
    if not _PNG:
        _PNG.update({name: png(color) for name, color in PICTURES.items()})
    return _PNG


def damaged(g: np.random.Generator, content: bytes, what: str) -> bytes:
    """Bytes cut off, changed, taken out or put in."""
    data = bytearray(content)
    at = int(g.integers(0, len(data)))
    if what == "truncate":
        return bytes(data[:at])
    if what == "delete":
        del data[at : at + int(g.integers(1, 40))]
    elif what == "insert":
        data[at:at] = g.integers(0, 256, int(g.integers(1, 40)), dtype=np.uint8).tobytes()
    else:
        for i in g.integers(0, len(data), int(g.integers(1, 6))):
            data[i] = int(g.integers(0, 256))
    return bytes(data)


def check_polygons(mesh: Any, polygons: list[Polygon], size: float = 1e-4) -> None:
    """That `mesh` is these polygons, cut into triangles, in their order."""
    materials, index = mesh.appearance()
    pos = mesh.pos.double().numpy() + np.array(mesh.origin)
    tri = mesh.tri.numpy()
    T = len(tri)
    corner = np.zeros((T, 3, 8))
    corner[..., :3] = pos[tri]
    if mesh.uv is not None:
        corner[..., 3:5] = mesh.uv.numpy()[mesh.uv_tri.numpy()]
    corner[..., 5:] = 1.0 if mesh.color is None else mesh.color.numpy()[tri][..., :3]
    at = 0
    for polygon in polygons:
        n = len(polygon.corners)
        mine = corner[at : at + n - 2]
        assert len(mine) == n - 2
        apart = np.abs(mine[:, :, None] - polygon.corners).max(-1)  # [t,3,n]
        assert apart.min(-1).max() < size, "a corner that the polygon lacks"
        areas = _areas(mine[..., :3])
        whole = _areas(np.stack([polygon.corners[[0, i, i + 1], :3] for i in range(1, n - 1)])).sum(
            0
        )
        direction = whole / np.linalg.norm(whole)
        signed = areas @ direction
        assert (signed > -size).all(), "a triangle turned over"
        assert abs(signed.sum() - np.linalg.norm(whole)) < size, "area lost"
        for i in index[at : at + n - 2].tolist():
            check_look(materials[i], polygon.look)
        at += n - 2
    assert at == T


def check_look(material: Any, look: Look) -> None:
    assert np.allclose(material.factor, look.factor, atol=2e-3), (material.factor, look.factor)
    assert material.alpha == look.alpha
    assert (material.texture is None) == (look.texel is None)
    if look.texel is not None:
        assert np.allclose(material.texture[0, 0].tolist(), look.texel, atol=1e-6)
        assert material.wrap == (("clamp",) * 2 if look.clamp else ("repeat",) * 2)


def _areas(triangles: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(triangles, 1, 0)
    return np.cross(b - a, c - a) / 2
