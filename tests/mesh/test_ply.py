"""glrast/mesh/files/ply.py: what ply files in the wild hold."""

import pytest
import torch

from glrast.clip import Mesh, cube, load_mesh, save_mesh

HEADER = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
FACES = "element face {}\nproperty list uchar int vertex_indices\nend_header\n"
POINTS = ["0 0 0", "1 0 0", "1 1 0", "0 1 0"]


def load(tmp_path, text):
    path = tmp_path / "a.ply"
    path.write_text(text)
    return load_mesh(path)


def test_quads_are_cut_into_triangles(tmp_path):
    mesh = load(tmp_path, HEADER + FACES.format(1) + "\n".join(POINTS) + "\n4 0 1 2 3\n")
    assert len(mesh.tri) == 2 and len(mesh.pos) == 4
    a, b, c = mesh.pos[mesh.tri].unbind(1)
    assert torch.linalg.cross(b - a, c - a)[:, 2].tolist() == [1, 1]


def test_uv_at_the_vertices_are_read(tmp_path):
    names = "property float s\nproperty float t\n"
    rows = "\n".join(f"{p} {p.split()[0]} {p.split()[1]}" for p in POINTS)
    mesh = load(tmp_path, HEADER + names + FACES.format(2) + rows + "\n3 0 1 2\n3 0 2 3\n")
    assert mesh.uv is not None and mesh.uv_tri is not None
    assert torch.equal(mesh.uv[mesh.uv_tri], mesh.pos[mesh.tri][..., :2])
    assert mesh.texture is None


def test_the_picture_named_in_a_comment_is_the_texture(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the picture")
    names = "comment TextureFile skin.png\n" + HEADER.partition("1.0\n")[2]
    names += "property float s\nproperty float t\n" + FACES.format(1)
    text = "ply\nformat ascii 1.0\n" + names + "\n".join(p + " 0 1" for p in POINTS) + "\n3 0 1 2\n"
    with pytest.raises(
        FileNotFoundError, match=r"TextureFile must be an image; found no .*skin.png"
    ):
        load(tmp_path, text)
    image.new("RGB", (3, 2), (255, 0, 0)).save(tmp_path / "skin.png")
    texture = load(tmp_path, text).texture
    assert texture is not None and texture[0, 0].tolist() == [1, 0, 0]


def test_point_clouds_and_broken_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"load_mesh: .*a.ply must have faces; got a point cloud"):
        load(tmp_path, HEADER + "end_header\n" + "\n".join(POINTS) + "\n")


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("", "it is empty"),
        ("no ply at all", "it begins with b'no p', not with b'ply'"),
        (HEADER, "its header has no end within"),
        (
            HEADER.replace("property float y\n", "") + "end_header\n0 0\n",
            "its vertices have no property y",
        ),
        (HEADER + FACES.format(2), "it ends with its header"),
        (HEADER + FACES.format(9) + "0 0", ""),
    ],
)
def test_broken_files_are_named(tmp_path, text, wrong):
    with pytest.raises(
        ValueError, match=rf"load_mesh: .*a.ply must be a ply file; {wrong}.*export it again"
    ):
        load(tmp_path, text)


def test_uv_and_the_picture_are_written(tmp_path):
    pytest.importorskip("PIL", reason="Pillow writes the picture")
    pos, tri = cube()
    texture = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    mesh = Mesh(pos, tri, uv=pos[:, :2], uv_tri=tri, texture=texture)
    save_mesh(tmp_path / "a.ply", mesh)
    back = load_mesh(tmp_path / "a.ply")
    assert back.tri.tolist() == tri.tolist() and torch.equal(back.pos, pos)
    assert back.uv is not None and back.uv_tri is not None and mesh.uv is not None
    assert torch.equal(back.uv[back.uv_tri], mesh.uv[tri])
    assert back.texture is not None and torch.allclose(back.texture, texture, atol=1e-6)
