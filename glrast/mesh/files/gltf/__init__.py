"""glTF 2.0, .glb and .gltf, read and written here over numpy.

Why not through a library: trimesh reads the commonest files, and drops without a word what it does not know
(sparse and normalized accessors, samplers, uv sets, factors beside textures, skins, required extensions);
pygltflib maps JSON to classes and leaves the meaning to its user. A file must be read right or be refused by
name, so what the file uses has to be known here; the rest is JSON and arrays.

    container   header, chunks, URIs       tree        JSON, asked for types
    accessors   arrays in the buffers      decoders    compressed ones
    primitives  triangles of a mesh        materials   base colour, texture, uv transform
    scene       nodes, instances           placed      matrices, skins, morph targets
    joined      one Mesh of all            write       the way back
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .accessors import Accessors
from .container import Document
from .extensions import check_extensions
from .joined import Joined
from .materials import Looks
from .placed import Placed, flat, place
from .primitives import Part, parts_of
from .scene import Nodes, placements
from .tree import Broken, Refused
from .write import encode

__all__ = ["encode", "read"]

# Corners of triangles and vertices of all instances together, of which 5 M cost 0.6 GB here. A file of some kB
# can ask for any number: a mesh of a thousand vertices, a thousand times.
PLACED_LIMIT = 100_000_000
PLACED_SMALL, PLACED_EACH_BYTE = 5_000_000, 100


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`, all nodes of the scene in one, at the rest pose.

    Triangles come in the order of nodes and primitives. Colours pass through the sRGB curve: glTF holds
    vertex colours linear, a `Mesh` as in an image file. Triangles of one plain material give `texture`,
    any others `materials`. Warns, in one line, of what was left out.
    """
    name = f"glrast.clip.load_mesh: {path}"
    kind = path.suffix[1:].lower()
    try:
        document = Document(path)
        with np.errstate(all="ignore"):  # what overflows is looked for, and named
            mesh = _read(document, texture)
    except Broken as error:
        raise ValueError(f"{name} must be a {kind} file; {error}; export it again.") from None
    except Refused as error:
        raise ValueError(f"{name} {error}") from None
    except FileNotFoundError as error:
        if str(error).startswith("glrast."):
            raise
        raise FileNotFoundError(
            f"{name} must have its files beside it; {error}; copy them there."
        ) from None
    except (ValueError, ImportError) as error:
        if str(error).startswith("glrast."):
            raise
        raise ValueError(f"{name} must be a {kind} file; unforeseen: {error}") from error
    except Exception as error:  # a broken file that nobody thought of
        raise ValueError(
            f"{name} must be a {kind} file; unforeseen: {type(error).__name__}: {error}"
        ) from error
    if document.notes:
        warnings.warn(f"{name} {'; it '.join(document.notes)}.", stacklevel=3)
    return mesh


def _read(document: Document, texture: bool) -> dict[str, Any]:
    check_extensions(document)
    accessors = Accessors(document)
    nodes = Nodes(document)
    found: list[Placed] = []
    parts: dict[int, list[Part]] = {}
    total = 0
    limit = min(PLACED_LIMIT, PLACED_SMALL + PLACED_EACH_BYTE * document.weight())
    for placement in placements(document, accessors, nodes):
        mesh = placement.mesh
        if mesh.index not in parts:
            parts[mesh.index] = parts_of(mesh, accessors)
        for part in parts[mesh.index]:
            corners = sum(chunk.tri.size for chunk in part.chunks)
            total += (part.count + corners) * len(placement.matrices)
            if total > limit:
                raise Refused(
                    f"must have at most {limit} vertices and corners of triangles (a file of its size), "
                    f"all instances counted; it has more, at {mesh.where}; split it."
                )
            if corners:
                found += place(part, placement, nodes, accessors)
    if not found:
        left_out = f"; it {'; it '.join(document.notes)}" if document.notes else ""
        raise Refused(f"must have triangles; found none{left_out}; make a surface of it first.")
    joined = Joined(Looks(document, texture))
    bare = any(placed.normal is not None for placed in found)
    for placed in found:
        joined.add(flat(placed) if bare and placed.normal is None else placed)
    return joined.mesh()
