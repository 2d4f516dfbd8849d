"""`glrast bake`: from pictures of a sphere, from a finer mesh, from several materials, of files as they come."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.cli import main as cli
from glrast.clip import Material, Mesh, grid, icosphere, load_mesh, save_mesh
from tests.fit.sphere import CENTRE, RADIUS, sphere_views, write_dataset

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def run(*words) -> int:
    return cli.main(["bake", *[str(word) for word in words], "--device", "cpu"])


def texture_of(path: Path) -> torch.Tensor:
    texture = load_mesh(path).appearance()[0][0].texture
    assert texture is not None
    return texture


def two_materials(folder: Path) -> Path:
    """A square of two triangles, one red, one half grey by its texture; uv far out, mirrored, and beyond 0..1."""
    pos, tri = grid(1, 1)
    uv = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 3.0], [0.0, 3.0]])
    materials = (
        Material("red", factor=(1.0, 0.0, 0.0, 1.0)),
        Material("grey", texture=torch.full((4, 4, 3), 128 / 255)),
    )
    mesh = Mesh(pos, tri, uv=uv, uv_tri=tri, materials=materials, material=torch.tensor([0, 1]))
    save_mesh(folder / "two.glb", mesh)
    return folder / "two.glb"


@pytest.mark.slow
def test_pictures_of_a_sphere_become_its_texture(tmp_path, capsys):
    views = sphere_views(15, 64, 64)
    write_dataset(tmp_path, views.pick(list(range(12))))
    write_dataset(tmp_path, views.pick([12, 13, 14]), "transforms_test.json")
    pos, tri = icosphere(4)
    save_mesh(tmp_path / "ball.ply", Mesh(pos * RADIUS + torch.tensor(CENTRE), tri))
    words = ("--views", tmp_path, "--out", tmp_path / "out.glb", "--size", 128)
    assert run(tmp_path / "ball.ply", *words, "--maps", "confidence,normal,position") == 0
    said = capsys.readouterr().out
    assert "a new atlas:" in said and "12 views; " in said and "transforms_test.json" in said
    assert float(said.split("psnr ")[1].split(" dB")[0]) > 30
    made = load_mesh(tmp_path / "out.glb")
    assert made.materials[0].unlit and made.materials[0].texture.shape == (128, 128, 3)
    assert np.load(tmp_path / "out_position.npy").shape == (128, 128, 3)
    assert Image.open(tmp_path / "out_confidence.png").size == (128, 128)
    again = (tmp_path / "out.glb").read_bytes()
    assert run(tmp_path / "ball.ply", *words) == 0
    assert (tmp_path / "out.glb").read_bytes() == again  # the same bits


def test_several_materials_become_one_and_the_own_uv_is_reported(tmp_path, capsys):
    assert run(two_materials(tmp_path), "--out", tmp_path / "one.glb", "--size", 64) == 0
    said = capsys.readouterr().out
    assert "the mesh's own uv, not taken:" in said and "triangles reach beyond 0..1" in said
    texture = texture_of(tmp_path / "one.glb")
    colours = {tuple(c) for c in (texture * 255).round().int().reshape(-1, 3).tolist()}
    assert colours == {(255, 0, 0), (128, 128, 128)}


def test_a_finer_mesh_gives_colour_normals_displacement_and_occlusion(tmp_path):
    low, high = Mesh(*icosphere(0)), Mesh(*icosphere(3))
    save_mesh(tmp_path / "low.obj", low)
    save_mesh(tmp_path / "high.ply", replace(high, color=torch.full((len(high.pos), 3), 0.25)))
    words = ("--high", tmp_path / "high.ply", "--size", 32, "--maps", "normal,displacement")
    assert run(tmp_path / "low.obj", "--out", tmp_path / "out.obj", *words) == 0
    texture = texture_of(tmp_path / "out.obj")
    assert float((texture - 0.25).abs().max()) < 0.005
    away = np.load(tmp_path / "out_displacement.npy")
    assert -1e-3 < away.min() and 0.15 < away.max() < 0.25  # 1 - the radius of the inscribed ball
    blue = np.asarray(Image.open(tmp_path / "out_normal.png"))[..., 2]
    assert blue.min() > 127


def test_huge_coordinates_keep_their_shape(tmp_path):
    pos, tri = icosphere(1)
    low = Mesh(pos, tri, origin=(5e6, 4e5, 100.0))
    save_mesh(tmp_path / "low.obj", low)
    save_mesh(tmp_path / "high.obj", Mesh(*icosphere(2), origin=(5e6, 4e5, 100.0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run(tmp_path / "low.obj", "--out", tmp_path / "out.obj", "--high",
                   tmp_path / "high.obj", "--size", 16, "--maps", "displacement") == 0  # fmt: skip
        again = load_mesh(tmp_path / "out.obj")
    world = again.pos.double() + torch.tensor(again.origin).double()
    wanted = pos.double() + torch.tensor(low.origin).double()
    assert float((world - wanted).abs().max()) < 1e-4
    assert np.abs(np.load(tmp_path / "out_displacement.npy")).max() < 0.2


def test_what_cannot_be_is_said_in_a_line(tmp_path, capsys):
    mesh = two_materials(tmp_path)
    for words, said in (
        (("--out", tmp_path / "x.png"), "glrast bake: --out must end in .glb, .obj, .ply"),
        (("--out", tmp_path / "x.glb", "--maps", "displacement"), "displacement needs --high"),
        (("--out", tmp_path / "x.glb", "--maps", "confidence"), "confidence needs --views"),
        (("--out", tmp_path / "x.glb", "--views", tmp_path / "no"), "DATASET must be"),
    ):
        assert run(mesh, *words) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1, error
    save_mesh(tmp_path / "bare.obj", Mesh(*icosphere(0)))
    assert run(tmp_path / "bare.obj", "--out", tmp_path / "x.glb", "--uv", "own") == 2
    assert "mesh must have uv for uv='own'" in capsys.readouterr().err
    for words in (("--size", "3"), ("--maps", "albedo"), ("--uv", "mine")):
        with pytest.raises(SystemExit):
            run(mesh, "--out", tmp_path / "x.glb", *words)


@pytest.mark.slow
def test_spot_from_its_pictures_is_as_good_as_the_fitted_texture(tmp_path, capsys, measured):
    mesh, views = DATA / "meshes" / "spot_triangulated.obj", DATA / "spot"
    if not (mesh.is_file() and views.is_dir()):
        pytest.skip("no ../shared/data with Spot")
    assert run(mesh, "--views", views, "--out", tmp_path / "spot.glb", "--resolution", 256) == 0
    said = capsys.readouterr().out
    psnr = float(said.split("psnr ")[1].split(" dB")[0])
    measured(f"glrast bake, Spot at 256 x 256: {psnr:.2f} dB")
    assert psnr > 38.2  # `glrast fit` has 38.7 at 512 x 512, from the pictures alone
