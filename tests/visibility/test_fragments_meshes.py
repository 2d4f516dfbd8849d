"""fragments of hard meshes (touching, coplanar, seams, hostile numbers), of batches, and on any number of threads."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close, random, torch_threads
from tests.scenes import ODD
from tests.visibility.exact import check_hostile, check_weights, find, shade

# float32 results, float64 sums; and the same numbers added in another order
GRADIENT = Limits(l2=1e-4, cosine=1e-9, bias=3e-5)
REORDERED = Limits(l2=1e-6, cosine=1e-13, bias=3e-7)


@pytest.fixture
def context(device):
    return glrast.Context(device)


# ---- meshes that are hard --------------------------------------------------------------------------------


@pytest.mark.parametrize("discontinuities", ["near", "all"])
@pytest.mark.parametrize("name", sorted(scenes.SCENES))
def test_every_scene_has_weights_that_sum_to_one_and_finite_gradients(
    context, name, discontinuities
):
    pos, tri, _ = scenes.SCENES[name]()
    pos = pos.to(context.device).requires_grad_()
    _, frag = find(context, pos, tri, discontinuities=discontinuities)
    check_weights(frag)
    loss = frag.weight.square().sum() + frag.rast[..., :2].sum() + frag.rast_db.sum()
    (grad,) = torch.autograd.grad(loss, pos)
    assert torch.isfinite(grad).all() and (grad.any() or name in EMPTY)


EMPTY = {"behind_camera", "no_triangles", "no_vertices", "no_images"}


@pytest.mark.parametrize("seed", range(12))
def test_hostile_input_leaves_everything_finite(context, seed):
    check_hostile(context, seed)


def quads(context, *outlines, depths=None):
    """Rectangles (x0, y0, x1, y1) in pixels of ODD, two triangles each: pos [1,V,4], tri."""
    corners = torch.tensor(
        [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in outlines]
    ).float()
    xy = 2 * corners / torch.tensor([33.0, 17.0]) - 1
    z = torch.tensor(depths or [0.0] * len(outlines))[:, None, None].expand(-1, 4, 1)
    pos = torch.cat([xy, z, torch.ones_like(z)], 2).reshape(1, -1, 4)
    tri = torch.cat([torch.tensor([[0, 1, 2], [0, 2, 3]]) + 4 * i for i in range(len(outlines))])
    return pos.to(context.device), tri.int().to(context.device)


def part_of(frag, triangles, pixel):
    """The weight of these triangles in one pixel."""
    mine = torch.isin(
        glrast.triangle_id(frag.rast)[0, 0], torch.tensor(triangles, device=frag.pixel.device)
    )
    return frag.weight[mine & (frag.pixel == pixel)].sum().item()


@pytest.mark.parametrize("tall", [12.0, 14.0])
def test_two_surfaces_that_touch_part_the_pixel_once(context, tall):
    # the same line, but vertices of their own: at 12 also in the same places
    pos, tri = quads(context, (4, 3, 10.3, 12), (10.3, 3, 20, tall))
    _, frag = find(context, pos, tri)
    check_weights(frag)
    assert part_of(frag, [0, 1], 5 * 33 + 10) == pytest.approx(0.3, abs=1e-5)
    assert part_of(frag, [2, 3], 5 * 33 + 10) == pytest.approx(0.7, abs=1e-5)


def test_of_surfaces_in_one_plane_the_lower_index_is_in_front(context):
    pos, tri = quads(context, (4, 3, 10.3, 12), (7.6, 3, 20, 14))
    for first in (0, 1):
        order, row = tri if first == 0 else torch.cat([tri[2:], tri[:2]]), 5 * 33
        _, frag = find(context, pos, order)
        check_weights(frag)
        left, right = ([0, 1], [2, 3]) if first == 0 else ([2, 3], [0, 1])
        # the one in front ends at 10.3, or begins at 7.6
        pixel, shows = (row + 10, 0.3) if first == 0 else (row + 7, 0.6)
        assert part_of(frag, left, pixel) == pytest.approx(shows, abs=1e-5)
        assert part_of(frag, right, pixel) == pytest.approx(1 - shows, abs=1e-5)
        assert part_of(frag, [2, 3], row + (7 if first == 0 else 10)) == 0


def test_an_edge_over_the_crease_of_another_surface_parts_two_things(context):
    # in front of a crease at the same place: left of it the quad, right of it what lies behind
    pos, tri = quads(
        context, (2, 2, 10.3, 14), (10.3, 1, 20, 15), (4, 3, 10.3, 12), depths=[0.5, 0.5, 0.0]
    )
    _, frag = find(context, pos, tri)
    check_weights(frag)
    assert part_of(frag, [4, 5], 5 * 33 + 10) == pytest.approx(0.3, abs=1e-5)
    assert part_of(frag, [2, 3], 5 * 33 + 10) == pytest.approx(0.7, abs=1e-5)


def test_a_seam_of_doubled_vertices_is_a_crease(context):
    pos, tri, _ = scenes.closed_mesh(1)
    split = pos[:, tri.reshape(-1).long()].to(context.device).requires_grad_()
    faces = torch.arange(3 * len(tri), dtype=torch.int32).reshape(-1, 3)
    joint = pos.to(context.device).requires_grad_()
    for discontinuities in ("near", "all"):
        _, apart = find(context, split, faces, discontinuities=discontinuities)
        _, one = find(context, joint, tri, discontinuities=discontinuities)
        assert torch.equal(apart.pixel, one.pixel) and torch.equal(
            apart.rast[..., 3], one.rast[..., 3]
        )
        close(apart.weight, one.weight, 1e-6)
        y = random(len(one.weight)).to(one.weight)
        (grad,) = torch.autograd.grad((one.weight * y).sum(), joint)
        (parts,) = torch.autograd.grad((apart.weight * y).sum(), split)
        summed = torch.zeros_like(grad).index_add_(1, tri.reshape(-1).long().to(grad.device), parts)
        check_gradient(summed, grad, GRADIENT)


def test_a_seam_may_be_closed_in_one_image_and_open_in_another(context):
    pos, tri, _ = scenes.closed_mesh(1)
    split = pos[:, tri.reshape(-1).long()].repeat(2, 1, 1)
    split[1, ::7, :2] += 0.1
    faces = torch.arange(3 * len(tri), dtype=torch.int32).reshape(-1, 3)
    together = split.to(context.device).requires_grad_()
    _, frag = find(context, together, faces)
    check_weights(frag)
    (grad,) = torch.autograd.grad(frag.weight.square().sum(), together)
    for n in range(2):
        alone = split[n : n + 1].to(context.device).requires_grad_()
        _, one = find(context, alone, faces)
        mine = (frag.pixel // (ODD[0] * ODD[1]) == n) & (frag.weight > 0)
        assert torch.equal(frag.weight[mine], one.weight)
        (wanted,) = torch.autograd.grad(one.weight.square().sum(), alone)
        check_gradient(grad[n], wanted[0], REORDERED)


def test_culled_triangles_are_not_there(context):
    pos, tri, _ = scenes.closed_mesh(1)
    for cull in ("back", "front"):
        _, found = find(context, pos, tri, cull=cull)
        corners = pos[0, tri.long()].double()
        turns = torch.linalg.det(corners[..., [0, 1, 3]])
        kept = turns > 0 if cull == "back" else turns < 0
        _, wanted = find(context, pos, tri[kept])
        close(found.weight, wanted.weight, 1e-6)
        assert torch.equal(found.pixel, wanted.pixel)


def test_equal_triangles_count_once(context):
    _, thrice = find(context, *scenes.coincident()[:2])
    _, once = find(context, *scenes.one_triangle()[:2])
    assert torch.equal(thrice.weight, once.weight) and torch.equal(thrice.rast, once.rast)


# ---- batches ---------------------------------------------------------------------------------------------


def test_images_of_a_batch_are_what_each_is_alone(context):
    pos, tri, attr = scenes.closed_mesh(1, images=3)
    pos = pos * torch.tensor([1.0, 0.6, 1.3])[:, None, None] ** torch.tensor([1.0, 1, 0, 0])
    attr, tri = attr.to(context.device), tri.to(context.device)
    together = pos.to(context.device).requires_grad_()
    rast, frag = find(context, together, tri)
    check_weights(frag)
    assert frag.rast.shape[:2] == (3, 1)
    y = random(3, *ODD, 3).to(rast)
    image = shade(rast, frag, attr, tri)
    (grad,) = torch.autograd.grad((image * y).sum(), together)
    for n in range(3):
        alone = pos[n : n + 1].to(context.device).requires_grad_()
        one = shade(*find(context, alone, tri), attr, tri)
        assert torch.equal(one[0], image[n])
        (wanted,) = torch.autograd.grad((one[0] * y[n]).sum(), alone)
        check_gradient(grad[n], wanted[0], REORDERED)


def test_ranges_are_images_of_their_own_triangles(context):
    pos, tri, attr = (t.to(context.device) for t in scenes.overlapping_polygons())
    ranges = [[0, 5], [3, 0], [5, len(tri) - 5]]
    rast, frag = find(context, pos, tri, ranges=ranges)
    check_weights(frag)
    image = shade(rast, frag, attr, tri)
    for n, (first, count) in enumerate(ranges):
        some = tri[first : first + count]
        one = shade(*find(context, pos, some, ranges=[[0, count]]), attr, some)
        close(image[n], one[0], 1e-6)


def test_one_set_of_positions_serves_all_images(context):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos.expand(2, -1, -1).contiguous(), tri, ODD)
    pos.requires_grad_()
    frag = glrast.fragments(rast, pos, tri, "all")
    image = shade(rast, frag, attr, tri)
    assert torch.equal(image[0], image[1])
    both, one = (torch.autograd.grad(x.sum(), pos, retain_graph=True)[0] for x in (image, image[0]))
    check_gradient(both, 2 * one, REORDERED)


def test_the_same_call_gives_the_same_bits_for_any_number_of_threads(context):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(3))
    results = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            rast, frag = find(context, pos.requires_grad_(), tri, (201, 330))
            image = shade(rast, frag, attr, tri)
            results.append((*frag, image, *torch.autograd.grad(image.square().sum(), pos)))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or context.device.type == "cuda"  # atomics on a GPU
