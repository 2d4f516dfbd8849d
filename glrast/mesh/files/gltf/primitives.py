"""Primitives: what a mesh of the file draws, as vertices and triangles in its own space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .accessors import SHAPES, Accessors, as_floats
from .decoders import Draco
from .tree import Broken, Refused, Tree

POINTS_AND_LINES = {0: "points", 1: "lines", 2: "a line loop", 3: "a line strip"}
TRIANGLES, STRIP, FAN = 4, 5, 6
_KINDS = {
    "POSITION": ("VEC3",),
    "NORMAL": ("VEC3",),
    "COLOR_0": ("VEC3", "VEC4"),
    "TEXCOORD": ("VEC2",),
    "JOINTS": ("VEC4",),
    "WEIGHTS": ("VEC4",),
}


@dataclass
class Chunk:
    """Triangles of one material, [T,3] into the vertices of a part; `order` is that of the primitive."""

    tri: np.ndarray
    material: Tree | None
    order: int


@dataclass
class Part:
    """Vertices that some primitives share, with all that lies on them.

    `values(name)` reads an attribute as floats, or gives None; `deltas(target, name)` one of a morph target.
    """

    where: str
    count: int
    values: Callable[[str], np.ndarray | None]
    joints: Callable[[int], np.ndarray | None]
    targets: list[Callable[[str], np.ndarray | None]]
    chunks: list[Chunk] = field(default_factory=list)

    def attribute(self, name: str, weights: list[float]) -> np.ndarray | None:
        """[V,width] at rest: morph targets add their part of it."""
        base = self.values(name)
        if base is None:
            return None
        for weight, target in zip(weights, self.targets):
            delta = target(name) if weight else None
            if delta is not None:
                base = base.astype(np.float64)
                base[:, : delta.shape[1]] += weight * delta
        return base


def parts_of(mesh: Tree, accessors: Accessors) -> list[Part]:
    """The mesh's triangles. Primitives with the same attributes share their vertices."""
    document = accessors.document
    shared: dict[tuple, Part] = {}
    primitives = mesh.children("primitives")
    if not primitives:
        raise Broken(f"{mesh.place('primitives')} is missing or empty")
    for primitive in primitives:
        mode = primitive.whole("mode", TRIANGLES)
        if mode in POINTS_AND_LINES:
            document.note(f"has {POINTS_AND_LINES[mode]}, which were left out ({primitive.where})")
            continue
        if mode not in (TRIANGLES, STRIP, FAN):
            raise Broken(f"{primitive.place('mode')} must be from 0 to 6; it is {mode}")
        attributes = primitive.child("attributes")
        if attributes is None or not attributes.has("POSITION"):
            document.note(
                f"has a primitive without POSITION, which was left out ({primitive.where})"
            )
            continue
        draco = Draco.of(primitive, accessors)
        key = _identity(attributes), *(_identity(t) for t in primitive.children("targets"))
        part = shared.get(key) if draco is None else None
        if part is None:
            part = _part(primitive, attributes, accessors, draco)
            shared[key if draco is None else (primitive.where,)] = part
        index = _index(primitive, accessors, draco, part.count)
        tri = _triangles(primitive, mode, index, part.count, document.note)
        material = document.refer(primitive, "material", "materials")
        part.chunks.append(Chunk(tri, material, primitive.index))
    return list(shared.values())


def _identity(attributes: Tree) -> tuple:
    return tuple(sorted((name, attributes.whole(name)) for name in attributes.value))


def _part(primitive: Tree, attributes: Tree, accessors: Accessors, draco: Draco | None) -> Part:
    count = -1

    def stored(tree: Tree, name: str, normalized: bool | None, packed: Draco | None):
        accessor = accessors.document.refer(tree, name, "accessors")
        if accessor is None:
            return None
        kind, allowed = accessors.kind(accessor), _KINDS[name if name in _KINDS else name[:-2]]
        if kind not in allowed:
            raise Broken(f"{tree.place(name)} must be {' or '.join(allowed)}; it is {kind}")
        unpacked = None if packed is None else packed.attribute(name)
        raw = accessors.raw(accessor) if unpacked is None else unpacked
        if raw.shape[1] != SHAPES[kind][1]:
            raise Broken(f"{tree.place(name)} must be {kind}; unpacked, it is {raw.shape[1]} wide")
        if count >= 0 and len(raw) != count:
            raise Broken(f"{tree.place(name)} has {len(raw)} elements for {count} vertices")
        if normalized is None:
            normalized = accessor.flag("normalized", False)
        return as_floats(raw, normalized)

    def values(name: str):
        # integers of colours and weights have no other meaning than 0..1
        always = True if name.startswith(("COLOR", "WEIGHTS")) else None
        return stored(attributes, name, always, draco)

    def target(tree: Tree):
        return lambda name: stored(tree, name, None, None) if name in _MORPHED else None

    position = values("POSITION")
    assert position is not None
    count = len(position)
    return Part(
        where=primitive.where,
        count=count,
        values=values,
        joints=lambda n: stored(attributes, f"JOINTS_{n}", False, draco),
        targets=[target(t) for t in primitive.children("targets")],
    )


_MORPHED = frozenset({"POSITION", "NORMAL", "COLOR_0", *(f"TEXCOORD_{n}" for n in range(16))})


def _index(primitive: Tree, accessors: Accessors, draco: Draco | None, count: int) -> np.ndarray:
    """The vertices in the order in which they are drawn."""
    accessor = accessors.document.refer(primitive, "indices", "accessors")
    if draco is not None:
        index = draco.index
    elif accessor is None:
        return np.arange(count)
    else:
        if accessors.kind(accessor) != "SCALAR":
            raise Broken(f"{primitive.place('indices')} must be SCALAR")
        index = accessors.raw(accessor).reshape(-1)
    if index.dtype.kind != "u":
        raise Broken(f"{primitive.place('indices')} must be unsigned integers")
    if len(index) and int(index.max()) >= count:
        if (
            int(index.max()) == np.iinfo(index.dtype).max
            and primitive.whole("mode", 4) != TRIANGLES
        ):
            raise Refused(
                f"must have no primitive restart, which glTF forbids; {primitive.where}.indices "
                f"holds {index.max()}; export it as triangles."
            )
        raise Refused(
            f"must have faces of its {count} vertices; got indices from {index.min()} to "
            f"{index.max()} in {primitive.where}; export it again."
        )
    return index.astype(np.int64)


def _triangles(
    primitive: Tree, mode: int, index: np.ndarray, count: int, note: Callable[[str], None]
) -> np.ndarray:
    """[T,3]. A strip's triangles with a vertex twice only lead it elsewhere: they are left out."""
    if mode == TRIANGLES:
        whole = len(index) // 3 * 3
        if whole != len(index):
            note(f"has {len(index) - whole} vertices too many for triangles in {primitive.where}")
        return index[:whole].reshape(-1, 3)
    if len(index) < 3:
        return np.zeros((0, 3), np.int64)
    first = np.arange(len(index) - 2)
    if mode == FAN:
        return np.stack([index[1:-1], index[2:], index[np.zeros_like(first)]], 1)
    odd = first % 2  # every second triangle is turned over
    tri = np.stack([index[:-2], index[first + 1 + odd], index[first + 2 - odd]], 1)
    return tri[(tri != np.roll(tri, 1, 1)).all(1)]
