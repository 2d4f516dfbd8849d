"""Rows of docs/files.md for obj and mtl: (format, feature, status, a function of a folder that proves it)."""

from tests.mesh import test_mesh as mesh
from tests.mesh import test_obj as obj
from tests.mesh import test_obj_lines as lines
from tests.mesh import test_obj_materials as materials
from tests.mesh import test_obj_names as names
from tests.mesh import test_obj_write as write

FORMAT = ".obj"
TURBULENCE = ("map_Kd -t 1 r.png", r"turbulence \(-t\) is not supported")
SPHERE = ("map_Kd -type sphere r.png", "-type .* is not")
STRANGE = ("map_Kd -strange 1 r.png", "the map's options must be")
SPECTRAL = ("Kd spectral x.rfl", "a spectral file is not supported")
HALO = ("d -halo 0.5", "-halo .* is not supported")


def _wrong(line, message):
    return lambda folder: materials.test_what_a_library_says_wrong_is_named_with_its_line(
        folder, line, message
    )


def _no_number(folder):
    for word in ("1_0", "0x1", "1,0"):
        lines.test_what_is_no_number_is_refused_with_its_line(folder, word)


def _not_finite(folder):
    for word in ("nan", "inf", "1e400"):
        lines.test_coordinates_must_be_finite(folder, word)


def _map_d(folder):
    materials.test_map_d_is_the_alpha_of_map_kd(folder, "map_d", (51,), 0.2)
    materials.test_map_d_is_the_alpha_of_map_kd(folder, "map_d -imfchan m", (0, 255, 51, 102), 0.4)


def _other_options(folder):
    for option in ("-blendu on", "-boost 2", "-cc on", "-texres 64"):
        materials.test_options_that_change_no_colour_are_passed_over(folder, option)


def _refused(number):
    """The row of this number of what a library cannot say."""
    return lambda folder: write.test_what_a_library_cannot_say_is_refused(
        folder, *write.CANNOT_SAY[number]
    )


def _colours(folder):
    mesh.test_colours_and_normals_come_back(folder, "obj", 0)


_ROWS = [
    (
        "white space of any kind, lines ended as on any system",
        "read",
        lines.test_any_white_space_stands_between_words,
    ),
    (
        "white space of any kind, lines ended as on any system",
        "read",
        lines.test_lines_end_as_on_every_system,
    ),
    ("byte order marks, UTF-16, UTF-32", "read", lines.test_byte_order_marks_are_no_content),
    (
        "continued lines, comments after a line",
        "read",
        lines.test_lines_are_continued_and_comments_are_not,
    ),
    ("continued lines, comments after a line", "read", lines.test_comments_stand_anywhere),
    ("triangles and polygons, also fo", "read", lines.test_mixed_polygons_keep_their_order),
    ("concave polygons, without loss of area", "read", lines.test_concave_polygons_keep_their_area),
    (
        "faces with fewer than three corners",
        "refused",
        lambda folder: obj.test_a_wrong_line_is_named_with_its_number(
            folder, "f 1 2", "a face must have 3 corners or more; got 2"
        ),
    ),
    (
        "indices: v, v/vt, v//vn, v/vt/vn, relative ones, before their vertices",
        "read",
        lines.test_corners_of_all_forms_stand_side_by_side,
    ),
    (
        "indices: v, v/vt, v//vn, v/vt/vn, relative ones, before their vertices",
        "read",
        lines.test_relative_indices_count_from_their_own_line,
    ),
    (
        "indices: v, v/vt, v//vn, v/vt/vn, relative ones, before their vertices",
        "read",
        lines.test_faces_may_stand_before_their_vertices,
    ),
    ("indices out of range, words that are no numbers", "refused", _no_number),
    (
        "indices out of range, words that are no numbers",
        "refused",
        lambda folder: lines.test_a_wrong_corner_is_named_with_its_line(
            folder, "1/1/9", "vn index must be from 1 to 1"
        ),
    ),
    ("coordinates that are not finite", "refused", _not_finite),
    (
        "coordinates beyond float32's digits, as an origin",
        "read",
        lines.test_coordinates_far_away_keep_their_digits,
    ),
    (
        "coordinates beyond float32's digits, as an origin",
        "written",
        write.test_an_origin_is_put_back_with_all_digits,
    ),
    (
        "positions and triangles, in order",
        "written",
        lambda folder: mesh.test_positions_and_triangles_come_back_exactly(folder, "obj"),
    ),
    (
        "uv with indices of their own, of one to three numbers",
        "read",
        lines.test_coordinates_of_uv_may_be_one_or_three,
    ),
    (
        "uv with indices of their own, of one to three numbers",
        "written",
        mesh.test_an_obj_keeps_the_indices_of_uv,
    ),
    ("a normal for each vertex", "read", obj.test_a_normal_for_each_vertex_is_kept_and_two_are_not),
    ("a normal for each vertex", "written", _colours),
    (
        "several normals of a vertex, normals that are no numbers",
        "ignored",
        obj.test_a_normal_for_each_vertex_is_kept_and_two_are_not,
    ),
    (
        "several normals of a vertex, normals that are no numbers",
        "ignored",
        lines.test_normals_that_are_no_numbers_are_left_out,
    ),
    (
        "colours of vertices, 0..1 or 0..255",
        "read",
        lines.test_colours_on_some_vertices_leave_the_others_white,
    ),
    (
        "colours of vertices, 0..1 or 0..255",
        "read",
        lines.test_colours_up_to_255_are_scaled_and_others_refused,
    ),
    ("colours of vertices, 0..1 or 0..255", "written", _colours),
    (
        "colours of vertices in another range",
        "refused",
        lines.test_colours_up_to_255_are_scaled_and_others_refused,
    ),
    (
        "alpha of vertex colours (a seventh number)",
        "read",
        lines.test_a_seventh_number_is_the_colours_alpha,
    ),
    ("weights of v", "ignored", lines.test_a_weight_is_no_coordinate),
    (
        "o, g, s, mg, points, polylines",
        "ignored",
        lines.test_groups_points_and_polylines_are_no_surface,
    ),
    (
        "free-form geometry beside polygons, lines of no kind (with a warning)",
        "ignored",
        lines.test_free_form_geometry_is_told,
    ),
    (
        "free-form geometry beside polygons, lines of no kind (with a warning)",
        "ignored",
        lines.test_lines_of_no_kind_are_told_once,
    ),
    ("free-form geometry alone", "refused", lines.test_free_form_geometry_is_told),
    ("usemtl: a material for each face", "read", materials.test_each_face_has_its_own_material),
    (
        "usemtl: a material for each face",
        "read",
        materials.test_faces_before_the_first_material_are_white,
    ),
    (
        "usemtl: a material for each face",
        "written",
        write.test_materials_come_back_each_on_its_triangles,
    ),
    (
        "several mtllib, names with blanks and #, in any encoding",
        "read",
        names.test_libraries_stand_on_one_line_or_several,
    ),
    (
        "several mtllib, names with blanks and #, in any encoding",
        "read",
        names.test_names_hold_blanks_and_hashes_and_comments_follow_them,
    ),
    (
        "several mtllib, names with blanks and #, in any encoding",
        "read",
        names.test_a_library_is_read_in_any_encoding,
    ),
    (
        "a library or a material that is missing (white, with a warning)",
        "ignored",
        names.test_a_material_that_is_missing_is_white_and_told_once,
    ),
    ("Kd, as sRGB", "read", materials.test_the_factor_is_kd_as_linear_light),
    ("Kd, as sRGB", "written", write.test_materials_come_back_each_on_its_triangles),
    (
        "Kd 0 0 0 beside a map_Kd (white, with a warning)",
        "ignored",
        materials.test_kd_of_zero_does_not_hide_a_picture,
    ),
    ("Kd as a spectral file or CIE xyz", "refused", _wrong(*SPECTRAL)),
    ("d, Tr: alpha that blends", "read", materials.test_opacity_is_d_or_one_less_tr),
    ("d, Tr: alpha that blends", "written", write.test_materials_come_back_each_on_its_triangles),
    ("d -halo", "refused", _wrong(*HALO)),
    (
        "map_Kd, several pictures, in folders and above",
        "read",
        materials.test_several_pictures_are_shown_each_on_its_faces,
    ),
    (
        "map_Kd, several pictures, in folders and above",
        "read",
        names.test_pictures_lie_in_folders_and_above,
    ),
    (
        "map_Kd, several pictures, in folders and above",
        "written",
        write.test_materials_come_back_each_on_its_triangles,
    ),
    (
        "a picture that is missing (texture=False leaves pictures out)",
        "refused",
        names.test_a_missing_picture_is_named_and_can_be_left_out,
    ),
    (
        "faces without vt: their material without its picture",
        "read",
        materials.test_a_face_without_uv_shows_its_materials_colour_alone,
    ),
    ("a picture with an alpha: a cut-out", "read", materials.test_a_picture_with_holes_cuts_out),
    (
        "a picture with an alpha: a cut-out",
        "written",
        write.test_materials_come_back_each_on_its_triangles,
    ),
    ("map_d, -imfchan", "read", _map_d),
    (
        "map_d that lies otherwise than map_Kd",
        "refused",
        materials.test_map_d_of_the_same_picture_is_its_alpha,
    ),
    (
        "-s, -o of a map, worked into uv",
        "read",
        materials.test_options_place_the_picture_on_its_own_faces_alone,
    ),
    ("-clamp on", "read", materials.test_clamp_and_range_of_a_picture),
    ("-clamp on", "written", write.test_materials_come_back_each_on_its_triangles),
    ("-mm base gain", "read", materials.test_clamp_and_range_of_a_picture),
    ("-blendu -blendv -bm -boost -cc -texres of a map", "ignored", _other_options),
    ("-t (turbulence), -type, options of no kind", "refused", _wrong(*TURBULENCE)),
    ("-t (turbulence), -type, options of no kind", "refused", _wrong(*SPHERE)),
    ("-t (turbulence), -type, options of no kind", "refused", _wrong(*STRANGE)),
    ("wrap: mirror, or another for u and v (writing)", "refused", _refused(0)),
    ("wrap: mirror, or another for u and v (writing)", "refused", _refused(1)),
    ("filter: nearest (writing)", "refused", _refused(2)),
    ("a cut-off other than .5, or of a factor (writing)", "refused", _refused(3)),
    ("a cut-off other than .5, or of a factor (writing)", "refused", _refused(4)),
    ("blending by a picture's alpha (writing)", "refused", _refused(5)),
]
FEATURES = [(FORMAT, *row) for row in _ROWS]
