"""Every claim of glrast.visibility.CLAIMS, measured against the exact gradient; a false one fails here."""

from functools import cache

import pytest
import torch

import glrast
from glrast.visibility import CLAIMS, NAMES, options_of
from glrast.visibility.audit.draw import by_claim
from tests.visibility import discontinuities as kinds

NOT_CLAIMED = 1 / 3  # relative errors from here on are no gradient that one would claim
ENTRIES = 12  # of pos that are compared
CASES = [(i, name) for i in range(len(CLAIMS)) for name in kinds.KINDS]


@pytest.fixture(scope="module")
def context(device):
    return glrast.Context(device)


def image_of(context, claim, kind, pos):
    """[1,64,64,4] of a kind, by the claimed way, the mask last."""
    return by_claim(context, kind, claim)(pos)


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
    pixels = claim.label in ("edge_grad", "antialias all", "exact", "exact near")
    kind = kinds.intersection() if pixels else kinds.smooth_mesh()
    if claim.name == "edge_sampling":  # as PyTorch's own generator has it
        claim = claim._replace(options={**claim.options, "generator": None})
    runs = []
    for _ in range(2):
        pos = kind.pos.to(context.device).requires_grad_()
        color = image_of(context, claim, kind, pos)
        weight = torch.cat([kinds.noise_weight(), kinds.noise_weight()[..., :1]], -1)
        loss = (color * weight.to(pos)).sum()
        runs.append(torch.autograd.grad(loss, pos)[0])
    got = "".join(axis for i, axis in enumerate("xyzw") if runs[0][:, i].any())
    assert got == claim.positions
    if (
        claim.name != "edge_sampling"
    ):  # whose seed is the same here: test_edge_sampling.py has its noise
        assert torch.equal(*runs) == claim.noise_free or context.device.type == "cuda"


def test_every_method_has_a_claim_and_only_edge_sampling_has_noise():
    assert {claim.name for claim in CLAIMS} == set(NAMES)
    assert len({claim.label for claim in CLAIMS}) == len(CLAIMS)
    assert [claim.name for claim in CLAIMS if not claim.noise_free] == ["edge_sampling"]


def test_claims_name_functions_and_kinds():
    for claim in CLAIMS:
        assert claim.name in NAMES and set(claim.options) <= set(options_of(claim.name))
        assert set(claim.color) | set(claim.alpha) <= set(kinds.KINDS)
        assert all(
            0 < limit <= NOT_CLAIMED for limit in (*claim.color.values(), *claim.alpha.values())
        )
