"""audit: what every claimed method is worth, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from ...context import Context
from ...core import check
from ..claims import CLAIMS, Claim
from . import costs as cost_of
from . import tuning
from .costs import Cost
from .errors import Case, Check, Truth, case, truth
from .errors import check as checked
from .scenes import KINDS
from .trials import TRIALS, flexible, indirect
from .tuning import Spread

NAME = "visibility.audit"
LABELS = tuple(claim.label for claim in CLAIMS)
RIGHT = 1 / 3  # a relative error from here on is no gradient that one would claim
QUICK_KINDS = ("silhouette", "occlusion", "flat_crease", "intersection")
Say = Callable[[str], object]


@dataclass
class Ticks:
    """One line of the table that Laine et al. drew with ticks, in figures."""

    method: str
    paper: str
    cost: Cost
    flexible: list[str]  # the trials that succeed, of TRIALS
    right: int  # kinds whose gradient by colour is off by less than a third
    error: float  # median over the kinds
    spread: Spread | None  # None: not asked (quick)
    indirect: float  # of the light between surfaces, the part that comes into the gradient


@dataclass
class Report:
    kinds: list[str]
    trials: list[str]
    cases: list[Case]
    checks: list[Check]
    ticks: list[Ticks]

    def as_dict(self) -> dict[str, Any]:
        """Numbers, lists and words, for json; a Difference is {error, scale, cosine}."""
        made = asdict(self)
        for line in made["ticks"]:
            if line["spread"] is not None:
                line["spread"] = dict(line["spread"]._asdict())
        return made

    def of(self, method: str) -> list[Case]:
        return [c for c in self.cases if c.method == method]


def audit(
    estimators: Sequence[str] | None = None,
    *,
    quick: bool = False,
    ctx: Context | None = None,
    say: Say | None = None,
) -> Report:
    """What the methods of CLAIMS are worth: errors in each kind of scene, costs, noise, tuning, and what they can do.

    Args:
        estimators: names, as `visibility.render` takes them, or labels of CLAIMS ("softras over"); None: all.
        quick: four kinds instead of eleven, smaller costs, a coarser check, no tuning and no finite differences of the
            methods' own images: some seconds instead of some minutes.
        ctx: where to draw; None: on the CPU.
        say: is told what is being measured.

    Returns: a Report. The yardstick is `fragments` with "all"; `checks` compare it with central differences of a
        supersampled image, which knows nothing of edges. Of the exact method itself Case.smooth is this comparison,
        and Case.noise and Case.mask those with differences of its own image.

    Raises:
        TypeError, ValueError: an estimator that there is not.

    Note: the definitions of all figures are in docs/visibility.md. Milliseconds depend on the machine and on what else
        it does; the methods are measured in turns.

    Example:
        report = glrast.visibility.audit(["softras", "exact"], quick=True)
        print({c.kind: c.smooth.error for c in report.of("softras")})
    """
    claims = chosen(estimators)
    quick = check.flag(NAME, "quick", quick)
    ctx = Context("cpu") if ctx is None else ctx
    tell = _nothing if say is None else say
    names = QUICK_KINDS if quick else tuple(KINDS)
    tell("the exact gradients, and what checks them")
    right = {name: truth(ctx, name) for name in names}
    checks = [checked(ctx, n, right[n], *((3, 8) if quick else ())) for n in names]
    cases: list[Case] = []
    for claim in claims:
        tell(f"errors of {claim.label}")
        cases += [_case(ctx, claim, name, right[name], quick, checks) for name in names]
    tell("costs")
    how: dict[str, Any] = dict(rounds=1, level=2, resolution=(128, 128)) if quick else {}
    costs = cost_of.costs(ctx, claims, **how)
    ticks: list[Ticks] = []
    for claim in claims:
        tell(f"what {claim.label} can do")
        errors = [c.smooth.error for c in cases if c.method == claim.label]
        spread = None if quick else tuning.spread(ctx, claim, right[tuning.KIND])
        fits = sum(e < RIGHT for e in errors)
        ticks.append(
            Ticks(
                claim.label, claim.paper, costs[claim.label], flexible(ctx, claim, right), fits, median(errors), spread,
                indirect(ctx, claim),
            )
        )  # fmt: skip
    return Report(list(names), list(TRIALS), cases, checks, ticks)


def _nothing(what: str) -> None:
    pass


def chosen(estimators: Sequence[str] | None) -> tuple[Claim, ...]:
    """The lines of CLAIMS of these names or labels, in their order there."""
    if estimators is None:
        return CLAIMS
    asked = [estimators] if isinstance(estimators, str) else list(estimators)
    known = tuple(dict.fromkeys((*LABELS, *(c.name for c in CLAIMS))))
    for name in asked:
        check.choice(NAME, "estimators", name, known)
    check.value(NAME, "estimators", "at least one name", len(asked) > 0, "none")
    return tuple(c for c in CLAIMS if c.label in asked or c.name in asked)


def _case(
    ctx: Context, claim: Claim, name: str, right: Truth, quick: bool, checks: Sequence[Check]
) -> Case:
    yardstick = claim.label == "exact"  # against itself it would be right whatever it said
    found = case(ctx, claim, name, right, own=yardstick or not quick)
    if yardstick:
        (measured,) = (c for c in checks if c.kind == name)
        found.smooth, found.forward = measured.smooth, measured.image
        found.noise = found.own_noise or found.noise
        found.mask = found.own_mask or found.mask
    return found
