"""antialias with discontinuities="exact": its image and gradients against the float64 twin, and the colours it takes."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close, random, ranges_for
from tests.reference.visibility import continued as twin
from tests.scenes import ODD
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds

# float32 u and v, which places are read off
ROUNDING = 3e-5
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
