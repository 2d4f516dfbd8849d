"""What is read of compressed glTF geometry, row by row."""

import numpy as np
import pytest

from tests.mesh.features_gltf import FORMAT, SQUARE, TRIANGLE, corners, load, of
from tests.mesh.gltf_file import GltfFile


def draco(folder):
    packer = pytest.importorskip("DracoPy", reason="packs the triangle")
    file = GltfFile()
    file.uses("KHR_draco_mesh_compression", required=True)
    content = packer.encode(
        np.array(SQUARE, "<f4"),
        np.array([[0, 1, 2], [2, 1, 3]], "u4"),
        quantization_bits=14,
        preserve_order=True,
        colors=np.array([[255, 0, 0]] * 4, "u1"),
    )
    ids = {a["attribute_type"]: a["unique_id"] for a in packer.decode(content).attributes}
    row = {"componentType": 5126, "count": 4, "type": "VEC3"}
    color = {"componentType": 5121, "count": 4, "type": "VEC3", "normalized": True}
    attributes = {"POSITION": file.add("accessors", row), "COLOR_0": file.add("accessors", color)}
    packed = {
        "bufferView": file.view(content),
        "attributes": {"POSITION": ids[0], "COLOR_0": ids[2]},
    }
    index = file.add("accessors", {"componentType": 5125, "count": 6, "type": "SCALAR"})
    primitive = {"attributes": attributes, "indices": index}
    primitive["extensions"] = {"KHR_draco_mesh_compression": packed}
    file.add("meshes", {"primitives": [primitive]})
    file.show({"mesh": 0})
    mesh = load(file, folder)
    assert np.allclose(corners(mesh), np.array(SQUARE)[[[0, 1, 2], [2, 1, 3]]], atol=1e-3)
    assert mesh.color.tolist() == [[1, 0, 0]] * 4


def meshopt(folder):
    # the triangle's positions, as meshoptimizer packs them
    packed = bytes.fromhex(
        "a00000013c000000ffff013c0000007e7d0000010c000000ff010c0000007e00000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
    )
    for name in ("EXT_meshopt_compression", "KHR_meshopt_compression"):
        file = GltfFile()
        file.uses(name, required=True)
        view = file.view(packed)
        row = {"buffer": 0, "byteOffset": 0, "byteLength": len(packed), "byteStride": 12}
        row |= {"mode": "ATTRIBUTES", "count": 3}
        fallback = {"buffer": 0, "byteLength": 36, "extensions": {name: row}}
        file.json["bufferViews"][view] = fallback
        pos = {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"}
        file.add("accessors", pos)
        assert corners(load(of({"file": file}, 0), folder)) == [TRIANGLE]


FEATURES = [
    (FORMAT, "KHR_draco_mesh_compression (with DracoPy)", "read", draco),
    (FORMAT, "EXT_meshopt_compression, KHR_meshopt_compression", "read", meshopt),
]
