"""fragments under every kind of shading: the gradient is the derivative of the image that is made, which differences of
that image tell; and large images, deterministic mode."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import Limits, check_gradient, random
from tests.scenes import ODD
from tests.visibility.exact import find

STEP = 0.004  # of a pixel
# differences of float32 images over so little, and kinks of the texture's filter: measured 0.01 with mipmaps, else 6e-4
CLOSE = Limits(l2=0.02, cosine=2e-4, bias=0.01)


@pytest.fixture
def context(device):
    return glrast.Context(device)


def check_against_differences(context, render, pos, entries=12):
    """The gradient of a smooth loss of `render(pos)`, float32 [1,H,W,C], and central differences of that loss."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, s) for s in ODD), indexing="ij")
    weight = (1 + torch.sin(3 * x + 1) * torch.cos(2 * y))[None, ..., None].double()

    def loss(pos):
        return (render(pos.to(context.device)).double().cpu() * weight).sum()

    moving = pos.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(moving), moving)
    random = torch.Generator().manual_seed(0)
    found, wanted = [], []
    for _ in range(entries):
        move = torch.randn(pos.shape, generator=random) * (STEP * 2 / 33)
        move[..., 2] = 0
        with torch.no_grad():
            wanted.append(loss(pos + move) - loss(pos - move))
        found.append(2 * (grad * move).double().sum())
    return check_gradient(torch.stack(found), torch.stack(wanted), CLOSE)


def closed(context, subdivisions=1):
    pos, tri, _ = scenes.closed_mesh(subdivisions)
    return pos, tri.to(context.device)


def waves(size=64):
    """A texture [1,size,size,2] that is smooth at its finest level."""
    at = (torch.arange(size) + 0.5) / size
    u, v = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([torch.sin(9 * u) * torch.cos(7 * v), torch.sin(5 * v + 3 * u)], -1)[None]


@pytest.mark.slow
def test_mipmapped_textures_have_the_derivative_of_their_image_FD(context):
    pos, tri = closed(context)
    uv, tex = 0.5 + 0.4 * torch.tanh(random(pos.shape[1], 2)), waves()
    uv, tex = uv.to(context.device), tex.to(context.device)

    def image(pos, through_db=True):
        def shade(rast, rast_db):
            at, at_da = glrast.interpolate(uv, rast, tri, rast_db, "all")
            return glrast.texture(tex, at, at_da if through_db else at_da.detach())

        return glrast.render(context, pos, tri, ODD, shade, discontinuities="all")

    check_against_differences(context, image, pos)
    # the derivatives of u and v move with the vertices, which moves the level: a part of the gradient, and not small
    grads = []
    for through_db in (True, False):
        moving = pos.to(context.device).requires_grad_()
        (grad,) = torch.autograd.grad(image(moving, through_db).square().sum(), moving)
        grads.append(grad)
    assert (grads[0] - grads[1]).norm() > 1e-3 * grads[0].norm()


@pytest.mark.slow
def test_cube_maps_have_the_derivative_of_their_image_FD(context):
    pos, tri = closed(context)
    direction = scenes._icosphere(1)[0].float().to(context.device)
    side = waves(16).expand(6, -1, -1, -1) * torch.linspace(0.5, 1, 6)[:, None, None, None]
    tex = side[None].contiguous().to(context.device)

    def image(pos):
        def shade(rast, _):
            at, _ = glrast.interpolate(direction, rast, tri)
            return glrast.texture(tex, at, boundary_mode="cube", filter_mode="linear")

        return glrast.render(context, pos, tri, ODD, shade, discontinuities="all")

    check_against_differences(context, image, pos)


@pytest.mark.slow
def test_shading_of_ones_own_has_the_derivative_of_its_image_FD(context):
    pos, tri = closed(context)
    normal = random(pos.shape[1], 3).to(context.device)

    def image(pos):
        def shade(rast, _):
            n, _ = glrast.interpolate(normal, rast, tri)
            at, _ = glrast.interpolate(pos[0].contiguous(), rast, tri)  # positions as attributes
            light = torch.nn.functional.normalize(n, dim=-1, eps=1e-3) @ torch.ones(
                3, device=n.device
            )
            return torch.sigmoid(torch.stack([light, at[..., 2] - at[..., 3]], -1))

        return glrast.render(context, pos, tri, ODD, shade, discontinuities="all")

    check_against_differences(context, image, pos)


def test_images_beyond_the_drivers_limit_are_drawn_in_tiles_and_exact(context):
    # a white half plane up to 8700.3 pixels, and a triangle across the seam of the tiles
    x = 2 * torch.tensor([-99.0, 8700.3, 8700.3, -99.0]) / 9000 - 1
    y = torch.tensor([-9.0, -9.0, 9.0, 9.0])
    pos = torch.stack([x, y, torch.zeros(4), torch.ones(4)], 1)[None]
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]])
    pos = pos.to(context.device).requires_grad_()
    _, frag = find(context, pos, tri, (3, 9000), "near")
    assert frag.pixel.unique().tolist() == [9000 * row + 8700 for row in range(3)]
    shown = frag.weight[frag.rast[0, 0, :, 3] > 0]
    assert (shown - 0.3).abs().max() < 2e-3  # float32 clip positions: a thousandth of a pixel here
    (grad,) = torch.autograd.grad(shown.sum(), pos)
    assert grad[..., 0].sum().item() == pytest.approx(3 * 9000 / 2, rel=1e-4)
    rast, _ = glrast.rasterize(context, pos.detach(), tri.to(pos.device), (3, 9000))
    mask = (rast[..., 3:] > 0).float()
    image = glrast.antialias(mask, rast, pos, tri.to(pos.device), discontinuities="exact")
    assert image.sum().item() == pytest.approx(3 * 8700.3, abs=0.01)


def test_pytorchs_deterministic_mode_has_nothing_to_refuse(context):
    pos, tri = closed(context)
    attr = random(pos.shape[1], 3).to(context.device)
    pos = pos.to(context.device).requires_grad_()
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        rast, _ = glrast.rasterize(context, pos, tri, ODD)
        color, _ = glrast.interpolate(attr, rast, tri)
        exact = glrast.render(
            context, pos, tri, ODD, lambda r, _: glrast.interpolate(attr, r, tri)[0]
        )
        drop_in = glrast.antialias(color, rast, pos, tri, discontinuities="exact")
        (exact.square().sum() + drop_in.square().sum()).backward()
    finally:
        torch.use_deterministic_algorithms(before)
    assert torch.isfinite(pos.grad).all() and pos.grad.any()
