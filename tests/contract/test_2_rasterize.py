"""The contract, section 2: rasterize."""

import numpy as np
import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import close, encode, on, random, ranges_for, relative_error
from tests.scenes import ODD


def test_pos_is_float32_nv4_or_v4_with_ranges(context):
    pos, tri, _ = on(context, scenes.one_triangle(2))
    together, _ = glrast.rasterize(context, pos, tri, ODD)
    alone, _ = glrast.rasterize(context, pos[1], tri, ODD, ranges=[[0, 1]])
    assert torch.equal(together[1:], alone)
    for wrong, error in (
        (pos.double(), TypeError),
        (pos[..., :3], ValueError),
        (pos[0], ValueError),
    ):
        with pytest.raises(error, match="^glrast.rasterize: pos must be"):
            glrast.rasterize(context, wrong, tri, ODD)


def test_tri_is_int32_or_int64_t3(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    assert torch.equal(
        glrast.rasterize(context, pos, tri, ODD)[0],
        glrast.rasterize(context, pos, tri.long(), ODD)[0],
    )


def test_resolution_is_height_and_width_as_list_tuple_size_or_array(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    for resolution in ([5, 9], (5, 9), torch.Size((5, 9)), np.array([5, 9])):
        assert glrast.rasterize(context, pos, tri, resolution)[0].shape == (1, 5, 9, 4)
    for wrong in ((0, 9), (5, -1), (5,), 5):
        with pytest.raises(ValueError, match="resolution must be"):
            glrast.rasterize(context, pos, tri, wrong)


def test_ranges_are_rows_first_and_count_on_any_device_or_a_list(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    rows = [[0, 4], [4, 3]]
    wanted, _ = glrast.rasterize(context, pos, tri, ODD, ranges=rows)
    for ranges in (
        torch.tensor(rows),
        torch.tensor(rows).to(context.device),
        torch.tensor(rows).T.contiguous().T,
    ):
        assert torch.equal(glrast.rasterize(context, pos, tri, ODD, ranges=ranges)[0], wanted)
    with pytest.raises(ValueError, match="ranges must lie within tri"):
        glrast.rasterize(context, pos, tri, ODD, ranges=[[0, len(tri) + 1]])


def test_rast_is_u_v_depth_id_with_weights_of_vertices_0_and_1(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    assert rast.shape == (1, *ODD, 4) and rast.dtype == torch.float32
    corners, _ = glrast.interpolate(pos, rast, tri)
    shown = rast[..., 3] > 0
    u, v, depth, id = rast[shown].unbind(-1)
    p = torch.stack([u, v, 1 - u - v], 1) @ pos[0]
    close(corners[shown], p, 1e-5)
    close(depth, p[:, 2] / p[:, 3], 1e-5)
    assert (id == 1).all()


def test_empty_pixels_are_zero_in_all_channels_and_an_empty_buffer_is_valid(context):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    empty = rast[..., 3] == 0
    assert empty.any() and not rast[empty].any() and not rast_db[empty].any()
    assert not glrast.interpolate(attr, torch.zeros_like(rast), tri)[0].any()


def test_rast_db_is_per_pixel_y_up(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    size = (64, 48)
    rast, rast_db = glrast.rasterize(context, pos, tri, size)
    right = (rast[:, 8:-8, 9:-7, :2] - rast[:, 8:-8, 7:-9, :2]) / 2
    up = (rast[:, 9:-7, 8:-8, :2] - rast[:, 7:-9, 8:-8, :2]) / 2
    whole = rast[..., 3] > 0
    inner = (
        whole[:, 8:-8, 9:-7] & whole[:, 8:-8, 7:-9] & whole[:, 9:-7, 8:-8] & whole[:, 7:-9, 8:-8]
    )
    found = rast_db[:, 8:-8, 8:-8][inner]
    assert inner.sum() > 50  # u and v bend a little between neighbours
    close(found[:, 0::2], right[inner], 2e-3)
    close(found[:, 1::2], up[inner], 2e-3)


def test_with_grad_db_false_rast_db_is_returned_and_carries_no_gradient(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    rast, rast_db = glrast.rasterize(context, pos.requires_grad_(), tri, ODD, grad_db=False)
    assert rast_db.any() and not rast_db.requires_grad and rast.requires_grad


def test_the_id_is_the_index_into_the_full_tri_also_in_range_mode(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    rast, _ = glrast.rasterize(context, pos, tri, ODD, ranges=[[4, 3]])
    assert set(glrast.triangle_id(rast).unique().tolist()) <= {-1, 4, 5, 6}


def test_ids_above_two_to_the_24_are_floats_of_the_bits_0x4a800000_plus_id(device):
    rast = torch.zeros(1, 1, 2, 4, device=device)
    rast[..., 3] = torch.cat([torch.tensor([2.0**24]).to(device), encode([2**24 + 5], device)])
    assert glrast.triangle_id(rast).tolist() == [[[2**24 - 1, 2**24 + 4]]]


def test_rast_is_an_ordinary_writable_tensor(context):
    pos, tri, attr = on(context, scenes.one_triangle(2))
    rast, _ = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    assert rast.is_contiguous() and rast.dtype == torch.float32

    def gradient(of):
        return torch.autograd.grad(of[..., :2].square().sum(), pos, retain_graph=True)[0]

    wanted = gradient(rast)
    moved = rast + torch.tensor([0.0, 0.0, 0.0, 7.0], device=rast.device) * (rast[..., 3:] > 0)
    assert set(glrast.triangle_id(moved).unique().tolist()) == {-1, 7}
    assert torch.equal(wanted, gradient(moved))
    rast[..., 3:4] += 2.0 * (rast[..., 3:4] > 0)  # in place, and with the gradient still to come
    assert set(glrast.triangle_id(rast).unique().tolist()) == {-1, 2}
    assert torch.equal(wanted, gradient(rast))
    longer = torch.cat([tri, tri, tri])
    assert glrast.interpolate(attr, rast.flip(1)[:, 2:9], longer)[0].any()


def test_depth_is_clamped_and_weights_are_barycentric(context):
    for name in ("near_plane", "closed_mesh", "one_triangle"):
        pos, tri, _ = on(context, scenes.SCENES[name]())
        rast, _ = glrast.rasterize(context, pos, tri, ODD, ranges_for(pos, tri))
        u, v, depth, _ = rast.unbind(-1)
        assert depth.abs().max() <= 1 and u.min() >= 0 and v.min() >= 0 and (u + v).max() <= 1


def test_no_face_is_culled(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    shown = [
        glrast.rasterize(context, pos, tri[:, order], ODD)[0][..., 3] > 0
        for order in ([0, 1, 2], [0, 2, 1])
    ]
    assert torch.equal(*shown) and shown[0].any()


@pytest.mark.parametrize(
    "scene, drawn", [("degenerate", 3), ("non_finite", 3), ("index_out_of_range", 2)]
)
def test_bad_triangles_draw_nothing_and_never_poison_a_neighbour(context, scene, drawn):
    pos, tri, _ = on(context, scenes.SCENES[scene]())
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD, ranges=[[0, len(tri)]])
    assert set(glrast.triangle_id(rast).unique().tolist()) == {-1, drawn}
    alone, alone_db = glrast.rasterize(context, pos, tri, ODD, ranges=[[drawn, 1]])
    assert torch.equal(rast, alone) and torch.equal(rast_db, alone_db)


def test_a_centre_on_a_shared_edge_belongs_to_exactly_one_triangle(context):
    pos, tri, _ = on(context, scenes.shared_edge())
    parts, _ = glrast.rasterize(context, pos, tri, (40, 40), ranges=[[0, 1], [1, 1]])
    assert (parts[..., 3] > 0).sum(0).max() == 1


def test_vertices_lie_on_a_grid_of_8_sub_pixel_bits_where_coverage_is_decided(context):
    def columns(offset_pix):
        pos, tri, _ = on(context, scenes.vertical_edge(15.5 + offset_pix))
        rast, _ = glrast.rasterize(context, pos[None], tri, ODD)
        return rast, int((rast[0, 8, :, 3] > 0).sum())

    half_step = 1 / 512
    on_centre, inside, outside = (columns(x)[1] for x in (0.0, 0.8 * half_step, 1.2 * half_step))
    assert on_centre == inside and columns(-0.8 * half_step)[1] == on_centre
    assert {outside, columns(-1.2 * half_step)[1]} == {15, 16}
    # barycentrics are those of the exact positions
    assert not torch.equal(columns(0.0)[0], columns(0.8 * half_step)[0])


def test_without_output_db_there_is_none_and_derivatives_are_refused(context, device):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    plain = glrast.RasterizeGLContext(output_db=False, device=device)
    rast, rast_db = glrast.rasterize(plain, pos, tri, ODD)
    assert rast_db.shape == (1, *ODD, 0)
    with pytest.raises(ValueError, match="a context with output_db=False makes none"):
        glrast.interpolate(attr, rast, tri, rast_db, "all")


def test_the_nearer_triangle_wins_and_at_equal_depth_the_lower_index(context):
    corners = torch.tensor([[-1.0, -1.0], [3.0, -1.0], [-1.0, 3.0]]).repeat(2, 1)
    z = torch.tensor([0.5, -0.5]).repeat_interleave(3)[:, None]
    pos = torch.cat([corners, z, torch.ones_like(z)], 1)[None].to(context.device)
    near, far = [3, 4, 5], [0, 1, 2]
    for order, seen in (([far, near, near], 2), ([near, far, near], 1), ([far, far], 1)):
        tri = torch.tensor(order, device=context.device)
        assert (glrast.rasterize(context, pos, tri, ODD)[0][..., 3] == seen).all()
    pos, tri, _ = on(context, scenes.coincident())
    rast, _ = glrast.rasterize(context, pos, tri, ODD, ranges=[[0, 3]])
    assert set(rast[..., 3].unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("scene", ["no_triangles", "no_vertices", "no_images"])
def test_empty_meshes_and_no_images_give_empty_images(context, scene):
    pos, tri, _ = on(context, scenes.SCENES[scene]())
    pos = pos if pos.ndim == 3 else pos[None]
    rast, rast_db = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    assert rast.shape == rast_db.shape == (len(pos), *ODD, 4) and not rast.any()
    assert not torch.autograd.grad(rast.sum(), pos)[0].any()


def test_gradient_goes_to_x_y_w_from_u_v_and_from_rast_db_by_the_formulas(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    drawn = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    seen = drawn[0][0, ..., 3] > 0
    exact = pos.detach()[0].double().requires_grad_()
    for output, wanted in zip(drawn, barycentrics_by_the_formulas(exact, ODD), strict=True):
        output, wanted = output[0, ..., : wanted.shape[-1]][seen], wanted[seen]
        y = random(*wanted.shape).to(wanted)
        (found,) = torch.autograd.grad((output * y).sum(), pos, retain_graph=True)
        (truth,) = torch.autograd.grad((wanted * y).sum(), exact, retain_graph=True)
        assert relative_error(found[0], truth) < 1e-5 and not found[..., 2].any()


def barycentrics_by_the_formulas(corners, resolution):
    """([H,W,2] u, v; [H,W,4] their derivatives by pixels) of the plane of a triangle, corners [3,4] in clip space.

    A centre (fx, fy) of the screen is seen along b = (fx, fy, 1) M^-1, M the rows (X, Y, W): u = b_0 / sum b.
    """
    inverse = torch.linalg.inv(corners[:, [0, 1, 3]])
    y, x = (((torch.arange(s) + 0.5) * 2 / s - 1).to(corners) for s in resolution)
    b = x[None, :, None] * inverse[0] + y[:, None, None] * inverse[1] + inverse[2]
    total = b.sum(-1, keepdim=True)
    uv = b[..., :2] / total
    height, width = resolution
    by_x, by_y = (
        (row[:2] - uv * row.sum()) / total * 2 / size for row, size in zip(inverse, (width, height))
    )
    return uv, torch.stack([by_x, by_y], -1).flatten(-2)


def test_channels_2_and_3_carry_no_gradient(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    rast, _ = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    assert not torch.autograd.grad(rast[..., 2:].sum(), pos)[0].any()


def test_a_differentiable_depth_is_an_attribute(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    pos.requires_grad_()
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    depth, _ = glrast.interpolate(pos[..., 2:3].contiguous(), rast, tri)
    assert torch.autograd.grad(depth.sum(), pos)[0][..., 2].any()


def test_the_guard_against_zero_area_scales_with_the_triangle(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    gradients = []
    for scale in (1.0, 1e-10):  # the same on the screen
        scaled = (pos * scale).requires_grad_()
        rast, _ = glrast.rasterize(context, scaled, tri, ODD)
        gradients.append(torch.autograd.grad(rast[..., 0].sum(), scaled)[0] * scale)
    assert relative_error(*gradients[::-1]) < 1e-4
