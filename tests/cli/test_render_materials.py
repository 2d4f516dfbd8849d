"""`glrast render` of meshes with materials: every layer, from the file of cameras to the pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glrast.cli import main as cli
from glrast.cli import render
from glrast.clip import Material, Mesh, grid, icosphere, save_mesh
from tests.cli.test_render import EIGHT_BITS, QUARTER, load, run, write_cameras

SIZE = 32  # of which the square fills the middle half


@pytest.fixture
def given(monkeypatch):
    """given(mesh) makes `render` find that mesh in its file."""
    return lambda mesh: monkeypatch.setattr(render, "load_mesh", lambda path, texture: mesh)


def leaf_before_a_wall():
    """A square whose right half is cut out, 1 before a wall of the same size in perspective."""
    pos, tri = grid(1, 1)
    texture = torch.zeros(2, 64, 4)
    texture[..., 1], texture[:, :32, 3] = 1, 1
    leaf = Material("leaf", texture=texture, wrap=("clamp", "clamp"), alpha="mask")
    wall = Material("wall", factor=(1, 0, 0, 1))
    back = pos * 1.25 - torch.tensor(
        [0.0, 0, 1]
    )  # 4 and 5 from the camera: they cover the same pixels
    return Mesh(
        torch.cat([pos, back]), torch.cat([tri, tri + 4]), uv=(pos[:, :2] + 1) / 2, uv_tri=torch.cat([tri, tri]),
        materials=(leaf, wall), material=torch.tensor([0, 0, 1, 1]),
    )  # fmt: skip


def test_a_cut_out_shows_what_lies_behind_in_every_layer(tmp_path, given):
    given(leaf_before_a_wall())
    words = ["--layers", "color,mask,depth,normal", "--format", "npy"]
    _, out = run(tmp_path, "leaf.glb", write_cameras(tmp_path), *words)
    color, mask, depth, normal = (
        load(out, layer, format="npy")[QUARTER, QUARTER] for layer in ("color", "mask", "depth", "normal")
    )  # fmt: skip
    assert np.abs(color[:, :7] - [0, 1, 0, 1]).max() < 1e-5
    assert np.abs(color[:, 9:] - [1, 0, 0, 1]).max() < 1e-5
    assert np.abs(mask - 1).max() < 1e-5
    assert np.abs(depth[:, :8] - 4).max() < 1e-4 and np.abs(depth[:, 8:] - 5).max() < 1e-4
    assert np.allclose(normal, [0, 0, 1], atol=1e-6)


def test_the_mask_of_a_leaf_alone_is_the_leaf(tmp_path, given):
    mesh = leaf_before_a_wall()
    given(replace(mesh, tri=mesh.tri[:2], uv_tri=mesh.uv_tri[:2], material=mesh.material[:2]))
    _, out = run(tmp_path, "leaf.glb", write_cameras(tmp_path), "--layers", "mask,depth")
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[QUARTER, SIZE // 4 : SIZE // 2] = 255
    assert np.array_equal(load(out, "mask"), expected)
    assert np.array_equal(load(out, "depth") > 0, expected > 0)


def test_a_silhouette_before_a_cut_out_is_antialiased_and_its_border_is_not_to_be_seen(
    tmp_path, given
):
    """At 30 pixels the square's border halves pixels; there the cut-out's half of the leaf alone leaves no line."""
    mesh = leaf_before_a_wall()
    given(replace(mesh, tri=mesh.tri[:2], uv_tri=mesh.uv_tri[:2], material=mesh.material[:2]))
    _, out = run(tmp_path, "leaf.glb", write_cameras(tmp_path), size=SIZE - 2)
    alpha = load(out, "color")[..., 3] / 255
    middle = alpha[SIZE // 2]
    assert abs(middle[7] - 0.5) < 2 * EIGHT_BITS and (middle[8:14] == 1).all()
    assert not middle[16:].any()


def test_a_pane_lets_its_part_of_the_light_through_in_colour_and_mask(tmp_path, given):
    pos, tri = grid(1, 1)
    given(Mesh(pos, tri, materials=(Material(factor=(0.5, 0, 1, 0.25), alpha="blend"),)))
    _, out = run(tmp_path, "pane.glb", write_cameras(tmp_path), "--layers", "color,mask,depth")
    color, mask = load(out, "color")[QUARTER, QUARTER] / 255, load(out, "mask")[QUARTER, QUARTER]
    assert np.abs(color - [0.735357, 0, 1, 0.25]).max() < 0.01
    assert np.array_equal(mask, np.full((16, 16), 64))
    assert (load(out, "depth")[QUARTER, QUARTER] > 0).all()


def test_a_repeated_texture_has_no_seam_at_odd_sizes_from_several_cameras(tmp_path, given):
    """cos(2 pi u) with its maximum on the seam: a seam would break the symmetry of the stripes."""
    N = 64
    stripe = 0.5 + 0.5 * np.cos(2 * np.pi * (np.arange(N) + 0.5) / N)
    srgb = np.where(stripe <= 0.0031308, stripe * 12.92, 1.055 * stripe ** (1 / 2.4) - 0.055)
    pos, tri = grid(1, 1)
    texture = torch.tensor(srgb).float().view(1, N, 1).expand(4, N, 3)
    given(Mesh(pos, tri, uv=pos[:, :2] + 1, uv_tri=tri, texture=texture))
    poses = {}
    for k in range(3):
        pose = np.eye(4)
        pose[:3, 3] = [0.2 * k, 0, 4.0]
        poses[f"c{k}"] = pose
    cameras = write_cameras(tmp_path, poses, w=132, h=99)
    _, out = run(tmp_path, "a.glb", cameras, "--layers", "color", "--format", "npy", size=None)
    for k in range(3):
        row = load(out, "color", f"c{k}", "npy")[50]
        x = (np.arange(132) + 0.5 - 66) / 66 * 2.0 + 0.2 * k  # the middle 4 units of the plane
        inside = np.abs(x) < 0.95
        light = ((row[:, 0] + 0.055) / 1.055) ** 2.4
        assert np.abs(light - (0.5 + 0.5 * np.cos(2 * np.pi * (x + 1))))[inside].max() < 0.01


def test_materials_of_the_parts_of_a_mesh(tmp_path, given):
    """A cube of three pairs of faces, seen from a corner of a mesh of many triangles each."""
    pos, tri = icosphere(3)
    which = pos[tri.long()].mean(1).abs().argmax(1)
    colors = torch.eye(3).tolist()
    given(Mesh(pos, tri, materials=tuple(Material(factor=(*c, 1.0)) for c in colors), material=which))  # fmt: skip
    for axis in range(3):
        pose = np.eye(4)
        pose[:3, 2] = np.eye(3)[axis]
        pose[:3, 0] = np.eye(3)[(axis + 1) % 3]
        pose[:3, 1] = np.eye(3)[(axis + 2) % 3]
        pose[:3, 3] = 4 * np.eye(3)[axis]
        _, out = run(tmp_path, "a.glb", write_cameras(tmp_path, {"front": pose}), size=33)
        assert load(out, "color")[16, 16].tolist() == [*(np.eye(3)[axis] * 255), 255]


def test_a_missing_picture_is_named_with_the_switch_that_does_without(tmp_path, capsys):
    pos, tri = grid(1, 1)
    uv = (pos[:, :2] + 1) / 2
    mesh = tmp_path / "a.obj"
    save_mesh(mesh, Mesh(pos, tri, uv=uv, uv_tri=tri, texture=torch.rand(4, 4, 3)))
    for picture in tmp_path.glob("*.png"):
        picture.unlink()
    cameras = write_cameras(tmp_path)
    code, out = run(tmp_path, mesh, cameras)
    assert code == cli.WRONG_INPUT and "--no-texture" in capsys.readouterr().err
    assert not out.exists()
    code, out = run(tmp_path, mesh, cameras, "--no-texture", "--layers", "mask")
    assert code == 0 and (load(out, "mask")[QUARTER, QUARTER] == 255).all()


def test_other_errors_do_not_speak_of_pictures(tmp_path, capsys):
    (tmp_path / "a.obj").write_text("v 0 0\n")
    code, _ = run(tmp_path, tmp_path / "a.obj", write_cameras(tmp_path))
    assert code == cli.WRONG_INPUT and "--no-texture" not in capsys.readouterr().err
