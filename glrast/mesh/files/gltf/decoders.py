"""Compressed geometry: Draco through DracoPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .accessors import Accessors
from .tree import Broken, Tree

_DRACO = "KHR_draco_mesh_compression"


class Draco:
    """A primitive that KHR_draco_mesh_compression holds: `index`, and attributes by glTF's names."""

    def __init__(self, mesh: Any, extension: Tree) -> None:
        self._extension = extension
        ids = extension.child("attributes")
        if ids is None:
            raise Broken(f"{extension.place('attributes')} is missing")
        self._ids = ids
        self._found = {row["unique_id"]: row["data"] for row in mesh.attributes}
        self.index = np.asarray(mesh.faces).reshape(-1).astype(np.uint32)

    @staticmethod
    def of(primitive: Tree, accessors: Accessors) -> Draco | None:
        """None where the primitive is not compressed, or lies uncompressed beside it and DracoPy is missing."""
        extension = primitive.extension(_DRACO)
        if extension is None:
            return None
        document = accessors.document
        view = document.refer(extension, "bufferView", "bufferViews")
        if view is None:
            raise Broken(f"{extension.place('bufferView')} is missing")
        try:
            import DracoPy  # pyright: ignore[reportMissingImports]
        except ImportError:
            if _DRACO not in document.root.texts("extensionsRequired"):
                return None
            raise ImportError(
                f"glrast.clip.load_mesh: {document.path} is compressed with Draco ({_DRACO}), which "
                "needs DracoPy; it is not installed; pip install DracoPy."
            ) from None
        try:
            mesh = DracoPy.decode(bytes(document.slice(view)))
        except Exception as error:  # of its own kinds
            raise Broken(f"{extension.where} cannot be unpacked ({error})") from None
        if not hasattr(mesh, "faces"):
            raise Broken(f"{extension.where} holds points, no triangles")
        return Draco(mesh, extension)

    def attribute(self, name: str) -> np.ndarray | None:
        """[V,width] as it was packed; None where it is not among the packed ones."""
        if not self._ids.has(name):
            return None
        data = self._found.get(self._ids.whole(name))
        if data is None:
            raise Broken(
                f"{self._ids.place(name)} is {self._ids.whole(name)}, which it does not hold"
            )
        return np.asarray(data).reshape(len(data), -1)
