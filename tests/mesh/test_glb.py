"""glb: what glTF means by its numbers, files that are broken, what `save_mesh` writes."""

import json
import re
import struct

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, cube, icosphere, is_closed, load_mesh, save_mesh
from glrast.core.srgb import linear_to_srgb, srgb_to_linear
from tests.mesh.gltf_file import GltfFile
from tests.mesh.measures import volume


def header(path):
    blob = path.read_bytes()
    (length,) = struct.unpack("<I", blob[12:16])
    return json.loads(blob[20 : 20 + length])


def test_the_srgb_curve_has_its_known_values():
    gray = np.array([[0.0, 0.5, 1.0, 0.25], [0.04045, 0.735357, 0.2, 1.0]])
    linear = srgb_to_linear(gray)
    assert linear[0, 1] == pytest.approx(0.214041, abs=1e-6)
    assert linear[1, 0] == pytest.approx(0.04045 / 12.92) and linear[1, 1] == pytest.approx(
        0.5, abs=1e-5
    )
    assert linear[:, 3].tolist() == [0.25, 1.0]  # alpha is no light
    assert np.allclose(linear_to_srgb(linear), gray, atol=1e-6)


def test_colours_are_stored_linear_as_floats_on_a_material_that_is_not_metallic(tmp_path):
    pos, tri = cube()
    save_mesh(tmp_path / "a.glb", Mesh(pos, tri, color=torch.full((8, 3), 0.5)))
    tree = header(tmp_path / "a.glb")
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    assert accessor["componentType"] == 5126 and accessor["count"] == 8  # float
    assert accessor["max"] == pytest.approx([0.214041] * 3, abs=1e-6)
    assert tree["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0


def test_all_nodes_come_into_one_mesh_where_they_stand_facing_outwards(tmp_path):
    pos, tri = (x.numpy() for x in cube())
    file = GltfFile()
    mesh = file.triangle(pos)
    indices = file.accessor(tri.astype("<u2").reshape(-1))
    file.json["meshes"][mesh]["primitives"][0]["indices"] = indices
    # of side 2 at x = 10, and of side 1 through a mirroring node at the origin
    file.show({"mesh": mesh, "translation": [10, 0, 0]}, {"mesh": mesh, "scale": [0.5, 0.5, -0.5]})
    mesh = load_mesh(file.write(tmp_path / "a.glb"))
    assert len(mesh.tri) == 24 and len(mesh.pos) == 16 and is_closed(mesh.tri)
    assert volume(mesh.pos, mesh.tri) == pytest.approx(8 + 1)
    assert float(mesh.pos[:, 0].max()) == 11 and float(mesh.pos[:, 2].min()) == -1


def test_vertices_are_split_at_seams_only_in_the_file(tmp_path):
    pos, tri = icosphere(1)
    uv = torch.rand(240, 2)
    mesh = Mesh(pos, tri, uv=uv, uv_tri=torch.arange(240).reshape(80, 3))
    save_mesh(tmp_path / "a.glb", mesh)
    assert header(tmp_path / "a.glb")["accessors"][1]["count"] == 240
    back = load_mesh(tmp_path / "a.glb")
    assert len(back.pos) == len(pos) and is_closed(back.tri)
    assert back.uv is not None and torch.allclose(
        back.uv[back.uv_tri], uv.reshape(80, 3, 2), atol=1e-6
    )


def test_broken_and_empty_files_are_named(tmp_path):
    path = tmp_path / "a.glb"
    path.write_bytes(b"glTF, but not really")
    with pytest.raises(
        ValueError, match=r"load_mesh: .*a.glb must be a glb file; .*export it again"
    ):
        load_mesh(path)
    save_mesh(path, Mesh(*cube()))
    whole = path.read_bytes()
    broken = {
        b"": "it is empty",
        b"gl": "it ends after 2 bytes, within its header",
        b"solid cube": "it begins with b'soli', not with b'glTF'",
        whole[:4] + struct.pack("<I", 1) + whole[8:]: "it is glTF of version 1, not 2",
        whole[:100]: f"it ends after 100 of {len(whole)} bytes",
        whole[:12] + struct.pack("<I", 10**9) + whole[16:]: "its first chunk is not JSON",
        whole[:20] + b"x" + whole[21:]: "its JSON cannot be read (Expecting value",
        whole.replace(b'"count":36', b'"count":99'): "accessors[1] ends at byte 396 of ",
    }
    for content, wrong in broken.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(f"a.glb must be a glb file; {wrong}")):
            load_mesh(path)


def test_colours_and_uv_that_are_no_numbers_are_not_written(tmp_path):
    pos, tri = cube()
    bad = torch.full((8, 3), torch.nan)
    for name, mesh in (
        ("color", Mesh(pos, tri, color=bad)),
        ("uv", Mesh(pos, tri, uv=bad[:, :2], uv_tri=tri)),
    ):
        with pytest.raises(
            ValueError, match=rf"save_mesh: mesh.{name} must be finite; got nan or inf"
        ):
            save_mesh(tmp_path / "a.glb", mesh)
    assert list(tmp_path.iterdir()) == []


def test_indices_beyond_the_vertices_and_broken_pictures_are_named(tmp_path):
    pos, tri = cube()
    texture = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "a.glb"
    save_mesh(path, Mesh(pos, tri, uv=pos[:, :2], uv_tri=tri, texture=texture))
    content = path.read_bytes()
    at = content.find(tri.numpy().astype("<u4").tobytes()[:12])
    assert at > 0
    path.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    with pytest.raises(
        ValueError, match=r"a.glb must have faces of its 8 vertices; got indices from 0"
    ):
        load_mesh(path)
    at = content.find(b"IDAT") + 4
    path.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
    with pytest.raises(ValueError, match=r"load_mesh: .*a.glb must .* picture .*texture=False"):
        load_mesh(path)
    assert len(load_mesh(path, texture=False).tri) == len(tri)
