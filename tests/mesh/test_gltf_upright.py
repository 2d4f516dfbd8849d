"""A glb whose up is another axis than y: others see it upright, `load_mesh` gives back what was saved."""

import json
import struct

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, icosphere, load_mesh, save_mesh
from glrast.mesh.files.gltf.upright import turn_up

UNIT = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
UNIT |= {f"-{name}": [-x for x in axis] for name, axis in UNIT.items()}
FAR = (4e5, 5e6, 100.0)  # UTM


def saved(folder, up, origin=(0, 0, 0)):
    pos, tri = icosphere(1)
    pos = pos * torch.tensor([1.0, 2, 3])
    mesh = Mesh(pos, tri, normal=torch.nn.functional.normalize(pos, dim=1), origin=origin)
    save_mesh(folder / "a.glb", mesh, up=up)
    return mesh, folder / "a.glb"


def tree_of(content):
    return json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])


def edited(path, change):
    """The glb with its JSON changed."""
    content = path.read_bytes()
    tree = tree_of(content)
    rest = content[20 + struct.unpack_from("<I", content, 12)[0] :]
    change(tree)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    path.write_bytes(header + text + rest)


def node_of(tree):
    return tree["nodes"][tree["scenes"][0]["nodes"][0]]


def as_others_see(path):
    """float64 [T,3,3], corners of the triangles as the file's matrix places them: glTF 2.0, 3.5.3."""
    content = path.read_bytes()
    tree = tree_of(content)
    binary = content[20 + struct.unpack_from("<I", content, 12)[0] + 8 :]
    part = tree["meshes"][0]["primitives"][0]
    arrays = []
    for number, kind in ((part["attributes"]["POSITION"], "<f4"), (part["indices"], "<u4")):
        view = tree["bufferViews"][tree["accessors"][number]["bufferView"]]
        arrays.append(np.frombuffer(binary, kind, view["byteLength"] // 4, view["byteOffset"]))
    matrix = np.array(node_of(tree).get("matrix", np.eye(4).reshape(-1))).reshape(4, 4).T
    pos = arrays[0].reshape(-1, 3).astype(np.float64)
    return (pos @ matrix[:3, :3].T + matrix[:3, 3])[arrays[1]].reshape(-1, 3, 3)


def corners(mesh):
    return (mesh.pos.double().numpy() + mesh.origin)[mesh.tri.numpy()]


@pytest.mark.parametrize("up", list(UNIT))
def test_a_turn_takes_the_axis_to_y_and_mirrors_nothing(up):
    assert np.array_equal(turn_up(up) @ UNIT[up], [0, 1, 0])
    assert np.linalg.det(turn_up(up)) == 1


@pytest.mark.parametrize("up", [None, *UNIT, (0.3, -2.0, 0.7), [0, 0, 5]])
@pytest.mark.parametrize("origin", [(0, 0, 0), FAR])
def test_load_mesh_gives_back_what_was_saved(tmp_path, up, origin):
    mesh, path = saved(tmp_path, up, origin)
    found = load_mesh(path)
    assert np.abs(corners(found) - corners(mesh)).max() < 1e-6
    if origin == (0, 0, 0):
        assert torch.equal(found.pos[found.tri.long()], mesh.pos[mesh.tri.long()])
    normal, right = found.normal[found.tri.long()], mesh.normal[mesh.tri.long()]
    assert float((normal - right).abs().max()) < 1e-6


@pytest.mark.parametrize("up", ["z", "-x", (0.3, -2.0, 0.7)])
@pytest.mark.parametrize("origin", [(0, 0, 0), FAR])
def test_other_programs_see_it_upright(tmp_path, up, origin):
    mesh, path = saved(tmp_path, up, origin)
    turn = turn_up(up)
    assert np.abs(as_others_see(path) - corners(mesh) @ turn.T).max() < 1e-6
    direction = np.array(UNIT.get(up, up) if isinstance(up, str) else up)
    assert np.allclose(turn @ direction / np.linalg.norm(direction), [0, 1, 0], atol=1e-12)


def turn_it(tree):
    """As a person would, about z in the viewer."""
    node = node_of(tree)
    matrix = np.array(node["matrix"]).reshape(4, 4).T
    node["matrix"] = (
        (np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ matrix)
        .T.reshape(-1)
        .tolist()
    )


def forget_it(tree):
    del node_of(tree)["extras"]


def bake_it(tree):
    """Into the vertices: the matrix is gone, what was noted stays."""
    del node_of(tree)["matrix"]


@pytest.mark.parametrize("change", [turn_it, forget_it, bake_it])
def test_a_turn_that_another_program_changed_holds_as_the_file_says_it(tmp_path, change):
    _, path = saved(tmp_path, "z")
    edited(path, change)
    assert np.abs(corners(load_mesh(path)) - as_others_see(path)).max() < 1e-6


@pytest.mark.parametrize(
    "extras",
    [7, {"glrast": 1}, {"glrast": {"up": "w"}}, {"glrast": {"up": [0, 0]}}, {"glrast": {"up": {}}}],
)
def test_extras_of_others_are_none_of_ours(tmp_path, extras):
    _, path = saved(tmp_path, "z")
    edited(path, lambda tree: node_of(tree).update(extras=extras))
    assert np.abs(corners(load_mesh(path)) - as_others_see(path)).max() < 1e-6


def test_a_moved_mesh_keeps_its_way(tmp_path):
    """Moved upwards in a viewer by 7: along the mesh's own up."""
    mesh, path = saved(tmp_path, "z")

    def move_it(tree):
        node_of(tree)["matrix"][13] += 7.0

    edited(path, move_it)
    assert np.abs(corners(load_mesh(path)) - corners(mesh) - [0, 0, 7]).max() < 1e-6


def test_up_y_is_no_turn(tmp_path):
    _, path = saved(tmp_path, "y")
    assert "matrix" not in node_of(tree_of(path.read_bytes()))
