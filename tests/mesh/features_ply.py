"""Rows of docs/files.md for ply: (format, feature, status, a function of a folder that proves it)."""

from tests.mesh import test_mesh as mesh
from tests.mesh import test_ply_body as body
from tests.mesh import test_ply_faces as faces
from tests.mesh import test_ply_write as write
from tests.mesh.random_ply import ALL, INTEGERS

FORMAT = ".ply"


def _types(folder):
    for order in body.ORDERS:
        for name in ALL:
            body.test_positions_of_all_types_and_orders(folder, name, order)
        for count in INTEGERS:
            body.test_lists_of_all_types_and_orders(folder, count, order)


def _crlf(folder):
    body.test_comments_and_white_space_stand_anywhere(folder)
    for end in ("\n", "\r\n", "\r"):
        body.test_a_binary_body_may_begin_with_what_looks_like_the_end_of_a_line(folder, end, 10.0)


def _names(folder):
    for name in ("vertex_index", "vertex_indices"):
        faces.test_faces_go_by_several_names(folder, name, "face")


def _colours(folder):
    for names in ("red green blue", "r g b", "diffuse_red diffuse_green diffuse_blue"):
        faces.test_colours_go_by_several_names_and_types(
            folder, names, "uchar", "255 51 0", [255, 51, 0]
        )
    for kind, row in (("ushort", "65535 13107 0"), ("float", "1 0.2 0"), ("int", "255 51 0")):
        faces.test_colours_go_by_several_names_and_types(
            folder, "red green blue", kind, row, [255, 51, 0]
        )


def _other_colours(folder):
    faces.test_colours_that_are_none_are_refused(folder, "1.5 0 0", "from 0 to 1.5")


def _uv(folder):
    for names in (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t")):
        faces.test_uv_of_vertices_go_by_several_names(folder, names)


def _folders(folder):
    for i, name in enumerate(("x.png", "sub/x.png", "../x.png", "sub\\x.png")):
        (folder / str(i)).mkdir()
        faces.test_pictures_lie_in_folders_and_above(folder / str(i), name)


def _cut_short(folder):
    for order in body.ORDERS:
        body.test_binary_files_that_end_early_are_named(folder, order)


def _plain(folder):
    mesh.test_positions_and_triangles_come_back_exactly(folder, "ply")
    write.test_a_plain_mesh_is_the_shortest_file(folder)


def _refused(number):
    return lambda folder: write.test_materials_that_are_not_plain_are_refused(
        folder, *write.NOT_PLAIN[number]
    )


_ROWS = [
    ("text and binary, both byte orders, all types", "read", _types),
    ("binary, little endian", "written", _plain),
    ("headers of any line end, comments, obj_info", "read", _crlf),
    (
        "properties in any order, others between them, other elements",
        "read",
        body.test_properties_stand_in_any_order_with_others_between,
    ),
    (
        "properties in any order, others between them, other elements",
        "read",
        body.test_elements_that_are_no_mesh_are_passed_over,
    ),
    (
        "properties in any order, others between them, other elements",
        "read",
        body.test_faces_may_stand_before_vertices,
    ),
    (
        "triangles and polygons side by side, by all their names",
        "read",
        faces.test_triangles_and_larger_polygons_stand_side_by_side,
    ),
    ("triangles and polygons side by side, by all their names", "read", _names),
    ("concave polygons, without loss of area", "read", faces.test_concave_polygons_keep_their_area),
    (
        "tristrips, with restarts",
        "read",
        faces.test_strips_turn_every_second_triangle_and_begin_anew,
    ),
    ("point clouds, range grids", "refused", body.test_point_clouds_are_named),
    (
        "coordinates beyond float32's digits, as an origin",
        "read",
        body.test_coordinates_far_away_keep_their_digits,
    ),
    (
        "coordinates beyond float32's digits, as an origin",
        "written",
        write.test_positions_with_an_origin_are_doubles_of_the_world,
    ),
    ("normals", "read", body.test_normals_are_kept_where_they_are_numbers),
    (
        "normals",
        "written",
        lambda folder: mesh.test_colours_and_normals_come_back(folder, "ply", mesh.BITS_8),
    ),
    ("colours of vertices, by all their names and types", "read", _colours),
    (
        "colours of vertices (8 bits)",
        "written",
        lambda folder: mesh.test_colours_and_normals_come_back(folder, "ply", mesh.BITS_8),
    ),
    ("alpha of vertex colours", "read", faces.test_alpha_is_kept_where_it_says_something),
    (
        "alpha of vertex colours",
        "written",
        lambda folder: mesh.test_alpha_comes_back(folder, "ply", mesh.BITS_8),
    ),
    ("colours in another range", "refused", _other_colours),
    (
        "colours of faces, split between vertices",
        "read",
        faces.test_colours_of_faces_split_the_vertices_between_two,
    ),
    (
        "colours of an element material, by material_index",
        "read",
        faces.test_colours_of_an_element_material_are_those_of_the_faces_that_name_it,
    ),
    (
        "colours of faces beside those of vertices (with a warning)",
        "ignored",
        faces.test_colours_of_vertices_go_before_those_of_faces,
    ),
    ("uv of vertices", "read", _uv),
    (
        "uv of faces' corners (texcoord)",
        "read",
        faces.test_corners_have_uv_and_each_face_its_picture,
    ),
    (
        "uv of faces' corners (texcoord)",
        "written",
        write.test_several_pictures_come_back_each_on_its_triangles,
    ),
    (
        "texcoord of another length than the face",
        "refused",
        faces.test_a_face_with_uv_of_another_length_is_named,
    ),
    ("comment TextureFile, in folders and above", "read", _folders),
    (
        "several TextureFile by texnumber",
        "read",
        faces.test_corners_have_uv_and_each_face_its_picture,
    ),
    (
        "several TextureFile by texnumber",
        "written",
        write.test_several_pictures_come_back_each_on_its_triangles,
    ),
    (
        "several TextureFile without texnumber, a number beyond them",
        "refused",
        faces.test_the_number_of_a_picture_must_be_there,
    ),
    ("a picture with an alpha: a cut-out", "read", faces.test_a_picture_with_holes_cuts_out),
    (
        "a picture with an alpha: a cut-out",
        "written",
        write.test_several_pictures_come_back_each_on_its_triangles,
    ),
    ("files that end early, counts that cannot be", "refused", _cut_short),
    (
        "files that end early, counts that cannot be",
        "refused",
        body.test_no_memory_is_taken_for_a_count_that_cannot_be,
    ),
    (
        "bytes after the last element (with a warning)",
        "ignored",
        body.test_what_follows_the_last_element_is_told,
    ),
    ("factors (writing)", "refused", _refused(0)),
    ("wrap, filter (writing)", "refused", _refused(1)),
    ("wrap, filter (writing)", "refused", _refused(2)),
    ("blending, a cut-off other than .5 (writing)", "refused", _refused(3)),
    ("blending, a cut-off other than .5 (writing)", "refused", _refused(4)),
]
FEATURES = [(FORMAT, *row) for row in _ROWS]
