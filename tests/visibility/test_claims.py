"""Every claim of glrast.visibility.CLAIMS, measured against the exact gradient; a false one fails here.

The exact gradient is that of `fragments` with "all", by all entries of the clip positions; its own claims are measured
against central differences of the image that polygon clipping gives, by some entries.
"""

from functools import cache

import pytest
import torch

import glrast
from glrast.visibility import CLAIMS, NAMES, options_of
from glrast.visibility.audit.draw import by_claim
from glrast.visibility.audit.errors import case, truth
from tests.visibility import discontinuities as kinds

NOT_CLAIMED = 1 / 3  # relative errors from here on are no gradient that one would claim
ENTRIES = 12  # of pos that the exact gradient is compared by
LABELS = [claim.label for claim in CLAIMS]
OTHERS = [(i, name) for i, c in enumerate(CLAIMS) if c.name != "exact" for name in kinds.KINDS]


@pytest.fixture(scope="module")
def context(device):
    return glrast.Context(device)


@cache
def exact(device: str, name: str):
    return truth(glrast.Context(device), name)


def holds(claim, part: str, name: str, error: float) -> None:
    limit = getattr(claim, part).get(name)
    if limit is None:
        assert error > NOT_CLAIMED, f"{claim.label}: {part} of {name} could be claimed: {error:.3f}"
    else:
        assert error < limit, f"{claim.label}: {part} of {name}: {error:.3f}"


@pytest.mark.slow
@pytest.mark.parametrize("name", kinds.KINDS)
def test_the_yardstick_is_what_clipping_says(context, name):
    claim, right = CLAIMS[LABELS.index("exact")], exact(str(context.device), name)
    kind, entries = right.kind, kinds.entries_of(right.kind, ENTRIES)
    mask = kind._replace(corners=torch.ones_like(kind.corners[:, :1]))
    smooth = kinds.smooth_weight()
    clipped = {
        "color": (right.gradients[0], kinds.exact_gradient(kind, entries, [smooth])[0]),
        "alpha": (right.gradients[2], kinds.exact_gradient(mask, entries, [smooth[..., :1]])[0]),
    }
    for part, (found, wanted) in clipped.items():
        if wanted.norm() > 1e-6:
            holds(claim, part, name, kinds.error(found, wanted, entries).l2)


@pytest.mark.slow
@pytest.mark.parametrize("number, name", OTHERS)
def test_a_kind_is_right_if_and_only_if_it_is_claimed(context, number, name):
    claim = CLAIMS[number]
    found = case(context, claim, name, exact(str(context.device), name), own=False)
    holds(claim, "color", name, found.smooth.error)
    if found.mask is not None:
        holds(claim, "alpha", name, found.mask.error)


def test_a_false_claim_and_a_kind_that_could_be_claimed_are_found():
    claim = CLAIMS[LABELS.index("softras over")]
    holds(claim, "color", "silhouette", 0.05)
    with pytest.raises(AssertionError, match="color of silhouette: 0.100"):
        holds(claim, "color", "silhouette", 0.1)
    with pytest.raises(AssertionError, match="flat_crease could be claimed: 0.100"):
        holds(claim, "color", "flat_crease", 0.1)


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
        image = by_claim(context, kind, claim)(pos)
        weight = torch.cat([kinds.noise_weight(), kinds.noise_weight()[..., :1]], -1)
        runs.append(torch.autograd.grad((image * weight.to(image)).sum(), pos)[0])
    got = "".join(axis for i, axis in enumerate("xyzw") if runs[0][:, i].any())
    assert got == claim.positions
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
