"""glrast/mesh/files/ply_header.py and ply_body.py: types, orders, elements, and files that are broken."""

import tracemalloc

import numpy as np
import pytest
import torch

from glrast.clip import load_mesh
from tests.mesh.mesh_files import INDICES, POINTS, XYZ, load_text, packed, ply
from tests.mesh.random_ply import ALL, INTEGERS

ORDERS = {"<": "binary_little_endian", ">": "binary_big_endian"}
POS = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
TRIANGLE = f"vertex 4: {XYZ}; face 1: {INDICES}"


def load(folder, elements, body, kind="ascii", comments=""):
    return load_text(folder, ply(elements, body, kind, comments), "a.ply")


def is_the_triangle(mesh):
    return mesh.pos.tolist() == POS and mesh.tri.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ALL)
def test_positions_of_all_types_and_orders(tmp_path, name, order):
    elements = f"vertex 4: {name} x, {name} y, {name} z; face 1: {INDICES}"
    body = packed(order + ALL[name], *np.ravel(POS)) + b"\x03" + packed(order + "i4", 0, 1, 2)
    assert is_the_triangle(load(tmp_path, elements, body, ORDERS[order]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", INTEGERS)
def test_lists_of_all_types_and_orders(tmp_path, count, order):
    pos = packed(order + "f4", *np.ravel(POS))
    for name, kind in INTEGERS.items():
        rows = packed(order + INTEGERS[count], 3) + packed(order + kind, 0, 1, 2)
        rows += packed(order + INTEGERS[count], 4) + packed(order + kind, 0, 1, 2, 3)
        elements = f"vertex 4: {XYZ}; face 2: list {count} {name} vertex_index"
        mesh = load(tmp_path, elements, pos + rows, ORDERS[order])
        assert mesh.tri.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]


def test_properties_stand_in_any_order_with_others_between(tmp_path):
    elements = "vertex 4: uchar q, float z, list uchar int h, float x, double y;"
    elements += f"face 1: int f, {INDICES}, list uchar float w"
    body = "".join(f"7 {z} {i % 2} {'9' * (i % 2)} {x} {y}\n" for i, (x, y, z) in enumerate(POS))
    assert is_the_triangle(load(tmp_path, elements, body + "1 3 0 1 2 2 0.5 0.5\n"))
    rows = b""
    for i, (x, y, z) in enumerate(POS):
        rows += b"\x07" + packed("<f4", z) + bytes([i % 2]) + packed("<i4", 9) * (i % 2)
        rows += packed("<f4", x) + packed("<f8", y)
    rows += packed("<i4", 1) + b"\x03" + packed("<i4", 0, 1, 2) + b"\x02" + packed("<f4", 1, 1)
    assert is_the_triangle(load(tmp_path, elements, rows, ORDERS["<"]))


def test_elements_that_are_no_mesh_are_passed_over(tmp_path):
    elements = f"camera 1: float fov, list uchar float m; {TRIANGLE};"
    elements += "edge 2: int vertex1, int vertex2; empty 0: int a; none 3"
    body = "60 2 1 0\n" + POINTS + "3 0 1 2\n0 1\n1 2\n"
    assert is_the_triangle(load(tmp_path, elements, body))
    binary = (
        packed("<f4", 60) + b"\x02" + packed("<f4", 1, 0) + packed("<f4", *np.ravel(POS)) + b"\x03"
    )
    binary += packed("<i4", 0, 1, 2) + packed("<i4", 0, 1, 1, 2)
    assert is_the_triangle(load(tmp_path, elements, binary, ORDERS["<"]))


def test_faces_may_stand_before_vertices(tmp_path):
    assert is_the_triangle(
        load(tmp_path, f"face 1: {INDICES}; vertex 4: {XYZ}", "3 0 1 2\n" + POINTS)
    )


def test_comments_and_white_space_stand_anywhere(tmp_path):
    text = ply(
        TRIANGLE,
        POINTS + "\n  3   0 1\t2 \n\n",
        comments="comment end_header\nobj_info x y\ncomment",
    ).decode()
    for content in (
        text,
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("element face", "comment in between\nelement  face").replace(
            "property ", "property\t"
        ),
        text.replace("end_header", " end_header "),
        text.replace("comment end_header", "Created by Blender3D"),
        text.replace("1 0 0\n", "1 0 0\ncomment in the body\n"),
        text.rstrip(),
    ):
        assert is_the_triangle(load_text(tmp_path, content, "a.ply"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", [10.0, 13.0, 0.0])
def test_a_binary_body_may_begin_with_what_looks_like_the_end_of_a_line(tmp_path, end, first):
    elements = f"vertex 4: uchar q, {XYZ}; face 1: {INDICES}"
    rows = b"".join(packed("u1", first) + packed("<f4", *p) for p in POS)
    content = ply(elements, "", ORDERS["<"]).replace(b"\n", end.encode())
    content += rows + b"\x03" + packed("<i4", 0, 1, 2)
    assert is_the_triangle(load_text(tmp_path, content, "a.ply"))


def test_coordinates_far_away_keep_their_digits(tmp_path):
    for kind in ("ascii", ORDERS["<"]):
        far = np.array(POS) + [431000.125, 5412000.5, 1]
        elements = f"vertex 4: double x, double y, double z; face 1: {INDICES}"
        body = "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in far.tolist()) + "3 0 1 2\n"
        if kind != "ascii":
            body = far.astype("<f8").tobytes() + b"\x03" + packed("<i4", 0, 1, 2)
        mesh = load(tmp_path, elements, body, kind)
        world = mesh.pos.double() + torch.tensor(mesh.origin, dtype=torch.float64)
        assert mesh.origin != (0, 0, 0) and np.allclose(world, far, atol=1e-6)


def test_normals_are_kept_where_they_are_numbers(tmp_path):
    elements = f"vertex 4: {XYZ}, float nx, float ny, float nz; face 1: {INDICES}"
    body = "".join(p + " 0 0 1\n" for p in POINTS.splitlines()) + "3 0 1 2\n"
    mesh = load(tmp_path, elements, body)
    assert mesh.normal is not None and mesh.normal.tolist() == [[0, 0, 1]] * 4
    assert load(tmp_path, elements, body.replace("0 0 1\n", "nan nan nan\n", 1)).normal is None


@pytest.mark.parametrize(
    "elements, body, wrong",
    [
        (
            "vertex -4: " + XYZ,
            "",
            "its header has 'element vertex -4'; an element has a name and a count",
        ),
        ("vertex 4x: " + XYZ, "", "its header has 'element vertex 4x'"),
        (
            "vertex 99999999999999999: " + XYZ,
            "",
            "its header has 'element vertex 9*'; no file holds so many",
        ),
        (
            "vertex 4: float3 x, float y, float z",
            "",
            "its property x of vertex is of type 'float3'",
        ),
        (
            "vertex 4: float x, float x, float y, float z",
            "",
            "its element vertex has two properties x",
        ),
        ("vertex 4: float x, float X, float y, float z", "", "its vertices have two properties x"),
        (f"vertex 4: {XYZ}; vertex 4: {XYZ}", "", "it has two elements vertex"),
        (
            "vertex 4: list float int x, float y, float z",
            "",
            "its list x has a length of type float",
        ),
        (
            "vertex 1: list uchar float x, float y, float z",
            "1 0 0 0\n3 0 0 0\n",
            "its vertex property x is a list",
        ),
        ("vertex 4: float", "", "its header has 'property float'; a property has types and a name"),
        ("face 1: " + INDICES, "3 0 1 2\n", "it has no element vertex"),
        (
            f"vertex 4: {XYZ}; face 1: int a",
            POINTS + "1\n",
            "its element face has no list vertex_indices .* properties are a",
        ),
        (
            f"vertex 5: {XYZ}; face 1: {INDICES}",
            POINTS + "3 0 1 2\n",
            "it has 5 rows after its header, which names 5 x vertex, 1 x face",
        ),
        (
            f"vertex 3: {XYZ}; face 1: {INDICES}",
            POINTS + "3 0 1 2\n",
            "row 0 of its element face has 3 numbers; its properties want 1",
        ),
        (
            TRIANGLE,
            POINTS.replace("1 1 0", "1 1") + "3 0 1 2\n",
            "row 2 of its element vertex has 2 numbers; its properties want more",
        ),
        (
            TRIANGLE,
            POINTS + "3 0 1 2 9\n",
            "row 0 of its element face has 5 numbers; its properties want 4",
        ),
        (
            TRIANGLE,
            POINTS + "-3 0 1 2\n",
            "its property vertex_indices of face holds -3, which is no uint8",
        ),
        (
            TRIANGLE,
            POINTS + "3 0 1 1.5\n",
            "its property vertex_indices of face holds 1.5, which is no int32",
        ),
        (TRIANGLE, POINTS + "3 0 1 -1\n", "row 0 of its element face has a corner -1"),
        (
            TRIANGLE,
            POINTS.replace("1 1 0", "1 nan 0") + "3 0 1 2\n",
            "row 2 of its element vertex has a position of .*nan",
        ),
        (
            TRIANGLE,
            POINTS.replace("1 1 0", "1 1e39 0") + "3 0 1 2\n",
            "row 2 of its element vertex has a position",
        ),
        (
            TRIANGLE,
            POINTS.replace("1 1 0", "1 one 0") + "3 0 1 2\n",
            "line 3 after its header: could not convert",
        ),
        (
            TRIANGLE,
            POINTS.replace("1 1 0", "1 1_0 0") + "3 0 1 2\n",
            "line 3 after its header: could not convert",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, elements, body, wrong):
    if "face" not in elements:
        elements += f"; face 1: {INDICES}"
    with pytest.raises(ValueError, match=rf"load_mesh: .*a.ply must be a ply file; {wrong}"):
        load(tmp_path, elements, body)


@pytest.mark.parametrize(
    "old, new, wrong",
    [
        ("ascii 1.0", "ascii 2.0", "its format is 'ascii 2.0'"),
        ("ascii", "text", "its format is 'text 1.0'"),
        ("format ascii 1.0\n", "", "its header has no format"),
        ("element face", "elements face", "its header has a line 'elements"),
        ("element vertex 4\n", "", "its header has a property before an element"),
        ("ply\n", "plyx\n", "it begins with b'plyx'"),
    ],
)
def test_a_broken_header_is_named(tmp_path, old, new, wrong):
    text = ply(TRIANGLE, POINTS + "3 0 1 2\n").decode().replace(old, new, 1)
    with pytest.raises(ValueError, match=rf"a.ply must be a ply file; {wrong}"):
        load_text(tmp_path, text, "a.ply")


@pytest.mark.parametrize("order", ORDERS)
def test_binary_files_that_end_early_are_named(tmp_path, order):
    body = packed(order + "f4", *np.ravel(POS)) + b"\x03" + packed(order + "i4", 0, 1, 2)
    whole = ply(TRIANGLE, body, ORDERS[order])
    for cut in range(1, 62):
        with pytest.raises(
            ValueError,
            match=r"a.ply must be a ply file; it (ends within|ends with its|has \d+ bytes)",
        ):
            load_text(tmp_path, whole[:-cut], "a.ply")
    with pytest.raises(ValueError, match=r"row 0 of its element face has a list of -3 values"):
        elements = f"vertex 4: {XYZ}; face 1: list char int vertex_indices"
        load(tmp_path, elements, body.replace(b"\x03", b"\xfd"), ORDERS[order])


def test_no_memory_is_taken_for_a_count_that_cannot_be(tmp_path):
    path = tmp_path / "a.ply"
    tracemalloc.start()
    for kind in ("ascii", *ORDERS.values()):
        for elements in (
            f"vertex 4000000000: {XYZ}; face 1: {INDICES}",
            f"vertex 4: {XYZ}; face 900000000: {INDICES}",
            f"user 100000000000: uchar a; {TRIANGLE}",
            f"vertex 4: {XYZ}; face 1: list uint int vertex_indices",
        ):
            path.write_bytes(ply(elements, b"1 0 0\n" * 12, kind))
            with pytest.raises(ValueError, match=r"a.ply must be a ply file; (it |row )"):
                load_mesh(path)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_what_follows_the_last_element_is_told(tmp_path):
    body = packed("<f4", *np.ravel(POS)) + b"\x03" + packed("<i4", 0, 1, 2)
    assert is_the_triangle(load(tmp_path, TRIANGLE, body + b"\0\0\n", ORDERS["<"]))
    with pytest.warns(UserWarning, match=r"what follows the last element is left out \(3 bytes\)"):
        assert is_the_triangle(load(tmp_path, TRIANGLE, body + b"abc", ORDERS["<"]))
    with pytest.warns(UserWarning, match=r"what follows the last element is left out \(2 rows\)"):
        assert is_the_triangle(load(tmp_path, TRIANGLE, POINTS + "3 0 1 2\n3 0 2 3\n1\n"))


def test_point_clouds_are_named(tmp_path):
    for elements, also in ((f"vertex 4: {XYZ}", ""), (f"vertex 4: {XYZ}; face 0: {INDICES}", " with face"),
                           (f"vertex 4: {XYZ}; range_grid 1: {INDICES}", " with range_grid")):  # fmt: skip
        with pytest.raises(
            ValueError, match=rf"a.ply must have faces; got a point cloud{also}; make"
        ):
            load(tmp_path, elements, POINTS + "1 0\n")
