"""PyTorch3D's blends by their published formulas, written out for one pixel."""

import math

import torch

from glrast.pytorch3d import BlendParams, hard_rgb_blend, sigmoid_alpha_blend, softmax_rgb_blend
from glrast.pytorch3d.rasterizer import Fragments

PARAMS = BlendParams(sigma=1e-2, gamma=5e-2, background_color=(0.5, 0.25, 1.0))


def fragments():
    ids = torch.tensor([[3, 1, -1], [-1, -1, -1]])
    z = torch.tensor([[2.0, 3.0, -1.0], [-1.0, -1.0, -1.0]])
    d = torch.tensor([[-0.01, 0.02, -1.0], [-1.0, -1.0, -1.0]])
    shape = (1, 1, 2, 3)
    bary = torch.zeros(*shape, 3)
    return Fragments(ids.reshape(shape), z.reshape(shape), bary, d.reshape(shape))


def test_softmax_is_its_formula():
    colors = torch.rand(1, 1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    found = softmax_rgb_blend(colors, fragments(), PARAMS, znear=1.0, zfar=11.0)[0, 0]
    prob = [1 / (1 + math.exp(-0.01 / 1e-2)), 1 / (1 + math.exp(0.02 / 1e-2))]
    zhat = [0.9, 0.8]
    weights = [p * math.exp((z - 0.9) / 5e-2) for p, z in zip(prob, zhat)]
    delta = max(math.exp((1e-10 - 0.9) / 5e-2), 1e-10)
    total = sum(weights) + delta
    background = torch.tensor(PARAMS.background_color)
    rgb = (
        weights[0] * colors[0, 0, 0, 0] + weights[1] * colors[0, 0, 0, 1] + delta * background
    ) / total
    torch.testing.assert_close(found[0, :3], rgb)
    assert abs(found[0, 3].item() - (1 - (1 - prob[0]) * (1 - prob[1]))) < 1e-6
    torch.testing.assert_close(found[1], torch.tensor([0.5, 0.25, 1.0, 0.0]))


def test_sigmoid_has_the_nearest_colour_and_hard_knows_the_background():
    colors = torch.rand(1, 1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    soft, hard = (
        f(colors, fragments(), PARAMS)[0, 0] for f in (sigmoid_alpha_blend, hard_rgb_blend)
    )
    assert torch.equal(soft[:, :3], colors[0, 0, :, 0])
    assert (
        abs(soft[0, 3].item() - (1 - (1 - 0.7310586) * (1 - 0.1192029))) < 1e-6 and soft[1, 3] == 0
    )
    assert torch.equal(hard[0], torch.cat([colors[0, 0, 0, 0], torch.ones(1)]))
    assert torch.equal(hard[1], torch.tensor([0.5, 0.25, 1.0, 0.0]))


def test_the_published_constants_hide_silhouettes_from_the_colour():
    """rgb's derivative by the distance of a face is far below alpha's."""
    near = fragments()
    dists = near.dists[..., :1].clone().requires_grad_()
    one = Fragments(
        near.pix_to_face[..., :1], near.zbuf[..., :1], near.bary_coords[..., :1, :], dists
    )
    image = softmax_rgb_blend(torch.zeros(1, 1, 2, 1, 3), one, BlendParams(sigma=1e-2))
    (by_rgb,) = torch.autograd.grad(image[..., :3].sum(), dists, retain_graph=True)
    (by_alpha,) = torch.autograd.grad(image[..., 3].sum(), dists)
    assert by_rgb.abs().max() < 1e-5 * by_alpha.abs().max()


def naive(colors, near, params, znear=1.0, zfar=100.0):
    """Both soft blends of random fragments, face by face in float64, as PyTorch3D's own test writes them out."""
    soft, sharp = [], []
    for c, ids, z, d in zip(*(t.flatten(0, 2) for t in (colors, *near[:2], near[3]))):
        clear, weights, most = 1.0, [], torch.tensor(0.0).double()
        for k in range(len(ids)):
            if ids[k] >= 0:
                most = torch.maximum(most, (zfar - z[k]) / (zfar - znear))
        for k in range(len(ids)):
            prob = (
                torch.sigmoid(-d[k] / params.sigma) if ids[k] >= 0 else torch.tensor(0.0).double()
            )
            clear = clear * (1 - prob)
            zhat = (zfar - z[k]) / (zfar - znear)
            weights.append(prob * torch.exp((zhat - most) / params.gamma) if ids[k] >= 0 else prob)
        delta = torch.exp((1e-10 - most) / params.gamma).clamp(min=1e-10)
        weight = torch.stack(weights)
        background = torch.tensor(params.background_color).double()
        rgb = ((weight[:, None] * c).sum(0) + delta * background) / (weight.sum() + delta)
        soft.append(torch.cat([rgb, (1 - clear)[None]]))
        sharp.append(torch.cat([c[0], (1 - clear)[None]]))
    return torch.stack(soft).reshape(*colors.shape[:3], 4), torch.stack(sharp).reshape(
        *colors.shape[:3], 4
    )


def test_random_fragments_are_blended_as_in_the_published_test():
    random = torch.Generator().manual_seed(231)
    size = 2, 3, 3, 2
    ids = torch.randint(-1, 32, size, generator=random)
    z, d = (torch.randn(size, generator=random) for _ in range(2))
    colors = torch.randn(*size, 3, generator=random)
    params = BlendParams(sigma=1e-1, gamma=1e-2)
    mine = [t.clone().requires_grad_() for t in (z, d, colors)]
    exact = [t.double().requires_grad_() for t in (z, d, colors)]
    near = Fragments(ids, mine[0], torch.zeros(*size, 3), mine[1])
    wanted = naive(exact[2], (ids, exact[0], None, exact[1]), params)
    blends = softmax_rgb_blend, sigmoid_alpha_blend
    for found, truth in zip((f(mine[2], near, params) for f in blends), wanted):
        torch.testing.assert_close(found.double(), truth, atol=2e-5, rtol=1e-4)
        weight = torch.randn(truth.shape, generator=random).double()
        ours = torch.autograd.grad(
            (found * weight).sum(), mine, allow_unused=True, retain_graph=True
        )
        theirs = torch.autograd.grad(
            (truth * weight).sum(), exact, allow_unused=True, retain_graph=True
        )
        for a, b in zip(ours, theirs):
            if a is not None or b is not None:
                torch.testing.assert_close(a.double(), b, atol=2e-4, rtol=1e-3)
