"""Wavefront obj, read and written here because it has what others lose: uv with its own indices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .pictures import open_picture, png_bytes, to_texture

if TYPE_CHECKING:
    from ..mesh import Mesh


# What a line may begin with: a file of other lines, and without a vertex, is no obj file.
_KEYS = frozenset("v vt vn vp f l p o g s mg mtllib usemtl usemap maplib".split())


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`, in the file's order and with its indices."""
    rows: dict[str, list[list[float]]] = {"v": [], "vt": [], "vn": []}
    corners: list[tuple[int, int, int]] = []  # three for each triangle: v, vt, vn; -1 for none
    seen: dict[str, tuple[int, int, int]] = {}  # six triangles say the same "7/8/9"
    libraries: list[str] = []
    used: list[str] = []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    strange = ""  # the first line that is none of an obj file
    for number, line in enumerate(text.splitlines(), start=1):
        key, _, rest = line.strip().partition(" ")
        try:
            if key in rows:
                rows[key].append([float(x) for x in rest.partition("#")[0].split()])
            elif key == "f":
                polygon = [
                    seen.get(x) or _corner(x, rows, seen) for x in rest.partition("#")[0].split()
                ]
                if len(polygon) < 3:
                    raise ValueError(f"a face must have 3 corners or more; got {len(polygon)}")
                for k in range(1, len(polygon) - 1):
                    corners += (polygon[0], polygon[k], polygon[k + 1])
            elif key == "mtllib":
                libraries.append(rest.strip())
            elif key == "usemtl" and rest.strip() not in used:
                used.append(rest.strip())
            elif key not in _KEYS and not key.startswith("#") and line.strip():
                strange = strange or f"line {number} is {line.strip()[:40]!r}"
        except ValueError as error:
            raise ValueError(
                f"glrast.clip.load_mesh: {path}:{number}: {error}; got {line.strip()!r}; "
                "fix the line or export the mesh again."
            ) from None
    if strange and not rows["v"]:
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must be an obj file; it has no vertex, and {strange}; "
            "check which file this is."
        )
    if any(len(row) < 3 for row in rows["v"]) or any(len(row) < 3 for row in rows["vn"]):
        raise ValueError(
            f"glrast.clip.load_mesh: {path}: v and vn must have three numbers or more; "
            "got a line with fewer; export the mesh again."
        )
    if not all(rows["vt"]):
        raise ValueError(
            f"glrast.clip.load_mesh: {path}: vt must have a number or two; got a line with none; "
            "export the mesh again."
        )
    index = np.array(corners, dtype=np.int64).reshape(-1, 3, 3)
    tri = index[:, :, 0]
    parts: dict[str, Any] = {
        "pos": np.array([row[:3] for row in rows["v"]], dtype=np.float32).reshape(-1, 3),
        "tri": tri,
        "normal": _normals(rows["vn"], tri, index[:, :, 2], len(rows["v"])),
    }
    if rows["v"] and all(len(row) in (6, 7) for row in rows["v"]):
        parts["color"] = np.array([row[3:6] for row in rows["v"]], dtype=np.float32)
    if texture and (index[:, :, 1] >= 0).any():
        uv = np.array([[*row, 0.0][:2] for row in rows["vt"]], dtype=np.float32).reshape(-1, 2)
        bare = index[:, :, 1] < 0  # corners without uv beside others with: they get (0,0)
        parts["uv"] = np.concatenate([uv, np.zeros((1, 2), np.float32)]) if bare.any() else uv
        parts["uv_tri"] = np.where(bare, len(uv), index[:, :, 1])
        parts["texture"] = _texture(path, libraries, used)
    return parts


def encode(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """File names and contents, in the order in which to write them: the obj is the last."""
    files: dict[str, bytes] = {}
    lines = []
    if mesh.texture is not None and mesh.uv is not None:
        files[f"{stem}_texture.png"] = png_bytes(mesh.texture.numpy())
        files[f"{stem}.mtl"] = f"newmtl texture\nKd 1 1 1\nmap_Kd {stem}_texture.png\n".encode()
        lines.append(f"mtllib {stem}.mtl\n")
    vertex = mesh.pos.numpy()
    if mesh.color is not None:
        vertex = np.concatenate([vertex, mesh.color.numpy()[:, :3]], 1)
    lines.append(_lines("v", vertex, "%.9g"))  # 9 digits bring a float32 back exactly
    tri = mesh.tri.numpy() + 1
    columns = [tri]
    pattern = "%d"
    if mesh.uv is not None and mesh.uv_tri is not None:
        lines.append(_lines("vt", mesh.uv.numpy(), "%.9g"))
        columns.append(mesh.uv_tri.numpy() + 1)
        pattern = "%d/%d"
    if mesh.normal is not None:
        lines.append(_lines("vn", mesh.normal.numpy(), "%.9g"))
        columns.append(tri)
        pattern = "%d/%d/%d" if mesh.uv is not None else "%d//%d"
    if files:
        lines.append("usemtl texture\n")
    lines.append(_lines("f", np.stack(columns, 2).reshape(len(tri), -1), pattern, 3))
    return files | {f"{stem}.obj": "".join(lines).encode()}


def _corner(
    text: str, rows: dict[str, list[list[float]]], seen: dict[str, tuple[int, int, int]]
) -> tuple[int, int, int]:
    """Indices from 0 of "7", "7/8", "7//9" or "7/8/9"; negative ones count from the latest row."""
    numbers = [*text.split("/"), "", ""]
    found = []
    for key, number in zip(("v", "vt", "vn"), numbers, strict=False):
        index = int(number) if number else 0
        if abs(index) > len(rows[key]) or (index == 0 and (number or key == "v")):
            raise ValueError(f"{key} index must be from 1 to {len(rows[key])}")
        found.append(index - 1 if index >= 0 else len(rows[key]) + index)
    corner = (found[0], found[1], found[2])
    if "-" not in text:
        seen[text] = corner
    return corner


def _normals(
    vn: list[list[float]], tri: np.ndarray, index: np.ndarray, V: int
) -> np.ndarray | None:
    """[V,3] if every corner has a normal and no vertex has two."""
    if len(tri) == 0 or (index < 0).any():
        return None
    table = np.array([row[:3] for row in vn], dtype=np.float32)
    normal = np.zeros((V, 3), dtype=np.float32)
    normal[tri.reshape(-1)] = table[index.reshape(-1)]
    return normal if np.array_equal(normal[tri], table[index]) else None


def _texture(path: Path, libraries: list[str], used: list[str]) -> np.ndarray | None:
    """The one picture that the materials in use name; none where the mtl file is missing."""
    pictures: dict[str, str] = {}
    for library in libraries:
        material = None
        file = path.parent / library.replace("\0", "")
        for line in file.read_text(errors="replace").splitlines() if file.is_file() else []:
            key, _, rest = line.strip().partition(" ")
            if key == "newmtl":
                material = rest.strip()
            elif key.lower() == "map_kd" and material is not None:
                name = rest.strip()
                pictures[material] = name.split()[-1] if name.startswith("-") else name
    names = sorted({pictures[m] for m in used if m in pictures})
    if len(names) > 1:
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must have one texture; got {', '.join(names)}; "
            "bake them into one atlas, or pass texture=False for the geometry."
        )
    if not names:
        return None
    return to_texture(open_picture(path.parent / names[0].replace("\\", "/"), "map_Kd"))


def _lines(key: str, table: np.ndarray, pattern: str, groups: int | None = None) -> str:
    line = " ".join([key] + [pattern] * (groups or table.shape[1])) + "\n"
    return (line * len(table)) % tuple(table.reshape(-1).tolist())
