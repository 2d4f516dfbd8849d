"""glrast.explain: each cause alone, causes together, setups without any, and what cannot be known."""

import pytest
import torch

import glrast
from glrast.clip import cube, icosphere, look_at, perspective, transform_points
from tests.ops.compare import random

SIZE = (33, 47)


class Setup:
    """A small world with one parameter, the vertices; what goes wrong is given as arguments."""

    def __init__(self, device, mesh=None, eye=(0.3, 0.4, 3.0), images=1):
        self.ctx = glrast.Context(device)
        vertices, tri = icosphere(2) if mesh is None else mesh
        self.vertices, self.tri = vertices.to(device).requires_grad_(), tri.to(device)
        matrix = perspective(0.8, SIZE[1] / SIZE[0], 0.5, 20.0) @ look_at(eye, (0.0, 0.0, 0.0))
        self.matrix = matrix.to(device).expand(images, 4, 4)
        self.color = torch.rand(len(vertices), 3, generator=torch.Generator().manual_seed(0)) + 0.1
        self.color = self.color.to(device)

    def clip(self):
        return transform_points(self.matrix, self.vertices)

    def shade(self, pos=None):
        pos = self.clip() if pos is None else pos
        rast, _ = glrast.rasterize(self.ctx, pos, self.tri, SIZE)
        color, _ = glrast.interpolate(self.color, rast, self.tri)
        return pos, rast, color

    def image(self, *, pos=None, color=None, aa_pos=None):
        """color(rast, color) may change the colours; aa_pos(pos) what antialias is told."""
        pos, rast, shaded = self.shade(pos)
        shaded = shaded if color is None else color(rast, shaded)
        return glrast.antialias(shaded, rast, pos if aa_pos is None else aa_pos(pos), self.tri)

    def explain(self, image, **more):
        loss = (image - random(*image.shape).to(image)).square().mean()
        return glrast.explain(loss, self.vertices, **more)


@pytest.fixture
def setup(device):
    return Setup(device)


# ---- nothing wrong ---------------------------------------------------------------------------------------


def test_a_healthy_setup_has_no_cause_and_its_gradient_is_that_of_backward(setup):
    image = setup.image()
    loss = image.square().mean()
    answer = glrast.explain(loss, setup.vertices)
    assert answer.causes == [] and answer.unknown == [] and answer.fine and answer.zero is False
    assert setup.vertices.grad is None  # nothing accumulates
    loss.backward()  # and the graph is still there
    assert torch.equal(answer.gradient, setup.vertices.grad)
    assert str(answer).startswith("The gradient of pos is not zero: norm ")
    assert str(answer).endswith("rows, and nothing was found that would spoil it.")


@pytest.mark.parametrize("discontinuities", ["near", "all"])
def test_fragments_give_silhouettes_a_gradient_as_well(setup, discontinuities):
    def shade(rast, _):
        return glrast.interpolate(setup.color, rast, setup.tri)[0]

    image = glrast.render(
        setup.ctx, setup.clip(), setup.tri, SIZE, shade, discontinuities=discontinuities
    )
    answer = setup.explain(image)
    assert answer.causes == [] and answer.zero is False


def test_healthy_variations_have_no_cause(device):
    for variation in (
        lambda s: s.image(color=lambda rast, c: torch.where(rast[..., 3:] > 0, c, 0.3)),
        lambda s: s.image(color=lambda rast, c: c * (rast[..., 3:] > 0)),
        lambda s: s.image(color=lambda rast, c: c.masked_fill(rast[..., 3:] == 0, 0.2)),
        lambda s: torch.cat([s.image(), s.image(color=lambda rast, c: (rast[..., 3:] > 0).float())], -1),
        lambda s: s.image().permute(0, 3, 1, 2).clamp(0, 10),
    ):  # fmt: skip
        for setup in (Setup(device), Setup(device, images=3), Setup(device, mesh=cube())):
            answer = setup.explain(variation(setup))
            assert answer.fine, answer


def test_a_pose_may_be_asked_for_as_well(setup):
    shift = torch.zeros(3, device=setup.vertices.device, requires_grad=True)
    pos = transform_points(setup.matrix, setup.vertices.detach() + shift)
    loss = (setup.image(pos=pos) - 0.5).square().mean()
    assert glrast.explain(loss, shift).fine
    middle = glrast.explain(loss, pos)  # not a leaf
    assert middle.fine and middle.gradient.shape == pos.shape


def test_range_mode_and_textures_are_looked_at_as_well(setup):
    T = len(setup.tri)
    ranges = [[0, T // 2], [T // 2, T - T // 2], [0, 0]]
    pos = setup.clip()[0]
    rast, rast_db = glrast.rasterize(setup.ctx, pos, setup.tri, SIZE, ranges=ranges)
    uv, uv_da = glrast.interpolate(setup.color[:, :2].contiguous(), rast, setup.tri, rast_db, "all")
    tex = random(1, 16, 16, 3).to(pos).abs() + 1
    color = glrast.texture(tex, uv, uv_da) * (rast[..., 3:] > 0)
    assert setup.explain(glrast.antialias(color, rast, pos, setup.tri)).fine
    assert setup.explain(color).causes == ["no-antialias"]


# ---- each cause ------------------------------------------------------------------------------------------


def test_no_antialias_in_the_path(setup):
    _, _, color = setup.shade()
    answer = setup.explain(color)
    assert answer.causes == ["no-antialias"] and answer.zero is False
    assert "silhouettes have no gradient" in answer[0].sentence
    assert "glrast.antialias" in answer[0].remedy
    setup.color = torch.ones_like(setup.color)  # one colour: nothing left
    answer = setup.explain(setup.shade()[2])
    assert answer.causes == ["no-antialias"] and answer.zero


def test_colour_constant_across_the_edge(setup):
    answer = setup.explain(setup.image(color=lambda rast, c: torch.full_like(c, 0.7)))
    assert answer.causes == ["constant-color"] and answer.zero
    assert "pairs, so moving an edge changes no pixel" in answer[0].sentence
    assert any("mask=mask" in sentence for sentence in answer.unknown)


@pytest.mark.parametrize("way", ["product", "where", "masked_fill"])
def test_mask_applied_before_antialias(setup, way):
    keep = torch.zeros(1, *SIZE, 1, device=setup.vertices.device, dtype=torch.bool)
    keep[:, 14:18, 20:26] = True  # inside of the sphere: what is left has no silhouette
    cut = {
        "product": lambda rast, c: c * keep.float(),
        "where": lambda rast, c: torch.where(keep, c, 0.25),
        "masked_fill": lambda rast, c: c.masked_fill(~keep, 0.25),
    }[way]
    answer = setup.explain(setup.image(color=cut))
    assert answer.causes == ["mask-before-antialias"] and answer.unknown == []
    assert "apply the mask to the result" in answer[0].remedy


def test_mask_that_the_graph_does_not_show_is_given(setup):
    keep = torch.zeros(1, *SIZE, device=setup.vertices.device)
    keep[:, 14:18, 20:26] = 1

    def cut(rast, color):
        return (color * keep[..., None]).detach()

    assert setup.explain(setup.image(color=cut)).causes == ["constant-color"]
    answer = setup.explain(setup.image(color=cut), mask=keep)
    assert answer.causes == ["mask-before-antialias"] and answer.unknown == []
    with pytest.raises(
        ValueError,
        match=r"glrast.explain: mask must be \[N,H,W\] or \[N,H,W,1\] with N, H, W = \(1",
    ):
        setup.explain(setup.image(), mask=keep[:, :5])


def test_mask_that_hides_half_of_the_silhouette_is_counted(setup):
    keep = torch.ones(1, *SIZE, 1, device=setup.vertices.device)
    keep[:, :, :23] = 0
    answer = setup.explain(setup.image(color=lambda rast, c: c * keep))
    assert answer.causes == ["mask-before-antialias"] and not answer.zero
    masked, pairs = (int(n) for n in answer[0].sentence.split() if n.isdigit())
    assert 0.3 * pairs < masked < 0.7 * pairs


def test_duplicated_vertices(device):
    vertices, tri = icosphere(1)
    soup = vertices[tri.long()].reshape(-1, 3), torch.arange(3 * len(tri)).reshape(-1, 3)
    setup = Setup(device, mesh=soup)
    answer = setup.explain(setup.image())
    assert answer.causes == ["duplicated-vertices"]
    assert (
        "240 of 240 triangle sides have no neighbour, 240 of them only because"
        in answer[0].sentence
    )
    assert "(240 vertices at 42 places)" in answer[0].sentence
    assert "glrast.clip.weld" in answer[0].remedy
    welded = Setup(device, mesh=glrast.clip.weld(*soup)[:2])  # the remedy is one
    assert welded.explain(welded.image()).fine


def test_an_open_mesh_is_not_a_torn_one(device):
    vertices, tri = icosphere(2)
    setup = Setup(device, mesh=(vertices, tri[: len(tri) // 2]))
    assert setup.explain(setup.image()).fine


@pytest.mark.parametrize(
    "eye, move, cause, said",
    [
        ((0, 0, 3), (0, 0, 6), "behind-camera", "The whole mesh is behind the camera (every w <= 0)."),
        ((0, 0, 3), (9, 0, 0), "off-screen", "The whole mesh is right of the image."),
        ((0, 0, 3), (0, -9, 0), "off-screen", "The whole mesh is below the image."),
        ((0, 0, 3), (0, 0, -40), "beyond-near-far", "The whole mesh is beyond the far plane."),
    ],
)  # fmt: skip
def test_object_that_is_not_in_view(device, eye, move, cause, said):
    setup = Setup(device, eye=tuple(float(x) for x in eye))
    moved = setup.vertices + torch.tensor(move, device=device)
    answer = setup.explain(setup.image(pos=transform_points(setup.matrix, moved)))
    assert answer.causes == [cause] and answer.zero and answer[0].sentence == said
    assert answer.unknown == []


def test_views_that_show_nothing_are_counted(device):
    setup = Setup(device, images=4)
    shift = torch.zeros(4, 1, 4, device=device)
    shift[1:3, :, 0] = 30
    answer = setup.explain(setup.image(pos=setup.clip() + shift))
    assert answer.causes == ["off-screen"] and not answer.zero
    assert (
        answer[0].sentence
        == "The whole mesh is right of the image, in 2 of 4 images (the first: image 1)."
    )


@pytest.mark.parametrize("scale", [0.002, 0.02])
def test_mesh_smaller_than_a_pixel(setup, scale):
    pos = transform_points(setup.matrix, scale * setup.vertices)
    answer = setup.explain(setup.image(pos=pos))
    assert answer.causes[0] == "smaller-than-a-pixel"
    assert answer[0].sentence.startswith("The mesh is 0.") and "pixels large" in answer[0].sentence


def test_positions_that_are_not_finite(setup):
    answer = setup.explain(setup.image(pos=setup.clip() * torch.nan))
    assert answer.causes == ["not-finite"]


def test_mesh_without_triangles(device):
    setup = Setup(device, mesh=(icosphere(0)[0], torch.zeros(0, 3, dtype=torch.int32)))
    assert setup.explain(setup.image()).causes == ["empty-mesh"]


def test_mesh_that_fills_the_image(device):
    setup = Setup(device, eye=(0.0, 0.0, 1.6))
    setup.matrix = setup.matrix * torch.tensor([9.0, 9.0, 1.0, 1.0], device=device)[:, None]
    answer = setup.explain(setup.image(color=lambda rast, c: c.detach()))
    assert (
        answer.causes == ["no-silhouette"]
        and answer.zero
        and "fills the image" in answer[0].sentence
    )


def test_edges_that_lie_exactly_on_pixel_centres(device):
    at = 0.5 + 1 / 32
    ctx = glrast.Context(device)
    square = torch.tensor(
        [[[-at, -at, 0, 1], [at, -at, 0, 1], [at, at, 0, 1], [-at, at, 0, 1]]], device=device
    )
    square, tri = square.requires_grad_(), torch.tensor([[0, 1, 2], [0, 2, 3]], device=device)
    rast, _ = glrast.rasterize(ctx, square, tri, (32, 32))
    loss = glrast.antialias((rast[..., 3:] > 0).float(), rast, square, tri).square().sum()
    answer = glrast.explain(loss, square)
    assert answer.zero and answer.causes == ["on-pixel-grid"]


def test_loss_that_does_not_look_at_silhouettes(setup):
    image = setup.image()
    inside = torch.zeros(1, *SIZE, 1, device=image.device)
    inside[:, 14:18, 20:26] = 1
    answer = setup.explain(image * inside)
    assert answer.causes == ["flat-loss"] and "with none of the" in answer[0].sentence
    answer = glrast.explain((image - image.detach()).square().mean(), setup.vertices)
    assert answer.causes == ["flat-loss"] and "a loss at its minimum is flat" in answer[0].remedy
    assert setup.explain(image.clamp(7, 8)).causes == ["flat-loss"]


def test_gradient_lost_between_clip_space_and_pos(setup):
    pos = transform_points(setup.matrix, setup.vertices.detach() + 0.0 * setup.vertices)
    answer = setup.explain(setup.image(pos=pos))
    assert answer.causes == ["lost-before-clip"] and answer.zero


# ---- breaks in the graph ---------------------------------------------------------------------------------


def test_positions_that_were_detached_before_antialias(setup):
    answer = setup.explain(setup.image(aa_pos=torch.Tensor.detach))
    assert answer.causes == ["detached"] and "antialias is in the graph" in answer[0].sentence


def test_a_graph_that_ends_before_pos(setup):
    setup.color.requires_grad_()
    answer = setup.explain(setup.image(pos=setup.clip().detach()))
    assert answer.causes == ["detached"] and answer.gradient is None and answer.zero is None
    assert "it ends at leaves of shape [162,3]" in answer[0].sentence
    assert any("pos_clip=" in sentence for sentence in answer.unknown)


def test_a_loss_without_a_graph(setup):
    with torch.no_grad():
        image = setup.image()
    answer = setup.explain(image)
    assert answer.causes == ["detached"] and "The loss has no graph" in answer[0].sentence
    assert any("antialias was called" in sentence for sentence in answer.unknown)
    rast = setup.shade()[1]
    assert setup.explain((rast[..., 3:] > 0).float()).causes == ["detached"]


def test_a_pos_that_wants_no_gradient(setup):
    image = setup.image()
    answer = glrast.explain(image.mean(), setup.vertices.detach())
    assert answer.causes == ["detached"] and "does not require" in answer[0].sentence


def test_a_copy_is_not_the_tensor_that_was_rendered(setup):
    copy = setup.vertices.detach().clone().requires_grad_()
    answer = glrast.explain(setup.image().mean(), copy)
    assert answer.causes == ["detached"] and "does not lead to this pos" in answer[0].sentence


def test_where_the_graph_is_broken_the_buffers_are_given(device):
    setup = Setup(device)
    moved = transform_points(
        setup.matrix, setup.vertices + torch.tensor([9.0, 0, 0], device=device)
    )
    with torch.no_grad():
        pos, rast, color = setup.shade(moved)
    answer = setup.explain(color, pos_clip=pos, tri=setup.tri, rast=rast)
    assert answer.causes == ["detached", "off-screen"]


# ---- several at once -------------------------------------------------------------------------------------


def test_causes_come_together(device):
    vertices, tri = icosphere(1)
    soup = vertices[tri.long()].reshape(-1, 3), torch.arange(3 * len(tri)).reshape(-1, 3)
    setup = Setup(device, mesh=soup)
    constant = setup.image(color=lambda rast, c: torch.ones_like(c))
    assert setup.explain(constant).causes == ["constant-color", "duplicated-vertices"]
    _, _, color = setup.shade(transform_points(setup.matrix, 0.001 * setup.vertices))
    wanted = ["no-antialias", "smaller-than-a-pixel", "duplicated-vertices"]
    assert setup.explain(color).causes == wanted
    answer = setup.explain(setup.image(aa_pos=torch.Tensor.detach))
    assert answer.causes == ["detached", "duplicated-vertices"]
    text = str(answer).splitlines()
    assert text[1].startswith("1. detached: ") and text[2].startswith("   -> ")
    assert text[3].startswith("2. duplicated-vertices: ") and len(answer) == 2


def test_a_part_that_a_mask_leaves_may_be_constant_itself(setup):
    keep = torch.ones(1, *SIZE, 1, device=setup.vertices.device)
    keep[:, :, :23] = 0
    white = setup.image(color=lambda rast, c: (0 * c + 1) * keep)
    answer = setup.explain(white)
    assert answer.causes == ["mask-before-antialias", "constant-color"]
    assert "at the other " in answer[1].sentence


# ---- what cannot be known --------------------------------------------------------------------------------


def test_a_freed_graph_is_said_to_be_one(setup):
    loss = setup.image().mean()
    loss.backward()
    answer = glrast.explain(loss, setup.vertices)
    assert answer.causes == [] and answer.gradient is None and not answer.fine
    assert "backward() has freed them" in answer.unknown[0]


def test_a_render_that_is_not_glrasts_is_not_judged(setup):
    answer = glrast.explain((0 * setup.vertices).sum(), setup.vertices)
    assert answer.causes == [] and answer.zero and not answer.fine
    assert any("neither rasterize nor antialias" in sentence for sentence in answer.unknown)
    assert "none of those that explain knows" in answer.unknown[-1]


@pytest.mark.slow  # compiles
def test_what_is_compiled_is_not_looked_into(setup):
    compiled = torch.compile(
        lambda v: setup.image(pos=transform_points(setup.matrix, v)), backend="aot_eager"
    )
    answer = glrast.explain(compiled(setup.vertices).square().mean(), setup.vertices)
    assert answer.causes == [] and answer.zero is False
    assert "inside CompiledFunctionBackward" in answer.unknown[0]


def test_wrong_arguments_are_told(setup):
    image = setup.image()
    with pytest.raises(
        ValueError,
        match=r"glrast.explain: loss must be a scalar \(call it with .*; got \[1,33,47,3\]",
    ):
        glrast.explain(image, setup.vertices)
    with pytest.raises(TypeError, match="glrast.explain: pos must be a torch tensor; got NoneType"):
        glrast.explain(image.mean(), None)
