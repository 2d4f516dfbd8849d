"""antialias with discontinuities="exact": image and gradients against the float64 twin, and the colours it takes."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close, random, ranges_for, torch_threads
from tests.reference.visibility import continued as twin
from tests.scenes import ODD
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds
from tests.visibility.exact import hull_area

# float32 u and v, which places are read off
ROUNDING = 3e-6
GRADIENT = Limits(l2=1e-3, cosine=1e-6, bias=3e-4)


@pytest.fixture
def context(device):
    return glrast.Context(device)


def antialiased(context, color, pos, tri, how="exact", resolution=ODD, **given):
    """(image, rast) of a colour [N,H,W,C], or of a function of rast; [V,4] is one image of all triangles."""
    pos, tri = pos.to(context.device), tri.to(context.device)
    ranges = given.pop("ranges", ranges_for(pos, tri))
    rast, _ = glrast.rasterize(context, pos, tri, resolution, ranges=ranges)
    color = color(rast) if callable(color) else color
    image = glrast.antialias(color, rast, pos, tri, discontinuities=how, ranges=ranges, **given)
    return image, rast


def mask(rast):
    return (rast[..., 3:] > 0).float()


# ---- the float64 twin ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["polygons20_1", "soup", "shaded_crease", "intersection", "near_plane", "fan", "flat_mesh"],
)
def test_image_and_gradients_equal_the_twin(context, name):
    kind = crowded.ALL[name]()
    y, x = torch.meshgrid(torch.arange(17.0), torch.arange(33.0), indexing="ij")
    color = (torch.sin(x[..., None] / 5 + torch.arange(3)) * torch.cos(y / 4)[..., None])[None]
    color = (color + 0.1 * random(1, *ODD, 3)).to(context.device).requires_grad_()
    pos = kind.pos.to(context.device).requires_grad_()
    image, rast = antialiased(context, color, pos, kind.tri)
    ids = glrast.triangle_id(rast)[0].cpu().numpy()
    still, flat = (t.detach().cpu().double().requires_grad_() for t in (pos, color))
    wanted = twin.antialias_exact(flat[0], ids, still, kind.tri)
    close(image[0], wanted, ROUNDING)
    y = random(*wanted.shape)
    found = torch.autograd.grad((image[0] * y.to(image)).sum(), (color, pos))
    truth = torch.autograd.grad((wanted * y.double()).sum(), (flat, still))
    for one, other in zip(found, truth):
        check_gradient(one, other, GRADIENT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["leaving", "near_plane", "intersection", "shaded_crease"])
def test_the_twin_has_the_derivatives_of_its_image_FD(name):
    kind = crowded.ALL[name]()
    size, start = (5, 7), kind.pos.double()
    context = glrast.Context("cpu")
    rast, _ = glrast.rasterize(context, kind.pos, kind.tri, size, ranges=[[0, len(kind.tri)]])
    ids = glrast.triangle_id(rast)[0].numpy()
    y, x = torch.meshgrid(*(torch.linspace(0, 1, s) for s in size), indexing="ij")
    color = torch.stack([x + 0.3 * y * y, y - x * x], -1).double().requires_grad_()
    weight = random(*color.shape).double()

    def loss(move, color):
        return (twin.antialias_exact(color, ids, start + move, kind.tri) * weight).sum()

    # the extremes of colours count as fixed: moved by less than they are from any other they do not move
    moving = torch.zeros_like(start, requires_grad=True)
    torch.autograd.gradcheck(lambda m: loss(m, color.detach()), moving, eps=1e-6, atol=1e-5)
    inner = torch.ones_like(color)
    for end in (color.amin((0, 1)), color.amax((0, 1))):
        inner[color == end] = 0
    step = inner.detach() * random(*color.shape, seed=1).double()
    by_color = torch.autograd.grad(loss(moving, color), color)[0]
    ahead, behind = (loss(moving, color + s * 1e-6 * step) for s in (1, -1))
    assert (by_color * step).sum().item() == pytest.approx(
        ((ahead - behind) / 2e-6).item(), rel=1e-5, abs=1e-6
    )


# ---- known by hand ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exact", "exact near"])
def test_a_mask_is_the_area_and_stays_between_0_and_1(context, how):
    for subdivisions in (1, 4):
        pos, tri, _ = scenes.closed_mesh(subdivisions)
        image, rast = antialiased(context, mask, pos, tri, how)
        frag = glrast.fragments(rast, pos.to(rast), tri.to(rast.device), "all")
        areas = glrast.resolve(mask(rast), mask(frag.rast), frag)
        close(image, areas, 1e-6)
        assert image.min() >= 0 and image.max() <= 1  # as binary_cross_entropy asks for


@pytest.mark.parametrize("resolution", [32, pytest.param(256, marks=pytest.mark.slow)])
@pytest.mark.parametrize("subdivisions", [0, 3, 5, pytest.param(6, marks=pytest.mark.slow)])
def test_the_area_of_a_sphere_grows_as_its_square(context, subdivisions, resolution):
    vertices, tri = scenes._icosphere(subdivisions)
    xyz = (0.43 * vertices).float().to(context.device)
    scale = torch.ones((), device=context.device, requires_grad=True)
    pos = torch.cat([scale * xyz, torch.ones_like(xyz[:, :1])], 1)[None]
    image, _ = antialiased(context, mask, pos, tri.int(), "exact near", (resolution, resolution))
    (grad,) = torch.autograd.grad(image.double().sum(), scale)
    wanted = hull_area(0.43 * vertices[:, :2].numpy() * resolution / 2)
    assert grad.item() == pytest.approx(2 * wanted, rel=1e-4)


def test_colours_that_are_linear_on_a_triangle_are_continued_exactly_in_perspective(context):
    kind = kinds.shaded_crease()
    faces = kinds.faces(kind).to(context.device)
    corners = kind.corners.to(context.device)

    def color(rast):
        return glrast.interpolate(corners, rast, faces)[0]

    image, rast = antialiased(context, color, kind.pos, kind.tri, resolution=kinds.SIZE)
    wanted = kinds.exact_image(kind)
    close(image[0], wanted, 0.02)  # where colours leave the range of the image's they are cut off
    assert (image[0].cpu() - wanted).abs().mean() < 2e-6


def test_what_no_pixel_shows_takes_the_colour_of_a_neighbour_or_of_its_pixel(context):
    # a sliver between two pixel centres that shares a corner with a visible triangle; and one by itself
    at = [
        (4, 4),
        (4, 12),
        (9.2, 8),
        (9.2, 8.1),
        (12.4, 8.55),
        (20.6, 8.6),
        (20.9, 8.7),
        (20.8, 8.9),
    ]
    xy = 2 * torch.tensor(at) / torch.tensor([33.0, 17.0]) - 1
    pos = torch.cat([xy, torch.zeros(8, 1), torch.ones(8, 1)], 1)[None]
    tri = torch.tensor([[0, 1, 2], [2, 3, 4], [5, 6, 7]])
    background = torch.tensor([0.0, 0.3, 1.0], device=context.device)

    def color(rast):
        red = torch.tensor([1.0, 0.3, 0.0], device=rast.device)
        return torch.where(rast[..., 3:] > 0, red, background)

    image, rast = antialiased(context, color, pos, tri)
    assert glrast.triangle_id(rast).unique().tolist() == [-1, 0]
    assert image[0, 8, 10, 0] > 0.01 and image[0, 8, 10, 2] < 0.99  # the neighbour's red
    close(image[0, 8, 20], background, 1e-6)  # nobody knows its colour


def test_what_is_seen_elsewhere_only_takes_its_mean_colour_there(context):
    kind = crowded.ALL["sliver_grid"]()  # strips of 0.3 pixels: many pixels around show none
    corners, faces = kind.corners.to(context.device), kinds.faces(kind).to(context.device)
    image, _ = antialiased(
        context, lambda r: glrast.interpolate(corners, r, faces)[0], kind.pos, kind.tri,
        resolution=kinds.SIZE,
    )  # fmt: skip
    close(image[0], kinds.exact_image(kind), 1e-5)


# ---- works with ------------------------------------------------------------------------------------------


def moved(context, pos, tri, how="exact", **given):
    """(image, gradient of pos) of a mesh in the colours of its u and v."""
    pos = pos.to(context.device).detach().clone().requires_grad_()
    image, _ = antialiased(
        context, lambda r: torch.cat([r[..., :2], mask(r)], -1), pos, tri, how, **given
    )
    return image, torch.autograd.grad((image * random(*image.shape).to(image)).sum(), pos)[0]


def test_the_boost_scales_the_gradient_of_visibility_alone(context):
    pos, tri, _ = scenes.closed_mesh(1)
    still = pos.to(context.device)
    rast, _ = glrast.rasterize(context, still, tri.to(context.device), ODD)
    color, grads = random(1, *ODD, 2).to(context.device), []
    for boost in (1.0, 3.0):
        leaf, paint = still.clone().requires_grad_(), color.clone().requires_grad_()
        image = glrast.antialias(
            paint, rast, leaf, tri.to(context.device), None, boost, discontinuities="exact"
        )
        grads.append((image, *torch.autograd.grad(image.square().sum(), (leaf, paint))))
    (image, to_pos, to_color), (same, more, equal) = grads
    assert torch.equal(image, same) and torch.equal(to_color, equal)
    close(more / to_pos.abs().max(), 3 * to_pos / to_pos.abs().max(), 1e-5)


def test_images_of_a_batch_are_what_each_is_alone(context):
    pos, tri, _ = scenes.closed_mesh(1, images=3)
    pos = pos * torch.tensor([1.0, 0.6, 1.3])[:, None, None] ** torch.tensor([1.0, 1, 0, 0])
    image, grad = moved(context, pos, tri)
    for n in range(3):
        rast, _ = glrast.rasterize(
            context, pos[n : n + 1].to(context.device), tri.to(context.device), ODD
        )
        color = torch.cat([rast[..., :2], mask(rast)], -1)
        one = glrast.antialias(
            color,
            rast,
            pos[n : n + 1].to(context.device),
            tri.to(context.device),
            discontinuities="exact",
        )
        close(one[0], image[n], 1e-6)
    assert torch.isfinite(grad).all()


def test_one_set_of_positions_serves_all_images(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos.expand(2, -1, -1).contiguous(), tri, ODD)
    pos.requires_grad_()
    image = glrast.antialias(mask(rast), rast, pos, tri, discontinuities="exact")
    assert torch.equal(image[0], image[1])
    both, one = (torch.autograd.grad(x.sum(), pos, retain_graph=True)[0] for x in (image, image[0]))
    check_gradient(both, 2 * one, GRADIENT)


def test_ranges_are_images_of_their_own_triangles(context):
    pos, tri, _ = scenes.overlapping_polygons()
    ranges = [[0, 5], [3, 0], [5, len(tri) - 5]]
    image, _ = moved(context, pos, tri, ranges=ranges)
    for n, (first, count) in enumerate(ranges):
        if count:
            one, _ = moved(context, pos, tri[first : first + count])
            close(image[n], one[0], 1e-6)
    assert not image[1].any()


def test_culled_triangles_are_not_there(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD, cull="back")
    turns = torch.linalg.det(pos[0, tri.long()][..., [0, 1, 3]])
    kept = tri[turns > 0]
    image = glrast.antialias(mask(rast), rast, pos, tri, cull="back", discontinuities="exact")
    alone, _ = glrast.rasterize(context, pos, kept, ODD)
    close(image, glrast.antialias(mask(alone), alone, pos, kept, discontinuities="exact"), 1e-6)


def test_any_number_of_channels(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color = random(1, *ODD, 19).to(context.device)
    every = glrast.antialias(color, rast, pos, tri, discontinuities="exact")
    for c in (0, 18):
        one = glrast.antialias(
            color[..., c : c + 1].contiguous(), rast, pos, tri, discontinuities="exact"
        )
        close(one[..., 0], every[..., c], 1e-6)
    assert glrast.antialias(color[..., :0], rast, pos, tri, discontinuities="exact").shape == (
        1,
        *ODD,
        0,
    )


@pytest.mark.parametrize("name", sorted(scenes.SCENES))
def test_every_scene_has_a_finite_image_and_finite_gradients(context, name):
    image, grad = moved(context, *scenes.SCENES[name]()[:2])
    assert torch.isfinite(image).all() and torch.isfinite(grad).all()


def test_a_colour_that_is_no_number_stays_where_it_is(context):
    pos, tri, _ = scenes.closed_mesh(1)
    color = torch.full((1, *ODD, 1), 0.5, device=context.device)
    color[0, 0, 0], color[0, 16, 32] = torch.nan, torch.inf
    image, _ = antialiased(context, color, pos, tri)
    assert torch.isfinite(image).sum() == 17 * 33 - 2


def test_the_same_call_gives_the_same_bits_for_any_number_of_threads(context):
    results = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            results.append(moved(context, *scenes.closed_mesh(3)[:2], resolution=(101, 130)))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or context.device.type == "cuda"  # atomics on a GPU


@pytest.mark.slow
def test_it_works_in_compiled_code(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))

    def image(pos):
        rast, _ = glrast.rasterize(context, pos, tri, ODD)
        return glrast.antialias(rast[..., :2].contiguous(), rast, pos, tri, discontinuities="exact")

    results = []
    for call in (image, torch.compile(image)):
        moving = pos.clone().requires_grad_()
        out = call(moving)
        results.append((out, *torch.autograd.grad(out.square().sum(), moving)))
    for plain, compiled in zip(*results):
        close(compiled, plain, 1e-4)


def test_explain_knows_that_it_gives_silhouettes_a_gradient(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    pos.requires_grad_()
    image, _ = antialiased(context, mask, pos, tri)
    answer = glrast.explain(image.square().sum(), pos)
    assert answer.fine and not answer.causes


# ---- what is refused -------------------------------------------------------------------------------------


def test_layers_behind_the_first_are_refused_by_name(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(1))
    (first, _), (second, _), *_ = glrast.peel(context, pos, tri, ODD)
    plain, _ = glrast.rasterize(context, pos, tri, ODD)
    images = [
        glrast.antialias(mask(r), r, pos, tri, discontinuities="exact") for r in (first, plain)
    ]
    assert torch.equal(*images)
    said = "rast must be of rasterize, or the first layer of peeling; got layer 2"
    with pytest.raises(ValueError, match=f"glrast.antialias: {said}"):
        glrast.antialias(mask(second), second, pos, tri, discontinuities="exact")
    with pytest.raises(ValueError, match=f"glrast.fragments: {said}"):
        glrast.fragments(second, pos, tri)
    glrast.antialias(mask(second), second, pos, tri, discontinuities="all")


def test_wrong_arguments_are_refused_by_name(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(0))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    refused = [
        (dict(pos=pos[0]), r"pos must be \[N,V,4\] or \[1,V,4\] with discontinuities='exact'"),
        (dict(ranges=[[0, 20]]), r"pos must be \[V,4\] when ranges is given"),
        (dict(pos=pos[0], ranges=[[0, 21]]), "ranges must be within the 20 triangles"),
        (dict(pos=pos[0], ranges=[[0, 2]] * 2), r"ranges must be \[N,2\] with N=1"),
        (dict(topology_hash=3), "topology_hash must come from antialias_construct_topology_hash"),
        (dict(discontinuities="exactly"), "discontinuities must be 'silhouettes', 'all', 'exact' or 'exact near'"),
    ]  # fmt: skip
    for given, message in refused:
        given = dict(color=mask(rast), rast=rast, pos=pos, tri=tri, discontinuities="exact") | given
        with pytest.raises((TypeError, ValueError), match=f"glrast.antialias: {message}"):
            glrast.antialias(**given)


def test_debug_names_what_is_wrong(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.closed_mesh(0))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    pos[0, 3, 1] = torch.nan
    with glrast.debug(), pytest.raises(FloatingPointError, match="pos must be finite"):
        glrast.antialias(mask(rast), rast, pos, tri, discontinuities="exact")
