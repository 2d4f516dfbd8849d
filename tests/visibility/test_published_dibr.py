"""dibr's soft mask on the triangles of kaolin's own unit test, against that library's formulas in float64.

Its test compares with stored tensors of an earlier release; here the same values come from the formulas: candidates are
the first knum faces whose box, grown by boxlen, holds the centre; of each the nearest of three edges, where the foot is
on the edge, and of three corners.
"""

import pytest
import torch

import glrast
from glrast.visibility import dibr, dibr_mask
from tests.ops.compare import Limits, check_gradient, close

GRADIENT = Limits(l2=5e-5, cosine=1e-8, bias=5e-5)
SIZE = (35, 31)
FACES = torch.tensor(
    [[[[-0.7, 0.0], [0.0, -0.7], [0.0, 0.7]], [[-0.7, 0.0], [0.0, 0.7], [0.0, -0.7]],
      [[0.0, -0.7], [0.0, 0.7], [0.7, 0.0]]],
     [[[-0.7, -0.7], [0.7, -0.7], [-0.7, 0.7]]] * 3]
)  # fmt: skip


@pytest.fixture
def context(device):
    return glrast.Context(device)


def centres():
    H, W = SIZE
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    return torch.stack([(2 * x + 1 - W) / W, (2 * y + 1 - H) / H], -1).double()


def published(faces, covered, sigmainv, boxlen, knum=30):
    """[N,H,W] of faces [N,F,3,2]."""
    at = centres()[None, ..., None, :]
    c = faces[:, None, None]
    low, high = c.detach().amin(-2) - boxlen, c.detach().amax(-2) + boxlen
    near = ((at >= low) & (at < high)).all(-1)
    near &= near.cumsum(-1) <= knum
    squares = []
    for k in range(3):
        p, q = c[..., k, :], c[..., (k + 1) % 3, :]
        A, B = (q - p)[..., 1], -(q - p)[..., 0]
        C = q[..., 0] * p[..., 1] - p[..., 0] * q[..., 1]
        up, down = A * at[..., 0] + B * at[..., 1] + C, A * A + B * B
        foot = at - (up / down)[..., None] * torch.stack([A, B], -1)
        beyond = ((foot - p) * (foot - q)).sum(-1) > 0
        squares += [torch.where(beyond, 4.0, up * up / down), (at - p).square().sum(-1)]
    clear = torch.where(near, 1 - torch.exp(-sigmainv * torch.stack(squares).amin(0)), 1.0)
    return torch.where(covered, 1.0, 1 - clear.prod(-1))


def drawn(faces):
    """[N,3F,4] and tri."""
    xy = faces.flatten(1, 2)
    pos = torch.cat([xy, torch.zeros_like(xy[..., :1]), torch.ones_like(xy[..., :1])], -1).float()
    return pos, torch.arange(xy.shape[1], dtype=torch.int32).reshape(-1, 3)


@pytest.mark.parametrize("sigmainv", [7000, 70])
@pytest.mark.parametrize("boxlen", [0.02, 0.2])
def test_the_mask_and_its_gradient_under_the_loss_of_masks(context, sigmainv, boxlen):
    pos, tri = drawn(FACES)
    pos, tri = pos.to(context.device).requires_grad_(), tri.to(context.device)
    covered = glrast.rasterize(context, pos, tri, SIZE)[0][..., 3] > 0
    found = dibr_mask(context, pos, tri, SIZE, covered, sigmainv, boxlen)[..., 0]
    exact = FACES.double().requires_grad_()
    wanted = published(exact, covered.cpu(), sigmainv, boxlen)
    close(found, wanted, 1e-5)  # the library's own tolerance

    def loss(mask):
        other = torch.nn.functional.pad(covered.to(mask), (0, 5))[..., 5:]
        both = (mask * other).sum((1, 2))
        return (1 - both / (mask + other - mask * other).sum((1, 2))).mean()

    (given,) = torch.autograd.grad(loss(found), pos)
    (truth,) = torch.autograd.grad(loss(wanted), exact)
    check_gradient(given[..., :2], truth.reshape(2, -1, 2), GRADIENT)


def test_faces_are_taken_by_index_until_there_are_knum(context):
    random = torch.Generator().manual_seed(0)
    faces = (
        0.8 * torch.rand(1, 9, 1, 2, generator=random)
        - 0.4
        + 0.3 * torch.rand(1, 9, 3, 2, generator=random)
    )
    pos, tri = (t.to(context.device) for t in drawn(faces))
    covered = glrast.rasterize(context, pos, tri, SIZE)[0][..., 3] > 0
    masks = [
        dibr_mask(context, pos, tri, SIZE, covered, 70.0, 0.3, knum)[..., 0] for knum in (2, 30)
    ]
    for mask, knum in zip(masks, (2, 30)):
        close(mask, published(faces.double(), covered.cpu(), 70.0, 0.3, knum), 5e-6)
    assert (masks[1] - masks[0]).max() > 0.1


def test_culled_faces_count_in_the_mask_as_published(context):
    """Only what is drawn is chosen by the normal; kaolin's mask is given all faces."""
    pos, tri = (t.to(context.device) for t in drawn(FACES))
    attr = torch.ones(9, 1, device=context.device)
    turned = tri[:, [0, 2, 1]].contiguous()
    for faces in (tri, turned):
        image = dibr(context, pos, faces, SIZE, attr, 70.0, 0.2, cull="back")
        covered = image[..., 0] > 0
        close(image[..., 1], published(FACES.double(), covered.cpu(), 70, 0.2), 2e-6)
        assert covered.any() and not covered[0].all()
    drawn_either_way = dibr(context, pos, tri, SIZE, attr, 70.0, 0.2)[..., 0] > 0
    assert drawn_either_way.sum() > covered.sum()
