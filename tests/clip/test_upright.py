"""A glb whose up is another axis than y: others see it upright, `load_mesh` gives back what was saved."""

import json
import struct

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, icosphere, load_mesh, save_mesh
from glrast.clip.files import upright

UNIT = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
UNIT |= {f"-{name}": [-x for x in axis] for name, axis in UNIT.items()}


def saved(folder, up):
    pos, tri = icosphere(1)
    mesh = Mesh(pos * torch.tensor([1.0, 2, 3]) + torch.tensor([4.0, 5, 6]), tri, normal=pos)
    save_mesh(folder / "a.glb", mesh, up=up)
    return mesh, folder / "a.glb"


def edited(path, change):
    """The glb with its JSON changed."""
    content = path.read_bytes()
    size = struct.unpack_from("<I", content, 12)[0]
    tree = json.loads(content[20 : 20 + size])
    change(tree)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + size :]
    header = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    path.write_bytes(header + text + rest)


@pytest.mark.parametrize("up", upright.AXES)
def test_a_turn_takes_the_axis_to_y_and_mirrors_nothing(up):
    assert np.array_equal(upright.turn(up) @ UNIT[up], [0, 1, 0])
    assert np.linalg.det(upright.turn(up)) == 1


@pytest.mark.parametrize("up", [None, *upright.AXES])
def test_load_mesh_gives_back_what_was_saved(tmp_path, up):
    mesh, path = saved(tmp_path, up)
    found = load_mesh(path)
    assert torch.equal(found.pos[found.tri.long()], mesh.pos[mesh.tri.long()])
    assert torch.allclose(found.normal[found.tri.long()], mesh.normal[mesh.tri.long()], atol=1e-6)


@pytest.mark.parametrize("up", ["z", "-x"])
def test_other_programs_see_it_upright(tmp_path, up):
    trimesh = pytest.importorskip("trimesh")
    mesh, path = saved(tmp_path, up)
    found = trimesh.load(path).to_geometry().vertices
    right = mesh.pos.double().numpy() @ upright.turn(up).T
    assert np.allclose(np.sort(found, 0), np.sort(right, 0), atol=1e-6)


def test_a_turn_that_another_program_changed_holds_as_the_file_says_it(tmp_path):
    mesh, path = saved(tmp_path, "z")

    def raise_it(tree):
        next(n for n in tree["nodes"] if n.get("name") == "upright")["matrix"][13] = 7.0

    edited(path, raise_it)
    right = mesh.pos.numpy() @ upright.turn("z").T + [0, 7, 0]
    assert np.allclose(np.sort(load_mesh(path).pos, 0), np.sort(right, 0), atol=1e-5)


@pytest.mark.parametrize(
    "name, up, message",
    [
        ("a.glb", "up", "up must be None or one of x, y, z, -x, -y, -z"),
        ("a.glb", 2, "got 2; leave it out where y does"),
        ("a.obj", "z", "got 'z' for a.obj; save it as .glb"),
    ],
)
def test_a_wrong_up_is_named_and_nothing_is_written(tmp_path, name, up, message):
    pos, tri = icosphere(0)
    with pytest.raises(ValueError, match=message):
        save_mesh(tmp_path / name, Mesh(pos, tri), up=up)
    assert not list(tmp_path.iterdir())


def test_up_y_is_no_turn(tmp_path):
    pos, tri = icosphere(0)
    save_mesh(tmp_path / "a.obj", Mesh(pos, tri), up="y")
    _, path = saved(tmp_path, "y")
    assert b"upright" not in path.read_bytes()
