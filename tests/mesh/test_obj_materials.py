"""glrast/mesh/files/obj_materials.py and mtl.py: a material for each face, as its libraries say."""

import warnings

import pytest
import torch

from tests.mesh.mesh_files import BLUE, GREEN, RED, SQUARE, load_text, picture, srgb_factors, texels

UV = "vt 0 0\nvt 1 0\nvt 1 1\n"
SHOWN = "f 1/1 2/2 3/3\n"
BARE = "f 1 3 4\n"


def load(folder, mtl, faces, **options):
    """The square with these faces and this library."""
    (folder / "a.mtl").write_text(mtl)
    return load_text(folder, "mtllib a.mtl\n" + SQUARE + UV + faces, **options)


def test_each_face_has_its_own_material(tmp_path):
    picture(tmp_path / "g.png", GREEN)
    mtl = "newmtl a\nmap_Kd g.png\nnewmtl b\nKd 1 0 0\nnewmtl c\nKd 0 0 1\n"
    mesh = load(
        tmp_path,
        mtl,
        "usemtl a\n" + SHOWN + "usemtl b\n" + BARE + "usemtl c\n" + SHOWN + "usemtl b\n" + BARE,
    )
    assert texels(mesh) == [[0, 1, 0], None, None, None]
    assert srgb_factors(mesh) == [[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1]]
    assert [m.name for m in mesh.materials] == ["a", "b", "c"] and mesh.texture is None


def test_several_pictures_are_shown_each_on_its_faces(tmp_path):
    picture(tmp_path / "r.png", RED)
    picture(tmp_path / "b.png", BLUE, (5, 7))
    mesh = load(
        tmp_path,
        "newmtl a\nmap_Kd r.png\nnewmtl b\nmap_Kd b.png\n",
        "usemtl a\n" + SHOWN + "usemtl b\n" + SHOWN,
    )
    assert texels(mesh) == [[1, 0, 0], [0, 0, 1]]


def test_a_face_without_uv_shows_its_materials_colour_alone(tmp_path):
    picture(tmp_path / "r.png", RED)
    mesh = load(
        tmp_path,
        "newmtl a\nKd .5 1 1\nmap_Kd r.png\n",
        "usemtl a\n" + SHOWN + BARE + "f 1/1 3 4/2\n",
    )
    assert texels(mesh) == [[1, 0, 0], None, None]
    assert srgb_factors(mesh) == [[0.5, 1, 1, 1]] * 3


def test_faces_before_the_first_material_are_white(tmp_path):
    mesh = load(tmp_path, "newmtl a\nKd 1 0 0\n", BARE + "usemtl a\n" + BARE)
    assert srgb_factors(mesh) == [[1, 1, 1, 1], [1, 0, 0, 1]]


def test_the_factor_is_kd_as_linear_light(tmp_path):
    (material,) = load(tmp_path, "newmtl a\nKd 0.5 0 1\n", "usemtl a\n" + BARE).materials
    assert material.factor == pytest.approx((0.21404, 0, 1, 1), abs=1e-5)
    (material,) = load(tmp_path, "newmtl a\nKd 0.5\n", "usemtl a\n" + BARE).materials
    assert material.factor == pytest.approx((0.21404, 0.21404, 0.21404, 1), abs=1e-5)


def test_opacity_is_d_or_one_less_tr(tmp_path):
    for line, opacity in (("d 0.25", 0.25), ("Tr 0.25", 0.75), ("Tr 1\nd 0.5", 0.5), ("d 1", 1)):
        mesh = load(tmp_path, f"newmtl a\nKd 1 0 0\n{line}\n", "usemtl a\n" + BARE)
        (material,) = mesh.materials
        assert material.factor[3] == opacity
        assert material.alpha == ("blend" if opacity < 1 else "opaque")


def test_a_picture_with_holes_cuts_out(tmp_path):
    picture(tmp_path / "r.png", (255, 0, 0, 0))
    mesh = load(tmp_path, "newmtl a\nmap_Kd r.png\n", "usemtl a\n" + SHOWN)
    assert mesh.materials[0].alpha == "mask" and mesh.materials[0].cutoff == 0.5
    picture(tmp_path / "r.png", (255, 0, 0, 255))
    mesh = load(tmp_path, "newmtl a\nmap_Kd r.png\n", "usemtl a\n" + SHOWN)
    assert mesh.texture is not None and mesh.materials == ()


@pytest.mark.parametrize(
    "line, color, alpha",
    [
        ("map_d", (51,), 0.2),  # grey: its luminance
        ("map_d", (255, 255, 255, 51), 0.2),  # its alpha
        ("map_d", (0, 255, 0), 0.7152),
        ("map_d -imfchan b", (0, 255, 51), 0.2),
        ("map_d -imfchan m", (0, 255, 51, 102), 0.4),
        ("map_d -mm 0.5 0.5", (51,), 0.6),
    ],
)
def test_map_d_is_the_alpha_of_map_kd(tmp_path, line, color, alpha):
    picture(tmp_path / "r.png", RED, (4, 6))
    picture(tmp_path / "d.png", color, (8, 3))
    mesh = load(tmp_path, f"newmtl a\nmap_Kd r.png\n{line} d.png\n", "usemtl a\n" + SHOWN)
    (material,) = mesh.materials
    assert material.texture is not None and material.texture.shape == (6, 8, 4)
    assert material.texture[0, 0].tolist() == pytest.approx([1, 0, 0, alpha], abs=1e-4)
    assert material.alpha == "mask"
    (material,) = load(tmp_path, f"newmtl a\n{line} d.png\n", "usemtl a\n" + SHOWN).materials
    assert material.texture is not None
    assert material.texture[0, 0].tolist() == pytest.approx([1, alpha], abs=1e-4)


def test_map_d_of_the_same_picture_is_its_alpha(tmp_path):
    picture(tmp_path / "r.png", RED)
    mesh = load(tmp_path, "newmtl a\nmap_Kd r.png\nmap_d r.png\n", "usemtl a\n" + SHOWN)
    assert mesh.texture is not None and mesh.texture.shape[2] == 3
    picture(tmp_path / "d.png", (51,))
    with pytest.raises(ValueError, match=r"a.mtl: map_d and map_Kd of material 'a' must lie alike"):
        load(tmp_path, "newmtl a\nmap_Kd -s 2 2 r.png\nmap_d d.png\n", "usemtl a\n" + SHOWN)


def test_options_place_the_picture_on_its_own_faces_alone(tmp_path):
    picture(tmp_path / "r.png", RED)
    mtl = "newmtl a\nmap_Kd -s 2 3 1 -o 0.5 -0.25 r.png\nnewmtl b\nmap_Kd r.png\nnewmtl c\nmap_Kd -s 4 r.png\n"
    mesh = load(tmp_path, mtl, "".join(f"usemtl {m}\n{SHOWN}" for m in "abca"))
    assert mesh.uv is not None and mesh.uv_tri is not None
    moved = [[0.5, -0.25], [2.5, -0.25], [2.5, 2.75]]
    plain = [[0, 0], [1, 0], [1, 1]]
    assert mesh.uv[mesh.uv_tri].tolist() == [moved, plain, [[0, 0], [4, 0], [4, 1]], moved]


def test_clamp_and_range_of_a_picture(tmp_path):
    picture(tmp_path / "r.png", (255, 51, 0))
    (material,) = load(
        tmp_path, "newmtl a\nmap_Kd -clamp on r.png\n", "usemtl a\n" + SHOWN
    ).materials
    assert material.wrap == ("clamp", "clamp")
    mesh = load(tmp_path, "newmtl a\nmap_Kd -clamp off -mm 0.1 0.5 r.png\n", "usemtl a\n" + SHOWN)
    assert texels(mesh) == [[0.6, 0.2, 0.1]]


@pytest.mark.parametrize(
    "options",
    [
        "-blendu on",
        "-blendv off",
        "-bm 0.5",
        "-boost 2",
        "-cc on",
        "-texres 64",
        "-imfchan l",
        "-t 0 0 0",
    ],
)
def test_options_that_change_no_colour_are_passed_over(tmp_path, options):
    picture(tmp_path / "my red.png", RED)
    mesh = load(tmp_path, f"newmtl a\nmap_Kd {options} -S 1 1 my red.png\n", "usemtl a\n" + SHOWN)
    assert texels(mesh) == [[1, 0, 0]]


@pytest.mark.parametrize(
    "line, message",
    [
        ("map_Kd -t 1 r.png", r"turbulence \(-t\) is not supported"),
        ("map_Kd -type sphere r.png", r"-type \(a sphere or cube around the scene\) is not"),
        ("map_Kd -strange 1 r.png", "the map's options must be -s -o -t"),
        ("map_Kd -s x r.png", "-s must be followed by finite numbers"),
        ("map_Kd -clamp maybe r.png", "-clamp must be followed by on or off"),
        ("map_Kd -s 2 2", "the map must name a picture"),
        ("Kd 2 0 0", "Kd must be a number or three"),
        ("Kd 1 0", "Kd must be a number or three"),
        ("Kd one 0 0", "the line must hold finite numbers"),
        ("Kd nan 0 0", "the line must hold finite numbers"),
        ("Kd spectral x.rfl", "a spectral file is not supported"),
        ("Kd xyz 1 1 1", "CIE xyz is not supported"),
        ("d -halo 0.5", r"-halo \(opacity by angle\) is not supported"),
        ("d 2", "d must be a number in 0..1"),
        ("Tr -1", "Tr must be a number in 0..1"),
    ],
)
def test_what_a_library_says_wrong_is_named_with_its_line(tmp_path, line, message):
    picture(tmp_path / "r.png", RED)
    with pytest.raises(ValueError, match=rf"load_mesh: .*a.mtl:3: {message}.* of material 'a'"):
        load(tmp_path, f"# x\nnewmtl a\n{line}\n", "usemtl a\n" + SHOWN)
    load(tmp_path, f"newmtl a\nnewmtl b\n{line}\n", "usemtl a\n" + SHOWN)  # not in use


def test_kd_of_zero_does_not_hide_a_picture(tmp_path):
    picture(tmp_path / "r.png", RED)
    with pytest.warns(UserWarning, match=r"a.mtl: Kd 0 0 0 of material 'a' would hide its map_Kd"):
        mesh = load(tmp_path, "newmtl a\nKd 0 0 0\nmap_Kd r.png\n", "usemtl a\n" + SHOWN)
    assert texels(mesh) == [[1, 0, 0]] and srgb_factors(mesh) == [[1, 1, 1, 1]]
    assert srgb_factors(load(tmp_path, "newmtl a\nKd 0 0 0\n", "usemtl a\n" + BARE)) == [
        [0, 0, 0, 1]
    ]


def test_colours_of_vertices_stand_beside_a_picture(tmp_path):
    picture(tmp_path / "r.png", RED)
    text = "mtllib a.mtl\n" + SQUARE.replace(" 0\n", " 0 1 1 1\n") + UV + "usemtl a\n" + SHOWN
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd r.png\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = load_text(tmp_path, text)
    assert texels(mesh) == [[1, 0, 0]] and mesh.color is not None and bool((mesh.color == 1).all())


def test_many_materials_keep_to_their_many_faces(tmp_path):
    mtl = "".join(f"newmtl m{i}\nKd {i / 50} 0 0\n" for i in range(51))
    faces = "".join(f"usemtl m{i * 7 % 51}\n" + BARE for i in range(300))
    red = torch.tensor(srgb_factors(load(tmp_path, mtl, faces)))[:, 0]
    assert torch.allclose(red, torch.tensor([i * 7 % 51 / 50 for i in range(300)]), atol=1e-3)
