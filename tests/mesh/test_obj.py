"""glrast/mesh/files/obj.py: what obj files in the wild hold."""

import pytest
import torch

from glrast.clip import load_mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def load(tmp_path, text, **options):
    path = tmp_path / "a.obj"
    path.write_text(text)
    return load_mesh(path, **options)


def picture(path, color):
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    image.new("RGB", (3, 2), color).save(path)


def test_polygons_are_cut_into_fans(tmp_path):
    mesh = load(tmp_path, SQUARE + "v 0 0.5 0\nf 1 2 3 4 5\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_negative_indices_count_from_the_latest_vertex(tmp_path):
    text = SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nf -4/-3 -3/-2 -2/-1\nv 9 9 9\nf -1/1 -5/1 -4/1\n"
    mesh = load(tmp_path, text)
    assert mesh.tri.tolist() == [[0, 1, 2], [4, 0, 1]]
    assert mesh.uv_tri is not None and mesh.uv_tri.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_the_same_negative_index_means_another_vertex_further_down(tmp_path):
    mesh = load(tmp_path, SQUARE + "f -3 -2 -1\nv 9 9 9\nf -3 -2 -1\n")
    assert mesh.tri.tolist() == [[1, 2, 3], [2, 3, 4]]


def test_comments_other_lines_and_continued_lines_are_understood(tmp_path):
    text = "# head\no thing\ng part\ns off\n" + SQUARE + "\nf 1 2 \\\n 3 # tail\nl 1 2\nf 1 3 4\r\n"
    assert load(tmp_path, text).tri.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_vertices_may_have_colours_and_a_fourth_coordinate(tmp_path):
    text = "v 0 0 0 0.5 0.25 1\nv 1 0 0 0 0 0\nv 0 1 0 1 1 1\nf 1 2 3\n"
    color = load(tmp_path, text).color
    assert color is not None and color.tolist() == [[0.5, 0.25, 1], [0, 0, 0], [1, 1, 1]]
    assert load(tmp_path, "v 0 0 0 1\nv 1 0 0 1\nv 0 1 0 1\nf 1 2 3\n").color is None


def test_a_normal_for_each_vertex_is_kept_and_two_are_not(tmp_path):
    text = SQUARE + "vn 0 0 1\nvn 0 1 0\nf 1//1 2//1 3//1\n"
    normal = load(tmp_path, text).normal
    assert normal is not None and normal.tolist() == [[0, 0, 1]] * 3 + [[0, 0, 0]]
    assert load(tmp_path, text + "f 1//2 3//2 4//2\n").normal is None
    assert load(tmp_path, text + "f 1 3 4\n").normal is None


def test_corners_without_uv_beside_others_get_the_origin(tmp_path):
    mesh = load(tmp_path, SQUARE + "vt 0.5 0.5\nf 1/1 2/1 3/1\nf 1 3 4\n")
    assert mesh.uv is not None and mesh.uv_tri is not None
    assert mesh.uv[mesh.uv_tri].tolist() == [[[0.5, 0.5]] * 3, [[0.0, 0.0]] * 3]


def test_the_picture_of_the_material_in_use_is_the_texture(tmp_path):
    picture(tmp_path / "red.png", (255, 0, 0))
    (tmp_path / "a.mtl").write_text(
        "newmtl other\nmap_Kd gone.png\nnewmtl skin\nKd 1 1 1\nmap_Kd -s 1 1 1 red.png\n"
    )
    text = "mtllib a.mtl\n" + SQUARE + "vt 0 0\nusemtl skin\nf 1/1 2/1 3/1\n"
    texture = load(tmp_path, text).texture
    assert texture is not None and texture.shape == (2, 3, 3)
    assert torch.equal(texture[0, 0], torch.tensor([1.0, 0.0, 0.0]))


def test_a_missing_mtl_file_means_no_texture(tmp_path):
    with pytest.warns(UserWarning, match=r"a.obj: mtllib must name files; found no 'gone.mtl' in"):
        mesh = load(tmp_path, "mtllib gone.mtl\n" + SQUARE + "vt 0 0\nusemtl x\nf 1/1 2/1 3/1\n")
    assert mesh.texture is None and mesh.uv is not None


def test_missing_and_broken_pictures_are_named(tmp_path):
    text = "mtllib a.mtl\n" + SQUARE + "vt 0 0\nusemtl x\nf 1/1 2/1 3/1\nusemtl y\nf 1/1 3/1 4/1\n"
    (tmp_path / "a.mtl").write_text("newmtl x\nmap_Kd x.png\nnewmtl y\n")
    with pytest.raises(
        FileNotFoundError, match=r"load_mesh: map_Kd must be an image; found no .*x.png"
    ):
        load(tmp_path, text)
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"load_mesh: map_Kd must be an image; .*texture=False"):
        load(tmp_path, text)
    assert len(load(tmp_path, text, texture=False).tri) == 2


@pytest.mark.parametrize(
    "line, message",
    [
        ("f 1 2 9", "v index must be from 1 to 4; got 'f 1 2 9'"),
        ("f 1 2 -5", "v index must be from 1 to 4"),
        ("f 0 1 2", "v index must be from 1 to 4"),
        ("f 1 2", "a face must have 3 corners or more; got 2"),
        ("f 1/1 2/1 3/1", "vt index must be from 1 to 0"),
        ("v 1 two 3", "could not convert string to float"),
        ("f 1 2 x", "invalid literal for int"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path, line, message):
    with pytest.raises(ValueError, match=rf"load_mesh: .*a.obj:5: {message}.*; fix the line"):
        load(tmp_path, SQUARE + line + "\n")


def test_short_vertices_are_named_and_empty_files_are_empty(tmp_path):
    with pytest.raises(ValueError, match=r"v and vn must have three numbers or more"):
        load(tmp_path, "v 1 2\n")
    with pytest.raises(
        ValueError, match=r"must be an obj file; it has no vertex, and line 2 is 'PNG"
    ):
        load(tmp_path, "# no\nPNG\x00 and so on\n")
    with pytest.warns(
        UserWarning, match=r"a.obj: 1 lines of no known kind .*line 5 is 'strange 1'"
    ):
        assert len(load(tmp_path, SQUARE + "strange 1\nf 1 2 3\n").tri) == 1
    with pytest.raises(ValueError, match=r"load_mesh: .*a.obj:6: vt must have a number or two"):
        load(tmp_path, SQUARE + "vt 0\nvt\nf 1/1 2/1 3/1\n")
    with pytest.warns(UserWarning, match=r"mtllib must name files; found no '.x00.x01'"):
        load(tmp_path, "mtllib \0\x01\n" + SQUARE + "vt 0 0\nusemtl x\nf 1/1 2/1 3/1\n")
    empty = load(tmp_path, "# empty\no nothing\n")
    assert empty.pos.shape == (0, 3) and empty.tri.shape == (0, 3)
