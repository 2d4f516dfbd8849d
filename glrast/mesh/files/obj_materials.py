"""What the faces of an obj file look like: its libraries' entries made materials, one for each kind of face.

A face whose corners have no vt shows no picture: it gets its material without one. The options -s and -o of a picture
are worked into the uv of the faces that show it.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...core.srgb import srgb_to_linear
from ..material import Material
from .lines import show
from .mtl import Entry, Picture, find_entry, read_library
from .obj_lines import ObjLines
from .paths import has_holes, is_file, named_file, named_texture, without_comment
from .pictures import pillow

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # Rec. 709


@dataclass
class Look:
    """A material and how its picture lies on the surface: at uv * scale + offset."""

    material: Material
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


def looks_of_faces(
    found: ObjLines, has_uv: np.ndarray, texture: bool
) -> tuple[list[Look], np.ndarray]:
    """What there is to see, in the order of first use, and which of it each face [F] shows.

    Args:
        has_uv: bool [F], faces that have a uv at each corner.
        texture: False leaves out pictures.
    """
    use_lines = np.array([line for line, _ in found.materials], dtype=np.int64)
    use = np.searchsorted(use_lines, found.face_lines) - 1  # -1: before the first usemtl
    entries = _Entries(found)
    pictures = _Pictures(found.path.parent)
    looks: list[Look] = []
    known: dict[tuple[int, bool], int] = {}
    face = np.zeros(len(use), dtype=np.int64)
    codes, first, inverse = np.unique(use * 2 + has_uv, return_index=True, return_inverse=True)
    of_code = np.zeros(len(codes), dtype=np.int64)
    for i in np.argsort(first).tolist():
        which, shows = int(codes[i]) >> 1, bool(codes[i] & 1) and texture
        entry = entries.of(which)
        shows = shows and entry is not None and bool({"map_kd", "map_d"} & set(entry.lines))
        key = (id(entry), shows)
        if key not in known:
            known[key] = len(looks)
            looks.append(_look(entry, pictures, shows))
        of_code[i] = known[key]
    face[:] = of_code[inverse.reshape(-1)]
    entries.warn()
    return looks, face


def bake_uv(
    looks: list[Look], look: np.ndarray, uv: np.ndarray, uv_tri: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """uv [U,2] and its indices [T,3], each triangle's uv where its picture's options put it."""
    for i, seen in enumerate(looks):
        if (seen.scale, seen.offset) == ((1.0, 1.0), (0.0, 0.0)):
            continue
        mine = look == i
        rows, index = np.unique(uv_tri[mine], return_inverse=True)
        uv_tri = uv_tri.copy()
        uv_tri[mine] = len(uv) + index.reshape(-1, 3)
        uv = np.concatenate([uv, uv[rows] * seen.scale + seen.offset])
    return uv, uv_tri


class _Entries:
    """The libraries of a file. A usemtl means the last mtllib before it, then the earlier ones, then the later."""

    def __init__(self, found: ObjLines) -> None:
        self.found = found
        read = functools.cache(read_library)  # each object may name the same file again
        self.libraries: list[tuple[int, list[dict[str, Entry]]]] = []
        for line, rest in found.libraries:
            files = _library_files(found.path, rest)
            self.libraries.append((line, [read(path) for path in files]))
        self.known: dict[tuple[str, int], Entry | None] = {}
        self.missing: list[str] = []

    def of(self, which: int) -> Entry | None:
        """What the usemtl of this number means; None, which is white, before the first and where it is missing."""
        if which < 0:
            return None
        line, name = self.found.materials[which]
        before = sum(at < line for at, _ in self.libraries)
        if (name, before) not in self.known:
            entry = self._find(name, before)
            self.known[name, before] = entry
            if entry is None and name and name not in self.missing:
                self.missing.append(name)
        return self.known[name, before]

    def _find(self, name: str, before: int) -> Entry | None:
        for _, files in self.libraries[:before][::-1] + self.libraries[before:]:
            for entries in files:
                entry = find_entry(entries, name)
                if entry is not None:
                    return entry
        return None

    def warn(self) -> None:
        """One warning that names the materials in use that no library has, unless a library itself is missing."""
        if self.missing and any(file for _, files in self.libraries for file in files):
            _warn(
                f"{self.found.path} uses materials that no mtl file of it defines: "
                f"{', '.join(map(repr, self.missing[:8]))}; they are white; export the mesh with its materials."
            )
        elif self.missing and not self.libraries:
            _warn(
                f"{self.found.path} uses materials and names no mtl file (no mtllib line): "
                f"{', '.join(map(repr, self.missing[:8]))}; they are white; export the mesh with its materials."
            )


def _library_files(path: Path, rest: str) -> list[Path]:
    """The files of one mtllib line, whose names may hold blanks and stand side by side; those missing are warned of."""
    folder = path.parent
    whole = named_file([folder], without_comment(rest))
    if is_file(whole):
        return [whole]
    words = without_comment(rest)[-1].split()
    found, missing = [], []
    while words:
        for n in range(len(words), 0, -1):
            file = named_file([folder], [" ".join(words[:n])])
            if is_file(file):
                found.append(file)
                words = words[n:]
                break
        else:
            missing.append(words.pop(0))
    if missing or not rest:
        what = show(" ".join(missing).encode()) if missing else "none"
        _warn(
            f"{path}: mtllib must name files; found no {what} in {folder.resolve()}; "
            "its materials are white; put the file there."
        )
    return found


def _look(entry: Entry | None, pictures: _Pictures, shows: bool) -> Look:
    if entry is None:
        return Look(Material())
    color, opacity = entry.color(), entry.opacity()
    if color == (0.0, 0.0, 0.0) and entry.lines.get("map_kd", (0, ""))[1]:
        _warn(
            f"{entry.path}: Kd 0 0 0 of material {entry.name!r} would hide its map_Kd; "
            "it is taken as Kd 1 1 1; write that into the file."
        )
        color = (1.0, 1.0, 1.0)
    rgb = srgb_to_linear(np.array([color]))[0].tolist()
    base = entry.picture("map_kd", pictures.folder) if shows else None
    cut = entry.picture("map_d", pictures.folder) if shows else None
    texture = pictures.texture(entry, base, cut)
    alpha = "blend" if opacity < 1 else "mask" if has_holes(texture) else "opaque"
    material = Material(
        name=entry.name,
        factor=(rgb[0], rgb[1], rgb[2], opacity),
        texture=None if texture is None else torch.from_numpy(texture),
        wrap=("clamp", "clamp") if (base or cut or Picture(Path())).clamp else ("repeat", "repeat"),
        alpha=alpha,
    )
    placed = base or cut
    return Look(material) if placed is None else Look(material, placed.scale, placed.offset)


class _Pictures:
    """Pictures by file, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[tuple[str, Path], np.ndarray] = {}

    def texture(self, entry: Entry, base: Picture | None, cut: Picture | None) -> np.ndarray | None:
        """float32 [Ht,Wt,C] of map_kd, with map_d as its alpha; None without either."""
        texture = None
        if base is not None:
            texture = self._pixels("map_Kd", base)
            if (base.base, base.gain) != (0.0, 1.0):
                texture = texture.copy()
                colors = texture[..., : 3 if texture.shape[2] > 2 else 1]
                np.clip(base.base + base.gain * colors, 0, 1, out=colors)
        if cut is None:
            return texture
        alpha = self._alpha(cut, base)
        if alpha is None:  # the same picture has none
            return texture
        if texture is None or base is None:
            return np.stack([np.ones_like(alpha), alpha], 2)
        if (cut.scale, cut.offset, cut.clamp) != (base.scale, base.offset, base.clamp):
            raise ValueError(
                f"glrast.clip.load_mesh: {entry.path}: map_d and map_Kd of material {entry.name!r} must lie "
                f"alike on the surface; got other -s, -o or -clamp; bake them into one picture."
            )
        color = texture[..., :-1] if texture.shape[2] in (2, 4) else texture
        H, W = max(color.shape[0], alpha.shape[0]), max(color.shape[1], alpha.shape[1])
        return np.concatenate([_resized(color, H, W), _resized(alpha[..., None], H, W)], 2)

    def _alpha(self, cut: Picture, base: Picture | None) -> np.ndarray | None:
        """[Ht,Wt]: the channel asked for; else the picture's alpha; else its luminance."""
        pixels = self._pixels("map_d", cut)
        C = pixels.shape[2]
        if cut.channel == "m" or (not cut.channel and C in (2, 4)):
            alpha = pixels[..., -1] if C in (2, 4) else np.ones(pixels.shape[:2], np.float32)
        elif cut.channel in ("r", "g", "b"):
            alpha = pixels[..., "rgb".index(cut.channel) if C > 2 else 0]
        elif not cut.channel and base is not None and base.path == cut.path:
            return None
        else:
            alpha = pixels[..., :3] @ LUMINANCE if C > 2 else pixels[..., 0]
        return np.clip(cut.base + cut.gain * alpha, 0, 1).astype(np.float32)

    def _pixels(self, key: str, picture: Picture) -> np.ndarray:
        place = (key, picture.path)
        if place not in self.known:
            self.known[place] = named_texture(picture.path, key)
        return self.known[place]


def _resized(pixels: np.ndarray, H: int, W: int) -> np.ndarray:
    if pixels.shape[:2] == (H, W):
        return pixels
    image = pillow("load_mesh")
    channels = [
        np.asarray(
            image.fromarray(np.ascontiguousarray(channel)).resize((W, H), image.Resampling.BILINEAR)
        )
        for channel in np.moveaxis(pixels, 2, 0)
    ]
    return np.clip(np.stack(channels, 2), 0, 1)


def _warn(text: str) -> None:
    warnings.warn(f"glrast.clip.load_mesh: {text}", UserWarning, stacklevel=2)
