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
