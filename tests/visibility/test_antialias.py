"""antialias: edges known by hand, finite differences of supersampled images, the float64 twin, and connectivity."""

import gc
from functools import partial

import pytest
import torch

import glrast
from glrast.visibility.topology import _topologies, opposite_vertices
from tests import scenes
from tests.ops.compare import (
    SHAPES_OF_POS,
    Difference,
    Limits,
    check_difference,
    close,
    difference,
    draw,
    on,
    random,
    three_images,
    torch_threads,
)
from tests.reference import supersample
from tests.reference.visibility import antialias as twin
from tests.scenes import ODD, SCENES
from tests.visibility.against_twin import check_against_twin

# One product of order 1 with an alpha that carries the rounding of a pixel coordinate (33 x 6e-8).
ROUNDING = 5e-6
# Rounding of float32 sums: measured 3e-7, 5e-14, 2e-7. Pixels where float32 may decide otherwise than float64 are at
# most 7 % of those that change, except in SHARE; it does not: measured 1e-7.
GRADIENT = Limits(l2=5e-6, cosine=1e-12, bias=2e-6, share=0.1, band=1e-6)
# 128 samples see a step of half a pixel to one sample in 64.
STRAIGHT_EDGE = 0.02
# How far the method itself is from the derivative of an exact box filter: corners weigh more in small polygons.
# Measured 0.011, 4e-5, +0.006, and at most 0.16, 0.013, -0.07.
LARGE_TRIANGLE = Limits(l2=0.02, cosine=1e-4, bias=0.01)
OVERLAPPING = Limits(l2=0.2, cosine=2e-2, bias=0.09)
# Depths of flat polygons tie on every diagonal; a degenerate neighbour is seen edge-on along a whole side.
SHARE = {"edge_before_object": 0.15, "overlapping_polygons": 0.2, "degenerate": 0.6}


# ---- edges known by hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("offset", [0.05, 0.3, 0.45, 0.55, 0.7, 0.95])
def test_a_pixel_cut_by_a_straight_edge_gets_the_covered_part_of_the_colour(
    context, offset, vertical
):
    scene = scenes.vertical_edge(15 + offset) if vertical else scenes.horizontal_edge(8 + offset)
    image, _ = shade(context, scene)
    profile = image[0, 5, :, 0] if vertical else image[0, :, 5, 0]
    cut = 15 if vertical else 8
    wanted = torch.zeros_like(profile)
    wanted[:cut] = 1
    wanted[cut] = offset
    close(profile, wanted, ROUNDING)


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("offset", [0.2, 0.7])
def test_gradient_of_an_edge_is_its_length_times_the_colour_step(context, offset, vertical):
    scene = scenes.vertical_edge(15 + offset) if vertical else scenes.horizontal_edge(8 + offset)
    image, pos = shade(context, scene, background=0.25)
    weight = torch.tensor([1.0, 2.0, -5.0], device=image.device)
    (grad,) = torch.autograd.grad((image * weight).sum(), pos)
    length = ODD[0] if vertical else ODD[1]
    per_pixel = shift_gradient(grad, pos, 0 if vertical else 1)
    assert per_pixel == pytest.approx(length * 0.75 * (1 + 2 - 5), rel=1e-5)
    assert shift_gradient(grad, pos, 1 if vertical else 0) == pytest.approx(0, abs=1e-3)
    assert not grad[..., 2].any()


@pytest.mark.parametrize("vertical", [True, False])
def test_gradient_of_an_edge_before_an_object_is_its_length_times_the_colour_step(
    context, vertical
):
    scene = scenes.edge_before_object(15.3 if vertical else 8.3, vertical=vertical)
    image, pos = shade(context, scene)
    (grad,) = torch.autograd.grad(image.sum(), pos)
    step = (1 - scene.attr[4]).sum().item()
    front = torch.zeros_like(grad)
    front[:4] = grad[:4]
    length = ODD[0] if vertical else ODD[1]
    assert shift_gradient(front, pos, 0 if vertical else 1) == pytest.approx(
        length * step, rel=1e-5
    )
    assert not grad[4:].any()  # the object behind has no silhouette in the picture


def test_w_takes_the_gradient_of_moving_along_the_ray(context):
    # growing w by a factor pulls a vertex towards the middle as shrinking x and y by it does
    image, pos = shade(context, scenes.one_triangle())
    (grad,) = torch.autograd.grad((image * random(*image.shape).to(image)).sum(), pos)
    by_w, by_xy = pos * grad, pos[:, :2] * grad[:, :2]
    close(by_w[:, 3], -by_xy.sum(1), GRADIENT.l2 * by_w.abs().max().item())


def test_an_image_without_silhouettes_comes_back_as_it_is(context):
    for scene in (scenes.no_triangles(), scenes.behind_camera()):
        pos, tri, _ = on(context, scene)
        rast, _ = draw(context, (pos, tri))
        color = random(*rast.shape[:3], 3).to(rast)
        assert torch.equal(glrast.antialias(color, rast, pos, tri), color)


@pytest.mark.parametrize("apex_x, silhouette", [(-3.0, False), (1.4, True)])
def test_an_edge_is_a_silhouette_where_its_neighbour_folds_back_and_not_at_a_crease(
    context, apex_x, silhouette
):
    # triangle 0 lies to the right of x = 15.3 pixels, its neighbour (black) to the left, or behind it
    x = 2 * 15.3 / ODD[1] - 1
    pos = [[x, -9, 0, 1], [x, 9, 0, 1], [9, 0, 0, 1], [apex_x, 0, 0.5, 1]]
    tri = torch.tensor([[0, 1, 2], [0, 1, 3]], dtype=torch.int32)
    scene = scenes.Scene(torch.tensor(pos, dtype=torch.float32), tri, torch.ones(4, 1))
    image, _ = shade(context, scene, only=0)
    row = image[0, 8, 13:18, 0]
    close(row, torch.tensor([0, 0, 0.7 if silhouette else 1.0, 1, 1]), ROUNDING)


def test_a_neighbour_seen_exactly_edge_on_is_invisible_its_edge_a_silhouette(context):
    # the right side of a box in orthographic projection
    front = scenes.vertical_edge(15.3)
    wanted, _ = shade(context, front)
    behind = front.pos[1:3] + torch.tensor([0.0, 0.0, 0.5, 0.0])
    side = torch.tensor([[1, 4, 2], [2, 4, 5]], dtype=torch.int32)
    box = scenes.Scene(
        torch.cat([front.pos, behind]), torch.cat([front.tri, side]), torch.ones(6, 3)
    )
    assert torch.equal(shade(context, box)[0], wanted)


@pytest.mark.parametrize("right, value", [(False, 1.0), (True, 0.7)])
def test_at_equal_depth_the_second_pixel_owns_the_pair(context, right, value):
    # a white half plane that lies in the same plane as a black screen: only as the right one of a pair is it the owner
    x = 2 * 15.3 / ODD[1] - 1
    far = 9.0 if right else -9.0
    half = [[x, -9, 0, 1], [x, 9, 0, 1], [far, 9, 0, 1], [far, -9, 0, 1]]
    screen = [[-9, -9, 0, 1], [9, -9, 0, 1], [9, 9, 0, 1], [-9, 9, 0, 1]]
    tri = [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    colors = torch.tensor([[1.0]] * 4 + [[0.0]] * 4)
    scene = scenes.Scene(
        torch.tensor(half + screen, dtype=torch.float32),
        torch.tensor(tri, dtype=torch.int32),
        colors,
    )
    image, _ = shade(context, scene)
    assert image[0, 8, 15 if right else 14, 0].item() == pytest.approx(value, abs=ROUNDING)


@pytest.mark.parametrize("x_pix, value", [(15.54, 0.5), (15.57, 0.0)])
def test_a_crossing_a_little_beyond_the_other_centre_is_clamped_and_holds_still(
    context, x_pix, value
):
    # rast says that pixel 15 is empty, though the edge lies 0.04 (accepted) or 0.07 (not) pixels beyond its centre
    rast, _ = draw(context, scenes.vertical_edge(15.45))
    pos, tri, _ = on(context, scenes.vertical_edge(x_pix))
    color = (rast[..., 3:] > 0).float()
    image = glrast.antialias(color, rast, pos.requires_grad_(), tri)
    assert image[0, 8, 14:17, 0].tolist() == [1, value, 0]
    assert not torch.autograd.grad(image.sum(), pos)[0].any()


# ---- finite differences of supersampled images -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("before_object", [False, True])
def test_a_straight_edge_moves_like_a_supersampled_one(device, vertical, before_object, measured):
    at = 15.3 if vertical else 8.3
    if before_object:
        scene = scenes.edge_before_object(at, vertical=vertical)
    else:
        scene = scenes.vertical_edge(at) if vertical else scenes.horizontal_edge(at)
    one_pixel = torch.zeros_like(scene.pos)
    one_pixel[:4, 0 if vertical else 1] = 2 / (ODD[1] if vertical else ODD[0])  # w is 1
    weight = smooth_weight(ODD)
    image, pos = shade(glrast.Context(device), scene)
    (grad,) = torch.autograd.grad((image.cpu() * weight).sum(), pos)
    slope = (grad.cpu() * one_pixel).sum().item()
    loss = supersampled_loss(scene, weight, ODD, samples=128)
    wanted = supersample.finite_difference_image(loss, scene.pos, one_pixel, eps=0.25).item()
    behind = "object" if before_object else "background"
    what = f"{'vertical' if vertical else 'horizontal'} edge against {behind}"
    seen = difference(torch.tensor([slope]), torch.tensor([wanted]))
    report(measured, what, seen)
    assert seen.l2 < STRAIGHT_EDGE


@pytest.mark.slow
def test_a_large_triangle_moves_like_a_supersampled_one(device, measured):
    scene = scenes.large_triangle()
    seen = against_supersampling(glrast.Context(device), scene)
    report(measured, "large triangle, 64 x 64, every vertex in x and y", seen)
    check_difference(seen, LARGE_TRIANGLE)


@pytest.mark.slow
def test_overlapping_polygons_move_like_supersampled_ones(device, measured):
    # one of them, for time: test_antialias_inner.py has every kind of discontinuity against the exact gradient
    scene = scenes.overlapping_polygons(seed=0)
    seen = against_supersampling(glrast.Context(device), scene)
    report(measured, "overlapping polygons, 64 x 64, every vertex in x and y", seen)
    check_difference(seen, OVERLAPPING)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_edge_on_the_border_of_pixels_has_its_gradient(context, axis):
    pos = torch.tensor([[-0.5, -0.5, 0, 1], [0.5, -0.5, 0, 1], [0.5, 0.5, 0, 1], [-0.5, 0.5, 0, 1]])
    pos = pos[None].to(context.device).requires_grad_()
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]], device=context.device)
    rast, _ = glrast.rasterize(context, pos, tri, (32, 32))
    color = (rast[..., 3:] > 0).float()
    image = glrast.antialias(color, rast, pos, tri)
    assert torch.equal(image, color)  # to the bit: no colour moves
    first = image[:, :, :16].sum() if axis == 0 else image[:, :16].sum()
    first.backward()
    assert pos.grad is not None
    lower = (
        [0, 3] if axis == 0 else [0, 1]
    )  # the corners of the edge that this half of the image sees
    # 16 pixels for each of 16 rows; one is missing where a corner's pixel shows the triangle without this edge
    assert pos.grad[0, lower, axis].sum().item() in (-256, -240)
    others = [i for i in range(4) if i not in lower]
    assert not pos.grad[0, others, axis].any()


# ---- the float64 twin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
def test_image_and_gradients_equal_the_twin(context, name):
    pos, tri, attr = SCENES[name]()
    rast, _ = draw(context, (pos, tri))
    color = glrast.interpolate(attr.to(rast), rast, tri.to(rast.device))[0] + 0.1 * random(
        *rast.shape[:3], 3
    ).to(rast)
    limits = GRADIENT._replace(share=SHARE.get(name, GRADIENT.share))
    check_against_twin(color, rast, pos, tri, ROUNDING, limits)


@pytest.mark.parametrize("shape", SHAPES_OF_POS)
def test_every_shape_of_pos_equals_the_twin(context, shape):
    rast, pos, tri = three_images(context, shape)
    color = random(*rast.shape[:3], 2).to(rast)
    check_against_twin(color, rast, pos, tri, ROUNDING, GRADIENT)


def test_the_comparison_with_the_twin_sees_a_gradient_of_a_hundredth_too_much(context, monkeypatch):
    pos, tri, _ = scenes.closed_mesh(1)
    rast, _ = draw(context, (pos, tri))
    boosted = partial(glrast.antialias, pos_gradient_boost=1.01)
    monkeypatch.setattr(glrast, "antialias", boosted)
    with pytest.raises(AssertionError, match=r"l2 1.00e-02 .*; bias 1.00e-02 "):
        check_against_twin(random(*rast.shape[:3], 3).to(rast), rast, pos, tri, ROUNDING, GRADIENT)


def test_gradient_of_the_colour_is_the_transposed_blend(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    rast, _ = draw(context, (pos, tri))
    for channels in (0, 1, 3, 4, 11):
        color, y = (random(*rast.shape[:3], channels, seed=s).to(rast) for s in (0, 1))
        out = glrast.antialias(color.requires_grad_(), rast, pos, tri)
        (grad,) = torch.autograd.grad(out, color, y)
        left, right = (out * y).double().sum(), (grad * color).double().sum()
        assert abs(left - right) <= ROUNDING * (out * y).abs().sum()
        for k in range(channels):
            alone = glrast.antialias(color[..., k : k + 1], rast, pos, tri)
            assert torch.equal(alone[..., 0], out[..., k])


def test_a_colour_keeps_its_sum_of_weights(context):
    # every pair takes from one pixel what it gives to the other: a constant image stays constant
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    rast, _ = draw(context, (pos, tri))
    constant = torch.full((*rast.shape[:3], 2), 0.7, device=rast.device)
    assert torch.equal(glrast.antialias(constant, rast, pos, tri), constant)


def test_the_boost_scales_the_gradient_of_pos_and_nothing_else(context):
    pos, tri, _ = on(context, scenes.overlapping_polygons())
    rast, _ = draw(context, (pos, tri))
    color = random(*rast.shape[:3], 3).to(rast).requires_grad_()
    pos.requires_grad_()
    plain = glrast.antialias(color, rast, pos, tri)
    boosted = glrast.antialias(color, rast, pos, tri, pos_gradient_boost=4.0)
    assert torch.equal(plain, boosted)
    (color_1, pos_1), (color_4, pos_4) = (
        torch.autograd.grad(image.square().sum(), (color, pos)) for image in (plain, boosted)
    )
    assert torch.equal(color_1, color_4) and torch.equal(4 * pos_1, pos_4)  # a power of two: exact


def test_rast_gets_no_gradient(context):
    pos, tri, _ = on(context, scenes.one_triangle())
    rast, _ = draw(context, (pos, tri))
    out = glrast.antialias(random(*rast.shape[:3], 3).to(rast), rast.requires_grad_(), pos, tri)
    assert torch.autograd.grad(out.sum(), rast, allow_unused=True) == (None,)


# ---- connectivity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tri",
    [
        scenes.closed_mesh(1).tri,
        scenes.closed_mesh(0).tri.flip(1),
        torch.zeros(0, 3),
        torch.tensor([[0, 1, 2]]),
        torch.tensor([[0, 1, 2], [2, 1, 3]]),
        torch.tensor([[0, 1, 2], [0, 1, 3], [1, 0, 4], [4, 5, 0]]),  # three on an edge
        torch.tensor([[0, 1, 1], [0, 1, 2], [1, 0, 3], [2, 2, 2]]),  # degenerate ones have no edges
        torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 2]]),
        torch.tensor([[0, 1, -1], [0, 1, 2], [1, 0, 3]]),  # nor have those that draw nothing
        torch.tensor([[0, 2**31 - 1, 2], [2**31 - 1, 0, 3]]),
    ],
)
def test_opposite_vertices_equal_the_twin(device, tri):
    tri = tri.int()
    assert opposite_vertices(tri.to(device)).tolist() == twin.opposite_vertices(tri).tolist()


def test_neighbours_do_not_depend_on_the_order_of_corners(device):
    tri = scenes.closed_mesh(2).tri.to(device)
    turned = tri.roll(1, 1)
    assert torch.equal(opposite_vertices(tri).roll(1, 1), opposite_vertices(turned))


def test_a_vertex_that_is_not_finite_leaves_its_neighbours_edge_open(context):
    pos, tri, _ = scenes.one_triangle(1)
    wanted = shade(context, scenes.one_triangle())[0]
    for poison in (torch.nan, torch.inf):
        with_neighbour = torch.cat([pos[0], torch.tensor([[0.0, -2.0, poison, 1.0]])])
        two = torch.cat([tri, torch.tensor([[1, 0, 3]], dtype=torch.int32)])
        image, _ = shade(context, scenes.Scene(with_neighbour, two, torch.eye(4)[:, :3]))
        assert torch.equal(image, wanted)


def test_a_topology_handle_gives_the_same_image_and_must_belong_to_tri(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    rast, _ = draw(context, (pos, tri))
    color = random(*rast.shape[:3], 3).to(rast)
    handle = glrast.antialias_construct_topology_hash(tri)
    wanted = glrast.antialias(color, rast, pos, tri)
    for same in (tri, tri.clone(), tri.long()):
        assert torch.equal(glrast.antialias(color, rast, pos, same, topology_hash=handle), wanted)
    message = r"glrast.antialias: topology_hash must be made from this tri; got one made from a tri \[80,3\]: construct"
    with pytest.raises(ValueError, match=message):
        glrast.antialias(color, rast, pos, tri[1:], topology_hash=handle)
    if tri.device.type == "cpu":
        with pytest.raises(ValueError, match=message):
            glrast.antialias(color, rast, pos, tri.roll(1, 0), topology_hash=handle)
    with pytest.raises(
        TypeError,
        match=r"topology_hash must come from antialias_construct_topology_hash\(tri\); got int",
    ):
        glrast.antialias(color, rast, pos, tri, topology_hash=3)


def test_neighbours_are_remembered_until_tri_changes_or_dies(device):
    context = glrast.Context(device)
    pos, tri, _ = on(context, scenes.shared_edge())
    rast, _ = draw(context, (pos, tri))
    color = random(*rast.shape[:3], 3).to(rast)
    gc.collect()
    kept = len(_topologies)
    together = glrast.antialias(color, rast, pos, tri)
    remembered = _topologies.found(tri)
    glrast.antialias(color, rast, pos, tri)
    assert _topologies.found(tri) is remembered or device.type == "cuda"
    before = tri.clone()
    tri[0] = torch.tensor([0, 3, 1])  # in place: another mesh in the same tensor
    changed = glrast.antialias(color, rast, pos, tri)
    assert torch.equal(changed, glrast.antialias(color, rast, pos, tri.clone()))
    assert not torch.equal(changed, together)
    tri.copy_(before)
    assert torch.equal(glrast.antialias(color, rast, pos, tri), together)
    assert len(_topologies) == kept + 1
    del tri
    gc.collect()
    assert len(_topologies) == kept


# ---- nothing, and the same bits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "N, V, T, H, C",
    [(0, 3, 1, 5, 3), (2, 0, 1, 5, 3), (2, 3, 0, 5, 3), (2, 3, 1, 0, 3), (2, 3, 1, 5, 0)],
)
def test_nothing_in_changes_nothing(device, N, V, T, H, C):
    color = torch.ones(N, H, 7, C, device=device, requires_grad=True)
    pos = torch.ones(V, 4, device=device, requires_grad=True)
    tri = torch.zeros(T, 3, dtype=torch.int32, device=device)
    rast = random(N, H, 7, 4).to(device)
    out = glrast.antialias(color, rast, pos, tri)
    out.sum().backward()
    assert torch.equal(out, color) and not pos.grad.any() and pos.grad.shape == pos.shape
    assert (color.grad == 1).all()


def test_the_same_call_gives_the_same_bits_for_any_number_of_threads(context):
    pos, tri, _ = on(context, scenes.closed_mesh(2))
    rast, _ = glrast.rasterize(context, pos, tri, (201, 330))
    color = random(*rast.shape[:3], 3).to(rast).requires_grad_()
    results = []
    for threads in (1, 2, 3, 7, 1):
        with torch_threads(threads):
            out = glrast.antialias(color, rast, pos.requires_grad_(), tri)
            results.append((out, *torch.autograd.grad(out.square().sum(), (color, pos))))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or context.device.type == "cuda"  # atomics on a GPU


# ---- helpers ---------------------------------------------------------------------------------------------


def shade(context, scene, resolution=ODD, background=0.0, only=None):
    """The antialiased image of a scene's colours (of triangle `only`), and its positions, which require a gradient.

    rast is held still, so that the gradient is that of visibility alone.
    """
    pos, tri, attr = on(context, scene)
    with torch.no_grad():
        rast, _ = draw(context, (pos, tri), resolution)
        color, _ = glrast.interpolate(attr, rast, tri)
        seen = rast[..., 3:] > 0 if only is None else rast[..., 3:] == only + 1
        color = torch.where(seen, color, background)
    pos.requires_grad_()
    return glrast.antialias(color, rast, pos, tri), pos


def shift_gradient(grad, pos, axis) -> float:
    """d loss per pixel of moving everything along an axis (0: x, 1: y) by one pixel."""
    size = ODD[1] if axis == 0 else ODD[0]
    return (grad[:, axis] * pos[:, 3] * 2 / size).sum().item()


def smooth_weight(resolution):
    """A loss that varies slowly over the image: rough ones ask for more than one sample of an edge a pixel can say."""
    y, x = torch.meshgrid(
        *(torch.linspace(0, 1, s, dtype=torch.float64) for s in resolution), indexing="ij"
    )
    return (1 + torch.sin(3 * x + 1) * torch.cos(2 * y))[None, ..., None]


def against_supersampling(context, scene, resolution=(64, 64)) -> Difference:
    """The gradient against the central difference of the supersampled loss, over x and y of every vertex."""
    weight = smooth_weight(resolution)
    image, pos = shade(context, scene, resolution)
    (grad,) = torch.autograd.grad((image.cpu() * weight).sum(), pos)
    entries = [(v, axis) for v in range(len(scene.pos)) for axis in (0, 1)]
    loss, quarter_pixel = (
        supersampled_loss(scene, weight, resolution, samples=64),
        0.25 * 2 / resolution[1],
    )
    wanted = supersample.finite_difference_gradient(loss, scene.pos, entries, quarter_pixel)
    where = tuple(torch.tensor(entries).T)
    return difference(grad.cpu()[where], wanted[where])


def supersampled_loss(scene, weight, resolution, samples):
    """The loss of an image without aliasing, a function of positions."""

    def loss(pos):
        with torch_threads(
            1
        ):  # many small operators: a second thread that has to wait for a core costs tenfold
            image = supersample.supersample(pos, scene.tri, scene.attr, resolution, samples)
        return (image * weight).sum()

    return loss


def report(measured, what, seen: Difference):
    measured(
        f"antialias against supersampling, {what}: relative error {seen.l2:.4f}, 1 - cosine "
        f"{seen.cosine:.1e}, bias {seen.bias:+.4f}"
    )


def test_a_tri_that_is_written_to_is_compared_with_its_topology_again(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    if context.device.type != "cpu":
        pytest.skip("on a GPU a comparison would wait")
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    topology = glrast.antialias_construct_topology_hash(tri)
    for _ in range(2):
        glrast.antialias(rast, rast, pos, tri, topology)
    tri[0] = tri[0].flip(0)
    with pytest.raises(ValueError, match="made from this tri"):
        glrast.antialias(rast, rast, pos, tri, topology)
    tri[0] = tri[0].flip(0)
    glrast.antialias(rast, rast, pos, tri, topology)
