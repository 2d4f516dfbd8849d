"""peel: nested surfaces in order, coincident ones by index, every surface once, gradients of each layer."""

import numpy as np
import pytest
import torch

import glrast
from glrast.raster import layers
from glrast.raster.batch import Corners, Indexed
from tests import scenes
from tests.ops.compare import close, on, random, ranges_for, relative_error
from tests.reference import peel as twin
from tests.scenes import ODD, SCENES

# Central differences with a step of 1e-3 of a shell's radius. Measured 2e-4, and 7e-3 in large images, where many
# triangles are seen nearly edge on.
DIFFERENCE = 1e-2


# ---- what the layers are ---------------------------------------------------------------------------------


def test_layer_zero_is_what_rasterize_gives_to_the_bit(context):
    for scene in SCENES.values():
        pos, tri, _ = on(context, scene())
        ranges = ranges_for(pos, tri)
        with glrast.DepthPeeler(context, pos, tri, ODD, ranges) as peeler:
            found = peeler.rasterize_next_layer()
        for f, wanted in zip(found, glrast.rasterize(context, pos, tri, ODD, ranges), strict=True):
            assert torch.equal(f, wanted)


@pytest.mark.parametrize("name", SCENES)
def test_layers_equal_the_twin(context, name):
    pos, tri, _ = SCENES[name]()
    ranges = ranges_for(pos, tri)
    found = ids_of_layers(context, pos, tri, ODD, ranges)
    wanted = twin.peel(pos, tri, ODD, ranges)
    sure = ~twin.ambiguous_pixels(pos, tri, ODD, ranges)
    for k in range(max(len(found), len(wanted))):
        f, w = (
            layers[k] if k < len(layers) else torch.full_like(sure, -1, dtype=torch.int64)
            for layers in (found, wanted)
        )
        assert torch.equal(f[sure], w[sure])


@pytest.mark.parametrize("resolution", [ODD, (64, 64)])
def test_every_triangle_is_shown_once_at_every_pixel_that_it_covers_alone(context, resolution):
    for scene in (everything_overlaps(), steep_and_clipped()):
        pos, tri, _ = on(context, scene)
        layers = torch.stack([rast for rast, _ in glrast.peel(context, pos[None], tri, resolution)])
        ids = glrast.triangle_id(layers[:, 0]).long()
        each = [[t, 1] for t in range(len(tri))]
        alone = glrast.rasterize(context, pos, tri, resolution, ranges=each)[0][..., 3] > 0
        shown = torch.stack([(ids == t).sum(0) for t in range(len(tri))])
        assert torch.equal(shown, alone.long()) and alone.sum(0).max() > 3
        depth = torch.where(ids >= 0, layers[:, 0, ..., 2], 2.0)
        assert depth.diff(dim=0).min() > -1e-5  # in order, up to the rounding of z/w in the kernel


def test_coincident_surfaces_follow_each_other_by_triangle_id(context):
    pos, tri, _ = on(context, scenes.one_triangle(2))
    layers = glrast.peel(context, pos, tri.expand(5, 3), ODD)
    assert len(layers) == 5
    alone, _ = glrast.rasterize(context, pos, tri, ODD)
    for k, (rast, _) in enumerate(layers):
        covered = rast[..., 3] > 0
        assert torch.equal(covered, alone[..., 3] > 0)
        assert set(rast[..., 3][covered].tolist()) == {k + 1.0}
        assert torch.equal(rast[..., :3], alone[..., :3])


def test_coincident_pairs_of_two_depths_keep_both_orders(context):
    near, far = (
        scenes.one_triangle(1).pos,
        scenes.one_triangle(1).pos + torch.tensor([0, 0, 0.2, 0]),
    )
    pos = torch.cat([near, far], 1).to(context.device)
    tri = torch.tensor([[3, 4, 5], [0, 1, 2], [3, 4, 5], [0, 1, 2]], device=context.device)
    rasts = [rast for rast, _ in glrast.peel(context, pos, tri, (16, 16))]
    assert [rast[0, 6, 8, 3].item() for rast in rasts] == [2, 4, 1, 3]


def test_surfaces_on_the_near_and_the_far_plane_are_layers(context):
    corners = torch.tensor([[-0.8, -0.8], [0.8, -0.8], [0.0, 0.8]])
    pos = torch.cat(
        [torch.cat([corners, torch.tensor([[z, 1.0]]).expand(3, 2)], 1) for z in (1, -1, 0)]
    )
    tri = torch.arange(9).reshape(3, 3)
    layers = glrast.peel(context, pos[None].to(context.device), tri.to(context.device), ODD)
    assert [rast[0, 8, 16, 3].item() for rast, _ in layers] == [2, 3, 1]


def test_images_in_chunks_pieces_and_layers_one_by_one_give_the_same(context, gl, monkeypatch):
    pos, tri, _ = on(context, shells(3, images=5))
    wanted = glrast.peel(context, pos, tri, ODD)
    assert len(wanted) == 6

    def same():
        found = glrast.peel(context, pos, tri, ODD)
        return len(found) == 6 and all(
            torch.equal(f, w) for fs, ws in zip(found, wanted) for f, w in zip(fs, ws)
        )

    for image in range(5):
        alone = glrast.peel(context, pos[image : image + 1], tri, ODD)
        assert all(torch.equal(a[0][0], w[0][image]) for a, w in zip(alone, wanted))
    monkeypatch.setattr(gl.limits, "layers", 2)
    assert same()
    monkeypatch.setattr(gl.limits, "submission_triangles", 7)
    assert same()
    monkeypatch.setattr(gl.limits, "layered_vertex", False)
    assert same()


def test_range_mode_peels_each_part(context):
    pos, tri, _ = on(context, shells(3))
    third = len(tri) // 3
    ranges = [[0, 2 * third], [third, third], [5, 0], [third, 2 * third]]
    layers = glrast.peel(context, pos[0], tri, ODD, ranges=ranges)
    assert len(layers) == 4
    for n, (first, count) in enumerate(ranges):
        alone = glrast.peel(context, pos, tri[first : first + count], ODD)
        for k, (rast, rast_db) in enumerate(layers):
            if k >= len(alone):
                assert not rast[n].any() and not rast_db[n].any()
                continue
            wanted = alone[k][0][0].clone()
            wanted[..., 3] += first * (wanted[..., 3] > 0)
            assert torch.equal(rast[n], wanted) and torch.equal(rast_db[n], alone[k][1][0])


def test_culling_leaves_one_layer_of_each_shell(context):
    pos, tri, _ = on(context, shells(3))
    both, near, far = (
        glrast.peel(context, pos, tri, (16, 16), cull=cull) for cull in ("none", "front", "back")
    )  # z grows away from the viewer, so the outside of a shell appears clockwise
    assert [len(layers) for layers in (both, near, far)] == [6, 3, 3]
    at = (0, 8, 8)
    order = [rast[at][2].item() for rast, _ in both]
    assert order == [rast[at][2].item() for rast, _ in near + far] and order == sorted(order)


def test_both_programs_agree(device, gl):
    pos, tri, _ = (t.to(device) for t in shells(4))
    by_id, full = (
        glrast.peel(glrast.Context(device, buffers=kind), pos, tri, ODD) for kind in ("id", "full")
    )
    for (rast, _), (other, _) in zip(by_id, full, strict=True):
        assert torch.equal(rast[..., 3], other[..., 3])
        close(rast, other, 1e-4)


def test_max_layers_stops_and_an_empty_image_has_no_layers(context):
    pos, tri, _ = on(context, shells(3))
    assert [len(glrast.peel(context, pos, tri, ODD, max_layers=k)) for k in (0, 1, 4, 9)] == [
        0,
        1,
        4,
        6,
    ]
    for scene in ("behind_camera", "no_triangles", "no_vertices", "no_images"):
        pos, tri, _ = on(context, SCENES[scene]())
        assert glrast.peel(context, pos, tri, ODD, ranges=ranges_for(pos, tri)) == []


def test_the_same_call_gives_the_same_bits_and_old_layers_do_not_show(context):
    pos, tri, _ = on(context, shells(3, images=2))
    first, again = (glrast.peel(context, pos, tri, ODD) for _ in range(2))
    assert all(torch.equal(f, a) for fs, as_ in zip(first, again) for f, a in zip(fs, as_))
    single, _ = glrast.rasterize(context, pos, tri, ODD)
    assert torch.equal(single, first[0][0])


def test_nothing_beyond_the_last_layer_and_it_stays_so(context):
    pos, tri, _ = on(context, shells(1))
    with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
        layers = [peeler.rasterize_next_layer() for _ in range(5)]
    assert [bool(rast.any()) for rast, _ in layers] == [True, True, False, False, False]


# ---- eight nested spheres --------------------------------------------------------------------------------


@pytest.mark.slow
def test_eight_nested_spheres_have_sixteen_ordered_layers(context):
    pos, tri, _ = on(context, shells(8, subdivisions=4))
    layers = glrast.peel(context, pos, tri, (512, 512))
    assert len(layers) == 16
    rast = torch.stack([rast[0] for rast, _ in layers])
    sphere = glrast.triangle_id(rast) // (len(tri) // 8)  # -1 where there is nothing
    covered = rast[..., 3] > 0
    count = covered.sum(0)
    assert (count % 2 == 0).all() and count.max() == 16
    assert (covered[1:] <= covered[:-1]).all()  # no gap between two layers
    expected = torch.tensor([*range(8), *range(7, -1, -1)], device=pos.device)
    assert (sphere[:, count == 16] == expected[:, None]).all()
    for pairs in range(1, 8):  # rays that miss the inner spheres
        inner = torch.cat([expected[:pairs], expected[16 - pairs :]])
        assert (sphere[: 2 * pairs, count == 2 * pairs] == inner[:, None]).all()
    depth = torch.where(covered, rast[..., 2], torch.inf)
    assert (depth[1:] >= depth[:-1])[covered[1:]].all()


@pytest.mark.slow
def test_gradients_of_all_sixteen_layers_equal_central_differences_at_512(context):
    check_gradients(context, shells(8, subdivisions=3), (512, 512), layers=16)


def test_gradients_of_each_layer_equal_central_differences(context):
    check_gradients(context, shells(2, subdivisions=1), ODD, layers=4)


def check_gradients(context, scene, resolution, layers):
    """Attributes interpolated on each layer against differences, at pixels whose triangle a step does not change."""
    pos, tri, attr = on(context, scene)
    size = pos[..., :3].norm(dim=-1, keepdim=True)  # small shells have small triangles
    direction = size * random(*pos.shape).to(pos) * torch.tensor([1.0, 1, 0, 1]).to(pos)
    step = 1e-3
    moving = pos.clone().requires_grad_()
    here, before, after = (
        glrast.peel(context, p, tri, resolution)
        for p in (moving, pos - step * direction, pos + step * direction)
    )
    assert len(here) == layers
    for k in range(layers):
        at, low, high = (image[k][0].detach() for image in (here, before, after))
        same = (at[..., 3] > 0) & (at[..., 3] == low[..., 3]) & (at[..., 3] == high[..., 3])
        # not where a triangle is seen so nearly edge on that the step is no small one
        same &= (high - low)[..., :2].abs().amax(-1) < 0.05
        assert same.sum() > 0.8 * (at[..., 3] > 0).sum() > 20
        weight = random(*same.shape, attr.shape[-1], seed=k).to(pos).double() * same[..., None]
        values = [
            (glrast.interpolate(attr, image[k][0], tri)[0].double() * weight).sum()
            for image in (here, before, after)
        ]
        (grad,) = torch.autograd.grad(values[0], moving)
        found = (grad.double() * direction).sum()
        wanted = (values[2] - values[1]) / (2 * step)
        assert abs(found - wanted) < DIFFERENCE * (grad * size).norm()
        assert not grad[..., 2].any()


# ---- triangles that are left out because they lie before the last layer ----------------------------------


@pytest.mark.parametrize(
    "resolution", [ODD, (64, 64), pytest.param((100, 250), marks=pytest.mark.slow)]
)
def test_leaving_triangles_out_changes_no_bit(context, monkeypatch, resolution):
    for scene in (
        shells(4, 2, images=3),
        everything_overlaps(),
        steep_and_clipped(),
        slivers(),
        through_each_other(),
    ):
        pos, tri, _ = on(context, scene)
        flat = pos.reshape(-1, 4)
        ranges = None if pos.ndim == 3 else [[0, len(tri)], [3, len(tri) // 2]]
        pos = pos if pos.ndim == 3 else flat
        with monkeypatch.context() as patch:
            patch.setattr(layers.Peeling, "without_what_lies_before", lambda self, batch, *_: batch)
            wanted = glrast.peel(context, pos, tri, resolution, ranges)
        found = glrast.peel(context, pos, tri, resolution, ranges)
        assert len(found) == len(wanted) > 2
        for fs, ws in zip(found, wanted):
            assert all(torch.equal(f, w) for f, w in zip(fs, ws))


@pytest.mark.parametrize("context", ["id", "full"], indirect=True)  # of pieces all are drawn again
def test_each_layer_leaves_out_what_is_shown_already(context, monkeypatch):
    pos, tri, _ = on(context, shells(8, subdivisions=3))
    sizes = drawn_triangles(context, monkeypatch, pos, tri, (256, 256))
    assert len(sizes) == 17 and 0.9 * len(tri) < sizes[0] == sizes[1] <= len(tri)
    assert all(later <= sooner for sooner, later in zip(sizes[1:], sizes[2:]))
    assert sizes[8] < 0.75 * len(tri) and sizes[-1] < 0.2 * len(tri)


def test_only_a_triangle_surely_before_the_layer_is_left_out(device):
    corner = torch.tensor([[2.0, 2.0], [28.0, 3.0], [4.0, 27.0]]) / 16 - 1  # pixels of 32 x 32

    def stays(depth, corners=corner, w=1.0, empty=False):
        z = torch.as_tensor(depth) * 2 - 1
        pos = torch.cat([corners, z.expand(3)[:, None], torch.ones(3, 1)], 1) * w
        peeling = layers.Peeling(glrast.Context(device).handle)
        peeling.nearest = torch.full((1, 4, 4), 2.0 if empty else 0.5, device=device)
        peeling.size = (32, 32)
        tri = torch.tensor([[[0, 1, 2]]], dtype=torch.int32, device=device)
        batch = Indexed(pos[None].to(device), tri, np.array([[0, 0, 0, 1]]), "none")
        return bool(peeling.without_what_lies_before(batch, None).indices.any())

    assert not stays(0.4) and not stays([0.1, 0.2, 0.25]) and stays(0.5) and stays(0.6)
    narrow = torch.tensor([[2.0, 2.0], [28.0, 2.0], [28.0, 2.13]]) / 16 - 1
    assert stays(
        [0.0, 0.0, 0.4], corners=narrow
    )  # 0.4, and half as much for a depth beyond its corners
    assert not stays(
        [0.0, 0.0, 0.4]
    )  # a wide one changes little between a corner and where it is snapped to
    assert stays([0.0, 0.0, 0.499])  # but a little it does
    assert stays(0.4999999)  # rounding
    assert not stays(0.4, w=3.0) and stays(0.4, w=-1.0)
    assert stays(
        0.4, corners=torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.5, 0.501]])
    )  # 1/100 pixel wide
    assert not stays(0.9, empty=True) and not stays(
        0.9, corners=corner + 9
    )  # nothing behind nothing
    assert stays(float("nan"))


def test_the_nearest_depth_of_each_tile_counts_no_empty_pixel(device):
    for channels, at in ((2, 1), (4, 2)):
        depth = torch.rand(2, 17, 33, generator=torch.Generator().manual_seed(0))
        depth[:, :, 20:] = 2.0
        drawn = torch.rand(2, 17, 33, channels, generator=torch.Generator().manual_seed(1))
        drawn[..., at] = depth
        drawn = drawn.view(torch.int32) if channels == 2 else drawn
        peeling = layers.Peeling(glrast.Context(device).handle)
        rest = peeling.remember(drawn.to(device)).cpu()
        padded = torch.nn.functional.pad(depth, (0, 7, 0, 7), value=2.0)
        wanted = -torch.nn.functional.max_pool2d(-padded, 8)
        assert torch.equal(peeling.nearest.cpu(), wanted) and wanted[0, 0, 3] == 2
        assert torch.equal(rest, drawn[..., 0] if channels == 2 else drawn)


def drawn_triangles(context, monkeypatch, pos, tri, resolution):
    """How many triangles each layer draws."""
    real, sizes = layers.Peeling.without_what_lies_before, []

    def counted(self, *arguments):
        batch = real(self, *arguments)
        if isinstance(batch, Corners):
            sizes.append(int(batch.counts.sum()))
        else:
            sizes.append(int((batch.indices[..., 0] != batch.indices[..., 1]).sum()))
        return batch

    monkeypatch.setattr(layers.Peeling, "without_what_lies_before", counted)
    glrast.peel(context, pos, tri, resolution)
    return sizes


# ---- autograd --------------------------------------------------------------------------------------------


def test_each_layer_is_a_node_of_its_own_that_may_outlive_the_peeler(context):
    pos, tri, attr = on(context, shells(2))
    pos.requires_grad_()
    with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
        layers = [peeler.rasterize_next_layer() for _ in range(4)]
    assert len({rast.grad_fn for rast, _ in layers}) == 4
    each = [
        torch.autograd.grad(
            rast[..., :2].square().sum() + db.square().sum(), pos, retain_graph=True
        )[0]
        for rast, db in layers
    ]
    total = sum(rast[..., :2].square().sum() + db.square().sum() for rast, db in layers)
    assert relative_error(torch.autograd.grad(total, pos)[0], sum(each)) < 1e-6
    near, far = each[0], each[3]
    shared = (near != 0) & (far != 0)
    assert near.any() and far.any() and shared.sum() < near.numel() / 2  # other triangles


def test_the_first_layer_has_the_gradient_of_rasterize(context):
    pos, tri, _ = on(context, shells(2))
    pos.requires_grad_()
    with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
        peeled = peeler.rasterize_next_layer()
    plain = glrast.rasterize(context, pos, tri, ODD)
    weight = random(1, *ODD, 4).to(pos)
    found, wanted = (
        torch.autograd.grad(outputs, pos, (weight, weight))[0] for outputs in (peeled, plain)
    )
    assert torch.equal(found, wanted) or context.device.type == "cuda"  # atomics on a GPU


def test_grad_db_false_and_output_db_false_cut_what_they_cut_in_rasterize(device):
    pos, tri, _ = (t.to(device) for t in shells(1))
    pos.requires_grad_()
    for context, grad_db, channels in (
        (glrast.Context(device), False, 4),
        (glrast.Context(device, output_db=False), True, 0),
    ):
        for rast, rast_db in glrast.peel(context, pos, tri, ODD, grad_db=grad_db):
            assert rast.requires_grad and not rast_db.requires_grad
            assert rast_db.shape == (1, *ODD, channels)


# ---- what is refused -------------------------------------------------------------------------------------


def test_one_peeler_works_at_a_time_and_no_rasterize_meanwhile(context, device):
    pos, tri, _ = on(context, shells(1))
    with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
        peeler.rasterize_next_layer()
        with pytest.raises(
            RuntimeError, match="^glrast.rasterize: ctx is being peeled; rasterize with another"
        ):
            glrast.rasterize(context, pos, tri, ODD)
        with pytest.raises(
            RuntimeError, match="^glrast.DepthPeeler: ctx is being peeled by another DepthPeeler"
        ):
            with glrast.DepthPeeler(context, pos, tri, ODD):
                pass
        with pytest.raises(RuntimeError, match="ctx is being peeled by another"):
            glrast.peel(context, pos, tri, ODD)
        other = glrast.Context(device, buffers=context.program)
        glrast.rasterize(
            other, pos.flip(1), tri, (64, 64)
        )  # another context, at the same size and not, is free
        glrast.peel(other, pos.flip(1), tri, ODD)
        second, _ = peeler.rasterize_next_layer()
    assert torch.equal(second, glrast.peel(context, pos, tri, ODD)[1][0])  # undisturbed
    glrast.rasterize(context, pos, tri, ODD)


def test_a_peeler_works_only_inside_its_with_and_only_once(context):
    pos, tri, _ = on(context, shells(1))
    peeler = glrast.DepthPeeler(context, pos, tri, ODD)
    outside = "^glrast.DepthPeeler: rasterize_next_layer must be called inside `with DepthPeeler"
    with pytest.raises(RuntimeError, match=outside):
        peeler.rasterize_next_layer()
    with peeler:
        peeler.rasterize_next_layer()
    with pytest.raises(RuntimeError, match=outside):
        peeler.rasterize_next_layer()
    with pytest.raises(
        RuntimeError, match="^glrast.DepthPeeler: this peeler is finished; make a new one"
    ):
        with peeler:
            pass


def test_an_exception_inside_the_with_leaves_the_context_free(context):
    pos, tri, _ = on(context, shells(1))
    with pytest.raises(KeyError):
        with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
            peeler.rasterize_next_layer()
            raise KeyError
    glrast.rasterize(context, pos, tri, ODD)


def test_wrong_arguments_are_told_by_the_peelers_name(context):
    pos, tri, _ = on(context, shells(1))
    for arguments, message in (
        ((None, pos, tri, ODD), "ctx must be a glrast.Context; got NoneType"),
        ((context, pos[0], tri, ODD), r"pos must be \[N,V,4\]"),
        ((context, pos, tri.float(), ODD), "tri must be int32 or int64"),
        ((context, pos, tri, (0, 3)), "resolution must be"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^glrast.DepthPeeler: {message}"):
            glrast.DepthPeeler(*arguments)


def test_twenty_peelers_take_no_more_opengl_objects(context, gl):
    pos, tri, _ = on(context, shells(1))
    glrast.peel(context, pos, tri, ODD)
    objects = set(gl.objects)
    for _ in range(20):
        glrast.peel(context, pos, tri, ODD)
    assert set(gl.objects) == objects


# ---- helpers ---------------------------------------------------------------------------------------------


def ids_of_layers(context, pos, tri, resolution, ranges):
    """int64 [K,N,H,W] on the CPU, -1 where there is nothing."""
    layers = glrast.peel(context, *(t.to(context.device) for t in (pos, tri)), resolution, ranges)
    N = len(pos) if ranges is None else len(ranges)
    ids = [glrast.triangle_id(rast).long().cpu() for rast, _ in layers]
    return torch.stack(ids) if ids else torch.empty(0, N, *resolution, dtype=torch.int64)


# ---- scenes ----------------------------------------------------------------------------------------------


def shells(count, subdivisions=1, images=1) -> scenes.Scene:
    """Nested spheres, the outermost first: radius 0.9 to 0.9/count; image n is turned a little."""
    points, tri = scenes._icosphere(subdivisions)
    points, pos = points.float(), []
    for n in range(images):
        angle = torch.tensor(0.3 + 0.2 * n)
        turn = torch.tensor(
            [[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]]
        )
        shell = torch.cat([points @ turn.T * 0.9 * (1 - k / count) for k in range(count)])
        w = 1.0 + 0.1 * shell[:, 2:]  # nowhere near the near plane
        pos.append(torch.cat([shell, w], 1))
    tri = torch.cat([tri + k * len(points) for k in range(count)]).int()
    return scenes.Scene(torch.stack(pos), tri, random(count * len(points), 3))


def everything_overlaps() -> scenes.Scene:
    """Thirty random triangles through each other, five of them twice."""
    pos = random(90, 4) * torch.tensor([1.0, 1.0, 0.5, 0.3]) + torch.tensor([0, 0, 0, 1.0])
    tri = torch.arange(90).reshape(30, 3)
    return scenes.Scene(pos, torch.cat([tri, tri[:5]]).int(), random(90, 3))


def steep_and_clipped() -> scenes.Scene:
    """Long thin triangles across the near and the far plane, seen nearly edge on."""
    pos = random(90, 4, seed=1) * torch.tensor([1.5, 1.5, 40.0, 0.3]) + torch.tensor([0, 0, 0, 1.0])
    pos[2::3, :2] = pos[1::3, :2] + 0.05
    wide = random(60, 4, seed=2) * torch.tensor([2.0, 2.0, 3.0, 0.2]) + torch.tensor([0, 0, 0, 1.0])
    tri = torch.arange(150).reshape(50, 3)
    return scenes.Scene(torch.cat([pos, wide]), tri.int(), random(150, 3))


def slivers() -> scenes.Scene:
    """Triangles from far thinner to a little wider than a pixel, steep in depth, through a wall."""
    random_ = torch.Generator().manual_seed(3)
    at = torch.rand(200, 1, 2, generator=random_) * 2 - 1
    width = 10 ** (-5 * torch.rand(200, 1, 1, generator=random_))
    pos = (
        at
        + torch.randn(200, 3, 2, generator=random_)
        * torch.cat([width, torch.ones_like(width)], -1)
        * 0.3
    )
    depth = torch.randn(200, 3, 1, generator=random_) * 0.6
    pos = torch.cat([pos, depth, torch.ones_like(depth)], -1).reshape(-1, 4)
    return scenes.Scene(pos, torch.arange(600).reshape(200, 3).int(), random(600, 3))


def through_each_other() -> scenes.Scene:
    """Three bumpy spheres at the same place: small triangles cut each other everywhere."""
    parts = [scenes.closed_mesh(3, seed=seed) for seed in range(3)]
    pos, tri = torch.cat([p.pos for p in parts], 1), parts[0].tri
    tri = torch.cat([tri + k * parts[0].pos.shape[1] for k in range(3)])
    return scenes.Scene(pos, tri, random(pos.shape[1], 3))


def test_peelers_dropped_without_leaving_their_with_give_their_targets_back(context, monkeypatch):
    from glrast.gl import targets

    made, Target = [], targets.Target

    def counted(*arguments):
        made.append(Target(*arguments))
        return made[-1]

    monkeypatch.setattr(targets, "Target", counted)
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    for _ in range(5):
        peeler = glrast.DepthPeeler(context, pos, tri, (23, 41))  # a size of its own
        peeler.__enter__()
        peeler.rasterize_next_layer()
        peeler.rasterize_next_layer()
        del peeler
    assert len(made) <= 2  # the two that peeling takes, again and again
