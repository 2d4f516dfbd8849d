"""Mitsuba's picture against glrast's own, and its gradients against finite differences; where Mitsuba is installed."""

import pytest
import torch
import torch.nn.functional as F

import glrast
from glrast import clip
from glrast.mitsuba import Surface, missing, render

pytestmark = pytest.mark.slow  # each compiles kernels for seconds
QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
UV = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])


@pytest.fixture(scope="module", autouse=True)
def works():
    why = missing()
    if why:
        pytest.skip(why)


def flat(y, side, down=False):
    """A square [4,3] at height y, its front up or down."""
    corners = torch.tensor([[-1.0, 0, 1], [1, 0, 1], [1, 0, -1], [-1, 0, -1]]) * side
    return (corners.flip(0) if down else corners) + torch.tensor([0, y, 0])


def test_what_emits_is_where_glrast_draws_it_and_the_surroundings_are_where_a_cube_map_has_them():
    H, W, fine = 17, 33, 8
    torch.manual_seed(0)
    pos = torch.tensor([[-1.0, -0.8, 0.2], [1, -0.9, 0], [0.9, 0.8, -0.3], [-0.7, 0.9, 0.1]])
    projection = clip.from_intrinsics(15.0, 15.0, 19.0, 7.0, (H, W), 0.1, 10.0)
    views = torch.stack(
        [clip.look_at(eye, (0, 0, 0)) for eye in ((0.3, 0.2, 3.0), (-1.0, 0.5, 2.0))]
    )
    paint, cube = torch.rand(5, 7, 3), 0.3 + 0.2 * clip.cube_directions(16)
    surface = Surface(pos, QUAD, emission=paint, uv=UV, boundary_mode="clamp")
    image = render(surface, projection, views, (H, W), environment=cube, spp=64, max_depth=1)

    ctx, size = glrast.Context("cpu"), (H * fine, W * fine)
    rast, _ = glrast.rasterize(ctx, clip.transform_points(projection @ views, pos), QUAD, size)
    uv, _ = glrast.interpolate(UV, rast, QUAD)
    seen = glrast.texture(paint[None], uv, boundary_mode="clamp")
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * 2 / n - 1 for n in size), indexing="ij")
    far = (
        torch.stack([x, y, torch.ones_like(x), torch.ones_like(x)], -1)
        @ (projection @ views).inverse()[:, None].mT
    )
    way = far[..., :3] / far[..., 3:] - views.inverse()[:, None, None, :3, 3]
    sky = glrast.texture(cube[None], way.contiguous(), boundary_mode="cube")
    drawn = torch.where(rast[..., 3:] > 0, seen, sky)
    drawn = F.avg_pool2d(drawn.permute(0, 3, 1, 2), fine).permute(0, 2, 3, 1)

    assert image.shape == (2, H, W, 3) and image.dtype == torch.float32
    error = (image - drawn).abs()
    # noise of 64 samples: 0.002 in the mean. Half a pixel aside gives 0.02.
    assert error.mean() < 0.006 and error.max() < 0.15
    for axis in (1, 2):
        assert (image.roll(1, axis) - drawn).abs().mean() > 0.025
        assert (image.flip(axis) - drawn).abs().mean() > 0.05


def test_gradients_of_colours_and_light_are_finite_differences_of_the_path_traced_picture():
    torch.manual_seed(1)
    pos, tri = clip.icosphere(1)
    camera = clip.perspective(0.9, 1.0, 0.1, 20.0), clip.look_at((0.3, 0.8, 3.0), (0, 0, 0))
    given = {
        "texture": torch.rand(4, 5, 3), "vertex": torch.rand(len(pos), 3), "emission": torch.rand(3),
        "sky": torch.rand(4, 8, 3),
    }  # fmt: skip
    weight = torch.rand(1, 9, 9, 3)

    def loss(given, seed=3, spp=1024):
        floor = Surface(flat(-0.7, 2), QUAD, color=given["texture"], uv=UV)
        shown = {"color": given["vertex"], "emission": given["emission"]}
        ball = Surface(0.5 * pos, tri, normal=clip.vertex_normals(pos, tri), **shown)
        image = render(
            [floor, ball], *camera, (9, 9), environment=given["sky"], spp=spp, spp_grad=1024, seed=seed,
            integrator="prb", max_depth=3,
        )  # fmt: skip
        return (image * weight).mean()

    leaves = {name: x.clone().requires_grad_() for name, x in given.items()}
    loss(leaves, spp=1).backward()
    with torch.no_grad():
        assert loss(given) == pytest.approx(float(loss(given)), rel=1e-5)
        assert loss(given, seed=4, spp=1) != loss(given, seed=3, spp=1)
        for name, x in given.items():
            step = torch.rand_like(x)
            up, down = (loss({**given, name: x + s * 0.1 * step}) for s in (1, -1))
            slope = (leaves[name].grad * step).sum()
            # samples of their own: 1 % apart at 83,000 of them
            assert float(slope) == pytest.approx(float(up - down) / 0.2, rel=0.05), name


def test_a_shadow_moves_with_what_casts_it():
    """A lamp above, a square between, neither in the picture: all that moves is the shadow on the floor."""
    camera = clip.perspective(0.5, 1.0, 0.1, 20.0), clip.look_at((0.0, 1.0, 2.5), (0, 0, 0))
    weight = torch.linspace(-1, 1, 16)[None, None, :, None]
    floor = Surface(flat(0, 2), QUAD, color=torch.tensor([0.8, 0.6, 0.4]))
    lamp = Surface(flat(3, 0.3, down=True), QUAD, emission=torch.full((3,), 20.0))

    def loss(x, integrator, spp, seed=0):
        square = Surface(flat(1.5, 0.45) + x * torch.tensor([1.0, 0, 0]), QUAD)
        image = render(
            [floor, lamp, square], *camera, (16, 16), spp=spp, spp_grad=2048, seed=seed, integrator=integrator,
            max_depth=2,
        )  # fmt: skip
        return (image * weight).mean()

    slopes = {}
    for integrator in ("prb", "prb_projective"):
        x = torch.zeros((), requires_grad=True)
        loss(x, integrator, 1).backward()
        slopes[integrator] = float(x.grad)
    with torch.no_grad():
        up, down = (loss(torch.tensor(x), "prb", 4096) for x in (0.05, -0.05))
    truth = float(up - down) / 0.1
    assert truth < -0.01
    assert slopes["prb"] == 0  # which knows of no moving edges
    assert slopes["prb_projective"] == pytest.approx(truth, rel=0.15)
