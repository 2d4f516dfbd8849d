"""A Mesh as a glb file: one node, one mesh, a primitive for each material, vertices shared by all of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.check import wrong
from ....core.srgb import srgb_to_linear
from ...material import Material
from ..pictures import png_bytes
from .upright import note, turn_up

if TYPE_CHECKING:
    from ...mesh import Mesh

_WRAPS = {"repeat": 10497, "mirror": 33648, "clamp": 33071}
_FILTERS = {"linear": (9729, 9987), "nearest": (9728, 9984)}  # magnified, minified (with mipmaps)
_ARRAY, _INDEX = 34962, 34963  # targets of bufferViews
_LIMIT = 2**32  # of a glb file, in bytes


def encode(mesh: Mesh, stem: str, up: str | Sequence[float] | None = None) -> dict[str, bytes]:
    """The file's name and content.

    Args:
        up: the mesh's axis that points up: 'x', 'y', 'z', '-x', '-y', '-z' or three numbers. glTF's is y: the
            node turns the mesh, and says so: reading takes it back. None: y.
    """
    file = _File(stem)
    primitives = _primitives(file, mesh)
    file.json["meshes"] = [{"primitives": primitives}]
    file.json["nodes"] = [{"name": stem, "mesh": 0} | _placed(mesh.origin, up)]
    return {f"{stem}.glb": file.content()}


class _File:
    """The JSON and the binary chunk, as they grow."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.binary: list[bytes] = []
        self.size = 0
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "glrast"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
        }
        self.pictures: dict[int, int] = {}  # textures by their identity

    def add(self, key: str, value: dict[str, Any]) -> int:
        """Its index; an equal one is not written twice."""
        rows = self.json.setdefault(key, [])
        if value not in rows:
            rows.append(value)
        return rows.index(value)

    def view(self, content: bytes, **more: int) -> int:
        row = {"buffer": 0, "byteOffset": self.size, "byteLength": len(content)} | more
        padded = content + bytes(-len(content) % 4)
        self.binary.append(padded)
        self.size += len(padded)
        return self.add("bufferViews", row)

    def accessor(self, values: np.ndarray, kind: str, target: int) -> int:
        row = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target=target),
            "componentType": 5126 if values.dtype.kind == "f" else 5125,
            "count": len(values),
            "type": kind,
            "min": values.reshape(len(values), -1).min(0).tolist(),
            "max": values.reshape(len(values), -1).max(0).tolist(),
        }
        return self.add("accessors", row)

    def content(self) -> bytes:
        if self.size:
            self.json["buffers"] = [{"byteLength": self.size}]
        text = json.dumps(self.json, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + self.size
        if length >= _LIMIT:
            raise ValueError(
                wrong(
                    "clip.save_mesh",
                    "mesh must fit into a glb file of 4 GB",
                    f"{length} bytes",
                    "save it in parts or as ply",
                )
            )
        head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
        return b"".join([head, text, struct.pack("<I4s", self.size, b"BIN\0"), *self.binary])


def _primitives(file: _File, mesh: Mesh) -> list[dict[str, Any]]:
    """Triangles of one material each, in the order of `mesh.materials`, within one in the mesh's."""
    vertex, faces, uv = np.arange(len(mesh.pos)), mesh.tri.numpy(), None
    if mesh.uv is not None and mesh.uv_tri is not None:
        # one vertex for each pair (position, uv) in use
        U = len(mesh.uv)
        pairs = faces.astype(np.int64) * U + mesh.uv_tri.numpy()
        pair, inverse = np.unique(pairs, return_inverse=True)
        vertex, faces, uv = pair // U, inverse.reshape(-1, 3), mesh.uv.numpy()[pair % U]
    attributes = _attributes(file, mesh, vertex, uv)
    materials, number = mesh.appearance()
    primitives = []
    for index, material in enumerate(materials):
        tri = faces[number.numpy() == index]
        if len(tri):
            indices = file.accessor(tri.astype("<u4").reshape(-1), "SCALAR", _INDEX)
            row = {"attributes": attributes, "indices": indices}
            row["material"] = _material(file, material, uv is not None)
            primitives.append(row)
    return primitives


def _attributes(
    file: _File, mesh: Mesh, vertex: np.ndarray, uv: np.ndarray | None
) -> dict[str, int]:
    arrays = {"POSITION": mesh.pos.numpy()[vertex]}
    if mesh.normal is not None:
        arrays["NORMAL"] = _unit(mesh.normal.numpy()[vertex])
    if uv is not None:
        arrays["TEXCOORD_0"] = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)
    if mesh.color is not None:
        arrays["COLOR_0"] = np.clip(srgb_to_linear(mesh.color.numpy())[vertex], 0, 1)
    names = {"TEXCOORD_0": "uv", "COLOR_0": "color"}
    found = {}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(
                wrong(
                    "clip.save_mesh",
                    f"mesh.{names.get(name, name)} must be finite",
                    "nan or inf",
                    "nothing was written",
                )
            )
        kind = f"VEC{values.shape[1]}"
        found[name] = file.accessor(values.astype("<f4"), kind, _ARRAY)
    return found


def _unit(normal: np.ndarray) -> np.ndarray:
    """glTF wants unit length; what has no direction points along z."""
    normal = np.nan_to_num(normal.astype(np.float64), posinf=0, neginf=0)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.where(length > 0, normal / np.where(length > 0, length, 1), (0.0, 0.0, 1.0))


def _material(file: _File, material: Material, has_uv: bool) -> int:
    # not metallic: glTF's default is, and shows black where nothing is reflected
    base: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    row: dict[str, Any] = {"name": material.name} if material.name else {}
    if material.factor != (1.0, 1.0, 1.0, 1.0):
        base["baseColorFactor"] = list(material.factor)
    if material.texture is not None and has_uv:
        base["baseColorTexture"] = {"index": _texture(file, material)}
    # glrast draws both sides of a triangle
    row |= {"pbrMetallicRoughness": base, "doubleSided": True}
    if material.alpha != "opaque":
        row["alphaMode"] = material.alpha.upper()
    if material.alpha == "mask":
        row["alphaCutoff"] = float(material.cutoff)
    if material.unlit:
        row["extensions"] = {"KHR_materials_unlit": {}}
        file.json["extensionsUsed"] = ["KHR_materials_unlit"]
    return file.add("materials", row)


def _texture(file: _File, material: Material) -> int:
    texture = material.texture
    assert texture is not None
    key = texture.data_ptr()
    if key not in file.pictures:
        view = file.view(png_bytes(texture.numpy()))
        file.pictures[key] = file.add("images", {"bufferView": view, "mimeType": "image/png"})
    magnified, minified = _FILTERS[material.filter]
    sampler = file.add(
        "samplers",
        {
            "magFilter": magnified,
            "minFilter": minified,
            "wrapS": _WRAPS[material.wrap[0]],
            "wrapT": _WRAPS[material.wrap[1]],
        },
    )
    return file.add("textures", {"sampler": sampler, "source": file.pictures[key]})


def _placed(origin: tuple[float, ...], up: str | Sequence[float] | None) -> dict[str, Any]:
    """The node's transform: the origin in double precision, which float32 positions lack; y upwards."""
    turn = np.eye(3) if up is None else turn_up(up)
    if np.array_equal(turn, np.eye(3)):
        return {"translation": list(origin)} if any(origin) else {}
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = turn @ np.array(origin)
    return {"matrix": (matrix.T + 0.0).reshape(-1).tolist(), "extras": note(up)}
