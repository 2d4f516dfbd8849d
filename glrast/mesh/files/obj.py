"""Wavefront obj: read and written here.

Why not a library, as tried in 2026 with files of the kinds that people report: trimesh 5.2 and PyWavefront 1.3
cut a U of area 7 into a fan of area 11, and take a byte order mark for content; PyWavefront takes the options of
map_Kd for a file's name; tinyobjloader 2.0 (compiled) cuts the U right, but refuses a byte order mark and loses a
blank in a picture's name; meshio 5.3 gives up uv with indices of their own. An obj has uv as a `Mesh` has them, so
the way from its lines to the arrays is short, and NumPy reads them about as fast as the compiled library.

    obj_lines      the file's lines as arrays                 polygons, ears  faces as triangles
    obj_materials  the look of each face, mtl its libraries   obj_write       the way back
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .colours import unit_colours
from .obj_lines import ObjLines, Table, read_lines
from .obj_materials import bake_uv, looks_of_faces
from .obj_write import encode
from .origin import split_origin
from .polygons import triangulate

__all__ = ["encode", "read"]


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`, in the file's order and with its indices."""
    found = read_lines(path)
    _look_over(found)
    pos = _positions(found)
    local, face = triangulate(pos, found.corners[:, 0], found.counts)
    # [T,3 corners,3: v vt vn]; all triangles are as they stand
    index = found.corners.reshape(-1, 3, 3) if (found.counts == 3).all() else found.corners[local]
    tri = index[:, :, 0]
    single, origin = split_origin(pos)
    parts: dict[str, Any] = {
        "pos": single,
        "tri": tri,
        "color": _colors(found),
        "normal": _normals(found, tri, index[:, :, 2], len(pos)),
        "origin": origin,
    }
    starts = np.cumsum(found.counts) - found.counts
    has_uv = np.zeros(len(starts), dtype=bool)
    if len(starts):
        has_uv = np.minimum.reduceat(found.corners[:, 1], starts) >= 0
    looks, look = looks_of_faces(found, has_uv, texture)
    look = look[face]
    if texture and (index[:, :, 1] >= 0).any():
        uv = _finite(found, b"vt", 0, 2)
        bare = index[:, :, 1] < 0  # corners without uv beside others with: they get (0,0)
        uv = np.concatenate([uv, np.zeros((1, 2))]) if bare.any() else uv
        uv, uv_tri = bake_uv(looks, look, uv, np.where(bare, len(uv) - 1, index[:, :, 1]))
        parts |= {"uv": uv.astype(np.float32), "uv_tri": uv_tri}
    materials = tuple(seen.material for seen in looks)
    if len(materials) == 1 and materials[0].is_plain:
        parts["texture"] = materials[0].texture
    elif materials:
        parts |= {"materials": materials, "material": look}
    return parts


def _look_over(found: ObjLines) -> None:
    """Refuse what is no obj file, and what has no polygon; warn of what is left out."""
    vertices = len(found.rows[b"v"].lines)
    if found.unknown and not vertices:
        raise ValueError(
            f"glrast.clip.load_mesh: {found.path} must be an obj file; it has no vertex, and {found.unknown}; "
            "check which file this is."
        )
    if found.free_form and not len(found.counts):
        raise ValueError(
            f"glrast.clip.load_mesh: {found.path} must have polygons (f); it has free-form geometry alone, which is "
            f"not supported, and {found.free_form}; make polygons of its surfaces."
        )
    if found.free_form:
        _warn(found, f"free-form curves and surfaces are left out ({found.free_form})")
    if found.unknown:
        _warn(found, f"{found.unknown_count} lines of no known kind are left out ({found.unknown})")


def _positions(found: ObjLines) -> np.ndarray:
    """float64 [V,3]."""
    rows = found.rows[b"v"]
    pos = _finite(found, b"v", 0, 3)
    weight = rows.column(3, 1, 1.0)[(rows.widths == 4) | (rows.widths == 5)]
    if (weight != 1).any():
        _warn(found, "the fourth number of v, a weight of rational curves, is left out")
    return pos


def _finite(found: ObjLines, key: bytes, first: int, width: int) -> np.ndarray:
    rows = found.rows[key]
    values = rows.column(first, width)
    bad = ~(np.abs(values) <= np.finfo(np.float32).max).all(1)  # nan too
    if bad.any():
        found.refuse(
            int(rows.lines[bad.argmax()]), f"{key.decode()} must have finite numbers, up to 3e38"
        )
    return values


def _colors(found: ObjLines) -> np.ndarray | None:
    """float32 [V,3] from six numbers, [V,4] where one vertex has seven; white where others have none."""
    rows = found.rows[b"v"]
    has = rows.widths >= 6
    if not has.any():
        return None
    C = 4 if (rows.widths[has] >= 7).any() else 3
    given = rows.column(3, 4)[has]
    colors = unit_colours(given[:, :3])
    if colors is None:
        bad = ~((given[:, :3] >= 0) & (given[:, :3] <= 1)).all(1)
        found.refuse(
            int(rows.lines[has][bad.argmax()]),
            "the colours of v must all be in 0..1, or whole numbers in 0..255",
        )
    color = np.ones((len(has), C), dtype=np.float32)
    color[has, :3] = colors
    if C == 4:
        alpha = unit_colours(np.where(rows.widths[has, None] >= 7, given[:, 3:], 1.0))
        color[has, 3] = 1.0 if alpha is None else alpha[:, 0]
    return color if C == 4 and (color[:, 3] < 1).any() else color[:, :3]


def _normals(found: ObjLines, tri: np.ndarray, index: np.ndarray, V: int) -> np.ndarray | None:
    """[V,3] if every corner has a normal, all are numbers, and no vertex has two."""
    if len(tri) == 0 or (index < 0).any():
        return None
    table = _column(found.rows[b"vn"])
    normal = np.zeros((V, 3), dtype=np.float32)
    normal[tri.reshape(-1)] = table[index.reshape(-1)]
    if not np.isfinite(normal).all():
        return None
    return normal if np.array_equal(normal[tri], table[index]) else None


def _column(rows: Table) -> np.ndarray:
    with np.errstate(over="ignore"):
        return rows.column(0, 3).astype(np.float32)


def _warn(found: ObjLines, text: str) -> None:
    warnings.warn(f"glrast.clip.load_mesh: {found.path}: {text}.", UserWarning, stacklevel=2)
