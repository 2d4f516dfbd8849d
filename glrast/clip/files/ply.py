"""Stanford ply through trimesh: positions, triangles, normals, colours in 8 bits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .glb import join, need_trimesh, unit_range
from .pictures import open_picture

if TYPE_CHECKING:
    from ..mesh import Mesh


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`; a uv at the vertices is read too."""
    trimesh = need_trimesh("load_mesh")
    try:
        with path.open("rb") as stream:
            raw = trimesh.exchange.ply.load_ply(stream, skip_materials=True)
        faces = None if raw.get("faces") is None else np.asarray(raw["faces"])
        if faces is not None and faces.ndim != 2:
            raise ValueError(f"its faces are of shape {faces.shape}")
    except Exception as error:  # whatever trips over a broken file
        wrong = _what_is_wrong(path.read_bytes()) or f"{type(error).__name__}: {error}"
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must be a ply file; {wrong}; export it again."
        ) from error
    if faces is None:
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must have faces; got a point cloud; "
            "make a surface of it first."
        )
    if faces.shape[1] != 3:
        faces = trimesh.geometry.triangulate_quads(faces)
    part = {"pos": raw["vertices"], "tri": faces, "normal": raw.get("vertex_normals")}
    color = raw.get("vertex_colors")
    if color is not None and len(color) == len(raw["vertices"]):
        part["color"] = unit_range(color)
    visual = raw.get("visual")
    if texture and visual is not None:
        part["uv"] = visual.uv
        header = path.read_bytes().partition(b"end_header")[0].decode(errors="replace")
        name = re.search(r"^comment TextureFile (.+?)\s*$", header, re.MULTILINE)
        part["picture"] = open_picture(path.with_name(name[1]), "TextureFile") if name else None
    return join(path, [part])


def _what_is_wrong(content: bytes) -> str:
    """What the file's header shows to be broken; "" if nothing."""
    if not content:
        return "it is empty"
    if not content.startswith(b"ply"):
        return f"it begins with {content[:4]!r}, not with b'ply'"
    header, end, body = content.partition(b"end_header")
    if not end:
        return f"its header has no end within {len(content)} bytes"
    missing = [axis for axis in "xyz" if not re.search(rb"property \w+ %c\s" % ord(axis), header)]
    if missing:
        return f"its vertices have no property {', '.join(missing)}"
    return "" if body.strip() else "it ends with its header"


def encode(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """The file's name and content."""
    trimesh = need_trimesh("save_mesh")
    if mesh.uv is not None:
        raise ValueError(
            "glrast.clip.save_mesh: mesh must have no uv for a ply file; got one; save it as .obj "
            "or .glb, or drop it: replace(mesh, uv=None, uv_tri=None, texture=None)."
        )
    color = None
    if mesh.color is not None:
        color = np.round(mesh.color.clamp(0, 1).numpy() * 255).astype(np.uint8)
    normal = None if mesh.normal is None else mesh.normal.numpy()
    solid = trimesh.Trimesh(
        vertices=mesh.pos.numpy(),
        faces=mesh.tri.numpy(),
        vertex_normals=normal,
        vertex_colors=color,
        process=False,
    )
    content = trimesh.exchange.ply.export_ply(solid, vertex_normal=normal is not None)
    return {f"{stem}.ply": content}
