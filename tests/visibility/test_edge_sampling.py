"""edge_sampling: its expectation against exact derivatives, the float64 twin, and what is sampled."""

import pytest
import torch

import glrast
from glrast.visibility import edge_sampling
from glrast.visibility.edge_sampling import _chosen, edges_of
from tests import scenes
from tests.ops.compare import Limits
from tests.reference.visibility import edge_sampling as twin
from tests.scenes import ODD, SCENES
from tests.visibility import discontinuities as kinds
from tests.visibility.estimators import check_against_twin, gradients, moved, shade

# Points at the border of two pixels may be on either side of it.
GRADIENT = Limits(l2=1e-4, cosine=1e-8, bias=1e-4)
SEEDS = 30


def seeded(seed, device="cpu"):
    return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize("vertical", [True, False])
def test_a_silhouette_that_moves_a_pixel_gives_its_length_times_the_colour_step(context, vertical):
    scene = scenes.vertical_edge(15.2) if vertical else scenes.horizontal_edge(8.2)
    color, rast, pos, tri = shade(context, scene)
    y = torch.ones(color.shape)
    _, _, grad = gradients(edge_sampling, color, rast, pos, tri, y, samples_per_edge=64)
    length = ODD[0] if vertical else ODD[1]  # flat colours: every sample says the same
    assert moved(grad, pos, ODD, 0 if vertical else 1) == pytest.approx(length * 0.7 * 3, rel=1e-3)
    assert not grad[..., 2].any()


def slanted():
    """An edge across the image before a screen, both flat, all corners beyond the image; w of every vertex another."""
    front = [(-40.3, -60.2, -0.5), (50.1, -60.5, -0.5), (14.2, 130.4, -0.5)]
    screen = [(-90.0, -90.0, 0.5), (300.0, -90.0, 0.5), (-90.0, 300.0, 0.5)]
    w = [1.0, 1.3, 0.8, 1.0, 1.1, 1.2]
    return kinds.in_pixels(front + screen, [[0, 1, 2], [3, 4, 5]], [kinds.RED, kinds.GREEN], w=w)


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["stratified", "uniform"])
def test_its_expectation_is_the_exact_derivative_within_its_own_standard_error(context, sampling):
    kind = slanted()
    shaded = shade(context, scenes.Scene(kind.pos, kind.tri, kind.corners), kinds.SIZE)
    weight = kinds.smooth_weight()
    entries = [(v, axis) for v in (1, 2) for axis in (0, 1)]
    exact = kinds.exact_gradient(kind, entries, [weight])[0]
    device = context.device.type
    found = torch.stack([
        gradients(
            edge_sampling, *shaded, weight.float(), samples_per_edge=256, sampling=sampling,
            generator=seeded(seed, device),
        )[2].cpu().double()[tuple(torch.tensor(entries).T)]
        for seed in range(SEEDS)
    ])  # fmt: skip
    mean, error = found.mean(0), found.std(0) / SEEDS**0.5
    assert (error < 0.02 * exact.abs()).all()  # so that it says something
    assert ((mean - exact).abs() < 4 * error + 1e-3 * exact.abs()).all(), (mean, exact, error)


def test_stratified_points_vary_less(context):
    kind = slanted()
    shaded = shade(context, scenes.Scene(kind.pos, kind.tri, kind.corners), kinds.SIZE)
    spread = {}
    for sampling in ("stratified", "uniform"):
        found = [
            gradients(
                edge_sampling, *shaded, kinds.smooth_weight().float(), samples_per_edge=64, sampling=sampling,
                generator=seeded(seed, context.device.type),
            )[2]
            for seed in range(6)
        ]  # fmt: skip
        spread[sampling] = torch.stack(found).std(0).norm().item()
    assert spread["stratified"] < spread["uniform"] / 3


@pytest.mark.parametrize("only", [False, True])
@pytest.mark.parametrize("name", SCENES)
def test_positions_get_what_the_twin_gives_them(context, name, only):
    color, rast, pos, tri = shaded = shade(context, SCENES[name]())
    count = -(-len(twin.edges(tri.cpu())) // 64) * 64
    generator = seeded(4, context.device.type)
    chosen = _chosen(color, count, True, seeded(4, context.device.type)).cpu()

    def sampled(*given):
        return edge_sampling(*given, samples_per_edge=1, silhouettes_only=only, generator=generator)

    def same(*given):
        return twin.edge_sampling(*given, chosen, only)

    check_against_twin(sampled, same, shaded, limits=GRADIENT)


def test_creases_are_sampled_unless_only_silhouettes_are(context):
    kind = kinds.flat_crease()
    color, rast, pos, tri = shade(
        context, scenes.Scene(kind.pos, kind.tri, kind.corners), kinds.SIZE
    )
    y = torch.randn(color.shape, generator=seeded(0))
    color = kind.corners[::3].to(color)[glrast.triangle_id(rast).long()]
    assert gradients(edge_sampling, color, rast, pos, tri, y)[2][4].any()
    assert not gradients(edge_sampling, color, rast, pos, tri, y, silhouettes_only=True)[2][4].any()


def test_the_edges_of_a_mesh_are_those_of_the_twin():
    tri = torch.cat([scenes.closed_mesh(1).tri, torch.tensor([[0, 0, 1], [0, 1, 2], [-1, 2, 3]])])
    by_vertex, by_triangle = edges_of(tri, tri.int())
    wanted = twin.edges(tri)
    assert by_triangle.tolist() == [[a, b, *t, *[-1] * (2 - len(t))] for a, b, t, _ in wanted]
    assert by_vertex.tolist() == [[a, b, *c, *[-1] * (2 - len(c))] for a, b, _, c in wanted]


def test_a_generator_decides_the_gradient_and_wrong_words_are_refused(context):
    shaded = shade(context, scenes.closed_mesh(1))
    y = torch.randn(shaded[0].shape, generator=seeded(0))
    one, same, other = (
        gradients(edge_sampling, *shaded, y, generator=seeded(s, context.device.type))[2]
        for s in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    with pytest.raises(
        ValueError, match=r"edge_sampling: sampling must be 'stratified' or 'uniform'"
    ):
        edge_sampling(*shaded, sampling="random")
    with pytest.raises(
        ValueError, match=r"edge_sampling: samples_per_edge must be a whole number from 1"
    ):
        edge_sampling(*shaded, samples_per_edge=0)
