"""glrast/mesh/mesh.py: the Mesh, and files of all formats, written and read again."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glrast.clip import Mesh, cube, icosphere, is_closed, load_mesh, save_mesh

MESHES = Path(__file__).resolve().parents[3] / "shared" / "data" / "meshes"
BITS_8 = 0.5 / 255 + 1e-6  # the rounding of an 8-bit channel
FLOAT = 1e-6  # the sRGB curve there and back, and 1 - v, in float32


def plain():
    return Mesh(*icosphere(1))


def colored(channels=3):
    pos, tri = icosphere(1)
    generator = torch.Generator().manual_seed(0)
    color = torch.rand(len(pos), channels, generator=generator)
    normal = torch.nn.functional.normalize(torch.randn(len(pos), 3, generator=generator))
    return Mesh(pos, tri, color=color, normal=normal)


def textured():
    """A cube with a square of the texture on every face: 8 positions, 14 uv, seams."""
    pos, tri = cube()
    uv_tri = torch.arange(36).reshape(12, 3) % 14
    uv = torch.rand(14, 2, generator=torch.Generator().manual_seed(0))
    texture = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(1))
    return Mesh(pos, tri, uv=uv, uv_tri=uv_tri, texture=(texture * 255).round() / 255)


def there_and_back(mesh, path):
    save_mesh(path, mesh)
    assert list(path.parent.glob(".*")) == []  # nothing half-written stays
    return load_mesh(path)


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
def test_positions_and_triangles_come_back_exactly(tmp_path, suffix):
    mesh = plain()
    back = there_and_back(mesh, tmp_path / f"a.{suffix}")
    assert torch.equal(back.pos, mesh.pos) and torch.equal(back.tri, mesh.tri)
    assert back.pos.dtype == torch.float32 and back.tri.dtype == torch.int32
    for name in ("color", "normal", "uv", "uv_tri", "texture"):
        assert getattr(back, name) is None


@pytest.mark.parametrize("suffix, tolerance", [("obj", 0), ("ply", BITS_8), ("glb", FLOAT)])
def test_colours_and_normals_come_back(tmp_path, suffix, tolerance):
    mesh = colored()
    back = there_and_back(mesh, tmp_path / f"a.{suffix}")
    assert torch.equal(back.pos, mesh.pos) and torch.equal(back.tri, mesh.tri)
    assert back.color is not None and mesh.color is not None
    assert torch.allclose(back.color, mesh.color, atol=tolerance, rtol=0)
    assert back.normal is not None and mesh.normal is not None
    assert torch.allclose(back.normal, mesh.normal, atol=FLOAT)


@pytest.mark.parametrize("suffix, tolerance", [("ply", BITS_8), ("glb", FLOAT)])
def test_alpha_comes_back(tmp_path, suffix, tolerance):
    mesh = colored(4)
    back = there_and_back(mesh, tmp_path / f"a.{suffix}")
    assert back.color is not None and mesh.color is not None
    assert torch.allclose(back.color, mesh.color, atol=tolerance, rtol=0)


@pytest.mark.parametrize("suffix", ["obj", "glb"])
def test_uv_with_indices_of_their_own_and_the_texture_come_back(tmp_path, suffix):
    mesh = textured()
    back = there_and_back(mesh, tmp_path / f"a.{suffix}")
    assert len(back.pos) == 8 and is_closed(back.tri)  # seams do not split positions
    assert torch.equal(back.pos[back.tri], mesh.pos[mesh.tri])
    assert back.uv is not None and mesh.uv is not None
    assert torch.allclose(back.uv[back.uv_tri], mesh.uv[mesh.uv_tri], atol=FLOAT)
    assert len(back.uv) == 14
    assert back.texture is not None and mesh.texture is not None
    assert torch.allclose(back.texture, mesh.texture, atol=FLOAT)  # row 0 is the bottom again


def test_an_obj_keeps_the_indices_of_uv(tmp_path):
    mesh = textured()
    back = there_and_back(mesh, tmp_path / "a.obj")
    assert back.uv is not None and mesh.uv is not None
    assert torch.equal(back.uv, mesh.uv)
    assert back.uv_tri is not None and mesh.uv_tri is not None
    assert torch.equal(back.uv_tri, mesh.uv_tri)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mtl", "a.obj", "a_texture.png"]


def test_the_texture_can_be_left_out(tmp_path):
    for name in ("a.obj", "a.glb"):
        save_mesh(tmp_path / name, textured())
        back = load_mesh(tmp_path / name, texture=False)
        assert back.uv is None and back.texture is None and len(back.tri) == 12


def test_a_tensor_with_gradient_can_be_saved(tmp_path):
    mesh = replace(plain(), pos=plain().pos.requires_grad_())
    save_mesh(tmp_path / "a.obj", mesh)
    assert not load_mesh(tmp_path / "a.obj").pos.requires_grad


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.obj"
    save_mesh(path, plain())
    before = path.read_bytes()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(
        OSError, match=r"save_mesh: path must be writable; got .*a.obj, Permission denied"
    ):
        save_mesh(path, colored())
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_arrays_become_tensors_of_the_right_kind():
    mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])  # type: ignore[arg-type]
    assert mesh.pos.dtype == torch.float32 and mesh.tri.dtype == torch.int32
    assert mesh.to("cpu").uv is None


def test_spot_has_seams_only_in_its_uv():
    if not MESHES.is_dir():
        pytest.skip("the shared data is not here")
    mesh = load_mesh(MESHES / "spot_triangulated.obj")
    assert mesh.pos.shape == (2930, 3) and mesh.tri.shape == (5856, 3)
    assert mesh.uv is not None and mesh.uv.shape == (3225, 2) and is_closed(mesh.tri)


@pytest.mark.slow
def test_the_bunny_loads():
    if not MESHES.is_dir():
        pytest.skip("the shared data is not here")
    mesh = load_mesh(MESHES / "stanford_bunny.obj")
    assert mesh.pos.shape == (35947, 3) and mesh.tri.shape == (69451, 3) and mesh.uv is None


def test_what_cannot_be_saved_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"save_mesh: path must end in .obj, .ply, .glb; got 'a.stl'"
    ):
        save_mesh(tmp_path / "a.stl", plain())
    with pytest.raises(
        FileNotFoundError, match=r"save_mesh: path must lie in a folder; got .*gone, which is none"
    ):
        save_mesh(tmp_path / "gone" / "a.obj", plain())
    with pytest.raises(ValueError, match=r"save_mesh: mesh must have a triangle; got none"):
        save_mesh(tmp_path / "a.obj", Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32)))
    with pytest.raises(ValueError, match=r"save_mesh: mesh.pos must be finite; got nan or inf"):
        save_mesh(
            tmp_path / "a.obj", Mesh(torch.full((3, 3), torch.nan), torch.tensor([[0, 1, 2]]))
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
def test_a_name_that_no_file_can_have_is_named(tmp_path, suffix):
    path = tmp_path / ("a" * 300 + "." + suffix)
    with pytest.raises(FileNotFoundError, match=r"load_mesh: path must be a file; .*too long"):
        load_mesh(path)
    with pytest.raises(OSError, match=r"save_mesh: path must be writable; .*too long: choose"):
        save_mesh(path, plain())
    with pytest.raises(FileNotFoundError, match=r"save_mesh: path must lie in a folder"):
        save_mesh(tmp_path / ("b" * 300) / "a.obj", plain())
    longest = tmp_path / ("a" * 251 + "." + suffix)  # 255 with its ending
    assert len(there_and_back(plain(), longest).tri) == len(plain().tri)


def test_what_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"load_mesh: path must be a file; .* does not exist"
    ):
        load_mesh(tmp_path / "a.obj")
    with pytest.raises(FileNotFoundError, match=r"load_mesh: path must be a file; .* is a folder"):
        load_mesh(tmp_path)
    (tmp_path / "a.stl").write_text("solid")
    with pytest.raises(
        ValueError, match=r"load_mesh: path must end in .obj, .ply, .glb, .gltf; got 'a.stl'"
    ):
        load_mesh(tmp_path / "a.stl")


def test_wrong_fields_are_named():
    pos, tri = cube()
    with pytest.raises(ValueError, match=r"Mesh: color must be \[8,3\] or \[8,4\]; got \[7,3\]"):
        Mesh(pos, tri, color=pos[:7])
    with pytest.raises(ValueError, match=r"Mesh: normal must be \[8,3\]; got \[8,4\]"):
        Mesh(pos, tri, normal=torch.zeros(8, 4))
    with pytest.raises(ValueError, match=r"Mesh: texture must be \[Ht,Wt,C\]; got \[5,5\]"):
        Mesh(pos, tri, texture=torch.zeros(5, 5))
    with pytest.raises(ValueError, match=r"Mesh: uv and uv_tri must come together; got only uv:"):
        Mesh(pos, tri, uv=torch.zeros(8, 2))
    with pytest.raises(ValueError, match=r"Mesh: uv_tri must be \[12,3\] .* got \[3,3\]"):
        Mesh(pos, tri, uv=torch.zeros(8, 2), uv_tri=tri[:3])
    with pytest.raises(
        ValueError, match=r"Mesh: tri must hold vertex indices in \[0,7\); got 0 to 7"
    ):
        Mesh(pos[:7], tri)


def test_a_mesh_that_is_far_away_says_that_it_has_an_origin(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 500000 5000000 3\nv 500001 5000000 3\nv 500000 5000001 3\nf 1 2 3\n")
    with pytest.warns(UserWarning, match=r"a.obj lies .* load_cameras\(..., origin=mesh.origin\)"):
        mesh = load_mesh(path)
    assert any(mesh.origin)
