"""glrast/mesh/files/obj_write.py: what is written is read again, by numbers and by the lines of the file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, cube, load_mesh, save_mesh
from glrast.mesh.material import Material
from tests.mesh.mesh_files import area, srgb_factors, texels

pytest.importorskip("PIL", reason="Pillow writes the pictures")


def plane(color, channels=3):
    """A texture of one colour."""
    return torch.tensor(color, dtype=torch.float32)[:channels].expand(3, 5, -1).contiguous()


def mesh_of(*materials, **fields):
    """The cube with its triangles shared out among these materials, in turn."""
    pos, tri = cube()
    uv = torch.rand(9, 2, generator=torch.Generator().manual_seed(0))
    uv_tri = torch.arange(36).reshape(12, 3) % 9
    index = torch.arange(12) % len(materials)
    return Mesh(pos, tri, uv=uv, uv_tri=uv_tri, materials=materials, material=index, **fields)


def there_and_back(folder, mesh):
    save_mesh(folder / "a.obj", mesh)
    return load_mesh(folder / "a.obj")


def test_materials_come_back_each_on_its_triangles(tmp_path):
    red, half = plane([1, 0, 0]), plane([0, 1, 0, 0.4], 4)
    mesh = mesh_of(
        Material("plain", factor=(0.25, 0.5, 1, 1)),
        Material("a b", texture=red, wrap=("clamp", "clamp")),
        Material("", factor=(1, 0, 0, 0.5), alpha="blend"),
        Material("cut", texture=half, alpha="mask"),
        Material("a b", texture=red, factor=(0.5, 0.5, 0.5, 1)),
        Material("flat", texture=half),
    )
    back = there_and_back(tmp_path, mesh)
    assert srgb_factors(back) == srgb_factors(mesh)
    shown = texels(mesh)
    shown[5] = shown[11] = shown[5][:3]  # opaque: its alpha says nothing
    assert texels(back) == shown
    assert [m.alpha for m in back.materials] == [
        "opaque",
        "opaque",
        "blend",
        "mask",
        "opaque",
        "opaque",
    ]
    assert [m.wrap[0] for m in back.materials] == [
        "repeat",
        "clamp",
        "repeat",
        "repeat",
        "repeat",
        "repeat",
    ]
    assert [m.name for m in back.materials] == ["plain", "a b", "material", "cut", "a b_2", "flat"]
    assert torch.equal(back.pos, mesh.pos) and torch.equal(back.tri, mesh.tri)
    assert torch.equal(back.uv, mesh.uv) and torch.equal(back.uv_tri, mesh.uv_tri)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["a.mtl", "a.obj", "a_texture0.png", "a_texture1.png", "a_texture2.png"]


def test_a_plain_texture_is_written_as_ever(tmp_path):
    mesh = replace(mesh_of(Material()), materials=(), material=None, texture=plane([1, 0, 0]))
    back = there_and_back(tmp_path, mesh)
    assert back.materials == () and torch.equal(back.texture, mesh.texture)
    assert (tmp_path / "a.mtl").read_text() == "newmtl texture\nKd 1 1 1\nmap_Kd a_texture.png\n"


def test_an_origin_is_put_back_with_all_digits(tmp_path):
    pos, tri = cube()
    mesh = Mesh(pos * 0.3, tri, origin=(431000.0, -5412000.0, 77.0), color=pos.abs() * 0.1)
    back = there_and_back(tmp_path, mesh)
    world = (mesh.pos.double() + torch.tensor(mesh.origin, dtype=torch.float64)).numpy()
    rows = [
        line.split()[1:4]
        for line in (tmp_path / "a.obj").read_text().splitlines()
        if line[:2] == "v "
    ]
    assert np.array_equal(np.array(rows, dtype=np.float64), world)
    again = (back.pos.double() + torch.tensor(back.origin, dtype=torch.float64)).numpy()
    assert np.abs(again - world).max() < 1e-7 and back.origin != (0, 0, 0)
    assert torch.equal(back.color, mesh.color)
    assert area(back) == pytest.approx(area(mesh), rel=1e-6)


def test_a_file_in_a_folder_with_odd_names_is_read_again(tmp_path):
    folder = tmp_path / "my #1 things"
    folder.mkdir()
    mesh = mesh_of(
        Material("a # b", texture=plane([1, 0, 0])), Material(" x\u00a0y ", factor=(0, 1, 0, 1))
    )
    save_mesh(folder / "two words #2.obj", mesh)
    back = load_mesh(folder / "two words #2.obj")
    assert texels(back) == texels(mesh) and srgb_factors(back) == srgb_factors(mesh)


CANNOT_SAY = [
    (Material("m", texture=plane([1, 0, 0]), wrap=("mirror", "mirror")), "wrap="),
    (Material("m", texture=plane([1, 0, 0]), wrap=("clamp", "repeat")), "wrap="),
    (Material("m", texture=plane([1, 0, 0]), filter="nearest"), "filter='nearest'"),
    (Material("m", texture=plane([1, 0, 0, 0.5], 4), alpha="mask", cutoff=0.3), "cutoff=0.3"),
    (Material("m", factor=(1, 1, 1, 0.5), alpha="mask"), "a factor of 0.5"),
    (
        Material("m", texture=plane([1, 0, 0, 0.5], 4), alpha="blend"),
        "alpha='blend' by its texture",
    ),
]


@pytest.mark.parametrize("material, got", CANNOT_SAY)
def test_what_a_library_cannot_say_is_refused(tmp_path, material, got):
    with pytest.raises(
        ValueError,
        match=rf"save_mesh: materials must be such as an obj .*got .*{got}.* in 'm': save",
    ):
        save_mesh(tmp_path / "a.obj", mesh_of(material))
    assert list(tmp_path.iterdir()) == []


def test_a_texture_without_uv_and_names_of_two_lines_are_refused(tmp_path):
    pos, tri = cube()
    with pytest.raises(ValueError, match=r"got a texture and no uv in 'm': give the mesh uv"):
        save_mesh(
            tmp_path / "a.obj", Mesh(pos, tri, materials=(Material("m", texture=plane([1, 0, 0])),))
        )
    with pytest.raises(ValueError, match=r"a material's name must be one line in an obj file"):
        save_mesh(tmp_path / "a.obj", mesh_of(Material("a\nb")))


def test_alpha_that_shows_nothing_is_no_obstacle(tmp_path):
    for alpha in ("opaque", "mask", "blend"):
        mesh = mesh_of(Material("m", texture=plane([1, 0, 0, 1], 4), alpha=alpha))
        back = there_and_back(tmp_path, mesh)
        assert texels(back) == [[1, 0, 0, 1]] * 12
