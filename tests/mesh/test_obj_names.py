"""glrast/mesh/files/paths.py and mtl.py: names of materials, libraries and pictures, and missing ones."""

import pytest

from tests.mesh.mesh_files import BLUE, RED, SQUARE, load_text, picture, srgb_factors, texels

UV = "vt 0 0\nvt 1 0\nvt 1 1\n"
SHOWN = "f 1/1 2/2 3/3\n"
BARE = "f 1 3 4\n"


def load(folder, mtl, faces, **options):
    """The square with these faces and this library."""
    (folder / "a.mtl").write_text(mtl)
    return load_text(folder, "mtllib a.mtl\n" + SQUARE + UV + faces, **options)


def test_names_hold_blanks_and_hashes_and_comments_follow_them(tmp_path):
    picture(tmp_path / "my #1 red.png", RED)
    picture(tmp_path / "b.png", BLUE)
    mtl = "newmtl dark  red#2 # it is\n\tmap_Kd \tmy #1 red.png # so\nnewmtl  blå\t\nmap_Kd b.png\n"
    mesh = load(tmp_path, mtl, "usemtl\tdark red#2\t# now\n" + SHOWN + "usemtl blå # and\n" + SHOWN)
    assert texels(mesh) == [[1, 0, 0], [0, 0, 1]]


def test_libraries_stand_on_one_line_or_several(tmp_path):
    (tmp_path / "my lib.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (tmp_path / "b#2.mtl").write_text("newmtl b\nKd 0 1 0\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.mtl").write_text("newmtl c\nKd 0 0 1\n")
    faces = SQUARE + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nusemtl c\nf 1 2 3\n"
    for lines in (
        "mtllib my lib.mtl b#2.mtl sub/c.mtl\n",
        "mtllib my lib.mtl\nmtllib b#2.mtl # two\nmtllib sub\\c.mtl\n",
        'mtllib "my lib.mtl"\nmtllib ./b#2.mtl\tsub/c.mtl\n',
    ):
        assert srgb_factors(load_text(tmp_path, lines + faces)) == [
            [1, 0, 0, 1],
            [0, 1, 0, 1],
            [0, 0, 1, 1],
        ]


def test_of_two_materials_of_one_name_the_last_library_before_has_it(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nnewmtl only\nKd 0 0 1\n")
    (tmp_path / "b.mtl").write_text("newmtl m\nKd 0 1 0\n")
    text = (
        "mtllib a.mtl\n"
        + SQUARE
        + "usemtl m\nf 1 2 3\nmtllib b.mtl\nusemtl m\nf 1 2 3\nusemtl only\nf 1 2 3\n"
    )
    assert srgb_factors(load_text(tmp_path, text)) == [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]


def test_a_library_is_read_in_any_encoding(tmp_path):
    text = "newmtl schön\nKd 1 0 0\n"
    for coding in ("utf-8-sig", "utf-16", "latin-1"):
        (tmp_path / "a.mtl").write_bytes(text.replace("\n", "\r\n").encode(coding))
        obj = "mtllib a.mtl\n" + SQUARE + "usemtl schön\nf 1 2 3\n"
        assert srgb_factors(load_text(tmp_path, obj.encode("utf-8-sig"))) == [[1, 0, 0, 1]]


def test_a_material_that_is_missing_is_white_and_told_once(tmp_path):
    faces = (
        "usemtl gone\n"
        + BARE
        + "usemtl a\n"
        + BARE
        + "usemtl gone\n"
        + BARE
        + "usemtl lost\n"
        + BARE
    )
    with pytest.warns(
        UserWarning, match=r"no mtl file of it defines: 'gone', 'lost'; they are white"
    ) as told:
        mesh = load(tmp_path, "newmtl a\nKd 1 0 0\n", faces)
    assert len(told) == 1
    assert srgb_factors(mesh) == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    with pytest.warns(UserWarning, match=r"mtllib must name files; found no 'lost.mtl' in") as told:
        mesh = load_text(
            tmp_path, "mtllib lost.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\n"
        )
    assert len(told) == 1 and mesh.materials == () and mesh.texture is None
    with pytest.warns(
        UserWarning, match=r"names no mtl file \(no mtllib line\): 'a'; they are white"
    ):
        load_text(tmp_path, SQUARE + "usemtl a\nf 1 2 3\n")


def test_pictures_lie_in_folders_and_above(tmp_path):
    picture(tmp_path / "up.png", RED)
    picture(tmp_path / "obj" / "tex" / "in.png", BLUE)
    (tmp_path / "obj" / "mtl").mkdir()
    text = "newmtl a\nmap_Kd {}\nnewmtl b\nmap_Kd {}\n"
    for names in (
        ("../../up.png", "tex/in.png"),
        ("..\\up.png", "..\\tex\\in.png"),
        (str(tmp_path / "up.png"), '"tex/in.png"'),
    ):
        (tmp_path / "obj" / "mtl" / "a.mtl").write_text(text.format(*names))
        faces = "usemtl a\n" + SHOWN + "usemtl b\n" + SHOWN
        mesh = load_text(tmp_path / "obj", "mtllib mtl/a.mtl\n" + SQUARE + UV + faces)
        assert texels(mesh) == [[1, 0, 0], [0, 0, 1]]


def test_a_whole_path_of_another_machine_is_looked_for_beside_the_file(tmp_path):
    faces = "usemtl a\n" + SHOWN
    for name in ("C:\\models\\r.png", "d:/models/r.png", "/no/such/folder/r.png"):
        (tmp_path / "r.png").unlink(missing_ok=True)
        last = name.replace("\\", "/")
        with pytest.raises(FileNotFoundError, match=rf"map_Kd must be an image; found no {last};"):
            load(tmp_path, f"newmtl a\nmap_Kd {name}\n", faces)
        picture(tmp_path / "r.png", RED)
        assert texels(load(tmp_path, f"newmtl a\nmap_Kd {name}\n", faces)) == [[1, 0, 0]]


def test_a_missing_picture_is_named_and_can_be_left_out(tmp_path):
    mtl = "newmtl a\nKd 1 0 0\nmap_Kd gone/red picture.png\n"
    with pytest.raises(
        FileNotFoundError,
        match=r"load_mesh: map_Kd must be an image; found no .*gone/red picture.png; .*texture=False .*--no-texture",
    ):
        load(tmp_path, mtl, "usemtl a\n" + SHOWN)
    mesh = load(tmp_path, mtl, "usemtl a\n" + SHOWN, texture=False)
    assert mesh.uv is None and srgb_factors(mesh) == [[1, 0, 0, 1]]
    assert len(load(tmp_path, mtl, "usemtl a\n" + BARE).tri) == 1  # nothing shows it


def test_a_name_that_no_file_can_have_is_a_missing_one(tmp_path):
    for name in ("x" * 300, "x" * 100_000, "a\0b"):
        with pytest.raises(FileNotFoundError, match=r"map_Kd must be an image; found no") as caught:
            load(tmp_path, f"newmtl a\nmap_Kd {name}\n", "usemtl a\n" + SHOWN)
        assert len(str(caught.value)) < 1000
        with pytest.warns(UserWarning, match=r"mtllib must name files; found no"):
            load_text(tmp_path, f"mtllib {name}\n" + SQUARE + "f 1 2 3\n")
