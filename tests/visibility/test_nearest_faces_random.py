"""nearest_faces on random scenes: its values and gradients are those of the float64 twin."""

import pytest
import torch

import glrast
from glrast.visibility import nearest_faces
from tests.ops.compare import Limits, check_gradient
from tests.reference.visibility import nearest_faces as twin

ROUNDING = 1e-6  # relative, of float32 results; measured 6e-8
GRADIENT = Limits(l2=2e-5, cosine=1e-9, bias=1e-5)  # float32 sums; measured 1e-6
SMALL = (9, 14)


@pytest.fixture
def context(device):
    return glrast.Context(device)


def scene(seed: int):
    """(pos, tri, options) of a random scene: instanced or by ranges, before the near plane, with slivers."""
    random = torch.Generator().manual_seed(seed)

    def r(*shape):
        return torch.rand(*shape, generator=random)

    V, T = 12, 10
    w = 0.3 + 1.5 * r(V)
    pos = torch.stack(
        [(2.6 * r(V) - 1.3) * w, (2.6 * r(V) - 1.3) * w, (1.8 * r(V) - 0.9) * w, w], 1
    )
    if seed % 3 == 0:  # some are behind the camera, or before the near plane
        some = torch.arange(V) % 4 == 0
        pos[some, 3] = 0.3 - r(V)[some]
        pos[some, 2] = 2 * r(V)[some] - 1
    if seed % 4 == 1:  # slivers: vertices 0 and 1 are 1/100 of a pixel apart
        pos[1] = pos[0] * (1 + 1e-3 * r(4))
    tri = torch.randint(0, V, (T, 3), generator=random, dtype=torch.int32)
    ranges = [[2, 6], [0, 0], [4, 6]] if seed % 5 == 2 else None
    if ranges is None:
        pos = torch.stack([pos, pos * torch.tensor([0.9, -1.1, 1.0, 1.0])])[: 1 + seed % 2]
    options = dict(
        faces_per_pixel=(1, 3, 8, 16)[seed % 4], reach_pix=(0.0, 1.5, 3.0, 0.3)[seed // 2 % 4], ranges=ranges,
        perspective_correct=seed % 5 != 0, clip_barycentrics=(None, True, False)[seed // 3 % 3],
        cull=("none", "back", "front")[seed % 7 % 3],
    )  # fmt: skip
    return pos, tri, options


def check_scene(context, seed: int) -> float:
    """Compares a scene with the twin; the part of its pixels in which rounding decides."""
    pos, tri, options = scene(seed)
    mine = pos.to(context.device).requires_grad_()
    found = nearest_faces(context, mine, tri.to(context.device), SMALL, **options)
    theirs = pos.double().requires_grad_()
    wanted = twin.nearest_faces(theirs, tri, SMALL, **options)
    same = (found.id.cpu() == wanted.id).all(-1)
    assert (same | wanted.doubtful).all(), f"scene {seed}: ids"
    counts = same[..., None] & (wanted.id >= 0)
    random = torch.Generator().manual_seed(seed)
    for name in ("z", "bary", "dist2"):
        a, b = getattr(found, name), getattr(wanted, name)
        mask = counts if a.ndim == 4 else counts[..., None]
        off = ((a.detach().cpu() - b.detach()).abs() / (1 + b.detach().abs())) * mask
        assert off.max() < ROUNDING, f"scene {seed}: {name}"
        weight = torch.randn(a.shape, generator=random) * mask
        if not counts.any():
            continue
        (ours,) = torch.autograd.grad((a * weight.to(a)).sum(), mine, retain_graph=True)
        (exact,) = torch.autograd.grad((b * weight.double()).sum(), theirs, retain_graph=True)
        check_gradient(ours, exact, GRADIENT)
    return wanted.doubtful.float().mean().item()


@pytest.mark.parametrize("seed", range(12))
def test_random_scenes_are_those_of_the_twin(context, seed):
    check_scene(context, seed)


@pytest.mark.slow
def test_two_hundred_random_scenes_are_those_of_the_twin(context):
    doubtful = [check_scene(context, seed) for seed in range(200)]
    assert sum(doubtful) / len(doubtful) < 0.03  # faces of the same vertices have the same depth


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 5, 9, 14])
def test_the_twin_has_its_own_finite_differences(seed):
    pos, tri, options = scene(seed)
    pos = pos.double()
    base = twin.nearest_faces(pos, tri, SMALL, **options)
    weight = torch.randn(base.bary.shape, generator=torch.Generator().manual_seed(1)).double()

    def loss(p):
        near = twin.nearest_faces(p, tri, SMALL, **options)
        same = ((near.id == base.id) & (base.id >= 0) & ~base.doubtful[..., None]).double()
        inner = (near.bary * weight).sum(-1) + near.z * weight[..., 0] + near.dist2 * weight[..., 1]
        return (inner * same).sum(), same.sum()

    moved = pos.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(moved)[0], moved)
    # nearest edges that change within a step: a kink
    step, checked, kinks = 1e-6, 0, 1e-4 * gradient.abs().max().item()
    for place in torch.nonzero(gradient.abs() > 1e-3)[::3]:
        by = torch.zeros_like(pos)
        by[tuple(place)] = step
        (up, n), (down, m) = loss(pos + by), loss(pos - by)
        if n != m:  # some face has come or gone
            continue
        wanted = gradient[tuple(place)].item()
        assert ((up - down) / 2 / step).item() == pytest.approx(wanted, rel=1e-4, abs=kinks)
        checked += 1
    assert checked > 3
