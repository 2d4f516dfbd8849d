"""A mesh as a ply file: binary, little endian.

Written: positions (as doubles in the world's coordinates where there is an origin), normals, colours in 8 bits, uv at
the corners of faces, and pictures, of several materials too, as programs that know `texnumber` read them. Materials
must be plain: a factor, a wrap, a filter or an alpha has no place in the format and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.check import wrong
from .paths import has_holes
from .pictures import png_bytes

if TYPE_CHECKING:
    from ..mesh import Mesh

TYPES = {"<f4": "float", "<f8": "double", "u1": "uchar"}


def encode(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """The files' names and contents; the ply is the last."""
    files, comments, number = _pictures(mesh, stem)
    vertex = _vertices(mesh)
    fields: list[Any] = [("n", "u1"), ("tri", "<i4", 3)]
    properties = ["property list uchar int vertex_indices"]
    if mesh.uv is not None:
        fields += [("m", "u1"), ("uv", "<f4", 6)]
        properties.append("property list uchar float texcoord")
    if number is not None:
        fields.append(("number", "<i4"))
        properties.append("property int texnumber")
    face = np.zeros(len(mesh.tri), dtype=fields)
    face["n"], face["tri"] = 3, mesh.tri.numpy()
    if mesh.uv is not None and mesh.uv_tri is not None:
        face["m"], face["uv"] = 6, mesh.uv.numpy()[mesh.uv_tri.numpy()].reshape(-1, 6)
    if number is not None:
        face["number"] = number
    header = ["ply", "format binary_little_endian 1.0", *comments]
    header.append(f"element vertex {len(vertex)}")
    for name in vertex.dtype.names or ():
        kind = vertex.dtype[name].str.replace("|", "")
        header.append(f"property {TYPES[kind]} {name}")
    header += [f"element face {len(face)}", *properties, "end_header", ""]
    content = "\n".join(header).encode() + vertex.tobytes() + face.tobytes()
    return files | {f"{stem}.ply": content}


def _vertices(mesh: Mesh) -> np.ndarray:
    moved = mesh.origin != (0.0, 0.0, 0.0)
    pos = mesh.pos.numpy()
    if moved:
        pos = pos.astype(np.float64) + np.array(mesh.origin)
    columns = {name: pos[:, i] for i, name in enumerate("xyz")}
    if mesh.normal is not None:
        columns |= {name: mesh.normal.numpy()[:, i] for i, name in enumerate(("nx", "ny", "nz"))}
    if mesh.color is not None:
        color = np.round(mesh.color.clamp(0, 1).numpy() * 255).astype(np.uint8)
        names = ("red", "green", "blue", "alpha")[: color.shape[1]]
        columns |= {name: color[:, i] for i, name in enumerate(names)}
    types = {"f": "<f8" if moved else "<f4", "u": "u1"}
    dtype = [(n, "<f4" if n[0] == "n" else types[x.dtype.kind]) for n, x in columns.items()]
    rows = np.zeros(len(pos), dtype=dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows


def _pictures(mesh: Mesh, stem: str) -> tuple[dict[str, bytes], list[str], np.ndarray | None]:
    """The pictures, the comments that name them, and the picture of each triangle where there are several."""
    materials, index = mesh.appearance()
    files: dict[str, bytes] = {}
    places = np.full(len(materials), -1)
    known: dict[int, int] = {}
    for i, material in enumerate(materials):
        cut = material.texture is not None and has_holes(material.texture.numpy())
        holes = material.alpha == "mask" and material.cutoff == 0.5 and cut
        flat = material.alpha in ("mask", "blend") and not cut and material.factor[3] == 1
        plain = material.factor == (1.0, 1.0, 1.0, 1.0) and material.wrap == ("repeat", "repeat")
        if (
            not plain
            or material.filter != "linear"
            or not (material.alpha == "opaque" or holes or flat)
        ):
            raise ValueError(
                wrong(
                    "clip.save_mesh",
                    "materials must be plain for a ply file",
                    f"{material.name!r} with factor={material.factor}, wrap={material.wrap}, "
                    f"filter={material.filter!r}, alpha={material.alpha!r}",
                    "save it as .glb",
                )
            )
        if material.texture is None:
            continue
        if mesh.uv is None:
            raise ValueError(
                wrong(
                    "clip.save_mesh",
                    "mesh must have uv for its texture",
                    "none",
                    "give it uv, or drop the texture: replace(mesh, texture=None)",
                )
            )
        key = material.texture.data_ptr()
        if key not in known:
            known[key] = len(known)
            pixels = material.texture.numpy()
            bare = pixels[..., :-1] if cut and material.alpha == "opaque" else pixels
            files[f"{stem}_texture{len(known) - 1}.png"] = png_bytes(bare)
        places[i] = known[key]
    if any(ord(c) < 32 for c in stem):
        raise ValueError(
            wrong(
                "clip.save_mesh", "path must be one line for a ply file", f"{stem!r}", "rename it"
            )
        )
    if len(files) == 1 and (places[index.numpy()] == 0).all():
        only = f"{stem}_texture.png"
        return {only: next(iter(files.values()))}, [f"comment TextureFile {only}"], None
    comments = [f"comment TextureFile {name}" for name in files]
    return files, comments, places[index.numpy()] if files else None
