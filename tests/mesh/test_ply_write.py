"""glrast/mesh/files/ply_write.py: what is written is read again, and by its bytes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, cube, load_mesh, save_mesh
from glrast.mesh.material import Material
from tests.mesh.mesh_files import texels

pytest.importorskip("PIL", reason="Pillow writes the pictures")


def plane(*color):
    """A texture of one colour."""
    return torch.tensor(color, dtype=torch.float32).expand(3, 5, -1).contiguous()


def mesh_of(*materials):
    """The cube with its triangles shared out among these materials, in turn."""
    pos, tri = cube()
    uv = torch.rand(9, 2, generator=torch.Generator().manual_seed(0))
    index = torch.arange(12) % len(materials)
    return Mesh(
        pos,
        tri,
        uv=uv,
        uv_tri=torch.arange(36).reshape(12, 3) % 9,
        materials=materials,
        material=index,
    )


def there_and_back(folder, mesh):
    save_mesh(folder / "a.ply", mesh)
    return load_mesh(folder / "a.ply")


def test_several_pictures_come_back_each_on_its_triangles(tmp_path):
    red = plane(1, 0, 0)
    mesh = mesh_of(Material("a", texture=red), Material("b"), Material("c", texture=plane(0, 1, 0, 0.4), alpha="mask"),
                   Material("d", texture=red))  # fmt: skip
    back = there_and_back(tmp_path, mesh)
    assert texels(back) == texels(mesh)
    assert torch.equal(back.uv[back.uv_tri][::4], mesh.uv[mesh.uv_tri][::4])
    assert torch.equal(back.pos, mesh.pos) and torch.equal(back.tri, mesh.tri)
    assert [m.alpha for m in back.materials] == ["opaque", "opaque", "mask"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.ply",
        "a_texture0.png",
        "a_texture1.png",
    ]


def test_positions_with_an_origin_are_doubles_of_the_world(tmp_path):
    pos, tri = cube()
    mesh = Mesh(pos * 0.3, tri, origin=(431000.0, -5412000.0, 77.0), normal=pos)
    back = there_and_back(tmp_path, mesh)
    world = mesh.pos.double() + torch.tensor(mesh.origin, dtype=torch.float64)
    content = (tmp_path / "a.ply").read_bytes()
    assert b"property double x" in content and b"property float nx" in content
    body = content.partition(b"end_header\n")[2]
    rows = np.frombuffer(body, [("pos", "<f8", 3), ("normal", "<f4", 3)], len(pos))
    assert np.array_equal(rows["pos"], world.numpy())
    assert torch.allclose(
        back.pos.double() + torch.tensor(back.origin, dtype=torch.float64), world, atol=1e-7
    )
    assert torch.equal(back.normal, mesh.normal)


def test_a_plain_mesh_is_the_shortest_file(tmp_path):
    pos, tri = cube()
    save_mesh(tmp_path / "a.ply", Mesh(pos, tri))
    head, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert head.decode().splitlines() == [
        "ply", "format binary_little_endian 1.0", "element vertex 8",
        "property float x", "property float y", "property float z",
        "element face 12", "property list uchar int vertex_indices",
    ]  # fmt: skip
    assert len(body) == 8 * 12 + 12 * 13


NOT_PLAIN = [
    (Material("m", factor=(0.5, 1, 1, 1)), r"factor=\(0.5"),
    (Material("m", texture=plane(1, 0, 0), wrap=("clamp", "clamp")), "wrap=.'clamp"),
    (Material("m", texture=plane(1, 0, 0), filter="nearest"), "filter='nearest'"),
    (Material("m", texture=plane(1, 0, 0, 0.5), alpha="blend"), "alpha='blend'"),
    (Material("m", texture=plane(1, 0, 0, 0.5), alpha="mask", cutoff=0.2), "alpha='mask'"),
]


@pytest.mark.parametrize("material, got", NOT_PLAIN)
def test_materials_that_are_not_plain_are_refused(tmp_path, material, got):
    with pytest.raises(
        ValueError, match=rf"save_mesh: materials must be plain for a ply .*'m' .*{got}.*\.glb"
    ):
        save_mesh(tmp_path / "a.ply", mesh_of(material))
    assert list(tmp_path.iterdir()) == []


def test_alpha_that_says_nothing_is_not_written(tmp_path):
    back = there_and_back(tmp_path, mesh_of(Material("m", texture=plane(1, 0, 0, 0.5))))
    assert texels(back) == [[1, 0, 0]] * 12 and back.materials == ()
    assert (
        texels(
            there_and_back(
                tmp_path, mesh_of(Material("m", texture=plane(1, 0, 0, 1), alpha="blend"))
            )
        )
        == [[1, 0, 0, 1]] * 12
    )


def test_a_texture_without_uv_and_a_name_of_two_lines_are_refused(tmp_path):
    pos, tri = cube()
    with pytest.raises(ValueError, match=r"save_mesh: mesh must have uv for its texture; got none"):
        save_mesh(tmp_path / "a.ply", Mesh(pos, tri, texture=plane(1, 0, 0)))
    textured = replace(mesh_of(Material()), materials=(), material=None, texture=plane(1, 0, 0))
    with pytest.raises(ValueError, match=r"save_mesh: path must be one line for a ply file"):
        save_mesh(tmp_path / "a\nb.ply", textured)
    assert there_and_back(tmp_path, textured).texture is not None
