"""rasterize: analytic answers, watertightness, finite differences, the float64 twin, and what must do no harm."""

import numpy as np
import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import (
    Band,
    Limits,
    check_gradient,
    close,
    draw,
    encode,
    on,
    random,
    ranges_for,
    relative_error,
    torch_threads,
)
from tests.reference import rasterize as twin
from tests.scenes import ODD, SCENES

# float32 carries 6e-8; a sum of six products of order 1 and a division leave a few units of that.
ROUNDING = 2e-6
# Kernel and twin differ by the rounding of a float32 sum over at most 561 pixels: measured 1e-6, 4e-13, 9e-7.
GRADIENT = Limits(l2=1e-5, cosine=4e-12, bias=4e-6)
# A central difference of float32 values with a step of 1e-3: rounding 6e-8/1e-3 per pixel, averaged over pixels.
# Measured 3e-4, 5e-8, 6e-5. Pixels that the step may uncover have no derivative: measured 7 % of those covered.
DIFFERENCE = Limits(l2=1e-3, cosine=4e-7, bias=3e-4, share=0.1)


# ---- analytic answers ------------------------------------------------------------------------------------


def test_barycentrics_of_a_screen_filling_triangle_are_known_at_every_pixel(context):
    rast, rast_db = glrast.rasterize(context, *covering_triangle(context), ODD)
    fx, fy = pixel_centres(ODD)
    v, rest = ((fx + 1) / 4).expand(ODD), ((fy + 1) / 4).expand(ODD)
    close(rast[0, ..., 0], 1 - v - rest, ROUNDING)
    close(rast[0, ..., 1], v, ROUNDING)
    assert (rast[0, ..., 3] == 1).all()
    slope_x, slope_y = 2 / ODD[1] / 4, 2 / ODD[0] / 4  # v grows by 1/4 of the distance in x
    slopes = torch.tensor([-slope_x, -slope_y, slope_x, 0.0], device=rast.device)
    close(rast_db[0], slopes.expand(*ODD, 4), ROUNDING)


def test_barycentrics_are_perspective_correct(context):
    w = torch.tensor([1.0, 2.0, 5.0])
    pos, tri = covering_triangle(context, w)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    fx, fy = pixel_centres(ODD)
    on_screen = torch.stack(
        [(2 - fx - fy) / 4, ((fx + 1) / 4).expand(ODD), ((fy + 1) / 4).expand(ODD)]
    )
    weights = on_screen / w[:, None, None]
    weights = weights / weights.sum(0)
    close(rast[0, ..., 0], weights[0], ROUNDING)
    close(rast[0, ..., 1], weights[1], ROUNDING)


def test_depth_is_linear_on_the_screen_and_stays_between_minus_one_and_one(context):
    z = torch.tensor([-0.9, 0.8, 0.5])
    pos, tri = covering_triangle(context, torch.tensor([1.0, 2.0, 5.0]), z)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    fx, fy = pixel_centres(ODD)
    close(
        rast[0, ..., 2],
        z[0] * (2 - fx - fy) / 4 + z[1] * (fx + 1) / 4 + z[2] * (fy + 1) / 4,
        ROUNDING,
    )
    flat, _ = glrast.rasterize(context, *covering_triangle(context, z=torch.ones(3)), ODD)
    assert (flat[..., 2] == 1).all() and (
        flat[..., 3] == 1
    ).all()  # the far plane itself is visible


def test_barycentrics_and_depth_never_leave_their_range(context):
    # OpenGL snaps vertices to 1/256 pixel: centres just outside are drawn, also beyond the near and far planes
    steep = torch.tensor(
        [[-3.0, -2.0, -60.0, 1.0], [5.0, -2.1, 90.0, 1.0], [-2.5, 6.0, -50.0, 1.0]]
    )
    drawn = [draw(context, (steep[None], scenes.one_triangle().tri), (2000, 33))]
    for name in ("one_triangle", "closed_mesh", "shared_edge"):
        pos, tri, _ = SCENES[name]()
        drawn += [draw(context, (pos, tri.roll(turn, 1)), (301, 203)) for turn in range(3)]
    for rast, _ in drawn:
        u, v, depth, id = rast.unbind(-1)
        assert (id > 0).any() and u.min() >= 0 and v.min() >= 0 and (u + v).max() <= 1
        assert depth.min() >= -1 and depth.max() <= 1


def test_row_zero_is_the_bottom_and_empty_pixels_are_zero_in_all_channels(context):
    pos = clip([[-1, -1, 0, 1], [1, -1, 0, 1], [1, 0, 0, 1], [-1, 0, 0, 1]], context)[None]
    tri = indices([[0, 1, 2], [0, 2, 3]], context)
    rast, rast_db = glrast.rasterize(context, pos, tri, (8, 8))
    assert (rast[0, :4, :, 3] > 0).all()
    assert not rast[0, 4:].any() and not rast_db[0, 4:].any()


def test_no_face_is_culled_unless_asked_for(context):
    pos, tri = covering_triangle(context)
    for order in ([0, 1, 2], [2, 1, 0]):
        rast, _ = glrast.rasterize(context, pos, tri[:, order], ODD)
        assert (rast[..., 3] == 1).all()


def test_range_mode_equals_drawing_each_part_and_ids_count_in_the_whole_list(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    parts = [[0, 4], [4, 3], [5, 0], [0, len(tri)]]
    together, together_db = glrast.rasterize(context, pos, tri, ODD, ranges=parts)
    for image, image_db, (first, count) in zip(together, together_db, parts):
        alone, alone_db = glrast.rasterize(context, pos[None], tri[first : first + count], ODD)
        alone[..., 3] += first * (alone[..., 3] > 0)
        assert torch.equal(image, alone[0]) and torch.equal(image_db, alone_db[0])


def test_ranges_may_be_a_list_an_array_or_a_tensor(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    wanted, _ = glrast.rasterize(context, pos, tri, ODD, ranges=[[0, 4], [4, 3]])
    for ranges in (np.array([[0, 4], [4, 3]]), torch.tensor([[0, 4], [4, 3]], dtype=torch.int32)):
        assert torch.equal(wanted, glrast.rasterize(context, pos, tri, ODD, ranges=ranges)[0])


# ---- watertightness --------------------------------------------------------------------------------------


@pytest.mark.parametrize("subdivisions", [1, 2])
@pytest.mark.parametrize("resolution", [ODD, (64, 64), (31, 8)])
def test_every_ray_enters_and_leaves_a_closed_mesh_equally_often(context, subdivisions, resolution):
    for seed in range(3):
        pos, tri, _ = on(context, scenes.closed_mesh(subdivisions, seed=seed))
        front, back = coverage_by_side(context, pos[0], tri, resolution)
        assert torch.equal(front, back)
        union = glrast.rasterize(context, pos, tri, resolution)[0][0, ..., 3] > 0
        assert torch.equal(union, front > 0) and union.any()


@pytest.mark.parametrize("resolution", [ODD, (64, 64), (101, 57)])
def test_a_convex_mesh_covers_each_centre_once_from_the_front_and_once_from_the_back(
    context, resolution
):
    for seed in range(3):
        pos, tri = convex_mesh(context, seed)
        front, back = coverage_by_side(context, pos, tri, resolution)
        assert front.max() == 1 and torch.equal(front, back)


def test_a_shared_edge_through_pixel_centres_belongs_to_exactly_one_triangle(context):
    pos, tri, _ = on(context, scenes.shared_edge())
    for size in (16, 40, 64):
        alone, _ = glrast.rasterize(context, pos, tri, (size, size), ranges=[[0, 1], [1, 1]])
        both, _ = glrast.rasterize(context, pos[None], tri, (size, size))
        assert torch.equal((alone[..., 3] > 0).sum(0), (both[0, ..., 3] > 0).long())


# ---- gradients -------------------------------------------------------------------------------------------


def test_gradient_of_a_screen_filling_triangle_is_known_by_hand(context):
    # A vertex moved by dx carries a point of weight k with it by k dx, and v grows by 1/4 with x: dv = -k dx / 4.
    pos, tri = covering_triangle(context)
    rast, _ = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    u, v = rast[..., 0].detach().sum(), rast[..., 1].detach().sum()
    pixels = ODD[0] * ODD[1]
    rast[..., 1].sum().backward()
    close(pos.grad[0, :, 0], -torch.stack([u, v, pixels - u - v]) / 4, ROUNDING * pixels)
    close(pos.grad[0, :, 1], torch.zeros(3), ROUNDING * pixels)
    assert not pos.grad[..., 2].any()


@pytest.mark.parametrize("output", ["u,v", "rast_db"])
def test_gradient_equals_central_differences_of_the_kernel(context, output):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    mask = surely_covered(pos, tri, ODD)  # a step must not move an edge over a centre
    weight = random(*mask.shape, 2 if output == "u,v" else 4) * mask[..., None].to(pos.device)

    def loss(p):
        rast, rast_db = glrast.rasterize(context, p, tri, ODD)
        value = (
            rast[..., :2] if output == "u,v" else rast_db * 20
        )  # u, v per 20 pixels: of order 1 again
        return (value.double() * weight).sum()

    at = pos.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(at), at)
    step, wanted = 1e-3, torch.zeros(pos.shape, dtype=torch.float64)
    for vertex in range(3):
        for axis in (0, 1, 3):
            move = torch.zeros_like(pos)
            move[0, vertex, axis] = step
            wanted[0, vertex, axis] = (loss(pos + move) - loss(pos - move)) / (2 * step)
    covered = (glrast.rasterize(context, pos, tri, ODD)[0][..., 3] > 0).cpu()
    aside = (covered & ~mask).sum().item() / covered.sum().item()  # they have no derivative
    nothing = torch.zeros_like(wanted)
    check_gradient(grad, wanted, DIFFERENCE, Band(nothing, nothing, aside))
    assert not grad[..., 2].any()


def test_z_and_id_channels_carry_no_gradient(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    rast, _ = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    rast[..., 2:].sum().backward()
    assert not pos.grad.any()


def test_grad_db_false_cuts_the_gradient_of_rast_db_only(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    pos.requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD, grad_db=False)
    assert rast.requires_grad and not rast_db.requires_grad
    (without,) = torch.autograd.grad(rast[..., 0].sum(), pos)
    rast, with_db = glrast.rasterize(context, pos, tri, ODD)
    assert torch.equal(rast_db, with_db)
    assert torch.equal(without, torch.autograd.grad(rast[..., 0].sum(), pos)[0])


def test_a_context_without_output_db_gives_an_empty_rast_db(device):
    pos, tri, _ = scenes.one_triangle(2)
    bare = glrast.Context(device, output_db=False)
    rast, rast_db = glrast.rasterize(bare, pos.to(device).requires_grad_(), tri.to(device), ODD)
    assert rast_db.shape == (2, *ODD, 0) and not rast_db.requires_grad
    assert torch.equal(
        rast, glrast.rasterize(glrast.Context(device), pos.to(device), tri.to(device), ODD)[0]
    )


def test_a_sliver_whose_sides_float32_cannot_tell_apart_gives_no_gradient(context):
    # 2e4 long and 0.02 high along the diagonal: every product is 1e8, the area 400
    rows = [[-1e4, -1e4 - 0.01, 0, 1], [1e4, 1e4 - 0.01, 0, 1], [1e4, 1e4 + 0.01, 0, 1]]
    pos = clip(rows, context)[None].requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, indices([[0, 1, 2]], context), (33, 33))
    assert (rast[..., 3] > 0).any() and rast.isfinite().all() and not rast_db.any()
    assert not torch.autograd.grad(rast[..., 0].sum() + rast_db.sum(), pos)[0].any()


def test_a_thin_triangle_and_a_tiny_far_one_keep_their_gradient(context):
    thin = clip([[-0.9, -0.8, 0, 1], [0.95, 0.9, 0, 1], [0.95, 0.93, 0, 1]], context)[None]
    far = (
        clip([[-1, -1, 0, 1], [1.5, -1, 0, 1], [0, 1.5, 0, 1]], context)[None] * 1e-12
    )  # the same on the screen
    tri = indices([[0, 1, 2]], context)
    for pos in (thin, far):
        rast, rast_db = glrast.rasterize(context, pos.requires_grad_(), tri, (64, 64))
        weight = random(*rast.shape).to(rast)
        (grad,) = torch.autograd.grad((rast, rast_db), pos, (weight, weight))
        ids, weight = glrast.triangle_id(rast).long().cpu(), weight.cpu().double()
        wanted = twin.closed_form_backward(pos.cpu(), tri.cpu(), ids, (64, 64), weight, weight)
        assert (ids == 0).sum() > 20
        check_gradient(grad, wanted, GRADIENT)


# ---- the float64 twin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
def test_image_equals_the_twin(context, name):
    pos, tri, _ = SCENES[name]()
    ranges = ranges_for(pos, tri)
    rast, rast_db = (t.cpu() for t in draw(context, SCENES[name]()))
    ids = glrast.triangle_id(rast).long()
    sure = ~twin.ambiguous_pixels(pos, tri, ODD, ranges)
    assert torch.equal(ids[sure], twin.visible_ids(pos, tri, ODD, ranges)[sure])
    wanted, wanted_db = twin.resolve(pos, tri, ids, ODD)
    close(rast, wanted, ROUNDING)
    assert relative_error(rast_db, wanted_db) < GRADIENT.l2


@pytest.mark.parametrize("name", SCENES)
def test_gradient_equals_the_twin(context, name):
    pos, tri, _ = SCENES[name]()
    moving = pos.to(context.device).requires_grad_()
    rast, rast_db = draw(context, (moving, tri, None))
    ids = glrast.triangle_id(rast).long().cpu()
    grad_rast, grad_db = random(*rast.shape), random(*rast.shape, seed=1)
    nothing = torch.zeros_like(grad_rast)
    for output, g, gradients in (
        (rast, grad_rast, (grad_rast, None)),
        (rast_db, grad_db, (nothing, grad_db)),
    ):
        (grad,) = torch.autograd.grad(output, moving, g.to(output), retain_graph=True)
        wanted = twin.closed_form_backward(
            pos, tri, ids, ODD, *(x if x is None else x.double() for x in gradients)
        )
        assert grad.isfinite().all()
        check_gradient(grad, wanted, GRADIENT)


def test_long_runs_of_pixels_of_one_triangle_lose_no_digits(context):
    # the CPU kernel sums a run of pixels along a row before it adds to the vertices
    pos, tri, _ = scenes.near_plane()
    size = (5, 3001)
    moving = pos.to(context.device).requires_grad_()
    rast, rast_db = draw(context, (moving, tri, None), size)
    ids = glrast.triangle_id(rast).long().cpu()
    grad_rast, grad_db = random(*rast.shape) + 1, random(*rast.shape, seed=1) + 1
    (grad,) = torch.autograd.grad((rast, rast_db), moving, (grad_rast.to(rast), grad_db.to(rast)))
    wanted = twin.closed_form_backward(pos, tri, ids, size, grad_rast.double(), grad_db.double())
    check_gradient(grad, wanted, GRADIENT)


def test_both_programs_agree(device, gl):
    for scene in SCENES.values():
        by_id, by_id_db = draw(glrast.Context(device, buffers="id"), scene())
        full, full_db = draw(glrast.Context(device, buffers="full"), scene())
        assert torch.equal(by_id[..., 3], full[..., 3]) and torch.equal(by_id_db, full_db)
        close(by_id, full, 5 * ROUNDING)  # OpenGL interpolates with fewer digits


# ---- what must draw nothing, or nothing else -------------------------------------------------------------


@pytest.mark.parametrize(
    "pos_shape, T, ranges, images",
    [((2, 3, 4), 0, None, 2), ((2, 0, 4), 0, None, 2), ((0, 3, 4), 1, None, 0), ((3, 4), 1, [], 0),
     ((3, 4), 1, [[1, 0], [0, 0]], 2), ((2, 0, 4), 1, None, 2)],
)  # fmt: skip
def test_nothing_to_draw_gives_empty_images_and_zero_gradients(
    context, pos_shape, T, ranges, images
):
    pos = torch.zeros(pos_shape, device=context.device, requires_grad=True)
    tri = torch.zeros((T, 3), dtype=torch.int32, device=context.device)
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD, ranges=ranges)
    assert rast.shape == rast_db.shape == (images, *ODD, 4)
    assert not rast.any() and not rast_db.any()
    (rast.sum() + rast_db.sum()).backward()
    assert pos.grad.shape == pos.shape and not pos.grad.any()


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf"), 3e38, -3e38])
@pytest.mark.parametrize("axis", range(4))
def test_a_poisoned_vertex_in_one_image_disturbs_neither_the_others_nor_its_neighbours(
    context, poison, axis
):
    clean, tri, _ = on(context, scenes.closed_mesh(1, images=3))
    good, _ = glrast.rasterize(context, clean, tri, ODD)
    bad_vertex = int(tri[int(glrast.triangle_id(good[1])[8, 16]), 0])
    pos = clean.clone()
    pos[1, bad_vertex, axis] = poison
    pos.requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    assert rast.isfinite().all() and rast_db.isfinite().all()
    assert torch.equal(rast[[0, 2]], good[[0, 2]])
    touched = (tri == bad_vertex).any(1)
    if not abs(poison) < float("inf"):  # huge but finite vertices may draw
        keep = tri.clone()
        keep[touched] = 0
        assert torch.equal(rast[1], glrast.rasterize(context, clean[1:2], keep, ODD)[0][0])
    (rast[..., :2].sum() + rast_db.sum()).backward()
    assert pos.grad.isfinite().all()


def test_a_non_finite_first_vertex_is_no_trap(context):
    # undrawable triangles become vertex 0 three times
    pos, tri, _ = on(context, scenes.one_triangle())
    pos = torch.cat([torch.full_like(pos[:1], torch.nan), pos])
    wanted, _ = draw(context, scenes.one_triangle())
    rast, _ = glrast.rasterize(context, pos[None], torch.cat([tri + 1, tri]), ODD)
    assert torch.equal(rast, wanted)


def test_triangles_behind_the_camera_off_the_screen_or_beyond_the_far_plane_draw_nothing(context):
    one = scenes.one_triangle()
    right = one.pos + one.pos[:, 3:] * torch.tensor([9.0, 0.0, 0.0, 0.0])
    beyond = one.pos * torch.tensor([1.0, 1.0, 0.0, 1.0]) + one.pos[:, 3:] * torch.tensor(
        [0.0, 0.0, 1.1, 0.0]
    )
    for pos in (scenes.behind_camera().pos, right, beyond, -one.pos):
        rast, _ = draw(context, (pos, one.tri, None))
        assert not rast.any()


def test_int64_indices_beyond_int32_are_out_of_range_never_another_index(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    for wrong in (2**32, 2**31, -(2**32), -1):
        bad = tri.long() + torch.tensor([wrong, 0, 0], device=tri.device)
        rast, _ = glrast.rasterize(context, pos, torch.cat([bad, tri.long()]), ODD)
        assert set(glrast.triangle_id(rast).unique().tolist()) == {-1, 1}


# ---- ids -------------------------------------------------------------------------------------------------


def test_triangle_id_decodes_plain_and_encoded_ids(device):
    plain = torch.tensor([0.0, 1.0, 2.0, 2.0**24], device=device)
    encoded = encode([2**24 + 1, 2**24 + 2, 2**27 + 5, 2**29], device)
    rast = torch.zeros(8, 4, device=device)
    rast[:, 3] = torch.cat([plain, encoded])
    wanted = [-1, 0, 1, 2**24 - 1, 2**24, 2**24 + 1, 2**27 + 4, 2**29 - 1]
    assert glrast.triangle_id(rast).tolist() == wanted
    assert rast[:, 3].diff().gt(0).all()  # the encoding keeps the order, and leaves no number out


def test_triangle_id_of_what_is_no_id_is_minus_one(device):
    rast = torch.zeros(4, 4, device=device)
    rast[:, 3] = torch.tensor([torch.nan, -1.0, -torch.inf, 0.5])
    assert (glrast.triangle_id(rast) == -1).all()


def test_triangle_id_is_int32_of_any_shape_and_carries_no_gradient(device):
    rast = torch.zeros(2, 3, 5, 4, device=device, requires_grad=True)
    with torch.no_grad():
        rast[1, 0, 4, 3] = encode([2**25 + 2], device)[0]
    ids = glrast.triangle_id(rast.flip(1))
    assert ids.dtype == torch.int32 and ids.shape == (2, 3, 5) and not ids.requires_grad
    assert ids[1, 2, 4] == 2**25 + 1 and (ids >= 0).sum() == 1
    with pytest.raises(ValueError, match=r"triangle_id: rast must be \[...,4\]; got \[2,3,5\]"):
        glrast.triangle_id(rast[..., 3])
    with pytest.raises(TypeError, match="triangle_id: rast must be float32; got float64"):
        glrast.triangle_id(rast.double())


@pytest.mark.slow  # 400 MB of triangle indices
def test_ids_beyond_two_to_the_24_come_back(context):
    pos, tri, _ = on(context, scenes.one_triangle())
    T = 2**24 + 9
    many = torch.zeros((T, 3), dtype=torch.int32, device=context.device)
    for t in (2**24 - 1, 2**24 + 7):
        many[t] = tri[0]
        rast, _ = glrast.rasterize(context, pos, many, ODD, ranges=[[t, 1]])
        assert set(glrast.triangle_id(rast).unique().tolist()) == {-1, t}


@pytest.mark.slow
def test_a_mesh_of_more_than_two_to_the_24_triangles_is_drawn_and_interpolated(device):
    T = 2**24 + 7
    tri = torch.zeros((T, 3), dtype=torch.int32)
    tri[2**24 - 2], tri[-1] = indices_of(0, 1, 2), indices_of(1, 3, 2)
    pos = torch.tensor([[-1.0, -1, 0, 1], [1, -1, 0, 1], [-1, 1, 0, 1], [1, 1, 0, 1]])
    pos, tri = pos.to(device), tri.to(device)
    rast, _ = glrast.rasterize(glrast.Context(device), pos[None], tri, ODD)
    assert glrast.triangle_id(rast).unique().tolist() == [2**24 - 2, T - 1]
    ndc, _ = glrast.interpolate(pos[:, :2].contiguous(), rast, tri)
    x = (2 * torch.arange(ODD[1], device=device) + 1) / ODD[1] - 1
    assert torch.allclose(ndc[0, :, :, 0], x.expand(ODD), atol=1e-6)


# ---- same bits -------------------------------------------------------------------------------------------


def test_the_same_call_gives_the_same_bits_for_any_number_of_threads(context):
    size = (201, 330)  # more than one private gradient buffer on the CPU
    results = []
    for threads in (1, 2, 3, 7, 1):
        with torch_threads(threads):
            pos, tri, _ = on(context, scenes.closed_mesh(2))
            rast, rast_db = glrast.rasterize(context, pos.requires_grad_(), tri, size)
            weight = random(*rast.shape).to(rast)
            (grad,) = torch.autograd.grad((rast * weight).sum() + (rast_db * weight).sum(), pos)
            results.append((rast, rast_db, grad))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or context.device.type == "cuda"  # atomics on a GPU


# ---- helpers ---------------------------------------------------------------------------------------------


def clip(rows, context):
    return torch.tensor(rows, dtype=torch.float32, device=context.device)


def indices_of(*corners):
    return torch.tensor(corners, dtype=torch.int32)


def indices(rows, context):
    return torch.tensor(rows, dtype=torch.int32, device=context.device)


def covering_triangle(context, w=None, z=None):
    """(-1,-1), (3,-1), (-1,3) on the screen, at z/w = 0 and w = 1 unless told."""
    pos = torch.tensor([[-1.0, -1.0, 0.0, 1.0], [3.0, -1.0, 0.0, 1.0], [-1.0, 3.0, 0.0, 1.0]])
    if z is not None:
        pos[:, 2] = z
    if w is not None:
        pos = pos * w[:, None]
    return pos[None].to(context.device), indices([[0, 1, 2]], context)


def convex_mesh(context, seed):
    """An icosphere stretched and turned at random: convex in clip space, and in perspective."""
    generator = torch.Generator().manual_seed(seed)
    points, tri = scenes._icosphere(2)
    stretch = 0.3 + torch.rand(3, generator=generator, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    camera = (points * stretch) @ turn.T - torch.tensor([0.1, 0.0, 3.0])
    pos = scenes._perspective(camera, focal=1.7, near=0.5, far=10.0).float()
    return pos.to(context.device), tri.int().to(context.device)


def coverage_by_side(context, pos, tri, resolution):
    """How many triangles cover each centre when each is drawn alone: [H,W] seen from the front, from behind."""
    alone = glrast.Context(context.device, output_db=False, buffers=context.program)
    rast, _ = glrast.rasterize(
        alone, pos, tri, resolution, ranges=[[t, 1] for t in range(len(tri))]
    )
    covered = (rast[..., 3] > 0).long()
    front = twin.determinant(pos.double()[tri.long()]) > 0
    return covered[front].sum(0), covered[~front].sum(0)


def surely_covered(pos, tri, resolution):
    """Centres covered by a triangle grown and shrunk by more than the steps of a central difference move it."""
    middle = pos.mean(1, keepdim=True)
    ids = twin.visible_ids((middle + 0.97 * (pos - middle)).cpu(), tri.cpu(), resolution)
    return ids >= 0


def pixel_centres(resolution):
    height, width = resolution
    return (2 * torch.arange(width)[None] + 1) / width - 1, (
        2 * torch.arange(height)[:, None] + 1
    ) / height - 1
