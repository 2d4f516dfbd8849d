"""Stanford ply: read and written here.

Why not a library: trimesh 5.2, which did it before, fails on binary files of mixed polygons, takes strips for point
clouds, cuts concave polygons as fans and reads one TextureFile of several; meshio 5.3 knows neither strips nor
pictures; plyfile is GPL. The format is tables of numbers, which NumPy reads as they are.

    ply_header    what the file holds     ply_body      its tables
    ply_faces     triangles, their uv     ply_colours   colours of vertices and faces
    ply_pictures  what TextureFile names  ply_write     the way back
    polygons, ears  concave polygons

What is read: positions; normals; colours by any of their usual names, integers or floats, of vertices, of faces or of
the element material that faces name (these two become colours of vertices: one between two colours is split); uv of
vertices or of faces' corners; the pictures of `comment TextureFile`, one for each `texnumber`. A picture with an alpha
cuts out. Other elements and properties are passed over.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..weld import unique_rows
from .origin import split_origin
from .ply_body import read_body
from .ply_colours import colours_of, spread
from .ply_faces import FACES, STRIPS, Faces, read_faces
from .ply_header import Header, read_header
from .ply_pictures import looks_of
from .ply_write import encode

__all__ = ["encode", "read"]

UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"),
            ("texcoord_u", "texcoord_v"), ("tex_u", "tex_v"))  # fmt: skip
NORMAL_NAMES = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`."""
    content = path.read_bytes()
    try:
        header = read_header(content)
        _has_axes(header)
        _has_faces(path, header)
        tables, rest = read_body(content, header)
        vertex = {name.lower(): column for name, column in tables["vertex"].items()}
        pos = _columns(vertex, ("x", "y", "z"))
        _finite(pos, "position")
        faces = read_faces(tables, pos)
        colors = colours_of(vertex, "vertex")
        parts = _parts(vertex, colors, pos, faces, texture)
        if "uv" in parts:
            parts |= looks_of(path, header.textures, faces)
    except ValueError as error:
        if str(error).startswith("glrast."):  # says all there is to say
            raise
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must be a ply file; {error}; export it again."
        ) from None
    if colors is not None and faces.colors is not None:
        _warn(path, "the colours of its faces are left out beside those of its vertices")
    if rest:
        _warn(path, f"what follows the last element is left out ({rest} {_unit(header)})")
    return parts


def _has_axes(header: Header) -> None:
    names = [p.name.lower() for e in header.elements if e.name == "vertex" for p in e.properties]
    if not any(e.name == "vertex" for e in header.elements):
        raise ValueError("it has no element vertex")
    missing = [axis for axis in "xyz" if axis not in names]
    if missing:
        raise ValueError(f"its vertices have no property {', '.join(missing)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"its vertices have two properties {', '.join(twice)}")


def _has_faces(path: Path, header: Header) -> None:
    if not any(e.rows for e in header.elements if e.name.lower() in (*FACES, *STRIPS)):
        others = [e.name for e in header.elements if e.name != "vertex"]
        also = f" with {', '.join(others)[:100]}" if others else ""
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must have faces; got a point cloud{also}; "
            "make a surface of it first."
        )


def _parts(
    vertex: dict[str, Any],
    colors: np.ndarray | None,
    pos: np.ndarray,
    faces: Faces,
    texture: bool,
) -> dict[str, Any]:
    tri = faces.tri
    rows: dict[str, np.ndarray] = {"pos": pos}
    normal = next((names for names in NORMAL_NAMES if set(names) <= set(vertex)), None)
    if normal is not None:
        with np.errstate(over="ignore"):
            normals = _columns(vertex, normal).astype(np.float32)
        if np.isfinite(normals).all():
            rows["normal"] = normals
    if colors is not None:
        rows["color"] = colors
    elif faces.colors is not None:
        index, tri, rows["color"] = spread(tri, faces.colors, len(pos))
        rows = {name: x if name == "color" else x[index] for name, x in rows.items()}
    parts: dict[str, Any] = {}
    names = next((names for names in UV_NAMES if set(names) <= set(vertex)), None)
    if texture and faces.uv is not None:
        parts |= {"uv": faces.uv, "uv_tri": faces.uv_tri}
    elif texture and names is not None:
        uv = _columns(vertex, names)
        _finite(uv, "uv")
        # the file splits vertices at the seams of uv; a Mesh has indices of its own for uv
        index, new = unique_rows(np.concatenate(list(rows.values()), 1))
        of_uv, new_uv = unique_rows(uv)
        parts |= {"uv": uv[of_uv].astype(np.float32), "uv_tri": new_uv[faces.tri]}
        rows, tri = {name: x[index] for name, x in rows.items()}, new[tri]
    rows["pos"], origin = split_origin(rows["pos"])
    return parts | rows | {"tri": tri, "origin": origin}


def _columns(vertex: dict[str, Any], names: tuple[str, ...]) -> np.ndarray:
    """float64 [V, names]."""
    for name in names:
        if not isinstance(vertex[name], np.ndarray):
            raise ValueError(f"its vertex property {name} is a list")
    return np.stack([vertex[name].astype(np.float64) for name in names], 1)


def _finite(values: np.ndarray, what: str) -> None:
    bad = ~(np.abs(values) <= np.finfo(np.float32).max).all(1)  # nan too
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"row {row} of its element vertex has a {what} of {values[row].tolist()}")


def _unit(header: Header) -> str:
    return "bytes" if header.order else "rows"


def _warn(path: Path, text: str) -> None:
    warnings.warn(f"glrast.clip.load_mesh: {path}: {text}.", UserWarning, stacklevel=2)
