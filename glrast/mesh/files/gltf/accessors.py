"""Accessors: arrays of numbers in the buffers, strided, sparse, normalized."""

from __future__ import annotations

import numpy as np

from . import meshopt
from .container import Document
from .tree import Broken, Tree

COMPONENTS = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
# columns and rows
SHAPES = {
    "SCALAR": (1, 1),
    "VEC2": (1, 2),
    "VEC3": (1, 3),
    "VEC4": (1, 4),
    "MAT2": (2, 2),
    "MAT3": (3, 3),
    "MAT4": (4, 4),
}
# An accessor without a bufferView is zeros, which cost the file nothing: a count of 3e8 in 3 kB would cost
# gigabytes here. A vertex in use costs an index, one byte at least, so a file's bytes bound what can be meant.
UNBACKED = 65536


class Accessors:
    """Reads a document's accessors; what is not copied is a view of the buffer."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._read: dict[int, np.ndarray] = {}
        self._views: dict[int, memoryview] = {}

    def raw(self, accessor: Tree) -> np.ndarray:
        """[count, width] as stored; a matrix column by column."""
        if accessor.index not in self._read:
            self._read[accessor.index] = self._values(accessor)
        return self._read[accessor.index]

    def floats(self, accessor: Tree, normalized: bool | None = None) -> np.ndarray:
        """float32 as it is stored, float64 from integers; `normalized` overrides what the accessor says."""
        if normalized is None:
            normalized = accessor.flag("normalized", False)
        return as_floats(self.raw(accessor), normalized)

    def kind(self, accessor: Tree) -> str:
        kind = accessor.text("type", "")
        if kind not in SHAPES:
            raise Broken(
                f"{accessor.place('type')} must be one of {', '.join(SHAPES)}; it is {kind!r}"
            )
        return kind

    def _values(self, accessor: Tree) -> np.ndarray:
        kind, dtype = self.kind(accessor), _dtype(accessor)
        count = accessor.whole("count")
        view = self.document.refer(accessor, "bufferView", "bufferViews")
        width = SHAPES[kind][0] * SHAPES[kind][1]
        if view is None:
            self._check_unbacked(accessor, count)
            values = np.broadcast_to(np.zeros(1, dtype), (count, width))  # of no memory
        else:
            start = accessor.whole("byteOffset", 0)
            stride = view.whole("byteStride", 0)
            values = self._strided(accessor, view, start, stride, count, kind, dtype)
        sparse = accessor.child("sparse")
        return values if sparse is None else self._sparse(sparse, values, kind, dtype)

    def _sparse(self, sparse: Tree, base: np.ndarray, kind: str, dtype: np.dtype) -> np.ndarray:
        count = sparse.whole("count")
        if count > len(base):
            raise Broken(f"{sparse.place('count')} is {count}, of {len(base)} elements")
        found = {}
        for key, its_kind in (("indices", "SCALAR"), ("values", kind)):
            part = sparse.child(key)
            view = None if part is None else self.document.refer(part, "bufferView", "bufferViews")
            if part is None or view is None:
                raise Broken(f"{sparse.place(key)} has no bufferView")
            its_dtype = dtype if key == "values" else _dtype(part)
            start = part.whole("byteOffset", 0)
            found[key] = self._strided(part, view, start, 0, count, its_kind, its_dtype)
        index = found["indices"].reshape(-1)
        if index.dtype.kind != "u" or (count and int(index.max()) >= len(base)):
            raise Broken(f"{sparse.place('indices')} must be from 0 to {len(base) - 1}")
        values = base.copy()
        values[index] = found["values"]
        return values

    def _strided(
        self,
        owner: Tree,
        view: Tree,
        start: int,
        stride: int,
        count: int,
        kind: str,
        dtype: np.dtype,
    ) -> np.ndarray:
        columns, rows = SHAPES[kind]
        size = rows * dtype.itemsize
        if columns > 1:
            size = -(-size // 4) * 4  # each column of a matrix begins at a multiple of four bytes
        stride = stride or columns * size
        if stride < columns * size:
            raise Broken(f"{view.place('byteStride')} is {stride}, less than {owner.where} needs")
        content = self._view(view)
        end = start + stride * (count - 1) + columns * size if count else start
        if end > len(content):
            raise Broken(
                f"{owner.where} ends at byte {end} of {view.where}, which has {len(content)}"
            )
        strides = (stride, size, dtype.itemsize)
        values = np.ndarray((count, columns, rows), dtype, content, start if count else 0, strides)
        return values.reshape(count, columns * rows)

    def _view(self, view: Tree) -> memoryview:
        if view.index not in self._views:
            extension = meshopt.extension_of(view)
            if extension is None:
                content = self.document.slice(view)
            else:
                content = meshopt.unpack(self.document.slice(extension), extension)
            self._views[view.index] = content
        return self._views[view.index]

    def _check_unbacked(self, accessor: Tree, count: int) -> None:
        limit = UNBACKED + self.document.weight()
        if count > limit:
            raise Broken(
                f"{accessor.where} counts {count} elements without a bufferView, "
                f"more than a file of its size can use ({limit})"
            )


def as_floats(values: np.ndarray, normalized: bool) -> np.ndarray:
    """float32 as it is, float64 from integers: -1..1 or 0..1 where they are normalized."""
    if values.dtype.kind == "f":
        return values
    wide = values.astype(np.float64)
    if not normalized:
        return wide
    wide /= np.iinfo(values.dtype).max
    return np.maximum(wide, -1.0) if values.dtype.kind == "i" else wide


def _dtype(owner: Tree) -> np.dtype:
    code = owner.whole("componentType")
    if code not in COMPONENTS:
        known = ", ".join(map(str, COMPONENTS))
        raise Broken(f"{owner.place('componentType')} must be one of {known}; it is {code}")
    return COMPONENTS[code]
