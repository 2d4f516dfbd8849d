"""glrast.visibility.audit: its figures are what they are called, and docs/visibility.md has what is measured."""

import json
import math
import re
from pathlib import Path

import pytest
import torch

import glrast
from glrast.visibility import CLAIMS, audit, options_of
from glrast.visibility.audit import LABELS, costs, errors, trials, tuning
from glrast.visibility.audit.draw import by_claim, supersampled
from glrast.visibility.audit.pictures import Star, jacobian
from glrast.visibility.audit.tables import Table, figure, tables
from tests.visibility import discontinuities as kinds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "visibility.md"
ROUNDED = 0.02  # of figures with two places; and float32 sums on other machines
BY_LABEL = {claim.label: claim for claim in CLAIMS}


@pytest.fixture(scope="module")
def context(device):
    return glrast.Context(device)


@pytest.fixture(scope="module")
def report(context):
    return audit(["exact", "edge_sampling", "hard"], quick=True, ctx=context)


# ---- figures ---------------------------------------------------------------------------------------------


def test_scale_cosine_and_error_are_those_of_vectors():
    right = torch.tensor([3.0, 4.0]).double()
    found = errors.compared(2 * right + torch.tensor([-4.0, 3.0]), right)
    assert found.scale == pytest.approx(2) and found.cosine == pytest.approx(2 / math.sqrt(5))
    assert found.error == pytest.approx(math.sqrt(2))
    nothing = errors.compared(0 * right, right)
    assert (nothing.error, nothing.scale, nothing.cosine) == (1, 0, 0)


@pytest.mark.slow
def test_the_supersampled_image_is_the_one_of_clipping(context):
    kind = kinds.silhouette()
    image = supersampled(context, kind, kind.pos.to(context.device))[0, ..., :3].cpu()
    assert (image - kinds.exact_image(kind)).square().mean().sqrt() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("factor, worst", [(1.0, 0.01), (1.1, 0.12)])
def test_the_check_sees_a_yardstick_that_is_a_tenth_too_long(context, factor, worst):
    right = errors.truth(context, "silhouette")
    right.gradients = [factor * g for g in right.gradients]
    found = errors.check(context, "silhouette", right, most=2, shifts=8)
    assert worst / 2 < found.smooth.error + (0.01 if factor == 1 else 0) < 1.5 * worst


def test_what_soft_renderers_say_is_the_derivative_of_their_own_image(context):
    right = errors.truth(context, "leaving")
    found = errors.case(context, BY_LABEL["softras over"], "leaving", right)
    assert found.own.error < 0.005 and found.own_mask.error < 0.005 < found.smooth.error
    hard = errors.case(context, BY_LABEL["hard"], "leaving", right)
    assert hard.smooth.error == 1 and hard.mask.error == 1 and hard.forward < found.forward


def test_form_factors_of_the_wall_are_its_solid_angles_weighed_by_cosines():
    z = (torch.arange(400, dtype=torch.float64) + 0.5) * 2 / 400
    across = z.clone()
    total = 0.0
    for x in (torch.arange(22) + 0.5) * 2 / 24:
        for y in (torch.arange(24) + 0.5) * 2 / 24:
            away, side = 2 - float(x), across[:, None] - float(y)
            r2 = away**2 + side**2 + z[None] ** 2
            total += float((z[None] * away / r2**2).sum()) * (2 / 400) ** 2 / math.pi
    assert trials._lit() == pytest.approx(total, rel=2e-3)


def test_trials_find_what_gets_no_gradient(context):
    right = {
        name: errors.truth(context, name) for name in ("silhouette", "flat_crease", "intersection")
    }
    assert set(trials.TRIALS) - set(trials.flexible(context, BY_LABEL["antialias"], right)) == {
        "positions by flat colours at creases",
        "depth where surfaces intersect",
    }
    assert trials.flexible(context, BY_LABEL["exact"], right) == list(trials.TRIALS)
    assert trials.indirect(context, BY_LABEL["exact"]) == 0


def test_values_that_are_tried_are_of_parameters_that_are_named():
    for claim in CLAIMS:
        values = tuning.VALUES.get(claim.name, {})
        assert set(values) <= set(options_of(claim.name))
        named = {tuning._stands_for(v, name) for v in values for name in claim.tune}
        assert named <= {True, False} and bool(values) == bool(claim.tune)


def test_the_spread_is_that_of_the_worst_and_the_best_value(context):
    right = errors.truth(context, "leaving")
    found = tuning.spread(context, BY_LABEL["opendr"], right)
    by = {
        value: errors.case(
            context, BY_LABEL["opendr"]._replace(options={"overdraw": value}), "leaving", right
        ).mask.error
        for value in (True, False)
    }
    assert (found.least, found.most) == (min(by.values()), max(by.values()))
    assert found.parameters == ("overdraw",) and found.least < found.most


def test_bytes_are_those_that_the_graph_keeps(context):
    small, large = (
        costs.costs(context, (BY_LABEL["edge_grad"],), 1, 1, (size, size))["edge_grad"].bytes
        for size in (32, 64)
    )
    assert 16 * 32 * 32 < small < 64 * 32 * 32 + 4000 and 3 < large / small < 4.5


# ---- the report ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_cell_of_the_table_of_ticks_is_a_figure(report):
    *_, ticks = tables(report)
    methods = [row[0] for row in ticks.rows]
    assert ticks.name == "ticks" and methods == ["exact", "hard", "edge_sampling"]
    for row in ticks.rows:
        for head, cell in zip(ticks.head[1:], row[1:]):
            quick = head == "no tuning"  # is not asked then
            assert (cell == "-") if quick else (re.search(r"\d", cell) or cell == "same bits")
    by = {row[0]: row for row in ticks.rows}
    assert by["exact"][4] == "same bits" and by["edge_sampling"][4].endswith(" apart")
    assert by["exact"][3].startswith("4 of 4") and by["hard"][3].startswith("0 of 4")


@pytest.mark.slow
def test_the_report_is_json_and_has_every_case(report):
    made = json.loads(json.dumps(report.as_dict()))
    assert len(made["cases"]) == 3 * 4 and {c["kind"] for c in made["cases"]} == set(report.kinds)
    exact = [c for c in made["cases"] if c["method"] == "exact"]
    assert all(0 < c["smooth"]["error"] < 0.15 and c["noise"]["error"] < 0.02 for c in exact)
    assert all(c["image"] < 2e-3 for c in made["checks"])


def test_estimators_that_there_are_not_are_refused():
    for wrong, error in ((["softrass"], ValueError), ([], ValueError), ([3], ValueError)):
        with pytest.raises(error, match="glrast.visibility.audit: estimators must be"):
            audit(wrong)
    with pytest.raises(TypeError, match="quick must be True or False"):
        audit(["exact"], quick="yes")


def test_tables_are_aligned_and_figures_short():
    table = Table("a", "Title", ["method", "flat_crease"], [["one", "0.01"], ["another", "-"]])
    assert table.text().splitlines() == [
        "Title",
        "method     flat",
        "         crease",
        "-------  ------",
        "one        0.01",
        "another       -",
    ]
    assert table.markdown().splitlines()[:2] == ["| method | flat_crease |", "| --- | ---: |"]
    assert [figure(e) for e in (0.0004, 0.0996, 1.004, 12.34)] == ["0.000", "0.10", "1.00", "12.3"]


# ---- pictures --------------------------------------------------------------------------------------------


def test_the_jacobian_of_a_known_image_is_its_derivative():
    ramp = torch.arange(12.0).reshape(1, 3, 4, 1)
    found = jacobian(lambda shift: ramp * torch.sin(shift)[:, None, None, None], (3, 4))
    assert torch.equal(found, ramp[0, :, :, 0])


def test_the_star_has_every_kind_of_boundary_in_its_jacobian(context):
    star = Star(context, 16)
    with torch.no_grad():
        truth = star.truth()
    found = jacobian(lambda shift: star.image(BY_LABEL["exact"], shift), (16, 16))
    assert (found.cpu() - truth).norm() / truth.norm() < 0.25 and abs(truth).max() > 0.3
    without = jacobian(lambda shift: star.image(BY_LABEL["hard"], shift), (16, 16))
    assert not without.any()


# ---- docs/visibility.md ----------------------------------------------------------------------------------


def on_page(name: str) -> dict[tuple[str, str], float]:
    """{(method, kind): figure} of a table."""
    part = PAGE.read_text().split(f"<!-- audit:{name} -->\n")[1].split("<!-- audit:end -->")[0]
    head, _, *rows = ([c.strip() for c in row.strip("| ").split("|")] for row in part.splitlines())
    return {
        (row[0], kind): float(cell)
        for row in rows
        for kind, cell in zip(head[1:], row[1:])
        if cell != "-"
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_the_page_has_what_is_measured(context, kind):
    right, written = (
        errors.truth(context, kind),
        {n: on_page(n) for n in ("smooth", "noise", "mask")},
    )
    for claim in CLAIMS:
        if claim.name == "exact":
            assert written["smooth"][claim.label, kind] < 0.1
            continue
        found = errors.case(context, claim, kind, right, own=False)
        for name, difference in (("smooth", found.smooth), ("noise", found.noise), ("mask", found.mask)):  # fmt: skip
            if difference is not None:
                wanted = pytest.approx(difference.error, abs=ROUNDED, rel=ROUNDED)
                assert written[name][claim.label, kind] == wanted, (name, claim.label)


def test_the_page_has_a_line_for_every_method_in_the_table_of_ticks():
    part = PAGE.read_text().split("<!-- audit:ticks -->\n")[1].split("<!-- audit:end -->")[0]
    rows = [[c.strip() for c in row.strip("| ").split("|")] for row in part.splitlines()[2:]]
    assert [row[0] for row in rows] == list(LABELS)
    assert all(re.search(r"\d", cell) or cell == "same bits" for row in rows for cell in row[1:])


def test_every_claim_is_drawn_with_a_mask(context):
    kind = kinds.silhouette()
    for claim in CLAIMS:
        image = by_claim(context, kind, claim)(kind.pos.to(context.device))
        assert image.shape == (1, *kinds.SIZE, 4) and 0.2 < image[..., 3].mean() < 0.5
