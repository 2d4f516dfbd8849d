"""softras and its relatives: the float64 twin, finite differences, what the paper's constants do."""

import math

import pytest
import torch

import glrast
from glrast.visibility import (
    NearestFaces,
    hard,
    nearest_faces,
    shade_faces,
    sigmoid_alpha,
    softras,
    softras_reach,
)
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close
from tests.reference.visibility import softras as twin
from tests.visibility import discontinuities as kinds

# float32 exponentials; measured 2e-6
GRADIENT = Limits(l2=1e-4, cosine=1e-8, bias=1e-4)
MODES = [
    (color, alpha, distance)
    for color in ("softmax", "over", "hard")
    for alpha in ("product", "sum", "hard")
    for distance in ("euclidean", "barycentric")
]


@pytest.fixture
def context(device):
    return glrast.Context(device)


def made_up(K=5, C=3, seed=0, size=(2, 4, 5)):
    """A NearestFaces of any numbers, sorted by z, with colours and a background."""
    random = torch.Generator().manual_seed(seed)

    def r(*shape):
        return torch.rand(*size, *shape, generator=random)

    count = torch.randint(0, K + 1, size, generator=random)
    there = torch.arange(K) < count[..., None]
    id = torch.where(there, torch.arange(K), -1).to(torch.int32)
    z = torch.where(there, r(K).sort(dim=-1).values * 0.02, -1)
    bary, dist2 = r(K, 3) - 0.2, 4 * r(K) - 2
    return NearestFaces(id, z, bary, dist2), r(K, C), r(C)


@pytest.mark.parametrize("color, alpha, distance", MODES)
def test_values_and_gradients_are_those_of_the_twin(device, color, alpha, distance):
    near, colors, behind = made_up()
    options = dict(gamma=5e-3, color=color, alpha=alpha, distance=distance, eps=0.48, face_count=7)
    sigma = dict(sigma_pix2=0.4) if distance == "euclidean" else dict(sigma_ndc=0.4)
    inputs = [t.to(device).requires_grad_() for t in (*near[1:], colors, behind)]
    found = softras(NearestFaces(near.id.to(device), *inputs[:3]), *inputs[3:], **sigma, **options)
    exact = [t.double().requires_grad_() for t in (*near[1:], colors, behind)]
    wanted = twin.softras(near.id, *exact[:3], *exact[3:], 0.4, **options)
    close(found, wanted, 2e-5)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((found * weight.to(found)).sum(), inputs, allow_unused=True)
    theirs = torch.autograd.grad((wanted * weight.double()).sum(), exact, allow_unused=True)
    for a, b in zip(ours, theirs):
        a, b = (torch.zeros(()) if g is None else g.cpu() for g in (a, b))
        if b.any() or a.any():
            check_gradient(a, b, GRADIENT)


@pytest.mark.parametrize("K, C", [(1, 1), (64, 2), (3, 0)])
def test_any_number_of_faces_and_channels(device, K, C):
    near, colors, _ = made_up(K, C)
    near = NearestFaces(*(t.to(device) for t in near))
    behind = torch.full((C,), 0.5, device=device)
    found = softras(near, colors.to(device), behind, sigma_pix2=0.4, color="over")
    exact = [t.cpu().double() for t in near[1:]]
    wanted = twin.softras(
        near.id.cpu(), *exact, colors.double(), behind.cpu().double(), 0.4, color="over"
    )
    close(found, wanted, 1e-5)
    silhouette = softras(near, None, sigma_pix2=0.4)
    close(silhouette, wanted[..., -1:], 1e-5)


def test_a_background_of_every_pixel_gets_its_own_gradient(device):
    near, colors, behind = made_up()
    near = NearestFaces(*(t.to(device) for t in near))
    full = behind.to(device).requires_grad_()
    image = softras(near, colors.to(device), full, sigma_pix2=0.4, color="over")
    (grad,) = torch.autograd.grad(image[..., :3].sum(), full)
    none = near.id[..., 0] < 0
    assert (grad[none] == 1).all() and (grad[~none] <= 1).all()
    close(image[..., :3][none], full.detach()[none], 0.0)


def test_faces_that_cover_surely_leave_finite_gradients(device):
    """Where 1 - D is 0, a product of the others is not divided by it."""
    near, colors, behind = made_up()
    dist2 = torch.full_like(near.dist2, -1e4).to(device).requires_grad_()
    near = NearestFaces(near.id.to(device), near.z.to(device), near.bary.to(device), dist2)
    image = softras(near, colors.to(device), behind.to(device), sigma_pix2=0.1)
    (grad,) = torch.autograd.grad(image.sum(), dist2)
    assert torch.isfinite(grad).all() and torch.isfinite(image).all()


@pytest.mark.parametrize("color", ["softmax", "over"])
def test_a_face_far_beyond_its_reach_leaves_the_others_as_they_are(device, color):
    """Its D is 0 to float32, and it may be the nearest: with the background's weight below float32 nothing is left."""
    near, colors, behind = made_up()
    near = NearestFaces(*(t.to(device) for t in near))
    dist2 = near.dist2.clone()
    dist2[..., 0] = 1e3
    dist2.requires_grad_()
    image = softras(
        near._replace(dist2=dist2),
        colors.to(device),
        behind.to(device),
        sigma_pix2=0.4,
        color=color,
    )
    one = near.id[..., 1] < 0
    close(image[..., :3][one], behind[one.cpu()], 1e-6)
    (grad,) = torch.autograd.grad(image.sum(), dist2)
    assert torch.isfinite(image).all() and torch.isfinite(grad).all() and not grad[..., 0].any()


def test_reach_is_where_a_face_weighs_a_ten_thousandth():
    reach = softras_reach((256, 100), sigma_pix2=2.0)
    assert 1 / (1 + math.exp(reach**2 / 2.0)) == pytest.approx(1e-4)
    assert softras_reach((256, 100)) == pytest.approx(softras_reach((256, 100), 1e-5 * 50**2))


def image_of(context, kind, pos, **options):
    """A kind's image by softras, 64 x 64, all four channels."""
    tri = kind.tri.to(pos.device)
    sigma = options.setdefault("sigma_pix2", 1.0)
    reach = softras_reach(kinds.SIZE, sigma)
    near = nearest_faces(context, pos, tri, kinds.SIZE, 16, reach, ranges=[[0, len(tri)]])
    colors = shade_faces(kind.corners.to(pos.device), near, kinds.faces(kind).to(pos.device))
    return softras(near, colors, **options)


def own_differences(context, kind, weight, options, step=2e-3):
    """(gradient of sum(weight * image), central differences of it) for some entries of pos."""
    base = kind.pos.to(context.device)
    moved = base.clone().requires_grad_()
    weight = weight.to(base)
    loss = (image_of(context, kind, moved, **options) * weight).sum()
    (gradient,) = torch.autograd.grad(loss, moved)
    found, wanted = [], []
    for place in kinds.entries_of(kind, 4):
        by = torch.zeros_like(base)
        by[place] = step
        up, down = (
            (image_of(context, kind, base + s * by, **options).double() * weight.double()).sum()
            for s in (1, -1)
        )
        found.append(gradient[place].item())
        wanted.append(((up - down) / (2 * step)).item())
    return torch.tensor(found), torch.tensor(wanted)


def smooth(channels):
    full = kinds.smooth_weight().float()
    return torch.cat([full, full[..., :1]], -1) * torch.tensor(channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["silhouette", "occlusion", "smooth_mesh", "leaving"])
@pytest.mark.parametrize("color", ["softmax", "over"])
def test_gradients_are_the_finite_differences_of_its_own_image(context, name, color):
    # soft in depth too, and the background within reach of it
    options = dict(color=color, gamma=0.2, eps=0.4, sigma_pix2=2.0)
    found, wanted = own_differences(context, kinds.KINDS[name](), smooth([1.0, 1, 1, 1]), options)
    # "over" ends where a face's pixels begin: exp(-d/sigma) has a kink at the outline
    assert (found - wanted).norm() < 0.03 * wanted.norm()


def test_the_published_constants_hide_silhouettes_from_the_colour(context):
    kind = kinds.silhouette()
    pos = kind.pos.to(context.device).requires_grad_()
    sizes = {}
    for color in ("softmax", "over"):
        image = image_of(context, kind, pos, color=color)
        rgb = (image[..., :3] * kinds.smooth_weight().to(image)).sum()
        sizes[color] = torch.autograd.grad(rgb, pos)[0][:, :2].norm().item()
    exact = kinds.exact_gradient(kind, kinds.entries_of(kind), [kinds.smooth_weight()])
    truth = exact.norm().item()
    # what is left of softmax is the slope of the colours inside, and that of one face is flat
    assert sizes["softmax"] < 1e-4 * truth and 0.7 * truth < sizes["over"] < 1.3 * truth


# ---- relatives -------------------------------------------------------------------------------------------


def test_sigmoid_alpha_and_hard_have_the_nearest_colour(device):
    near, colors, behind = made_up()
    near, colors, behind = (
        NearestFaces(*(t.to(device) for t in near)),
        colors.to(device),
        behind.to(device),
    )
    soft, plain = sigmoid_alpha(near, colors, behind, sigma_pix2=0.4), hard(near, colors, behind)
    there = near.id[..., 0] >= 0
    for image in (soft, plain):
        assert torch.equal(image[..., :3][there], colors[..., 0, :][there])
        assert torch.equal(image[..., :3][~there], behind[~there])
    assert torch.equal(plain[..., 3], there.float())
    close(soft[..., 3:], softras(near, None, sigma_pix2=0.4), 1e-6)


def test_wrong_arguments_are_named(device):
    near, colors, behind = made_up()
    near = NearestFaces(*(t.to(device) for t in near))
    colors, behind = colors.to(device), behind.to(device)
    with pytest.raises(
        ValueError, match="glrast.visibility.softras: color must be 'softmax', 'over' or 'hard'"
    ):
        softras(near, colors, color="soft")
    with pytest.raises(ValueError, match="sigma must be given once; got sigma_pix2 and sigma_ndc"):
        softras(near, colors, sigma_pix2=1.0, sigma_ndc=1.0)
    with pytest.raises(ValueError, match="gamma must be more than 0; got 0.0"):
        softras(near, colors, gamma=0.0)
    with pytest.raises(
        ValueError, match=r"colors must be \[2,4,5,5,C\] like near.id; got \[2,4,5,3,5\]"
    ):
        softras(near, colors.transpose(3, 4).contiguous())
    with pytest.raises(ValueError, match=r"background must be \[3\] or \[2,4,5,3\]; got \[4\]"):
        softras(near, colors, torch.zeros(4, device=device))
    with pytest.raises(
        TypeError, match="near must be what glrast.visibility.nearest_faces returns; got Tensor"
    ):
        softras(colors, colors)
    with pytest.raises(ValueError, match="dist_eps must be between 0 and 1/2; got 0.5"):
        softras_reach((8, 8), dist_eps=0.5)


def test_attributes_of_faces_are_interpolated(context):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(1))
    near = nearest_faces(context, pos, tri, scenes.ODD, 3, 1.0)
    found = shade_faces(attr, near, tri)
    wanted = (near.bary[..., None] * attr[tri[near.id.long()].long()]).sum(-2)
    there = near.id >= 0
    close(found[there], wanted[there], 1e-5)
    assert not found[~there].any()
