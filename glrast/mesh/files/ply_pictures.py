"""The pictures that comments of a ply file name, and which triangle shows which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..material import Material
from .paths import has_holes, named_file, named_texture
from .ply_faces import Faces


def looks_of(path: Path, textures: list[str], faces: Faces) -> dict[str, Any]:
    """The fields texture, or materials and material, of a mesh that has uv."""
    T = len(faces.tri)
    if not textures:
        return {}
    if faces.number is None and len(textures) > 1:
        raise ValueError(
            f"it names {len(textures)} pictures ({', '.join(textures)[:100]}) and no face says which it shows "
            "(no property texnumber)"
        )
    number = np.zeros(T, dtype=np.int64) if faces.number is None else np.maximum(faces.number, -1)
    if faces.has_uv is not None:
        number = np.where(faces.has_uv, number, -1)
    if T and number.max() >= len(textures):
        raise ValueError(
            f"a face has the picture {number.max()} where {len(textures)} are named (comment TextureFile)"
        )
    used, first, inverse = np.unique(number, return_index=True, return_inverse=True)
    order = np.argsort(first)
    materials = tuple(_material(path, textures, int(used[i])) for i in order)
    if len(materials) == 1 and materials[0].is_plain:
        return {"texture": materials[0].texture}
    return {"materials": materials, "material": np.argsort(order)[inverse.reshape(-1)]}


def _material(path: Path, textures: list[str], number: int) -> Material:
    if number < 0:
        return Material()
    name = textures[number]
    texture = named_texture(named_file([path.parent], [name]), "TextureFile")
    alpha = "mask" if has_holes(texture) else "opaque"
    return Material(name=name, texture=torch.from_numpy(texture), alpha=alpha)
