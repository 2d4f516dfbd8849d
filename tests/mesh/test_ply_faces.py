"""glrast/mesh/files/ply_faces.py, ply_colours.py, ply_pictures.py: what lies on the faces of a ply file."""

import numpy as np
import pytest
import torch

from tests.mesh.mesh_files import (
    BLUE,
    INDICES,
    POINTS,
    RED,
    XYZ,
    area,
    load_text,
    packed,
    picture,
    ply,
    texels,
)

U = "0 0 0\n3 0 0\n3 3 0\n2 3 0\n2 1 0\n1 1 0\n1 3 0\n0 3 0\n"


def load(folder, elements, body, kind="ascii", comments="", **options):
    return load_text(folder, ply(elements, body, kind, comments), "a.ply", **options)


def colors_of(mesh):
    """Of the corners of each triangle, in 255ths."""
    assert mesh.color is not None
    return (mesh.color[mesh.tri] * 255).round().int().tolist()


def test_triangles_and_larger_polygons_stand_side_by_side(tmp_path):
    body = POINTS + "2 0 0\n4 0 1 2 3\n3 1 4 2\n"
    mesh = load(tmp_path, f"vertex 5: {XYZ}; face 2: {INDICES}", body)
    assert mesh.tri.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
    pos = packed("<f4", 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 2, 0, 0)
    faces = b"\x04" + packed("<i4", 0, 1, 2, 3) + b"\x03" + packed("<i4", 1, 4, 2)
    again = load(
        tmp_path, f"vertex 5: {XYZ}; face 2: {INDICES}", pos + faces, "binary_little_endian"
    )
    assert torch.equal(again.tri, mesh.tri) and torch.equal(again.pos, mesh.pos)


def test_concave_polygons_keep_their_area(tmp_path):
    mesh = load(tmp_path, f"vertex 8: {XYZ}; face 1: {INDICES}", U + "8 0 1 2 3 4 5 6 7\n")
    assert area(mesh) == pytest.approx(7)
    dart = "0 0 0\n2 0 0\n0.9 0.9 0\n0 2 0\n4 0 1 2 3\n"
    assert area(load(tmp_path, f"vertex 4: {XYZ}; face 1: {INDICES}", dart)) == pytest.approx(1.8)


def test_strips_turn_every_second_triangle_and_begin_anew(tmp_path):
    elements = f"vertex 4: {XYZ}; tristrips 1: list int int vertex_indices"
    square = "0 0 0\n1 0 0\n0 1 0\n1 1 0\n"
    mesh = load(tmp_path, elements, square + "4 0 1 2 3\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [2, 1, 3]] and area(mesh) == pytest.approx(1)
    mesh = load(tmp_path, elements, square + "11 0 1 2 -1 2 1 3 -1 -1 0 1\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [2, 1, 3]]
    assert load(tmp_path, elements, square + "5 0 1 1 2 3\n").tri.tolist() == [[1, 2, 3]]
    both = f"vertex 4: {XYZ}; face 1: {INDICES}; tristrips 2: list int int vertex_indices"
    mesh = load(tmp_path, both, square + "3 0 1 2\n3 2 1 3\n4 0 1 2 3\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [2, 1, 3], [0, 1, 2], [2, 1, 3]]
    with pytest.raises(ValueError, match=r"its element tristrips has a corner 4 where there are 4"):
        load(tmp_path, elements, square + "4 0 1 2 4\n")


@pytest.mark.parametrize(
    "name", ["vertex_index", "vertex_indices", "Vertex_Indices", "vertex_indexes"]
)
@pytest.mark.parametrize("element", ["face", "faces", "polygon"])
def test_faces_go_by_several_names(tmp_path, name, element):
    mesh = load(
        tmp_path, f"vertex 4: {XYZ}; {element} 1: list uchar uint {name}", POINTS + "3 0 1 2\n"
    )
    assert mesh.tri.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    "names", ["red green blue", "r g b", "diffuse_red diffuse_green diffuse_blue", "Red Green Blue"]
)
@pytest.mark.parametrize(
    "kind, row, expected",
    [
        ("uchar", "255 51 0", [255, 51, 0]),
        ("ushort", "65535 13107 0", [255, 51, 0]),
        ("int", "255 51 0", [255, 51, 0]),
        ("uint", "65535 13107 0", [255, 51, 0]),
        ("float", "1 0.2 0", [255, 51, 0]),
        ("double", "1.0 0.2 0.0", [255, 51, 0]),
        ("float", "255 51 0", [255, 51, 0]),
        ("short", "1 0 0", [1, 0, 0]),
    ],
)
def test_colours_go_by_several_names_and_types(tmp_path, names, kind, row, expected):
    properties = ", ".join([XYZ] + [f"{kind} {n}" for n in names.split()])
    body = "".join(f"{p} {row}\n" for p in POINTS.splitlines())
    mesh = load(tmp_path, f"vertex 4: {properties}; face 1: {INDICES}", body + "3 0 1 2\n")
    assert colors_of(mesh) == [[expected] * 3]


def test_alpha_is_kept_where_it_says_something(tmp_path):
    properties = XYZ + ", uchar red, uchar green, uchar blue, uchar alpha"
    for alpha, channels in ((51, 4), (255, 3)):
        body = "".join(f"{p} 255 0 0 {alpha}\n" for p in POINTS.splitlines()) + "3 0 1 2\n"
        mesh = load(tmp_path, f"vertex 4: {properties}; face 1: {INDICES}", body)
        assert mesh.color is not None and mesh.color.shape == (4, channels)
        assert mesh.color[0].tolist() == pytest.approx([1, 0, 0, 0.2][:channels])


@pytest.mark.parametrize(
    "row, wrong",
    [("1.5 0 0", "from 0 to 1.5"), ("-1 0 0", "from -1 to 0"), ("nan 0 0", "from nan")],
)
def test_colours_that_are_none_are_refused(tmp_path, row, wrong):
    properties = XYZ + ", float red, float green, float blue"
    body = "".join(f"{p} {row}\n" for p in POINTS.splitlines()) + "3 0 1 2\n"
    with pytest.raises(ValueError, match=rf"the colours of its element vertex are {wrong}"):
        load(tmp_path, f"vertex 4: {properties}; face 1: {INDICES}", body)
    with pytest.raises(ValueError, match=r"its element vertex has red, blue without the other"):
        load(tmp_path, f"vertex 4: {XYZ}, float red, float blue, float q; face 1: {INDICES}", body)


def test_colours_of_faces_split_the_vertices_between_two(tmp_path):
    elements = f"vertex 5: {XYZ}; face 3: {INDICES}, uchar red, uchar green, uchar blue"
    body = POINTS + "2 0 0\n3 0 1 2 255 0 0\n3 0 2 3 255 0 0\n3 1 4 2 0 0 255\n"
    mesh = load(tmp_path, elements, body)
    red, blue = [255, 0, 0], [0, 0, 255]
    assert colors_of(mesh) == [[red] * 3, [red] * 3, [blue] * 3]
    assert len(mesh.pos) == 7  # two of five vertices are at both colours
    assert mesh.pos[mesh.tri].tolist()[2] == [[1, 0, 0], [2, 0, 0], [1, 1, 0]]
    assert mesh.pos[:5].tolist()[4] == [2, 0, 0]
    mesh = load(tmp_path, elements, body.replace("0 0 255", "255 0 0"))
    assert len(mesh.pos) == 5 and mesh.tri.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]


def test_colours_of_an_element_material_are_those_of_the_faces_that_name_it(tmp_path):
    material = "uchar ambient_red, uchar diffuse_red, uchar diffuse_green, uchar diffuse_blue"
    elements = f"vertex 4: {XYZ}; face 2: {INDICES}, int material_index; material 2: {material}"
    body = POINTS + "3 0 1 2 1\n3 0 2 3 0\n9 255 0 0\n9 0 0 255\n"
    mesh = load(tmp_path, elements, body)
    assert colors_of(mesh) == [[[0, 0, 255]] * 3, [[255, 0, 0]] * 3]
    with pytest.raises(
        ValueError, match=r"row 1 of its element face has the material 2 where there are 2"
    ):
        load(tmp_path, elements, body.replace("3 0 2 3 0", "3 0 2 3 2"))


def test_colours_of_vertices_go_before_those_of_faces(tmp_path):
    rgb = "uchar red, uchar green, uchar blue"
    body = "".join(p + " 0 255 0\n" for p in POINTS.splitlines()) + "3 0 1 2 255 0 0\n"
    with pytest.warns(UserWarning, match="the colours of its faces are left out beside those"):
        mesh = load(tmp_path, f"vertex 4: {XYZ}, {rgb}; face 1: {INDICES}, {rgb}", body)
    assert colors_of(mesh) == [[[0, 255, 0]] * 3]


@pytest.mark.parametrize(
    "names",
    [("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"), ("S", "T")],
)
def test_uv_of_vertices_go_by_several_names(tmp_path, names):
    elements = f"vertex 4: {XYZ}, float {names[1]}, float {names[0]}; face 1: {INDICES}"
    body = "".join(f"{p} 0.{i}5 0.5\n" for i, p in enumerate(POINTS.splitlines())) + "3 0 1 2\n"
    mesh = load(tmp_path, elements, body)
    assert mesh.uv is not None and mesh.uv_tri is not None
    assert mesh.uv[mesh.uv_tri].tolist() == [[[0.5, np.float32(0.05 + k / 10)] for k in range(3)]]


def corner_uv(body, comments="comment TextureFile a.png\n", number=", int texnumber", faces=2):
    properties = f"{INDICES}, list uchar float texcoord{number}"
    return ply(f"vertex 4: {XYZ}; face {faces}: {properties}", POINTS + body, comments=comments)


def test_corners_have_uv_and_each_face_its_picture(tmp_path):
    picture(tmp_path / "a.png", RED)
    picture(tmp_path / "sub" / "b  c.png", BLUE)
    comments = "comment TextureFile  a.png \ncomment TextureFile sub/b  c.png\n"
    body = "3 0 1 2 6 0 0 1 0 1 1 1\n4 0 1 2 3 8 0.5 0 1 0 1 1 0 1 0\n3 0 1 2 0 -1\n"
    mesh = load_text(tmp_path, corner_uv(body, comments, faces=3), "a.ply")
    assert texels(mesh) == [[0, 0, 1], [1, 0, 0], [1, 0, 0], None]
    assert mesh.uv is not None and mesh.uv_tri is not None
    uv = mesh.uv[mesh.uv_tri].tolist()
    assert uv[0] == [[0, 0], [1, 0], [1, 1]] and uv[1] == [[0.5, 0], [1, 0], [1, 1]]
    assert uv[2] == [[0.5, 0], [1, 1], [0, 1]] and uv[3] == [[0, 0]] * 3
    assert len(mesh.uv) == 6  # one for each uv, and one for corners without


def test_the_number_of_a_picture_must_be_there(tmp_path):
    picture(tmp_path / "a.png", RED)
    with pytest.raises(ValueError, match=r"a face has the picture 1 where 1 are named"):
        load_text(
            tmp_path, corner_uv("3 0 1 2 6 0 0 1 0 1 1 1\n3 0 1 2 6 0 0 1 0 1 1 0\n"), "a.ply"
        )
    two = "comment TextureFile a.png\ncomment TextureFile b.png\n"
    body = "3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 0 0 1 0 1 1\n"
    with pytest.raises(ValueError, match=r"it names 2 pictures \(a.png, b.png\) and no face says"):
        load_text(tmp_path, corner_uv(body, two, ""), "a.ply")
    mesh = load_text(tmp_path, corner_uv(body, number=""), "a.ply")
    assert mesh.texture is not None and mesh.materials == ()


def test_a_face_with_uv_of_another_length_is_named(tmp_path):
    picture(tmp_path / "a.png", RED)
    for body, wrong in (
        ("3 0 1 2 6 0 0 1 0 1 1 0\n3 0 2 3 4 0 0 1 0 0\n", "row 1 of its element face has 4 numbers of texcoord"),
        ("3 0 1 2 6 0 0 1 0 1 1 0\n3 0 2 3 6 0 0 1 0 1 nan 0\n", "row 1 of its element face has a texcoord that is"),
        ("3 0 1 2 6 0 0 1 0 1 1 0\n2 0 2 4 0 0 1 0 0\n", "row 1 of its element face has 2 corners"),
        ("3 0 1 2 6 0 0 1 0 1 1 0\n3 0 2 9 6 0 0 1 0 1 1 0\n", "row 1 of its element face has a corner 9"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"a.ply must be a ply file; {wrong}"):
            load_text(tmp_path, corner_uv(body), "a.ply")


@pytest.mark.parametrize(
    "name", ["x.png", "sub/x.png", "../x.png", "sub\\x.png", "sub/../x y.png", "./x.png"]
)
def test_pictures_lie_in_folders_and_above(tmp_path, name):
    folder = tmp_path / "here"
    (folder / "sub").mkdir(parents=True)
    file = ply(f"vertex 4: {XYZ}, float s, float t; face 1: {INDICES}",
               "".join(p + " 0 1\n" for p in POINTS.splitlines()) + "3 0 1 2\n",
               comments=f"comment TextureFile  {name}  ")  # fmt: skip
    (folder / "a.ply").write_bytes(file)
    with pytest.raises(
        FileNotFoundError, match=r"TextureFile must be an image; found no .*texture=False"
    ):
        load_text(folder, file, "a.ply")
    assert load_text(folder, file, "a.ply", texture=False).uv is None
    picture(folder / name.replace("\\", "/"), RED)
    assert texels(load_text(folder, file, "a.ply")) == [[1, 0, 0]]


def test_a_picture_with_holes_cuts_out(tmp_path):
    picture(tmp_path / "a.png", (255, 0, 0, 0))
    mesh = load_text(tmp_path, corner_uv("3 0 1 2 6 0 0 1 0 1 1 0\n", faces=1), "a.ply")
    assert mesh.materials[0].alpha == "mask"


def test_a_name_that_no_file_can_have_is_a_missing_one(tmp_path):
    comments = f"comment TextureFile {'x' * 300}.png\n"
    with pytest.raises(FileNotFoundError, match=r"TextureFile must be an image; found no"):
        load_text(tmp_path, corner_uv("3 0 1 2 6 0 0 1 0 1 1 0\n", comments, faces=1), "a.ply")
