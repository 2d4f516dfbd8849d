"""A mesh as an obj file, with its mtl and its pictures.

Written: positions (in the world's coordinates, with all digits where there is an origin), colours, uv, normals, and of
each material Kd, d, map_Kd and -clamp. What an mtl cannot say is refused, so that what is read back looks the same:
mirrored repeats, wraps that differ for u and v, nearest texels, cut-offs other than .5, blending by a picture. Left
out: the alpha of vertex colours, and alpha where the material is opaque and so ignores it. `unlit` becomes `illum 0`,
which readers may ignore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ...core.check import wrong
from ...core.srgb import linear_to_srgb
from ..material import Material
from .paths import has_holes
from .pictures import png_bytes

if TYPE_CHECKING:
    from ..mesh import Mesh

HALF = 0.5  # the cut-off that a reader of obj files assumes


def encode(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """File names and contents, in the order in which to write them: the obj is the last."""
    materials, index = mesh.appearance()
    names: list[str] = []
    files: dict[str, bytes] = {}
    lines = []
    if mesh.materials or (mesh.texture is not None and mesh.uv is not None):
        names = _names(materials)
        files = _library(materials, names, stem, mesh)
        lines.append(f"mtllib {_one_line('the name of the file', stem)}.mtl\n")
    lines.append(_vertices(mesh))
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
    table = np.stack(columns, 2).reshape(len(tri), -1)
    which = index.numpy()
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(which)], strict=True):
        if names:
            lines.append(f"usemtl {names[which[start]]}\n")
        lines.append(_lines("f", table[start:end], pattern, 3))
    return files | {f"{stem}.obj": "".join(lines).encode()}


def _vertices(mesh: Mesh) -> str:
    vertex = mesh.pos.numpy()
    digits = "%.9g"  # bring a float32 back exactly
    if mesh.origin != (0.0, 0.0, 0.0):
        vertex = vertex.astype(np.float64) + np.array(mesh.origin)
        digits = "%.17g"  # and a float64
    if mesh.color is None:
        return _lines("v", vertex, digits)
    line = " ".join(["v"] + [digits] * 3 + ["%.9g"] * 3) + "\n"
    rows = np.concatenate([vertex, mesh.color.numpy()[:, :3]], 1)
    return (line * len(rows)) % tuple(rows.reshape(-1).tolist())


def _lines(key: str, table: np.ndarray, pattern: str, groups: int | None = None) -> str:
    line = " ".join([key] + [pattern] * (groups or table.shape[1])) + "\n"
    return (line * len(table)) % tuple(table.reshape(-1).tolist())


def _names(materials: tuple[Material, ...]) -> list[str]:
    """A name for each material, none twice: its own, or `material`, or one with a number."""
    names: list[str] = []
    for material in materials:
        fallback = "texture" if len(materials) == 1 else "material"
        wanted = " ".join(_one_line("a material's name", material.name).split()) or fallback
        name, number = wanted, 1
        while name in names:
            number += 1
            name = f"{wanted}_{number}"
        names.append(name)
    return names


def _library(
    materials: tuple[Material, ...], names: list[str], stem: str, mesh: Mesh
) -> dict[str, bytes]:
    """The pictures, then the mtl file."""
    files: dict[str, bytes] = {}
    text = []
    textured = [m for m in materials if m.texture is not None]
    pictures: dict[tuple[int, bool], str] = {}
    for material, name in zip(materials, names, strict=True):
        _check(material, name, mesh)
        red, green, blue = linear_to_srgb(np.array([material.factor[:3]]))[0].tolist()
        text.append(f"newmtl {name}\nKd {red:.9g} {green:.9g} {blue:.9g}\n")
        if material.alpha == "blend" and material.factor[3] < 1:
            text.append(f"d {material.factor[3]:.9g}\n")
        if material.unlit:
            text.append("illum 0\n")
        if material.texture is None:
            continue
        pixels = material.texture.numpy()
        opaque = material.alpha == "opaque"
        key = (material.texture.data_ptr(), opaque)
        if key not in pictures:
            number = f"{len(pictures)}" if len(textured) > 1 else ""
            pictures[key] = f"{stem}_texture{number}.png"
            files[pictures[key]] = png_bytes(_without_alpha(pixels) if opaque else pixels)
        clamp = "-clamp on " if material.wrap == ("clamp", "clamp") else ""
        text.append(f"map_Kd {clamp}{pictures[key]}\n")
    return files | {f"{stem}.mtl": "".join(text).encode()}


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """The picture without an alpha that would cut holes; where it is 1 it says nothing and stays."""
    return pixels[..., :-1] if has_holes(pixels) else pixels


def _check(material: Material, name: str, mesh: Mesh) -> None:
    """Refuse what would look otherwise when read back."""
    factor, texture = material.factor[3], material.texture
    cut = texture is not None and has_holes(texture.numpy())
    if texture is not None:
        if mesh.uv is None:
            _refuse(name, "a texture and no uv", "give the mesh uv, or the material no texture")
        if material.wrap not in (("repeat", "repeat"), ("clamp", "clamp")):
            _refuse(name, f"wrap={material.wrap}", "save it as .glb, or repeat the texture itself")
        if material.filter != "linear":
            _refuse(name, f"filter={material.filter!r}", "save it as .glb, or enlarge the texture")
    if material.alpha == "mask" and (cut or factor < 1):
        if factor < 1 or material.cutoff != HALF:
            got = f"alpha='mask' with cutoff={material.cutoff:g} and a factor of {factor:g}"
            _refuse(name, got, "save it as .glb, or make the texture's alpha 0 and 1")
    if material.alpha == "blend" and cut and factor == 1:
        _refuse(name, "alpha='blend' by its texture", "save it as .glb, or use alpha='mask'")


def _one_line(what: str, name: str) -> str:
    if any(ord(c) < 32 for c in name):
        raise ValueError(
            wrong(
                "clip.save_mesh",
                f"{what} must be one line in an obj file",
                f"{name!r}",
                "rename it",
            )
        )
    return name


def _refuse(name: str, got: str, remedy: str) -> NoReturn:
    raise ValueError(
        wrong(
            "clip.save_mesh",
            "materials must be such as an obj file can hold",
            f"{got} in {name!r}",
            remedy,
        )
    )
