"""glrast.explain on every way on which positions get a gradient: the way alone, and the same with nothing on it."""

import pytest
import torch

import glrast
from glrast import visibility
from glrast.clip import cube, icosphere, look_at, perspective, transform_points
from glrast.ops.function import Operation, name_of

SIZE = (33, 47)


@pytest.fixture
def world(device):
    return World(device)


class World:
    """A sphere's vertices, which have a gradient, and their clip positions; the rasterization is a constant."""

    def __init__(self, device, mesh=None, eye=(0.3, 0.4, 3.0)):
        vertices, tri = icosphere(2) if mesh is None else mesh
        self.ctx, self.tri = glrast.Context(device), tri.to(device)
        self.vertices = vertices.to(device).requires_grad_()
        view = look_at(eye, (0.0, 0.0, 0.0))
        matrix = perspective(0.8, SIZE[1] / SIZE[0], 0.5, 20.0) @ view
        self.pos = transform_points(matrix.to(device), self.vertices)[None]
        self.constant, self.constant_db = self.draw(self.pos.detach())
        generator = torch.Generator().manual_seed(0)
        self.attr = torch.rand(len(vertices), 3, generator=generator).to(device)
        self.tex = torch.rand(1, 8, 8, 3, generator=generator).to(device)

    def draw(self, pos, **more):
        return glrast.rasterize(self.ctx, pos, self.tri, SIZE, **more)

    def shade(self, rast, _=None):
        return glrast.interpolate(self.attr, rast, self.tri)[0]

    def layers(self):
        with glrast.DepthPeeler(self.ctx, self.pos, self.tri, SIZE) as peeler:
            return [peeler.rasterize_next_layer()[0] for _ in range(2)]


def rasterized(w):
    return w.draw(w.pos, grad_db=False)[0][..., :2]


def derivatives(w):
    return w.draw(w.pos)[1]


def attributes(w):
    return glrast.interpolate(w.pos, w.constant, w.tri)[0]


def attribute_derivatives(w):
    rast, rast_db = w.draw(w.pos)
    return glrast.interpolate(w.attr, rast.detach(), w.tri, rast_db, "all")[1]


def texture_through_uv(w):
    uv = glrast.interpolate(w.attr[:, :2].contiguous(), w.draw(w.pos)[0], w.tri)[0]
    return glrast.texture(w.tex, uv)


def peeled(w):
    return sum(
        rast[..., :2] * (k + 1)
        for k, (rast, _) in enumerate(glrast.peel(w.ctx, w.pos, w.tri, SIZE))
    )


def peeled_by_hand(w):
    return w.layers()[1][..., :2]


def points(w):
    return w.pos


def antialiased(w):
    return glrast.antialias(w.shade(w.constant).detach(), w.constant, w.pos, w.tri)


def estimated(w):
    rast = w.draw(w.pos)[0]
    return visibility.edge_grad(w.shade(rast), rast, w.pos, w.tri)


def splatted(w):
    rast = w.draw(w.pos)[0]
    return visibility.rasterize_then_splat([rast], [w.shade(rast)], w.pos, w.tri)


def weights(w):
    return glrast.fragments(w.constant, w.pos, w.tri).weight


def resolved(w):
    frag = glrast.fragments(w.constant, w.pos, w.tri)
    colors = (w.shade(rast).detach() for rast in (w.constant, frag.rast))
    return glrast.resolve(*colors, frag, torch.ones(3, device=w.pos.device))


def rendered(w):
    return glrast.render(w.ctx, w.pos, w.tri, SIZE, w.shade)


# the way, the operation that answers name, and what explain says of it
INSIDE = {
    rasterized: "rasterize", derivatives: "rasterize", attribute_derivatives: "rasterize",
    texture_through_uv: "rasterize", peeled: "peel", peeled_by_hand: "peel", attributes: "interpolate",
}  # fmt: skip
AT_BOUNDARIES = {
    antialiased: "antialias", weights: "fragments", resolved: "fragments", rendered: "fragments",
}  # fmt: skip


def is_gradient_of_backward(answer, loss, w):
    return torch.equal(answer.gradient, torch.autograd.grad(loss, w.vertices)[0])


@pytest.mark.parametrize("way", INSIDE)
def test_a_way_inside_triangles_is_seen_and_named(world, way):
    loss = way(world).square().sum()
    answer = glrast.explain(loss, world.vertices)
    assert answer.zero is False and is_gradient_of_backward(answer, loss, world)
    assert answer.causes == ["no-antialias"]
    assert f"depends on pos through {INSIDE[way]}, but" in answer[0].sentence
    assert not any("What was rendered" in sentence for sentence in answer.unknown)


@pytest.mark.parametrize("way", AT_BOUNDARIES)
def test_a_way_at_boundaries_is_seen_and_nothing_is_wrong(world, way):
    loss = way(world).square().sum()
    answer = glrast.explain(loss, world.vertices)
    assert answer.zero is False and is_gradient_of_backward(answer, loss, world)
    assert answer.fine and answer.unknown == []


@pytest.mark.parametrize("way", [*INSIDE, *AT_BOUNDARIES])
def test_a_loss_that_looks_away_is_flat(world, way):
    answer = glrast.explain((0 * way(world)).sum(), world.vertices)
    assert answer.zero and answer.causes[-1] == "flat-loss"
    name = {**INSIDE, **AT_BOUNDARIES}[way]
    assert name in answer[-1].sentence and "none of those" not in str(answer)


@pytest.mark.parametrize("way", [*INSIDE, *AT_BOUNDARIES])
def test_a_gradient_that_is_lost_before_clip_space_is_said_to_be(world, way):
    world.pos = world.pos.detach() + 0 * world.pos
    answer = glrast.explain(way(world).square().sum(), world.vertices)
    assert answer.zero and answer.causes[-1] == "lost-before-clip"


@pytest.mark.parametrize("way", [*INSIDE, *AT_BOUNDARIES])
def test_a_way_that_is_cut_does_not_lead_to_pos(world, way):
    world.pos = world.pos.detach()
    world.attr.requires_grad_(way not in (antialiased, resolved))
    answer = glrast.explain(way(world).sum(), world.vertices)
    assert answer.causes == ["detached"] and answer.gradient is None


@pytest.mark.parametrize("name", ["rasterize", "peel"])
def test_depth_and_ids_have_no_gradient(world, name):
    rast = world.draw(world.pos)[0] if name == "rasterize" else world.layers()[1]
    answer = glrast.explain(rast[..., 2:].square().sum(), world.vertices)
    assert answer.zero and answer.causes == ["no-antialias", "flat-loss"]
    assert f"changes with z/w or the triangle ids of {name} alone" in answer[1].sentence


def test_points_alone_are_no_picture(world):
    answer = glrast.explain(points(world).square().sum(), world.vertices)
    assert answer.zero is False and answer.causes == []
    assert "neither rasterize nor antialias leads from" in answer.unknown[0]
    assert answer.unknown[0].endswith("clip.transform_points does.")


def test_inner_boundaries_move_where_silhouettes_do_not(device):
    world = World(device, mesh=cube(), eye=(3.0, 2.0, 4.0))  # three faces, each of one colour
    ids = glrast.triangle_id(world.constant)[..., None]
    faces = torch.where(ids < 0, 0.5, ids // 2 / 6.0).expand(-1, -1, -1, 3).contiguous()
    outside = torch.nn.functional.max_pool2d((ids[..., 0] < 0).float()[:, None], 5, 1, 2)
    inside = 1 - outside[:, 0, :, :, None]  # no silhouette
    for discontinuities, causes in (("silhouettes", ["flat-loss"]), ("all", [])):
        image = glrast.antialias(
            faces, world.constant, world.pos, world.tri, discontinuities=discontinuities
        )
        answer = glrast.explain((image * inside).square().sum(), world.vertices)
        assert answer.causes == causes and answer.zero is (discontinuities == "silhouettes")


def test_fragments_of_detached_positions_are_named(world):
    frag = glrast.fragments(world.constant, world.pos.detach(), world.tri)
    rast, _ = world.draw(world.pos)
    assert frag.weight.grad_fn is None  # a call without gradient leaves no trace
    other = world.pos.detach().requires_grad_()
    frag = glrast.fragments(world.constant, other, world.tri)
    image = glrast.resolve(world.shade(rast), world.shade(frag.rast).detach(), frag)
    answer = glrast.explain(image.square().sum(), world.vertices)
    assert answer.causes == ["detached"] and "fragments is in the graph" in answer[0].sentence


def test_peeled_meshes_are_looked_at(device):
    vertices, tri = icosphere(1)
    world = World(device, mesh=(vertices[tri.long()].reshape(-1, 3), torch.arange(240).view(80, 3)))
    answer = glrast.explain(peeled(world).square().sum(), world.vertices)
    assert answer.causes == ["no-antialias", "duplicated-vertices"]
    world.pos = world.pos + torch.tensor([30.0, 0.0, 0.0, 0.0], device=device)
    answer = glrast.explain(world.layers()[0].square().sum(), world.vertices)
    assert "off-screen" in answer.causes


def test_every_operation_has_a_name_of_its_own(world):
    kinds = [Operation]
    for kind in kinds:
        kinds += kind.__subclasses__()
    named = [kind for kind in kinds if "call" in vars(kind)]
    names = {kind.glrast for kind in named}
    assert len(names) == len(named) and names >= {"rasterize", "peel", "antialias_inner"}
    for way, name in {**INSIDE, **AT_BOUNDARIES, points: "transform"}.items():
        waiting, seen = [way(world).sum().grad_fn], set()
        for node in waiting:
            seen.add(name_of(node))
            waiting += [n for n, _ in node.next_functions if n is not None and n not in waiting]
        assert name in seen, way


@pytest.mark.parametrize("way", [estimated, splatted])
def test_other_answers_to_the_discontinuity_problem_see_boundaries_too(world, way):
    answer = glrast.explain(way(world).square().sum(), world.vertices)
    assert not answer.causes and answer.gradient.any()
