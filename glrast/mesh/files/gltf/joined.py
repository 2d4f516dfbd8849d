"""One mesh of everything that the scene shows: positions, colours, uv and materials of all parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ....core.srgb import linear_to_srgb
from ...material import Material
from ...weld import unique_rows
from ..origin import split_origin
from .materials import Look, Looks
from .placed import Placed
from .tree import Broken


@dataclass
class Joined:
    """Collects the parts; `mesh` gives the fields of a `Mesh`."""

    looks: Looks
    pos: list[np.ndarray] = field(default_factory=list)
    normal: list[np.ndarray | None] = field(default_factory=list)
    color: list[np.ndarray | None] = field(default_factory=list)
    tri: list[np.ndarray] = field(default_factory=list)  # of each chunk, into all positions
    uv: list[np.ndarray] = field(default_factory=list)
    uv_tri: list[np.ndarray | None] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    material: list[np.ndarray] = field(default_factory=list)
    order: list[tuple[int, int, int]] = field(default_factory=list)  # of a chunk in the file
    vertices: int = 0
    uvs: int = 0
    _numbers: dict[tuple, int] = field(default_factory=dict)
    _uv_starts: dict[tuple, int] = field(default_factory=dict)

    def add(self, placed: Placed) -> None:
        for chunk, tri in zip(placed.part.chunks, placed.tri, strict=True):
            look = self.looks.of(chunk.material)
            start = self._uv_start(placed, look) if self.looks.texture else None
            self.uv_tri.append(None if start is None else tri + start)
            if start is None:
                look = self._without_texture(look, placed)
            self.material.append(np.full(len(tri), self._number(look.material)))
            self.tri.append(tri + self.vertices)
            self.order.append((placed.placement, placed.instance, chunk.order))
        self.pos.append(placed.pos)
        self.normal.append(placed.normal)
        self.color.append(placed.color)
        self.vertices += len(placed.pos)

    def mesh(self) -> dict[str, Any]:
        chunks = sorted(range(len(self.order)), key=self.order.__getitem__)
        self.tri = [self.tri[i] for i in chunks]
        self.uv_tri = [self.uv_tri[i] for i in chunks]
        self.material = [self.material[i] for i in chunks]
        world = np.concatenate(self.pos)
        if world.size and np.abs(world).max() > np.finfo(np.float32).max:
            raise Broken("its positions are beyond what float32 can hold")
        pos, origin = split_origin(world)
        mesh: dict[str, Any] = {"pos": pos, "tri": np.concatenate(self.tri), "origin": origin}
        normals = [n for n in self.normal if n is not None]
        if normals:
            mesh["normal"] = np.concatenate(normals).astype(np.float32)
        if any(c is not None for c in self.color):
            rows = [_rgba(c, len(p)) for c, p in zip(self.color, self.pos, strict=True)]
            color = linear_to_srgb(np.clip(np.concatenate(rows), 0, 1))
            mesh["color"] = color[:, :3] if (color[:, 3] == 1).all() else color
        mesh |= self._appearance()
        if self.uv:
            mesh |= self._all_uv()
            mesh = _without_seams(mesh)
        return mesh

    def _uv_start(self, placed: Placed, look: Look) -> int | None:
        """Where the uv of the part's vertices begin among all; instances share theirs. None: it has none."""
        own = None if placed.rows is None else (placed.placement, placed.instance)
        matrix = None if look.matrix is None else look.matrix.tobytes()
        key = (id(placed.part), tuple(placed.weights), own, look.texcoord, matrix)
        if key in self._uv_starts:
            return self._uv_starts[key]
        uv = placed.part.attribute(f"TEXCOORD_{look.texcoord}", placed.weights)
        if uv is None:
            return None
        if not np.isfinite(uv).all():
            raise Broken(f"{placed.part.where}.attributes.TEXCOORD_{look.texcoord} must be finite")
        if look.matrix is not None:
            uv = uv @ look.matrix[:, :2].T + look.matrix[:, 2]
        uv = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)  # (0,0) at the bottom left
        self._uv_starts[key] = self.uvs
        self.uv.append(uv if placed.rows is None else uv[placed.rows])
        self.uvs += len(self.uv[-1])
        return self._uv_starts[key]

    def _without_texture(self, look: Look, placed: Placed) -> Look:
        if look.material.texture is None:
            return look
        self.looks.document.note(
            f"has a texture on {placed.part.where}, which has no TEXCOORD_{look.texcoord}; it was left out"
        )
        return replace(look, material=replace(look.material, texture=None))

    def _number(self, material: Material) -> int:
        """Materials that look the same are one, by the name of the first."""
        key = (
            material.factor,
            id(material.texture) if material.texture is not None else None,
            material.wrap if material.texture is not None else None,
            material.filter if material.texture is not None else None,
            material.alpha,
            material.cutoff if material.alpha == "mask" else None,
            material.unlit,
        )
        if key not in self._numbers:
            self._numbers[key] = len(self.materials)
            self.materials.append(material)
        return self._numbers[key]

    def _appearance(self) -> dict[str, Any]:
        first = self.materials[0]
        if len(self.materials) > 1:
            material = np.concatenate(self.material)
            return {"materials": tuple(self.materials), "material": material}
        return {"texture": first.texture} if first.is_plain else {"materials": (first,)}

    def _all_uv(self) -> dict[str, Any]:
        """uv and uv_tri; triangles without have (0,0)."""
        uv = np.concatenate([*self.uv, np.zeros((1, 2), np.float32)])
        rows = [
            np.full_like(tri, self.uvs) if uv_tri is None else uv_tri
            for uv_tri, tri in zip(self.uv_tri, self.tri, strict=True)
        ]
        if all(uv_tri is not None for uv_tri in self.uv_tri):
            uv = uv[:-1]
        return {"uv": uv, "uv_tri": np.concatenate(rows)}


def _rgba(color: np.ndarray | None, count: int) -> np.ndarray:
    """[V,4] linear, white where there is none."""
    rgba = np.ones((count, 4), dtype=np.float32)
    if color is not None:
        rgba[:, : color.shape[1]] = color
    return rgba


def _without_seams(mesh: dict[str, Any]) -> dict[str, Any]:
    """Vertices equal in all but uv made one; uv gets its own indices."""
    kept = [name for name in ("pos", "normal", "color") if name in mesh]
    index, new = unique_rows(np.concatenate([mesh[name] for name in kept], 1))
    uv_index, uv_new = unique_rows(mesh["uv"])
    joined = {name: mesh[name][index] for name in kept}
    joined["uv"], joined["uv_tri"] = mesh["uv"][uv_index], uv_new[mesh["uv_tri"]]
    return mesh | joined | {"tri": new[mesh["tri"]]}
