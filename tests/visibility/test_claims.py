"""glrast.visibility.CLAIMS: every claim holds in its kinds of scene, and docs/visibility.md says what is measured."""

import re
from pathlib import Path

import pytest
import torch

import glrast
from glrast import visibility
from glrast.visibility import CLAIMS
from tests.visibility import claims_table as table
from tests.visibility import discontinuities as kinds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "visibility.md"
CLAIMED = [(claim, kind) for claim in CLAIMS for kind in claim.kinds]
ROUNDED = (
    0.02  # of the figures on the page, which have two places; and float32 sums on other machines
)


@pytest.fixture
def context(gl):
    return glrast.Context("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("claim, kind", CLAIMED, ids=[f"{c.name}-{k}" for c, k in CLAIMED])
def test_the_gradient_is_as_near_to_the_exact_one_as_is_claimed(context, claim, kind):
    smooth, _ = table.errors(context, claim.name, kind)
    assert smooth.l2 <= claim.error and 1 - smooth.cosine >= claim.cosine


@pytest.mark.slow
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_inputs_get_a_gradient_as_claimed(context, claim):
    if claim.name == "rasterize_then_splat":
        pytest.skip(
            "its colours are a list; tests/visibility/test_rasterize_then_splat.py has them"
        )
    kind = kinds.intersection()
    pos = kind.pos.clone().requires_grad_()
    rast, _ = glrast.rasterize(context, kind.pos, kind.tri, kinds.SIZE, ranges=[[0, 2]])
    color = glrast.interpolate(kind.corners, rast, kinds.faces(kind))[0].requires_grad_()
    image = table.MEMBERS[claim.name](color, rast, pos, kind.tri)
    weight = kinds.smooth_weight().float()
    by_color, by_pos = torch.autograd.grad((image * weight).sum(), (color, pos))
    assert by_color.any() == ("color" in claim.gives)
    assert by_pos[:, 2].any() == ("z" in claim.gives)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_the_same_inputs_give_the_same_gradient_where_that_is_claimed(context, claim):
    if claim.name == "edge_sampling":
        draw = lambda pos: _unseeded(context, pos)  # noqa: E731
    else:
        draw = lambda pos: table.image(context, kinds.silhouette(), pos, claim.name)  # noqa: E731
    one, other = (table.gradients(draw, "silhouette")[0] for _ in range(2))
    assert torch.equal(one, other) == claim.noise_free


def _unseeded(context, pos):
    kind = kinds.silhouette()
    rast, _ = glrast.rasterize(context, pos, kind.tri, kinds.SIZE, ranges=[[0, 1]])
    color, _ = glrast.interpolate(kind.corners, rast, kinds.faces(kind))
    return visibility.edge_sampling(color, rast, pos, kind.tri)


def test_every_claim_is_of_a_function_and_of_known_scenes():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert callable(getattr(visibility, claim.name)) and set(claim.kinds) <= set(kinds.KINDS)
    assert set(table.MEMBERS) <= {claim.name for claim in CLAIMS}


def figures(text: str) -> dict[tuple[str, str], list[float]]:
    """{(kind, member): [smooth, noise]} of a table as claims_table prints it."""
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| ")]
    head = next(row for row in rows if row[0] == "kind")
    found = {}
    for row in rows[rows.index(head) + 1 :]:
        if row[0] in kinds.KINDS:
            for name, cell in zip(head[1:], row[1:]):
                found[row[0], name] = [float(x) for x in re.findall(r"[\d.]+", cell)]
    return found


@pytest.mark.slow
def test_the_page_has_what_is_measured():
    written = figures(PAGE.read_text())
    printed = figures("\n".join([f"| kind | {' | '.join(table.MEMBERS)} |", *table.rows()]))
    assert set(written) == set(printed) and len(printed) == len(kinds.KINDS) * len(table.MEMBERS)
    for at, values in printed.items():
        for one, other in zip(values, written[at]):
            assert one == pytest.approx(other, abs=ROUNDED, rel=ROUNDED), at
