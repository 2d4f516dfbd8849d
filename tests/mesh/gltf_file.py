"""glTF files made by hand, from the specification alone: nothing here comes from glrast."""

import base64
import json
import struct
from urllib.parse import quote

import numpy as np

CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class GltfFile:
    """The JSON and the buffers of a file; methods give the index of what they added."""

    def __init__(self):
        self.buffers = [bytearray()]
        self.beside = {}  # name: content of files beside it
        self.json = {"asset": {"version": "2.0"}}

    def add(self, key, row):
        self.json.setdefault(key, []).append(row)
        return len(self.json[key]) - 1

    def view(self, content, stride=0, buffer=0, ahead=0):
        """`ahead`: bytes of no meaning before it."""
        data = self.buffers[buffer]
        data += b"\xee" * (-len(data) % 4 + ahead)
        row = {"buffer": buffer, "byteOffset": len(data), "byteLength": len(content)}
        data += content
        return self.add("bufferViews", row | ({"byteStride": stride} if stride else {}))

    def accessor(self, values, normalized=False, pad=0, offset=0, buffer=0, sparse=None, base=True):
        """Of a typed array [count, width]. `pad`: bytes between rows; `offset`: bytes before the first;
        `sparse`: rows that are stored apart, the view holds zeros there or, without `base`, there is none."""
        values = np.asarray(values)
        values = values.reshape(len(values), -1)
        row = {
            "componentType": CODES[values.dtype.str[1:]],
            "count": len(values),
            "type": KINDS[values.shape[1]],
        }
        if np.isfinite(values).all():
            row |= {"min": values.min(0).tolist(), "max": values.max(0).tolist()}
        stored = values.copy()
        if sparse is not None:
            stored[sparse] = 0
            row["sparse"] = self._sparse(values, np.asarray(sparse), buffer)
        if base:
            row |= self._strided(stored, pad, offset, buffer)
        if normalized:
            row["normalized"] = True
        return self.add("accessors", row)

    def _strided(self, values, pad, offset, buffer):
        rows = np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), -1)
        rows = np.concatenate([rows, np.full((len(rows), pad), 0xEE, np.uint8)], 1)
        content = b"\xee" * offset + rows.tobytes()
        view = self.view(content, rows.shape[1] if pad else 0, buffer)
        return {"bufferView": view} | ({"byteOffset": offset} if offset else {})

    def _sparse(self, values, index, buffer):
        at = self.view(index.astype("<u2").tobytes(), buffer=buffer)
        content = self.view(values[index].tobytes(), buffer=buffer)
        return {
            "count": len(index),
            "indices": {"bufferView": at, "componentType": 5123},
            "values": {"bufferView": content},
        }

    def uses(self, name, required=False):
        for key in ("extensionsUsed", "extensionsRequired")[: 1 + required]:
            names = self.json.setdefault(key, [])
            if name not in names:
                names.append(name)

    def triangle(self, pos=((0, 0, 0), (1, 0, 0), (0, 1, 0)), material=None, **attributes):
        """The index of a mesh of one primitive, without indices; attributes are accessors."""
        found = {"POSITION": self.accessor(np.array(pos, "<f4"))} | attributes
        row = {"attributes": found}
        if material is not None:
            row["material"] = self.add("materials", material)
        return self.add("meshes", {"primitives": [row]})

    def show(self, *nodes):
        """A scene of these nodes; node by node as JSON."""
        scene = {"nodes": [self.add("nodes", node) for node in nodes]}
        return self.add("scenes", scene)

    def write(self, path, container="glb"):
        """`container`: glb, beside (gltf with files), inside (gltf with data URIs)."""
        rows = []
        for number, data in enumerate(self.buffers):
            row = {"byteLength": len(data)}
            name = f"data {number}.bin"
            if container == "inside":
                row["uri"] = "data:application/octet-stream;base64,"
                row["uri"] += base64.b64encode(data).decode()
            elif container == "beside" or number > 0:
                row["uri"] = quote(name)
                self.beside[name] = bytes(data)
            rows.append(row)
        tree = self.json | ({"buffers": rows} if any(self.buffers) else {})
        for name, content in self.beside.items():
            (path.parent / name).parent.mkdir(exist_ok=True)
            (path.parent / name).write_bytes(content)
        text = json.dumps(tree).encode()
        path.write_bytes(glb(text, bytes(self.buffers[0])) if container == "glb" else text)
        return path


def glb(text, binary=b""):
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
