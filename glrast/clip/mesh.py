"""A mesh in memory, and from and to files: obj, ply, glb."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import glb, obj, ply
from ._arguments import as_tensor, positions, shape_text, triangles

FORMATS = {".obj": obj, ".ply": ply, ".glb": glb}

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with what may lie on them; arrays become tensors, shapes are checked.

    Args:
        pos: float32 [V,3].
        tri: int32 [T,3], counter-clockwise from outside.
        color: float32 [V,3] or [V,4], 0..1, as in an image file (sRGB).
        normal: float32 [V,3].
        uv: float32 [U,2], (0,0) at the bottom left of the texture, with its own indices:
        uv_tri: int32 [T,3] into uv. A seam splits uv, never pos.
        texture: float32 [Ht,Wt,C], 0..1, row 0 at the BOTTOM.
    """

    pos: Tensor
    tri: Tensor
    color: Tensor | None = None
    normal: Tensor | None = None
    uv: Tensor | None = None
    uv_tri: Tensor | None = None
    texture: Tensor | None = None

    def __post_init__(self) -> None:
        pos = positions("Mesh", self.pos).float()
        tri = triangles("Mesh", self.tri, len(pos)).int()
        V, T = len(pos), len(tri)
        checked: dict[str, Tensor | None] = {"pos": pos, "tri": tri}
        checked["color"] = self._rows("color", f"[{V},3] or [{V},4]", (V,), (3, 4))
        checked["normal"] = self._rows("normal", f"[{V},3]", (V,), (3,))
        checked["texture"] = self._rows("texture", "[Ht,Wt,C]", (None, None), None)
        checked["uv"] = uv = self._rows("uv", "[U,2]", (None,), (2,))
        if (uv is None) != (self.uv_tri is None):
            raise ValueError(
                "glrast.clip.Mesh: uv and uv_tri must come together; got only "
                f"{'uv_tri' if uv is None else 'uv'}; pass uv_tri=tri if uv has a row per vertex."
            )
        if uv is not None:
            uv_tri = triangles("Mesh.uv_tri", self.uv_tri, len(uv)).int()
            if len(uv_tri) != T:
                raise ValueError(
                    f"glrast.clip.Mesh: uv_tri must be [{T},3] (T from tri); "
                    f"got {shape_text(uv_tri)}; give every triangle three uv indices."
                )
            checked["uv_tri"] = uv_tri
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def to(self, device: torch.device | str) -> Mesh:
        """The same mesh with its tensors on `device`."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: x.to(device) for k, x in tensors.items() if x is not None})

    def _rows(
        self,
        name: str,
        expected: str,
        lead: tuple[int | None, ...],
        widths: tuple[int, ...] | None,
    ) -> Tensor | None:
        value = getattr(self, name)
        if value is None:
            return None
        x = as_tensor(value).float()
        fits = x.ndim == len(lead) + 1 and (widths is None or x.shape[-1] in widths)
        if not fits or any(n not in (None, m) for n, m in zip(lead, x.shape[:-1], strict=True)):
            raise ValueError(
                f"glrast.clip.Mesh: {name} must be {expected}; got {shape_text(x)}; "
                "check which array this is."
            )
        return x


def load_mesh(path: str | Path, texture: bool = True) -> Mesh:
    """The mesh in an obj, ply or glb file, on the CPU.

    Args:
        path: the ending tells the format.
        texture: False leaves out uv and texture, e.g. where a file has several textures.
    Returns: `Mesh`. Polygons are cut into fans. Vertices keep the file's order and indices, but
        for glb and ply with uv: there a seam splits vertices, and those equal in everything but
        uv are joined again. An obj that gives a vertex several normals has normal=None.
    Raises: FileNotFoundError, ValueError (what is wrong with the file, in obj with the line),
        ImportError where trimesh is needed (ply, glb) and missing.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"glrast.clip.load_mesh: path must be a file; {path} {what}; check the path."
        )
    parts: dict[str, Any] = _format("load_mesh", path).read(path, texture)
    given = {name: x for name, x in parts.items() if x is not None}
    return Mesh(**{name: as_tensor(x, device=_CPU) for name, x in given.items()})


def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write `mesh` as obj, ply or glb; the old file stays whole until the new one is complete.

    Args:
        path: the ending tells the format. Its folder must exist.
        mesh: obj keeps everything but alpha, the texture as NAME_texture.png beside NAME.mtl. ply
            keeps pos, tri, normal and colours in 8 bits. glb keeps everything, colours as floats
            and the texture in 8 bits, but has vertices split at uv seams.
    Note: glTF holds vertex colours linear; they pass through the sRGB curve on the way, so a
        viewer shows what glrast renders, and `load_mesh` gives back what was saved.
    """
    path = Path(path)
    writer = _format("save_mesh", path)
    if len(mesh.tri) == 0:
        raise ValueError(
            "glrast.clip.save_mesh: mesh must have a triangle; got none; nothing was written."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"glrast.clip.save_mesh: path must lie in a folder; "
            f"{path.parent} is none; make it first."
        )
    if not bool(torch.isfinite(mesh.pos).all()):
        raise ValueError(
            "glrast.clip.save_mesh: mesh.pos must be finite; got nan or inf; nothing was written."
        )
    tensors = {f.name: getattr(mesh, f.name) for f in fields(mesh)}
    plain = {name: x.detach().cpu() for name, x in tensors.items() if x is not None}
    for name, content in writer.encode(replace(mesh, **plain), path.stem).items():
        _write(path.with_name(name), content)


def _format(function: str, path: Path) -> Any:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"glrast.clip.{function}: path must end in {', '.join(FORMATS)}; got {path.name!r}; "
            "convert it, e.g. trimesh.load(a).export(b)."
        )
    return FORMATS[path.suffix.lower()]


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        raise OSError(
            f"glrast.clip.save_mesh: path must be writable; {path}: {error.strerror}; "
            "choose another folder."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
