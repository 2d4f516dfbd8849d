"""dibr: its mask face by face in float64, its rules, and finite differences of its own image."""

import pytest
import torch

import glrast
from glrast.visibility import dibr, dibr_mask
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close
from tests.visibility import discontinuities as kinds

GRADIENT = Limits(l2=1e-3, cosine=1e-6, bias=5e-4)


@pytest.fixture
def context(device):
    return glrast.Context(device)


def mask_twin(pos, tri, resolution, covered, sigmainv, boxlen, knum):
    """One image in float64, pixel by pixel and face by face in their order."""
    height, width = resolution
    xy = pos[:, :2] / pos[:, 3:]
    out = torch.ones(height, width, dtype=torch.float64).unbind(0)
    out = [list(row.unbind(0)) for row in out]
    for y in range(height):
        for x in range(width):
            if covered[y, x]:
                continue
            at = torch.tensor([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1]).double()
            clear, used = torch.ones((), dtype=torch.float64), 0
            for t in tri.tolist():
                c = xy[t]
                low, high = c.detach().amin(0) - boxlen, c.detach().amax(0) + boxlen
                if used == knum or (at < low).any() or (at > high).any():
                    continue
                used += 1
                distances = []
                for k in range(3):
                    a, b = c[k], c[(k + 1) % 3]
                    s = ((at - a) @ (b - a) / (b - a).square().sum()).item()
                    foot = a + ((at - a) @ (b - a) / (b - a).square().sum()) * (b - a)
                    distances.append((at - a).square().sum())
                    if 0 < s < 1:  # only a foot within the edge counts
                        distances.append((at - foot).square().sum())
                clear = clear * (1 - torch.exp(-sigmainv * torch.stack(distances).amin()))
            out[y][x] = 1 - clear
    return torch.stack([torch.stack(row) for row in out])


@pytest.mark.slow
@pytest.mark.parametrize("knum", [2, 30])
def test_the_mask_is_that_of_the_twin(context, knum):
    pos, tri, _ = scenes.closed_mesh(1)
    options = dict(sigmainv=60.0, boxlen=0.3, knum=knum)
    mine = (pos * torch.tensor([0.6, 0.6, 1, 1])).to(context.device).requires_grad_()
    tri = tri.to(context.device)
    rast, _ = glrast.rasterize(context, mine, tri, (12, 17))
    found = dibr_mask(context, mine, tri, (12, 17), rast[..., 3] > 0, **options)
    theirs = mine.detach().cpu().double().requires_grad_()
    wanted = mask_twin(theirs[0], tri.cpu(), (12, 17), rast[0, ..., 3].cpu() > 0, **options)
    close(found[0, ..., 0], wanted, 1e-5)
    weight = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0))
    (ours,) = torch.autograd.grad((found[0, ..., 0] * weight.to(found)).sum(), mine)
    (exact,) = torch.autograd.grad((wanted * weight.double()).sum(), theirs)
    check_gradient(ours, exact, GRADIENT)


def test_covered_pixels_are_1_and_colours_are_the_faces(context):
    kind = kinds.silhouette()
    pos, tri = kind.pos.to(context.device), kind.tri.to(context.device)
    attr = torch.eye(3, device=context.device)
    ranges = [[0, len(tri)]]
    image = dibr(context, pos, tri, kinds.SIZE, attr, ranges=ranges)
    rast, _ = glrast.rasterize(context, pos, tri, kinds.SIZE, ranges=ranges)
    color, _ = glrast.interpolate(attr, rast, tri)
    shown = rast[..., 3] > 0
    assert (image[shown][:, 3] == 1).all()
    close(image[..., :3], color, 1e-4)
    beside = image[..., 3][~shown]
    assert ((beside > 0) & (beside < 1)).any() and (beside[beside > 0].max() < 1)


def test_affine_is_the_historical_form(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(1))
    attr = torch.eye(3, device=context.device)
    flat = pos / pos[..., 3:]
    found = dibr(context, pos, tri, scenes.ODD, attr, affine=True)
    close(found, dibr(context, flat.contiguous(), tri, scenes.ODD, attr), 1e-4)
    assert (found - dibr(context, pos, tri, scenes.ODD, attr)).abs().max() > 0.01


def test_its_mask_has_its_own_finite_differences(context):
    kind = kinds.silhouette()
    base, tri = kind.pos.to(context.device), kind.tri.to(context.device)
    ranges = [[0, len(tri)]]
    rast, _ = glrast.rasterize(context, base, tri, kinds.SIZE, ranges=ranges)
    weight = kinds.smooth_weight()[..., :1].to(base)

    def loss(p):
        mask = dibr_mask(context, p, tri, kinds.SIZE, rast[..., 3] > 0, 500.0, 0.3, ranges=ranges)
        return (mask.double() * weight.double()).sum()

    moved = base.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(moved), moved)
    for place in kinds.entries_of(kind, 4):
        by = torch.zeros_like(base)
        by[place] = 1e-3
        wanted = ((loss(base + by) - loss(base - by)) / 2e-3).item()
        assert gradient[place].item() == pytest.approx(wanted, rel=1e-2, abs=1e-3)


def test_wrong_arguments_are_named(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(1))
    attr = torch.eye(3, device=context.device)
    with pytest.raises(
        ValueError, match="glrast.visibility.dibr: sigmainv must be more than 0; got 0.0"
    ):
        dibr(context, pos, tri, scenes.ODD, attr, sigmainv=0.0)
    with pytest.raises(ValueError, match="knum must be a whole number from 1; got 0"):
        dibr(context, pos, tri, scenes.ODD, attr, knum=0)
