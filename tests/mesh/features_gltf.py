"""What is read of glTF's geometry, row by row: each function writes a file by hand and knows the mesh it means."""

import warnings

import numpy as np
import pytest

from glrast.clip import load_mesh
from tests.mesh.gltf_file import GltfFile

FORMAT = ".glb .gltf"
TRIANGLE = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
SQUARE = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]


def load(file, folder, name="a.glb", container="glb", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_mesh(file.write(folder / name, container), **options)


def corners(mesh):
    """[T][3][3], in the world."""
    return (mesh.pos.numpy().astype(float)[mesh.tri.numpy()] + mesh.origin).tolist()


def of(primitive, pos=TRIANGLE, nodes=({"mesh": 0},)):
    """A file of one primitive, given as keys beside `attributes`; pos an array or an accessor made before."""
    file = primitive.pop("file", None) or GltfFile()
    if not isinstance(pos, int):
        pos = file.accessor(np.array(pos, "<f4"))
    attributes = {"POSITION": pos} | primitive.pop("attributes", {})
    file.add("meshes", {"primitives": [{"attributes": attributes} | primitive]})
    file.show(*nodes)
    return file


def containers(folder):
    for name, container in (("a.glb", "glb"), ("b.gltf", "beside"), ("c.gltf", "inside")):
        assert corners(load(of({}), folder, name, container)) == [TRIANGLE]
    file = of({})
    file.write(folder / "d.gltf", "beside")
    (folder / "data 0.bin").rename(folder / "data%200.bin")  # a name with a percent sign of its own
    assert corners(load_mesh(folder / "d.gltf")) == [TRIANGLE]


def strips(folder):
    assert corners(load(of({"mode": 5}, SQUARE), folder)) == [
        TRIANGLE,
        [SQUARE[1], SQUARE[3], SQUARE[2]],
    ]


def fans(folder):
    ring = [SQUARE[i] for i in (0, 1, 3, 2)]
    first, second = corners(load(of({"mode": 6}, ring), folder))
    assert first == [ring[1], ring[2], ring[0]] and second == [ring[2], ring[3], ring[0]]


def indices(folder):
    for kind in ("<u1", "<u2", "<u4"):
        file = GltfFile()
        index = file.accessor(np.array([2, 0, 1], kind))
        assert corners(load(of({"file": file, "indices": index}), folder)) == [
            [TRIANGLE[2], TRIANGLE[0], TRIANGLE[1]]
        ]


def interleaved(folder):
    file = GltfFile()
    pos = file.accessor(np.array(TRIANGLE, "<f4"), pad=8, offset=4)
    assert corners(load(of({"file": file}, pos), folder)) == [TRIANGLE]


def sparse(folder):
    for base in (True, False):
        file = GltfFile()
        rows = [0, 1, 2]
        pos = file.accessor(np.array(TRIANGLE, "<f4"), sparse=rows, base=base)
        assert corners(load(of({"file": file}, pos), folder)) == [TRIANGLE]


def normalized(folder):
    for kind, top in (("i1", 127), ("u1", 255), ("<i2", 32767), ("<u2", 65535)):
        file = GltfFile()
        pos = file.accessor((np.array(TRIANGLE) * top).astype(kind), normalized=True, pad=1)
        assert corners(load(of({"file": file}, pos), folder)) == [TRIANGLE]
    file = GltfFile()
    pos = file.accessor(np.array([[-128, 0, 0], [127, 0, 0], [0, 127, 0]], "i1"), normalized=True)
    assert corners(load(of({"file": file}, pos), folder))[0][0] == [-1, 0, 0]  # never below


def quantized(folder):
    file = GltfFile()
    file.uses("KHR_mesh_quantization", required=True)
    pos = file.accessor((np.array(TRIANGLE) * 1000).astype("<i2"), pad=2)
    node = {"mesh": 0, "scale": [0.001] * 3}
    assert np.allclose(corners(load(of({"file": file}, pos, [node]), folder)), [TRIANGLE])


def hierarchy(folder):
    inner = {"mesh": 0, "translation": [1, 0, 0]}
    outer = {
        "children": [0],
        "matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1],
    }  # 90 degrees, up
    file = of({}, nodes=[inner, outer])
    file.json["scenes"] = [{"nodes": [1]}]
    assert corners(load(file, folder)) == [[[0, 1, 5], [0, 2, 5], [-1, 1, 5]]]


def mirrored(folder):
    file = GltfFile()
    normal = file.accessor(np.array([[0, 0, 1]] * 3, "<f4"))
    file = of({"file": file, "attributes": {"NORMAL": normal}}, nodes=[{"mesh": 0}])
    for scale, up in (
        ([-1, 1, 1], 1),
        ([1, 1, -1], -1),
        ([-2, -1, -1], -1),
        ([-1, -3, 1], 1),
        ([1, -1, 0], 1),
    ):
        file.json["nodes"][0]["scale"] = scale
        mesh = load(file, folder)
        a, b, c = np.array(corners(mesh)[0])
        assert mesh.normal.tolist() == [[0, 0, up]] * 3 or scale[2] == 0
        if scale[2]:  # flat, it has no inside; else its front stays its front
            assert np.sign(np.cross(b - a, c - a)[2]) == up
        else:
            assert np.abs(mesh.normal[:, 2].numpy()).tolist() == [1, 1, 1]


def used_twice(folder):
    file = of({}, nodes=[{"mesh": 0}, {"mesh": 0, "translation": [0, 0, 2]}])
    file.json["scenes"] = [{"nodes": [0, 1]}]
    assert [c[0][2] for c in corners(load(file, folder))] == [0, 2]


def scenes(folder):
    file = of({}, nodes=[{"mesh": 0}])
    file.json["scenes"].insert(0, {"nodes": []})
    file.json["scene"] = 1
    assert corners(load(file, folder)) == [TRIANGLE]


def hidden(folder):
    nodes = [{"mesh": 0}, {"mesh": 0, "scale": [0, 0, 0]}]
    nodes += [
        {"children": [3], "extensions": {"KHR_node_visibility": {"visible": False}}},
        {"mesh": 0},
    ]
    file = of({}, nodes=nodes)
    normal = file.accessor(np.array([[0, 0, 1]] * 3, "<f4"))
    file.json["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = normal
    file.json["scenes"] = [{"nodes": [0, 1, 2]}]
    assert corners(load(file, folder)) == [TRIANGLE]


def instances(folder):
    file = GltfFile()
    file.uses("EXT_mesh_gpu_instancing", required=True)
    moved = file.accessor(np.array([[0, 0, 0], [0, 0, 3]], "<f4"))
    grown = file.accessor(np.array([[1, 1, 1], [2, 2, 2]], "<f4"))
    attributes = {"TRANSLATION": moved, "SCALE": grown}
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}}}
    found = corners(load(of({"file": file}, nodes=[node]), folder))
    assert found == [TRIANGLE, [[0, 0, 3], [2, 0, 3], [0, 2, 3]]]


def skinned(folder):
    file = GltfFile()
    joints = file.accessor(np.array([[0, 1, 0, 0]] * 3, "u1"))
    weights = file.accessor(np.array([[0.5, 0.5, 0, 0]] * 3, "<f4"))
    inverse = np.tile(np.eye(4, dtype="<f4"), (2, 1, 1))
    inverse[0, 3, 0] = -1  # by columns: moved along x by -1
    file.json["skins"] = [
        {"joints": [1, 2], "inverseBindMatrices": file.accessor(inverse.reshape(2, 16))}
    ]
    normal = file.accessor(np.array([[0, 0, 1]] * 3, "<f4"))
    attributes = {"JOINTS_0": joints, "WEIGHTS_0": weights, "NORMAL": normal}
    nodes = [
        {"mesh": 0, "skin": 0, "translation": [9, 9, 9]},  # has no say
        {"translation": [1, 0, 0]},
        {"translation": [0, 0, 4]},
    ]
    file = of({"file": file, "attributes": attributes}, nodes=nodes)
    assert corners(load(file, folder)) == [[[0, 0, 2], [1, 0, 2], [0, 1, 2]]]
    for joint in (1, 2):  # half a turn around x
        file.json["nodes"][joint]["rotation"] = [1, 0, 0, 0]
    mesh = load(file, folder)
    assert corners(mesh) == [[[0, 0, 2], [1, 0, 2], [0, -1, 2]]]
    assert mesh.normal.tolist() == [[0, 0, -1]] * 3


def morphed(folder):
    file = GltfFile()
    up = file.accessor(np.array([[0, 0, 2]] * 3, "<f4"), sparse=[0, 1, 2], base=False)
    file = of({"file": file, "targets": [{"POSITION": up}]}, nodes=[{"mesh": 0}])
    assert corners(load(file, folder))[0][0] == [0, 0, 0]
    file.json["meshes"][0]["weights"] = [0.5]
    assert corners(load(file, folder))[0][0] == [0, 0, 1]
    file.json["nodes"][0]["weights"] = [1.0]  # the node's word counts more
    assert corners(load(file, folder))[0][0] == [0, 0, 2]


def normals(folder):
    file = GltfFile()
    normal = file.accessor(np.array([[0, 0, 127]] * 3, "i1"), normalized=True, pad=1)
    file = of(
        {"file": file, "attributes": {"NORMAL": normal}}, nodes=[{"mesh": 0, "scale": [1, 1, 0.1]}]
    )
    assert load(file, folder).normal.tolist() == [[0, 0, 1]] * 3
    flat = file.accessor(np.array(TRIANGLE, "<f4") + 5)
    file.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": flat}})
    assert load(file, folder).normal.tolist() == [[0, 0, 1]] * 6  # as the faces lie


def far_away(folder):
    file = of({}, nodes=[{"mesh": 0, "translation": [500_000.25, 5_000_000.5, 100.125]}])
    mesh = load(file, folder)
    assert mesh.origin == (500_001, 5_000_001, 100)  # whole numbers next to the middle
    assert corners(mesh)[0][1] == [500_001.25, 5_000_000.5, 100.125]


def others(folder):
    file = of({}, nodes=[{"mesh": 0}, {"camera": 0}])
    file.json |= {
        "cameras": [{"type": "perspective", "perspective": {"yfov": 1, "znear": 1}}],
        "animations": [{"channels": [], "samplers": []}],
        "extensionsUsed": ["KHR_lights_punctual", "OWN_unknown"],
        "extras": {"a": [1, 2]},
    }
    assert corners(load(file, folder)) == [TRIANGLE]


def points(folder):
    file = of({})
    for mode in (0, 1, 2, 3):
        file.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": mode})
    path = file.write(folder / "a.glb")
    with pytest.warns(UserWarning, match=r"a\.glb has points, which were left out"):
        assert corners(load_mesh(path)) == [TRIANGLE]


def normals_of_no_number(folder):
    file = GltfFile()
    normal = file.accessor(np.array([[0, 0, 1], [np.nan, 0, 0], [0, 0, 1]], "<f4"))
    path = of({"file": file, "attributes": {"NORMAL": normal}}).write(folder / "a.glb")
    with pytest.warns(UserWarning, match=r"a\.glb has normals that are no numbers, which became 0"):
        assert load_mesh(path).normal.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 1]]


def bare(folder):
    file = of({})
    file.json["meshes"][0]["primitives"].append({"attributes": {}})
    path = file.write(folder / "a.glb")
    with pytest.warns(UserWarning, match=r"a\.glb has a primitive without POSITION, .* left out"):
        assert corners(load_mesh(path)) == [TRIANGLE]


FEATURES = [
    (FORMAT, "buffers in the file, beside it, in data URIs; names percent-encoded or not", "read", containers),
    (FORMAT, "triangle lists, with indices of 8, 16, 32 bits or none", "read", indices),
    (FORMAT, "triangle strips", "read", strips),
    (FORMAT, "triangle fans", "read", fans),
    (FORMAT, "interleaved and padded attributes", "read", interleaved),
    (FORMAT, "sparse accessors, also without a base", "read", sparse),
    (FORMAT, "normalized integers", "read", normalized),
    (FORMAT, "KHR_mesh_quantization", "read", quantized),
    (FORMAT, "nodes in nodes, matrices, translation, rotation, scale", "read", hierarchy),
    (FORMAT, "mirroring nodes: triangles still face outwards", "read", mirrored),
    (FORMAT, "a mesh used by several nodes", "read", used_twice),
    (FORMAT, "the scene that the file names", "read", scenes),
    (FORMAT, "nodes hidden by a scale of 0 or KHR_node_visibility are not there", "read", hidden),
    (FORMAT, "EXT_mesh_gpu_instancing", "read", instances),
    (FORMAT, "skins, at the rest pose", "read", skinned),
    (FORMAT, "morph targets, at the weights of node or mesh", "read", morphed),
    (FORMAT, "normals; of the faces, where only some parts have them", "read", normals),
    (FORMAT, "coordinates beyond float32: an origin in float64", "read", far_away),
    (FORMAT, "animations, cameras, lights, extras, unknown extensions that are not required", "ignored", others),
    (FORMAT, "points and lines beside triangles (a warning)", "ignored", points),
    (FORMAT, "primitives without positions (a warning)", "ignored", bare),
    (FORMAT, "normals that are no numbers become 0 (a warning)", "ignored", normals_of_no_number),
]  # fmt: skip
