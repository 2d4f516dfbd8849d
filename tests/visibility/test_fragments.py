"""fragments and resolve: areas known by hand, the float64 twin, derivatives of the exact image, hard meshes."""

import pytest
import torch

import glrast
from glrast.visibility.exact import edges
from tests import scenes
from tests.ops.compare import Limits, check_difference, check_gradient, close, random
from tests.reference.visibility import fragments as twin
from tests.scenes import ODD
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds
from tests.visibility.exact import (
    check_weights,
    closed_mesh,
    find,
    growth_of_a_sphere,
    render,
    shade,
    visible_entries,
)

ROUNDING = 2e-6  # of float32 results
# float32 results, float64 sums: measured 2e-5, 2e-10, 3e-6 (derivatives of u, v of fragments of no size)
GRADIENT = Limits(l2=1e-4, cosine=1e-9, bias=3e-5)
# Measured 6e-5, 2e-9, 2e-5 (strips of 0.3 pixels), else below 1e-5; of the largest meshes a few entries are compared.
EXACT = {
    "smooth": Limits(l2=1e-3, cosine=1e-7, bias=3e-4),
    "noise": Limits(l2=1e-2, cosine=1e-5, bias=3e-3),
}


@pytest.fixture
def context(device):
    return glrast.Context(device)


# ---- known by hand ---------------------------------------------------------------------------------------


def test_an_edge_parts_its_pixels_by_where_it_is(context):
    rast, frag = find(context, *scenes.vertical_edge(15.3)[:2])
    assert len(frag.weight) == 2 * 17 and torch.equal(
        frag.pixel.unique().cpu() % 33, torch.full((17,), 15)
    )
    shows = frag.rast[0, 0, :, 3] > 0
    close(frag.weight[shows], torch.full((17,), 0.3), ROUNDING)
    close(frag.weight[~shows], torch.full((17,), 0.7), ROUNDING)
    check_weights(frag)


def test_a_fragment_is_shaded_at_its_centre_of_gravity(context):
    pos, tri, _ = scenes.vertical_edge(15.3)
    rast, frag = find(context, pos, tri)
    x = (pos[:, :1] + 1) * 33 / 2
    at, _ = glrast.interpolate(x.to(rast), frag.rast, tri.to(rast.device))
    shows = frag.rast[0, 0, :, 3] > 0
    close(at[0, 0, shows, 0], torch.full((17,), 15.15), 1e-4)


def test_the_gradient_of_an_area_is_the_length_of_the_edge(context):
    pos, tri, _ = scenes.vertical_edge(15.3)
    pos = pos.to(context.device).requires_grad_()
    _, frag = find(context, pos, tri)
    shows = frag.rast[0, 0, :, 3] > 0
    (grad,) = torch.autograd.grad(frag.weight[shows].sum(), pos)
    # vertices 1 and 2 at w = 1 move it together; what they do not share they turn it by
    assert grad[:, 0].sum().item() == pytest.approx(17 * 33 / 2, rel=1e-5)
    assert not grad[:, 2].any() and not grad[[0, 3]].any()


def test_a_triangle_between_all_pixel_centres_is_seen(context):
    points = torch.tensor([(3.6, 5.6), (3.9, 5.7), (3.7, 5.95)])
    xy = 2 * points / torch.tensor([33.0, 17.0]) - 1
    pos = torch.cat([xy, torch.tensor([[0.0, 1.0]] * 3)], 1)
    rast, frag = find(context, pos, torch.tensor([[0, 1, 2]]), discontinuities="near")
    assert not rast.any() and frag.pixel.unique().tolist() == [5 * 33 + 3]
    area = 0.5 * (0.3 * 0.35 - 0.1 * 0.1)
    assert frag.weight[frag.rast[0, 0, :, 3] > 0].item() == pytest.approx(area, abs=1e-5)


@pytest.mark.parametrize("plane", [-1.0, 1.0])
def test_the_near_and_the_far_plane_cut_exactly_and_move_with_depth(context, plane):
    # z/w grows to the right by 0.05 a pixel, and is that of the plane at 15.3
    x = torch.tensor([-60.0, 90.0, 10.0])
    xy = torch.stack([2 * x / 33 - 1, torch.tensor([-9.0, -8.0, 12.0])], 1)
    z = 0.05 * (x - 15.3) + plane
    pos = torch.cat([xy, z[:, None], torch.ones(3, 1)], 1).to(context.device).requires_grad_()
    _, frag = find(context, pos, torch.tensor([[0, 1, 2]]), discontinuities="near")
    check_weights(frag)
    shows, column = frag.rast[0, 0, :, 3] > 0, frag.pixel % 33 == 15
    seen = 0.7 if plane < 0 else 0.3
    close(frag.weight[shows & column], torch.full((17,), seen), 1e-5)
    (grad,) = torch.autograd.grad(frag.weight[shows & column].sum(), pos)
    # farther away by dz, the cut lies dz / 0.05 further left
    assert grad[:, 2].sum().item() == pytest.approx(-plane * 17 / 0.05, rel=1e-4)


def test_near_leaves_out_pixels_that_only_creases_cross(context):
    kind = kinds.flat_crease()
    _, near = find(context, kind.pos, kind.tri, kinds.SIZE, "near")
    _, every = find(context, kind.pos, kind.tri, kinds.SIZE, "all")
    assert len(near.weight) == 0 and near.rast.shape == (1, 1, 0, 4) and len(every.weight) > 200
    pos, tri, _ = scenes.closed_mesh(1)
    _, near = find(context, pos, tri, discontinuities="near")
    _, every = find(context, pos, tri, discontinuities="all")
    shared = torch.isin(every.pixel, near.pixel)
    assert torch.equal(every.pixel[shared], near.pixel) and len(near.pixel) < len(every.pixel)
    close(every.weight[shared], near.weight, 1e-6)


# ---- the float64 twin ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "polygons20_1",
        "soup",
        "flat_crease",
        "intersection",
        "near_plane",
        "leaving",
        "fan",
        "flat_mesh",
    ],
)
def test_fragments_and_each_of_their_gradients_equal_the_twin(context, name):
    kind = crowded.ALL[name]()
    still = kind.pos.double().requires_grad_()
    wanted = twin.fragments(still, kind.tri, ODD)
    pos = kind.pos.to(context.device).requires_grad_()
    _, frag = find(context, pos, kind.tri)
    id = glrast.triangle_id(frag.rast)[0, 0].long() + 1
    order = torch.argsort(frag.pixel * (len(kind.tri) + 1) + id)
    assert torch.equal(frag.pixel[order].cpu(), wanted.pixel)
    assert torch.equal(id[order].cpu() - 1, wanted.triangle)
    found = frag.weight[order], frag.rast[0, 0, order, :2], frag.rast_db[0, 0, order]
    for one, other in zip(found, (wanted.weight, wanted.uv, wanted.db)):
        close(one, other, 1e-5)
        y = random(*one.shape)
        (grad,) = torch.autograd.grad((one * y.to(one)).sum(), pos, retain_graph=True)
        (truth,) = torch.autograd.grad((other * y.double()).sum(), still, retain_graph=True)
        check_gradient(grad, truth, GRADIENT)


# ---- derivatives of the exact image ----------------------------------------------------------------------

NEAR_WILL_DO = {
    "silhouette", "occlusion", "intersection", "sliver", "leaving", "image_border", "polygons20_0", "polygons20_1",
    "polygons20_2", "polygons10", "polygons5", "fan", "sliver_grid", "on_centres", "soup",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", crowded.ALL)
def test_image_and_gradient_are_exact(context, name, measured):
    if "bunny" in name and not crowded.BUNNY.exists():
        pytest.skip("the Stanford bunny is not here (../shared/data/meshes)")
    kind, weights = crowded.ALL[name](), (kinds.smooth_weight(), kinds.noise_weight())
    entries = visible_entries(context, kind, 6 if len(kind.tri) > 200 else 16)
    exact, shown = kinds.exact_gradient(kind, entries, weights), kinds.exact_image(kind)
    for discontinuities in ("all", "near") if name in NEAR_WILL_DO else ("all",):
        pos = kind.pos.to(context.device).requires_grad_()
        image = render(context, kind, pos, discontinuities)
        assert (image[0].detach().cpu() - shown).abs().max() < 1e-5
        grads = [
            torch.autograd.grad((image * w.to(image)).sum(), pos, retain_graph=True)[0]
            for w in weights
        ]
        for (loss, limits), g, t in zip(EXACT.items(), grads, exact, strict=True):
            seen = kinds.error(g.cpu(), t, entries)
            measured(
                f"fragments against the exact image, {name}, {discontinuities}, {loss}: {seen.l2:.0e}, "
                f"1 - cosine {seen.cosine:.0e}, bias {seen.bias:+.0e}"
            )
            check_difference(seen, limits)


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [32, 64, 128, 256, 512])
@pytest.mark.parametrize("subdivisions", range(7))
def test_the_area_of_a_sphere_grows_as_its_square(context, subdivisions, resolution):
    area, growth = growth_of_a_sphere(context, subdivisions, resolution)
    assert area < 1e-5 and growth < 1e-4


@pytest.mark.slow
def test_random_closed_meshes_show_what_clipping_shows(context):
    for seed in range(40):
        image, sums = closed_mesh(context, seed)
        assert image < 1e-4 and sums < 1e-5


# ---- resolve ---------------------------------------------------------------------------------------------


def test_the_background_is_seen_where_no_triangle_is(context):
    pos, tri, _ = scenes.vertical_edge(15.3)
    rast, frag = find(context, pos, tri)
    white = [torch.ones(*r.shape[:3], 3, device=r.device) for r in (rast, frag.rast)]
    background = torch.tensor([0.0, 0.5, 1.0], device=rast.device, requires_grad=True)
    image = glrast.resolve(*white, frag, background)
    close(image[0, 4, 14:17], torch.tensor([[1, 1, 1], [0.3, 0.65, 1], [0, 0.5, 1]]), ROUNDING)
    (grad,) = torch.autograd.grad(image.sum(), background)
    close(grad, torch.full((3,), 17 * (17 + 0.7)), 1e-3)
    picture = background.detach().expand(*rast.shape[:3], 3)
    assert torch.equal(glrast.resolve(*white, frag, picture), image)
    assert torch.equal(glrast.resolve(*white, frag, picture[0]), image)


def test_resolve_passes_gradients_to_both_colours(context):
    rast, frag = find(context, *scenes.vertical_edge(15.3)[:2])
    color = torch.zeros(1, *ODD, 1, device=rast.device, requires_grad=True)
    inner = torch.zeros(*frag.rast.shape[:3], 1, device=rast.device, requires_grad=True)
    image = glrast.resolve(color, inner, frag)
    to_color, to_inner = torch.autograd.grad(image.sum(), (color, inner))
    assert not to_color[0, :, 15].any() and to_color.sum().item() == 17 * 32
    close(to_inner.reshape(-1), frag.weight, 0)


# ---- arguments -------------------------------------------------------------------------------------------


def test_wrong_arguments_are_refused_by_name(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(0))
    rast, frag = find(context, pos, tri)
    refused = [
        (lambda: glrast.fragments(rast[0], pos, tri), r"rast must be \[N,H,W,4\]"),
        (lambda: glrast.fragments(rast, pos[0], tri), r"pos must be \[N,V,4\] or \[1,V,4\] with N=1"),
        (lambda: glrast.fragments(rast, pos, tri, ranges=[[0, 20]]), r"pos must be \[V,4\] when ranges"),
        (lambda: glrast.fragments(rast, pos[0], tri, ranges=[[0, 21]]), "ranges must be within the 20"),
        (lambda: glrast.fragments(rast, pos[0], tri, ranges=[[0, 2]] * 2), r"ranges must be \[N,2\] with N=1"),
        (lambda: glrast.fragments(rast, pos, tri, "creases"), "discontinuities must be 'near' or 'all'; got 'creases'"),
        (lambda: glrast.fragments(rast, pos, tri, cull="up"), "cull must be 'none', 'back' or 'front'"),
        (lambda: glrast.fragments(rast, tri, pos), "they look swapped"),
        (lambda: glrast.resolve(rast[0], frag.rast, frag), r"color must be \[N,H,W,C\] with N=1, H=17, W=33"),
        (lambda: glrast.resolve(rast, frag.rast[..., :3], frag), r"frag_color must be \[N,1,F,C\]"),
        (lambda: glrast.resolve(rast, frag.rast, frag, rast[0, 0]), r"background must be \[C\]"),
        (lambda: glrast.resolve(rast, frag.rast, frag.rast), "frag must be what fragments returns; got Tensor"),
    ]  # fmt: skip
    for call, message in refused:
        with pytest.raises((TypeError, ValueError), match=message):
            call()


def test_debug_names_what_is_wrong(context):
    pos, tri, _ = scenes.closed_mesh(0)
    rast, _ = find(context, pos, tri)
    pos[0, 3, 1] = torch.nan
    with (
        glrast.debug(),
        pytest.raises(FloatingPointError, match="glrast.fragments: pos must be finite"),
    ):
        glrast.fragments(rast, pos.to(rast.device), tri.to(rast.device))


@pytest.mark.slow
def test_it_works_in_compiled_code(context):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(1))

    def image(pos):
        rast, frag = find(context, pos, tri)
        return shade(rast, frag, attr, tri)

    results = []
    for call in (image, torch.compile(image)):
        moving = pos.clone().requires_grad_()
        out = call(moving)
        results.append((out, *torch.autograd.grad(out.square().sum(), moving)))
    for plain, compiled in zip(*results):
        close(compiled, plain, 1e-4)


# ---- render ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("discontinuities", ["near", "all"])
def test_render_is_rasterize_fragments_and_resolve(context, discontinuities):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(1))
    calls = []

    def color(rast, rast_db):
        calls.append((rast.shape, rast_db.shape))
        return glrast.interpolate(attr, rast, tri)[0]

    background = torch.tensor([0.2, 0.4, 0.9], device=pos.device)
    image = glrast.render(context, pos, tri, ODD, color, background, discontinuities)
    rast, frag = find(context, pos, tri, discontinuities=discontinuities)
    inner = [glrast.interpolate(attr, r, tri)[0] for r in (rast, frag.rast)]
    assert torch.equal(image, glrast.resolve(*inner, frag, background))
    assert calls == [(rast.shape,) * 2, (frag.rast.shape,) * 2]
    assert torch.equal(image[0, 0, 0], background)


def test_render_of_nothing_is_the_background(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.no_triangles())
    white = torch.ones(3, device=pos.device)
    image = glrast.render(context, pos[None], tri, ODD, lambda rast, _: rast[..., :3], white)
    assert torch.equal(image, torch.ones_like(image)) and image.shape == (1, *ODD, 3)


def test_render_names_what_shade_did_wrong(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(0))
    message = r"glrast.render: what shade returns must be \[N,h,w,C\] for a rast of \[1,17,33,4\]; got \[1,17,33\]"
    with pytest.raises(ValueError, match=message):
        glrast.render(context, pos, tri, ODD, lambda rast, _: rast[..., 0])
    with pytest.raises(
        TypeError, match="glrast.render: shade must be a function of .rast, rast_db.; got NoneType"
    ):
        glrast.render(context, pos, tri, ODD, None)


def test_textures_are_sampled_with_mipmaps_at_fragments(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    uv, tex = random(pos.shape[1], 2).to(pos), random(1, 32, 32, 3).to(pos).requires_grad_()
    pos.requires_grad_()

    def color(rast, rast_db):
        at, at_da = glrast.interpolate(uv, rast, tri, rast_db, "all")
        return glrast.texture(tex, at, at_da)

    image = glrast.render(context, pos, tri, ODD, color)
    grads = torch.autograd.grad(image.square().sum(), (pos, tex))
    assert all(torch.isfinite(g).all() and g.any() for g in grads)


@pytest.mark.parametrize("last", [[0.5, -0.0, 1, 1], [0.5, 0.25, 1, 1], [float("nan")] * 4])
def test_vertices_in_one_place_are_found(last):
    """-0 lies where 0 does; NaN lies nowhere, however many there are."""
    pos = torch.rand(500, 4, generator=torch.Generator().manual_seed(0))
    pos[7], pos[499] = torch.tensor([[0.5, 0.0, 1, 1], last])
    pos[100:200] = float("nan")
    tri = torch.tensor([[0, 7, 499]], dtype=torch.int32)
    joined = edges.welded(pos, tri)
    assert joined.tolist() == ([[0, 7, 7]] if last[1] == 0 else [[0, 7, 499]])


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_resolve_takes_fragments_in_any_order(context, channels):
    """The kernel, which wants them by pixel, and PyTorch's operators: the same image, the same gradients."""
    scene = scenes.closed_mesh(1, images=2)
    pos, tri = scene.pos.to(context.device), scene.tri.to(context.device)
    attr = random(pos.shape[1], channels).to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    found = glrast.fragments(rast, pos, tri, "all")
    results = []
    for frag in (found, found._replace(pixel=found.pixel.clone())):
        color = [glrast.interpolate(attr, r, tri)[0].requires_grad_() for r in (rast, frag.rast)]
        weight = found.weight.detach().requires_grad_()
        image = glrast.resolve(*color, frag._replace(weight=weight))
        upstream = torch.arange(image.numel(), device=image.device).reshape(image.shape).sin()
        grads = torch.autograd.grad(image, (*color, weight), upstream, create_graph=True)
        again = torch.autograd.grad(sum(g.square().sum() for g in grads), (color[1], weight))
        results.append(
            (image, *torch.autograd.grad(image, (*color, weight), upstream), *grads, *again)
        )
    for by_kernel, by_torch in zip(*results):
        torch.testing.assert_close(by_kernel, by_torch)


def test_resolve_sums_fragments_as_they_are_in_float64(context):
    """Weights of nearly every pixel sum to 1, its colours to what a loop over the fragments says."""
    scene = scenes.closed_mesh(1)
    pos, tri = scene.pos.to(context.device), scene.tri.to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    frag = glrast.fragments(rast, pos, tri, "near")
    color, inner = random(*rast.shape[:3], 4), random(*frag.rast.shape[:3], 4, seed=8)
    expected = color.double().reshape(-1, 4)
    for pixel in frag.pixel.unique().tolist():
        parts = frag.weight[frag.pixel == pixel].double().cpu()
        expected[pixel] = (parts[:, None] * inner[0, 0].double()[frag.pixel.cpu() == pixel]).sum(0)
    image = glrast.resolve(color.to(pos.device), inner.to(pos.device), frag)
    torch.testing.assert_close(image.cpu().double().reshape(-1, 4), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shorter", ["weight", "pixel"])
def test_resolve_reads_nothing_beyond_what_the_caller_replaced(context, shorter):
    scene = scenes.closed_mesh(1)
    pos, tri = scene.pos.to(context.device), scene.tri.to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    frag = glrast.fragments(rast, pos, tri)
    frag = frag._replace(**{shorter: getattr(frag, shorter)[:3].clone()})
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        glrast.resolve(rast, frag.rast, frag)
