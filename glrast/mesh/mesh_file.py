"""load_mesh and save_mesh: which reader and which writer a file's name asks for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from ..core.arguments import as_tensor
from ..core.check import wrong
from ..core.files import DiskFull, replacing
from .files import gltf, obj, ply
from .mesh import Mesh

FORMATS = {".obj": obj, ".ply": ply, ".glb": gltf, ".gltf": gltf}
WRITTEN = (".obj", ".ply", ".glb")

_CPU = torch.device("cpu")


def load_mesh(path: str | Path, texture: bool = True) -> Mesh:
    """The mesh in an obj, ply, glb or gltf file, on the CPU; docs/files.md says what of each is read.

    Args:
        path: the ending tells the format.
        texture: False leaves out uv and textures, e.g. where a picture is missing; colours of materials stay.
    Returns: `Mesh`. Polygons are cut into triangles, convex ones as fans from their first corner. Vertices
        keep the file's order and indices, but for glb, gltf and ply with uv: there a seam splits vertices, and
        those equal in everything but uv are joined again. An obj that gives a vertex several normals has
        normal=None. A file whose materials say no more than one texture has `texture`, else `materials`.
    Raises: FileNotFoundError (the file, a buffer or a picture that it names), ValueError (what is wrong with
        the file or not read here, in obj with the line), ImportError where a decoder (Draco in glb) is missing.
    Note: where float32 cannot hold the coordinates, their whole part becomes `origin`, and pos is relative to
        it: a warning says so. Also told by a warning: what is left out of a file, and what a file names that
        is not there but for pictures.
    """
    path = Path(path)
    trouble = _why_no_file(path)
    if trouble:
        raise FileNotFoundError(
            wrong("clip.load_mesh", "path must be a file", f"{path}, which {trouble}")
        )
    parts: dict[str, Any] = _format("load_mesh", path).read(path, texture)
    given = {name: x for name, x in parts.items() if x is not None}
    for name, x in given.items():
        if name not in ("materials", "origin"):
            given[name] = as_tensor(x, device=_CPU)
    mesh = Mesh(**given)
    if any(mesh.origin):
        warnings.warn(
            f"glrast.clip.load_mesh: {path} lies where float32 cannot hold its shape; pos is relative to "
            f"origin={mesh.origin}; give cameras the same: load_cameras(..., origin=mesh.origin).",
            stacklevel=2,
        )
    return mesh


def save_mesh(
    path: str | Path, mesh: Mesh, up: str | tuple[float, float, float] | None = None
) -> None:
    """Write `mesh` as obj, ply or glb; the old file stays whole until the new one is complete.

    Args:
        path: the ending tells the format. Its folder must exist.
        mesh: obj keeps everything but the alpha of vertex colours, textures as NAME_texture.png beside
            NAME.mtl. ply keeps all but the factors of materials, with colours in 8 bits and uv at corners.
            glb keeps everything, colours as floats and textures in 8 bits, but has vertices split at uv
            seams and triangles sorted by material. What the look of a material would lose in obj or ply is
            refused by name.
        up: for glb, which demands that y points up: the mesh's axis that does, 'x', 'y', 'z', '-x', '-y',
            '-z' or three numbers. The file's node turns the mesh, and other programs show it upright; `load_mesh`
            takes the turn back and gives what was saved. None: the coordinates are written as they are.
    Raises: ValueError (what cannot be written), FileNotFoundError, OSError; glrast.core.files.DiskFull, an OSError,
        where there is no room.
    Note: glTF holds vertex colours linear; they pass through the sRGB curve on the way, so a
        viewer shows what glrast renders, and `load_mesh` gives back what was saved.
    """
    path = Path(path)
    writer = _format("save_mesh", path)
    if up is not None and writer is not gltf:
        raise ValueError(
            wrong(
                "clip.save_mesh",
                "up must be None but for glb",
                f"{up!r} for {path.name!r}",
                "no other format says which axis is up",
            )
        )
    if len(mesh.tri) == 0:
        raise ValueError(
            wrong("clip.save_mesh", "mesh must have a triangle", "none", "nothing was written")
        )
    if not _is_folder(path.parent):
        raise FileNotFoundError(
            wrong(
                "clip.save_mesh",
                "path must lie in a folder",
                f"{path.parent}, which is none",
                "make it first",
            )
        )
    if not bool(torch.isfinite(mesh.pos).all()):
        raise ValueError(
            wrong("clip.save_mesh", "mesh.pos must be finite", "nan or inf", "nothing was written")
        )
    plain = mesh.with_tensors(lambda x: x.detach().cpu())
    options = {} if up is None else {"up": up}
    for name, content in writer.encode(plain, path.stem, **options).items():
        _write(path.with_name(name), content)


def _why_no_file(path: Path) -> str:
    """What stands at `path` instead of a file; "" for a file."""
    try:
        if path.is_file():
            return ""
        return "is a folder" if path.is_dir() else "does not exist"
    except OSError as error:  # a name that no file can have
        return f"cannot be one ({error.strerror})"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _format(function: str, path: Path) -> Any:
    formats = tuple(FORMATS) if function == "load_mesh" else WRITTEN
    if path.suffix.lower() not in formats:
        raise ValueError(
            wrong(
                f"clip.{function}",
                f"path must end in {', '.join(formats)}",
                f"{path.name!r}",
                "convert it, e.g. in Blender, or with trimesh",
            )
        )
    return FORMATS[path.suffix.lower()]


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as draft:
            draft.write_bytes(content)
    except DiskFull:
        raise
    except OSError as error:
        raise OSError(
            wrong(
                "clip.save_mesh",
                "path must be writable",
                f"{path}, {error.strerror}",
                "choose another folder",
            )
        ) from error
