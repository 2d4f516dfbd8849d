"""Every claim of glrast.visibility.CLAIMS, measured against the exact gradient; a false one fails here."""

from functools import cache

import pytest
import torch

import glrast
from glrast import visibility
from glrast.visibility import CLAIMS, nearest_faces, shade_faces, softras_reach
from tests.visibility import claims_table
from tests.visibility import discontinuities as kinds

NOT_CLAIMED = 1 / 3  # relative errors from here on are no gradient that one would claim
ENTRIES = 12  # of pos that are compared
CASES = [(i, name) for i in range(len(CLAIMS)) for name in kinds.KINDS]


@pytest.fixture(scope="module")
def context(device):
    return glrast.Context(device)


def image_of(context, claim, kind, pos):
    """[1,64,64,4] of a kind, by the claimed way; image estimators have no fourth channel."""
    if claim.name in claims_table.MEMBERS:
        return claims_table.image(context, kind, pos, claim.name, **claim.options)
    tri, own = kind.tri.to(pos.device), kinds.faces(kind).to(pos.device)
    corners, ranges = kind.corners.to(pos.device), [[0, len(tri)]]
    if claim.name == "dibr":  # a colour for each corner: each face with vertices of its own
        spread = pos[tri.reshape(-1).long()]
        return visibility.dibr(
            context, spread, own, kinds.SIZE, corners, ranges=ranges, **claim.options
        )
    reach = 0.0 if claim.name == "hard" else softras_reach(kinds.SIZE, 1.0)
    near = nearest_faces(context, pos, tri, kinds.SIZE, 16, reach, ranges=ranges)
    return getattr(visibility, claim.name)(near, shade_faces(corners, near, own), **claim.options)


@cache
def exact(name: str):
    """(kind, entries, the exact gradients by colour and by the mask)."""
    kind = kinds.KINDS[name]()
    entries, smooth = kinds.entries_of(kind, ENTRIES), kinds.smooth_weight()
    mask = kind._replace(corners=torch.ones_like(kind.corners[:, :1]))
    by_color = kinds.exact_gradient(kind, entries, [smooth])[0]
    return kind, entries, by_color, kinds.exact_gradient(mask, entries, [smooth[..., :1]])[0]


def errors(context, claim, name: str) -> dict[str, float]:
    """The relative errors by the parts of the image; of one that has no boundary of its own, nothing."""
    kind, entries, by_color, by_mask = exact(name)
    pos = kind.pos.to(context.device).requires_grad_()
    image = image_of(context, claim, kind, pos)
    found = {}
    weight = kinds.smooth_weight().to(image)
    parts = {
        "color": (image[..., :3], weight, by_color),
        "alpha": (image[..., 3:], weight[..., :1], by_mask),
    }
    for part, (channels, weight, wanted) in parts.items():
        if wanted.norm() < 1e-6 or not channels.shape[-1]:
            continue
        loss = (channels * weight).sum()
        gradient = torch.zeros_like(pos)
        if loss.requires_grad:
            (given,) = torch.autograd.grad(loss, pos, retain_graph=True, allow_unused=True)
            gradient = gradient if given is None else given
        found[part] = kinds.error(gradient.cpu().double(), wanted, entries).l2
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number, name", CASES)
def test_a_kind_is_right_if_and_only_if_it_is_claimed(context, number, name):
    claim = CLAIMS[number]
    for part, error in errors(context, claim, name).items():
        limit = getattr(claim, part).get(name)
        if limit is None:
            assert error > NOT_CLAIMED, (
                f"{claim.name}: {part} of {name} could be claimed: {error:.3f}"
            )
        else:
            assert error < limit, f"{claim.name}: {part} of {name}: {error:.3f}"


@pytest.mark.parametrize("number", range(len(CLAIMS)))
def test_the_named_coordinates_get_a_gradient_twice_the_same(context, number):
    claim = CLAIMS[number]
    # depth moves intersections alone, of what looks at pixels
    kind = kinds.intersection() if claim.name == "edge_grad" else kinds.smooth_mesh()
    runs = []
    for _ in range(2):
        pos = kind.pos.to(context.device).requires_grad_()
        loss = (image_of(context, claim, kind, pos) * kinds.noise_weight()[..., :1].to(pos)).sum()
        runs.append(torch.autograd.grad(loss, pos)[0])
    got = "".join(axis for i, axis in enumerate("xyzw") if runs[0][:, i].any())
    assert got == claim.positions
    assert torch.equal(*runs) == claim.noise_free or context.device.type == "cuda"


def test_claims_name_functions_and_kinds():
    for claim in CLAIMS:
        assert callable(getattr(visibility, claim.name))
        assert set(claim.color) | set(claim.alpha) <= set(kinds.KINDS)
        assert all(
            0 < limit <= NOT_CLAIMED for limit in (*claim.color.values(), *claim.alpha.values())
        )
