"""softras through nearest_faces and shade_faces against the paper's algorithm, written out: every face at every pixel.

The published program has no K: all faces within reach of a pixel count. Its weights are those of the image plane,
clipped; its depth is 1 / sum(w/z).
"""

import math

import pytest
import torch

import glrast
from glrast.visibility import nearest_faces, shade_faces, shade_surfaces, softras, softras_reach
from tests.ops.compare import Limits, check_gradient, close

GRADIENT = Limits(
    l2=1e-3, cosine=1e-6, bias=1e-3
)  # gamma = 1e-2 amplifies float32 depths; measured 1e-4
SIZE, NEAR, FAR = (20, 20), 1.0, 100.0


@pytest.fixture
def context(device):
    return glrast.Context(device)


def scene(seed: int, images=2, faces=7):
    """Corners x, y in NDC and depth [N,F,3,3], beyond the image too, of both windings; colours [F,3,3]."""
    random = torch.Generator().manual_seed(seed)
    middle = 2.4 * torch.rand(images, faces, 1, 2, generator=random) - 1.2
    xy = middle + 1.2 * torch.rand(images, faces, 3, 2, generator=random) - 0.6
    z = 2 + 4 * torch.rand(images, faces, 3, 1, generator=random)
    return torch.cat([xy, z], -1).double(), torch.rand(faces, 3, 3, generator=random).double()


def to_segment(at, a, b):
    t = (((at - a) * (b - a)).sum(-1) / (b - a).square().sum(-1)).clamp(0, 1)
    return (at - a - t[..., None] * (b - a)).square().sum(-1)


def published(corners, colors, background, sigma, gamma, alpha="product", eps=1e-3):
    """[N,H,W,4], in float64 with autograd. corners [N,F,3,3]; row 0 is the bottom."""
    H, W = SIZE
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    at = torch.stack([(2 * x + 1 - W) / W, (2 * y + 1 - H) / H], -1).double()[None, ..., None, :]
    c = corners[:, None, None]  # [N,1,1,F,3,3]
    p = [c[..., k, :2] for k in range(3)]
    ones = torch.ones_like(c[..., :1])
    inverse = torch.linalg.inv(torch.cat([c[..., :2], ones], -1))
    homogeneous = torch.cat([at, torch.ones_like(at[..., :1])], -1)
    w = (homogeneous[..., None, :] @ inverse)[..., 0, :]  # [N,H,W,F,3]
    inside = ((w > 0) & (w < 1)).all(-1)
    distance = torch.stack([to_segment(at, p[k], p[(k + 1) % 3]) for k in range(3)]).amin(0)
    counts = inside | (distance < math.log(1 / 1e-4 - 1) * sigma)
    D = torch.sigmoid(torch.where(inside, distance, -distance) / sigma)
    D = torch.where(counts, D, 0.0)
    clipped = w.clamp(0, 1)
    clipped = clipped / clipped.sum(-1, keepdim=True)
    depth = 1 / (clipped / c[..., 2]).sum(-1)
    zhat = (FAR - depth) / (FAR - NEAR)
    most = torch.where(counts, zhat, eps).amax(-1, keepdim=True).clamp(min=eps).detach()
    weight = D * torch.where(counts, torch.exp((zhat - most) / gamma), 0.0)
    rest = torch.exp((eps - most) / gamma)
    shown = (clipped[..., None] * colors).sum(-2)
    rgb = (weight[..., None] * shown).sum(-2) + rest * background
    rgb = rgb / (weight.sum(-1, keepdim=True) + rest)
    opacity = 1 - torch.prod(1 - D, -1) if alpha == "product" else D.mean(-1)
    return torch.cat([rgb, opacity[..., None]], -1)


def clip_positions(corners):
    """[N,3F,4], of a perspective camera whose w is the depth."""
    x, y, z = corners.flatten(1, 2).unbind(-1)
    far, near = 200.0, 0.5
    A, B = (far + near) / (far - near), 2 * far * near / (far - near)
    return torch.stack([x * z, y * z, A * z - B, z], -1).float(), (A, B)


def ours(context, corners, colors, background, sigma, gamma, **options):
    pos, (A, B) = clip_positions(corners)
    F = corners.shape[1]
    tri = torch.arange(3 * F, dtype=torch.int32, device=context.device).reshape(-1, 3)
    reach = softras_reach(SIZE, sigma_ndc=sigma)
    near = nearest_faces(
        context, pos.to(context.device), tri, SIZE, F, reach, perspective_correct=False
    )
    shown = shade_faces(colors.reshape(-1, 3).float().to(context.device), near, tri)
    near = near._replace(z=torch.where(near.id >= 0, B / (A - near.z), -1))
    behind = torch.tensor(background, dtype=torch.float32, device=context.device)
    return softras(
        near, shown, behind, sigma_ndc=sigma, gamma=gamma, znear=NEAR, zfar=FAR, **options
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", ["product", "sum"])
def test_the_image_and_its_gradient_are_those_of_the_published_algorithm(context, seed, alpha):
    corners, colors = scene(seed)
    background, sigma, gamma = [0.2, 0.5, 0.9], 3e-3, 1e-2
    exact = corners.clone().requires_grad_()
    wanted = published(exact, colors, torch.tensor(background).double(), sigma, gamma, alpha)
    mine = corners.clone().requires_grad_()
    found = ours(
        context, mine, colors, background, sigma, gamma, alpha=alpha, face_count=corners.shape[1]
    )
    close(found, wanted, 2e-4)
    weight = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(seed)).double()
    (truth,) = torch.autograd.grad((wanted * weight).sum(), exact)
    (given,) = torch.autograd.grad((found * weight.to(found)).sum(), mine)
    check_gradient(given, truth, GRADIENT)


def test_the_constants_are_the_papers(context):
    """sigma 1e-5 and reach in NDC, gamma 1e-4, eps 1e-3: what the published function does where nothing is given."""
    corners, colors = scene(5)
    wanted = published(corners, colors, torch.zeros(3).double(), 1e-5, 1e-4)
    near_reach = softras_reach(SIZE)
    assert near_reach == pytest.approx(math.sqrt(9.2102 * 1e-5) * SIZE[0] / 2, rel=1e-4)
    pos, (A, B) = clip_positions(corners)
    tri = torch.arange(21, dtype=torch.int32, device=context.device).reshape(-1, 3)
    near = nearest_faces(
        context, pos.to(context.device), tri, SIZE, 7, near_reach, perspective_correct=False
    )
    shown = shade_faces(colors.reshape(-1, 3).float().to(context.device), near, tri)
    depth = torch.where(near.id >= 0, B / (A - near.z), -1)
    found = softras(near._replace(z=depth), shown, znear=NEAR, zfar=FAR)
    # depths within 1e-4 of each other are weighed by rounding
    off = (found.cpu().double() - wanted).abs().amax(-1)
    assert (off < 5e-3).float().mean() > 0.98 and off[..., None].median() < 1e-5


# ---- textures of faces -----------------------------------------------------------------------------------


def test_surface_textures_are_looked_up_as_published(context):
    """R x R texels: of the lower half of the unit square's cells by (w0, w1), of the upper half turned around."""
    R, F = 4, 3
    corners, _ = scene(1, images=1, faces=F)
    pos, _ = clip_positions(corners)
    tri = torch.arange(3 * F, dtype=torch.int32, device=context.device).reshape(-1, 3)
    near = nearest_faces(
        context, pos.to(context.device), tri, SIZE, F, 1.0, perspective_correct=False
    )
    texture = (
        torch.rand(F, R * R, 2, generator=torch.Generator().manual_seed(0))
        .to(context.device)
        .requires_grad_()
    )
    found = shade_surfaces(texture, near)
    assert found.shape == (1, *SIZE, F, 2)
    touched = torch.zeros(F, R * R)
    for n, y, x, k in torch.nonzero(near.id >= 0).tolist():
        w, face = near.bary[n, y, x, k].cpu().numpy(), near.id[n, y, x, k].item()  # float32
        wx, wy = int(w[0] * R), int(w[1] * R)
        upper = (w[0] + w[1]) * R - wx - wy > 1
        texel = (R - 1 - wy) * R + (R - 1 - wx) if upper else wy * R + wx
        texel = min(max(texel, 0), R * R - 1)
        assert torch.equal(found[n, y, x, k], texture[face, texel])
        touched[face, texel] += 1
    assert not found[near.id < 0].any()
    (grad,) = torch.autograd.grad(found.sum(), texture)
    close(grad[..., 0], touched, 1e-4)
