"""The files that a mesh file names: beside it, below it or above it, written as any system writes them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .pictures import open_picture, to_texture


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have (too long, with a NUL) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def named_file(folders: list[Path], names: list[str]) -> Path:
    """The first of the `names` that is a file in one of the `folders`; if none is, where the last should be.

    Names are as a file gives them, so "\\" is a folder's end too, and quotes may stand around them. One that names
    a whole path (of another machine, it may be) is looked for there, then in the folders.
    """
    for name in names:
        for spelled in (name, name.strip('"'), name.replace("\\", "/").strip('"')):
            for folder in folders:
                if spelled and is_file(folder / spelled):
                    return folder / spelled
    last = names[-1].replace("\\", "/").strip('"')
    if re.match(r"[A-Za-z]:|/", last):
        alone = last.rpartition("/")[2]
        found = [folder / alone for folder in folders if alone and is_file(folder / alone)]
        return found[0] if found else Path(last)
    return folders[0] / last


def without_comment(name: str) -> list[str]:
    """`name`, and what stands before each # after a blank: a name may hold one, or a comment follow."""
    cuts = [i for i in range(1, len(name)) if name[i] == "#" and name[i - 1].isspace()]
    return [name, *(name[:i].rstrip() for i in reversed(cuts))]


def named_texture(path: Path, key: str) -> np.ndarray:
    """float32 [Ht,Wt,C], the picture that `key` of a mesh file names."""
    if not is_file(path):
        raise FileNotFoundError(
            f"glrast.clip.load_mesh: {key} must be an image; found no {_short(path)}; "
            "add the file, or pass texture=False (glrast render --no-texture)."
        )
    return to_texture(open_picture(path, key))


def has_holes(texture: np.ndarray | None) -> bool:
    """Whether it has an alpha that is somewhere below 1: neither format says what that means, so it cuts out."""
    return texture is not None and texture.shape[2] in (2, 4) and bool((texture[..., -1] < 1).any())


def _short(path: Path) -> str:
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= 400 else f"{text[:200]}...{text[-200:]}"
