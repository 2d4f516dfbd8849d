"""glrast/mesh/files/obj_lines.py and lines.py: white space, encodings, indices, and what stands on other lines."""

import warnings

import numpy as np
import pytest
import torch

from glrast.clip import load_mesh
from tests.mesh.mesh_files import SQUARE, area, load_text

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
POS = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def is_the_triangle(mesh):
    return mesh.pos.tolist() == POS and mesh.tri.tolist() == [[0, 1, 2]]


def test_any_white_space_stands_between_words(tmp_path):
    for blank in ("\t", "   ", " \t ", "\f", "\v ", "\t\t"):
        text = TRIANGLE.replace(" ", blank)
        assert is_the_triangle(load_text(tmp_path, text))
        for before, after in ((blank, ""), ("", blank), (blank, blank)):
            lines = [before + line + after for line in text.split("\n")]
            assert is_the_triangle(load_text(tmp_path, "\n".join(lines)))


def test_lines_end_as_on_every_system(tmp_path):
    for end in ("\r\n", "\r", "\n\n", "\r\n\r\n"):
        assert is_the_triangle(load_text(tmp_path, TRIANGLE.replace("\n", end)))
    assert is_the_triangle(load_text(tmp_path, TRIANGLE.rstrip("\n")))


def test_byte_order_marks_are_no_content(tmp_path):
    for coding in ("utf-8-sig", "utf-16", "utf-32"):
        assert is_the_triangle(load_text(tmp_path, TRIANGLE.encode(coding)))
    for mark, coding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert is_the_triangle(load_text(tmp_path, mark + TRIANGLE.encode(coding)))


def test_lines_are_continued_and_comments_are_not(tmp_path):
    text = "# from c:\\models\\\nv 0 0 0\nv 1 \\\n0 \\\n 0\nv 0 1 0 # the last \\\nf 1 2\\\n 3\n"
    assert is_the_triangle(load_text(tmp_path, text.replace(" # the last \\", " # the last")))
    with pytest.raises(ValueError, match=r"a.obj:9: v index must be from 1 to 3; got 'f 1 2 9'"):
        load_text(tmp_path, text.replace(" # the last \\", " # the last") + "f 1 2 9\n")


def test_comments_stand_anywhere(tmp_path):
    text = "# v 9 9 9\nv 0 0 0 # 1 2 3\nv 1 0 0# x\n  # v\n\nv 0 1 0\t#\nf 1 2 3 # 4 5\n#"
    assert is_the_triangle(load_text(tmp_path, text))


def test_numbers_are_written_in_all_ways(tmp_path):
    text = "v 0.0 -0 +0\nv 1. 0e5 .0\nv 0 10.0E-1 0.\nf 1 +2 3\n"
    assert is_the_triangle(load_text(tmp_path, text))


@pytest.mark.parametrize("word", ["1_0", "1,0", "1.0.0", "1-2", "0x1", "١", "1e", "--1", "v", "1#"])
def test_what_is_no_number_is_refused_with_its_line(tmp_path, word):
    expected = r"a.obj:2: (could not convert|v and vn must have three)"
    with pytest.raises(ValueError, match=expected):
        load_text(tmp_path, f"v 0 0 0\nv 1 {word} 0\nv 0 1 0\nf 1 2 3\n")


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity", "1e400", "1e39", "NAN"])
def test_coordinates_must_be_finite(tmp_path, word):
    with pytest.raises(ValueError, match=r"a.obj:3: v must have finite numbers.*; got 'v 0 "):
        load_text(tmp_path, f"v 0 0 0\nv 1 0 0\nv 0 {word} 0\nf 1 2 3\n")
    with pytest.raises(ValueError, match=r"a.obj:5: vt must have finite numbers"):
        load_text(tmp_path, SQUARE + f"vt {word} 0\nf 1/1 2/1 3/1\n")


def test_normals_that_are_no_numbers_are_left_out(tmp_path):
    mesh = load_text(tmp_path, SQUARE + "vn nan nan nan\nf 1//1 2//1 3//1\n")
    assert mesh.normal is None and len(mesh.tri) == 1


@pytest.mark.parametrize(
    "corner, message",
    [
        ("1/2/3/4", "a corner must be v/vt/vn; got '1/2/3/4'"),
        ("/1", "invalid literal for int"),
        ("1/1/9", "vn index must be from 1 to 1"),
        ("1/0/1", "vt index must be from 1 to 1"),
        ("1/-2", "vt index must be from 1 to 1"),
        ("99999999999999999", "v index must be from 1 to 4"),
        ("9" * 5000, "invalid literal for int: '9999"),
        ("1_0", "invalid literal for int"),
        ("1.0", "invalid literal for int"),
    ],
)
def test_a_wrong_corner_is_named_with_its_line(tmp_path, corner, message):
    text = SQUARE + f"vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1\n# x\nf 1 2 {corner}\n"
    with pytest.raises(ValueError, match=rf"load_mesh: .*a.obj:9: {message}"):
        load_text(tmp_path, text)


def test_corners_of_all_forms_stand_side_by_side(tmp_path):
    text = (
        SQUARE + "vt 0 0\nvt 1 1\nvn 0 0 1\nf 1/1/1 2/2/1 3/1/1\nf 1//1 3//1 4//1\nf 1/2 2/ 3//\n"
    )
    mesh = load_text(tmp_path, text)
    assert mesh.tri.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert mesh.uv is not None and mesh.uv[mesh.uv_tri[0]].tolist() == [[0, 0], [1, 1], [0, 0]]
    for form in ("f 1//1 2//1 3//1\n", "f 1/1 2/2 3/1\n", "f 1/1/1 2/2/1 3/1/1\n"):
        assert load_text(tmp_path, SQUARE + "vt 0 0\nvt 1 1\nvn 0 0 1\n" + form).tri.tolist() == [
            [0, 1, 2]
        ]


def test_relative_indices_count_from_their_own_line(tmp_path):
    thing = "o {}\n" + SQUARE + "vt 0 0\nvt {} 1\nf -4/-2 -3/-1 -2/-1\n"
    mesh = load_text(tmp_path, thing.format(1, 3) + thing.format(2, 7) + "f 1/1 -7/2 -6/-1\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [4, 5, 6], [0, 1, 2]]
    assert mesh.uv is not None and mesh.uv_tri is not None
    assert mesh.uv[mesh.uv_tri][..., 0].tolist() == [[0, 3, 3], [0, 7, 7], [0, 3, 7]]


def test_faces_may_stand_before_their_vertices(tmp_path):
    assert is_the_triangle(load_text(tmp_path, "f 1 2 3\nv 0 0 0\nv 1 0 0\nv 0 1 0\n"))
    with pytest.raises(ValueError, match=r"a.obj:1: v index must be from 1 to 3"):
        load_text(tmp_path, "f -1 -2 -3\nv 0 0 0\nv 1 0 0\nv 0 1 0\n")


def test_concave_polygons_keep_their_area(tmp_path):
    u = "v 0 0 0\nv 3 0 0\nv 3 3 0\nv 2 3 0\nv 2 1 0\nv 1 1 0\nv 1 3 0\nv 0 3 0\nf 1 2 3 4 5 6 7 8\n"
    assert area(load_text(tmp_path, u)) == pytest.approx(7)
    quad = "v 0 0 0\nv 2 0 0\nv 0.1 0.1 0\nv 0 2 0\nf 1 2 3 4\n"
    assert area(load_text(tmp_path, quad)) == pytest.approx(0.2)
    quad = "v 0 0 0\nv 2 0 0\nv 0.9 0.9 0\nv 0 2 0\nf {}\n"
    for order in ("1 2 3 4", "2 3 4 1", "3 4 1 2", "4 3 2 1"):
        assert area(load_text(tmp_path, quad.format(order))) == pytest.approx(1.8)


def test_mixed_polygons_keep_their_order(tmp_path):
    mesh = load_text(tmp_path, SQUARE + "f 1 2 3 4\nf 1 2 3\nfo 4 3 2 1\n")
    assert mesh.tri.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [3, 2, 1], [3, 1, 0]]


def test_coordinates_of_uv_may_be_one_or_three(tmp_path):
    mesh = load_text(tmp_path, SQUARE + "vt 0.5\nvt 0.25 0.75 9\nvt 1 0\nf 1/1 2/2 3/3\n")
    assert mesh.uv is not None
    assert mesh.uv.tolist() == [[0.5, 0], [0.25, 0.75], [1, 0]]


def test_a_weight_is_no_coordinate(tmp_path):
    assert is_the_triangle(load_text(tmp_path, TRIANGLE.replace(" 0\n", " 0 1.0\n", 2)))
    with pytest.warns(UserWarning, match=r"the fourth number of v, a weight .* is left out"):
        assert is_the_triangle(load_text(tmp_path, TRIANGLE.replace("1 0 0", "1 0 0 0.5")))


def test_colours_on_some_vertices_leave_the_others_white(tmp_path):
    color = load_text(tmp_path, TRIANGLE.replace("v 1 0 0", "v 1 0 0 0.5 0.25 0")).color
    assert color is not None and color.tolist() == [[1, 1, 1], [0.5, 0.25, 0], [1, 1, 1]]


def test_colours_up_to_255_are_scaled_and_others_refused(tmp_path):
    text = "v 0 0 0 255 51 0\nv 1 0 0 0 0 1\nv 0 1 0 1 1 1\nf 1 2 3\n"
    color = load_text(tmp_path, text).color
    assert color is not None
    assert torch.allclose(color * 255, torch.tensor([[255.0, 51, 0], [0, 0, 1], [1, 1, 1]]))
    for wrong in ("1.5 0 0", "-0.5 0 0", "256 0 0", "255 0.5 0", "nan 0 0"):
        with pytest.raises(
            ValueError, match=r"a.obj:1: the colours of v must all be in 0..1, or whole"
        ):
            load_text(tmp_path, text.replace("255 51 0", wrong))


def test_a_seventh_number_is_the_colours_alpha(tmp_path):
    color = load_text(tmp_path, TRIANGLE.replace("v 1 0 0", "v 1 0 0 0.5 0.25 0 0.5")).color
    assert color is not None and color.tolist() == [[1, 1, 1, 1], [0.5, 0.25, 0, 0.5], [1, 1, 1, 1]]
    color = load_text(tmp_path, TRIANGLE.replace("v 1 0 0", "v 1 0 0 0.5 0.25 0 1")).color
    assert color is not None and color.shape == (3, 3)


def test_groups_points_and_polylines_are_no_surface(tmp_path):
    others = "o a\ng b c\ns 1\ns off\nmg 1 2\nl 1 2 3\np 1 2\nvp 0.5 1\nlod 3\nbevel on\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_the_triangle(load_text(tmp_path, others + TRIANGLE))


def test_free_form_geometry_is_told(tmp_path):
    curve = "cstype bspline\ndeg 3\ncurv 0 1 1 2 3 4\nparm u 0 1\nend\n"
    with pytest.raises(ValueError, match=r"must have polygons \(f\); it has free-form .*'curv 0 1"):
        load_text(tmp_path, SQUARE + curve)
    with pytest.warns(UserWarning, match=r"free-form curves and surfaces are left out \(line 7 is"):
        assert is_the_triangle(load_text(tmp_path, TRIANGLE + curve))


def test_lines_of_no_kind_are_told_once(tmp_path):
    with pytest.warns(
        UserWarning, match=r"2 lines of no known kind are left out \(line 1 is 'call"
    ):
        assert is_the_triangle(load_text(tmp_path, "call b.obj\n" + TRIANGLE + "vx 1\n"))


def test_coordinates_far_away_keep_their_digits(tmp_path):
    text = "".join(f"v {431000.125 + x} {5412000.5 + y} 1\n" for x, y, _ in POS) + "f 1 2 3\n"
    mesh = load_text(tmp_path, text)
    assert mesh.origin != (0, 0, 0) and all(x == round(x) for x in mesh.origin)
    world = mesh.pos.double() + torch.tensor(mesh.origin, dtype=torch.float64)
    assert np.allclose(world - torch.tensor([431000.125, 5412000.5, 1]), POS, atol=1e-6)


def test_long_and_odd_lines_are_shortened_in_messages(tmp_path):
    with pytest.raises(ValueError) as caught:
        load_text(tmp_path, SQUARE + "f 1 2 " + "x" * 100_000 + "\n")
    assert len(str(caught.value)) < 500
    path = tmp_path / "b.obj"
    path.write_bytes(b"v 0 0 0\nv 1 \xff\xfe 0\n")
    with pytest.raises(ValueError, match=r"b.obj:2: could not convert string to float"):
        load_mesh(path)
