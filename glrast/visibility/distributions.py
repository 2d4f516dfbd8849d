"""The distributions and t-conorms of gendr, in the standard form and by the names of the authors' library."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor

_SMALL = 1e-6  # below it one-sided distributions are 0: their slopes may have no bound there

_F = Callable[[Tensor], Tensor]


def distribution(name: str, shape: float | None = None, shift: float | None = None) -> _F:
    """F by name, of x = distance / tau. shape and shift are those of the one-sided ones: F(x + shift)."""
    name = ALIASES.get(name, name)
    if name in TWO_SIDED:
        return TWO_SIDED[name]
    turned = name.endswith("_reversed")
    one_sided, usual = ONE_SIDED[name.removesuffix("_reversed")]
    form, by = usual if shape is None else shape, 0.0 if shift is None else shift
    if turned:
        return lambda x: 1 - one_sided(by - x, form)
    return lambda x: one_sided(x + by, form)


def _cubic(x: Tensor) -> Tensor:
    u = ((x + 1) / 2).clamp(0, 1)
    return u * u * (3 - 2 * u)


def _semicircle(x: Tensor) -> Tensor:
    u = x.clamp(-1 + 1e-6, 1 - 1e-6)
    inner = 0.5 + (u * (1 - u * u).sqrt() + torch.asin(u)) / math.pi
    return torch.where(x.abs() < 1, inner, (x > 0).to(x.dtype))


def _laplace(x: Tensor) -> Tensor:
    half = torch.exp(-x.abs()) / 2
    return torch.where(x > 0, 1 - half, half)


TWO_SIDED: dict[str, _F] = {
    "heaviside": lambda x: (x > 0).to(x.dtype),
    "uniform": lambda x: ((x + 1) / 2).clamp(0, 1),
    "cubic_hermite": _cubic,
    "wigner_semicircle": _semicircle,
    "gaussian": lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "laplace": _laplace,
    "logistic": torch.sigmoid,
    "hyperbolic_secant": lambda x: 2 / math.pi * torch.atan(torch.exp(x.clamp(-60, 60))),
    "cauchy": lambda x: 0.5 + torch.atan(x) / math.pi,
    "reciprocal": lambda x: 0.5 + x / (2 + 2 * x.abs()),
    "gumbel_max": lambda x: torch.exp(-torch.exp(-x.clamp(-40, 80))),
    "gumbel_min": lambda x: 1 - torch.exp(-torch.exp(x.clamp(-80, 40))),
}


def _exponential(x: Tensor, _: float) -> Tensor:
    return 1 - torch.exp(-x.clamp(min=0))


def _gamma(x: Tensor, shape: float) -> Tensor:
    given = torch.full_like(x, shape), x.clamp(min=_SMALL)
    inner = cast(Tensor, torch.special.gammainc(*given))  # pyright: ignore[reportUnknownMemberType] no types
    return torch.where(x > 0, inner, 0)


def _levy(x: Tensor, _: float) -> Tensor:
    return torch.where(x > _SMALL, torch.erfc((0.5 / x.clamp(min=_SMALL)).sqrt()), 0)


# 0 up to 0; and the shape where none is given
ONE_SIDED: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "exponential": (_exponential, 1.0),
    "gamma": (_gamma, 2.0),
    "levy": (_levy, 1.0),
}
ALIASES = {
    "hard": "heaviside",
    "cubic": "cubic_hermite",
    "gudermannian": "hyperbolic_secant",
    "exponential_rev": "exponential_reversed",
    "gamma_rev": "gamma_reversed",
    "levy_rev": "levy_reversed",
}
DISTRIBUTIONS = (*TWO_SIDED, *ONE_SIDED, *(f"{name}_reversed" for name in ONE_SIDED))

# ---- t-conorms -------------------------------------------------------------------------------------------

_Join = Callable[[Tensor, Tensor, float], Tensor]


class TConorm(NamedTuple):
    join: _Join  # a v b, by the parameter p
    usual: float = 0.0  # p where none is given
    domain: str = ""  # of p, of DOMAINS; "": there is none


def _at_least_0(p: float) -> bool:
    return p >= 0


def _positive(p: float) -> bool:
    return p > 0


def _negative(p: float) -> bool:
    return p < 0


DOMAINS = {"0 or more": _at_least_0, "more than 0": _positive, "less than 0": _negative}


def _max(a: Tensor, b: Tensor, _: float) -> Tensor:
    return torch.maximum(a, b)


def _probabilistic(a: Tensor, b: Tensor, _: float) -> Tensor:
    return a + b - a * b


def _einstein(a: Tensor, b: Tensor, _: float) -> Tensor:
    return (a + b) / (1 + a * b)


def _hamacher(a: Tensor, b: Tensor, p: float) -> Tensor:
    a, b = 1 - a, 1 - b
    both = a + b - a * b
    below = p + (1 - p) * both
    return 1 - a * b / torch.where(below > 0, below, 1)


def _frank(a: Tensor, b: Tensor, p: float) -> Tensor:
    if p == 1:
        return _probabilistic(a, b, p)
    inner = (p ** (1 - a) - 1) * (p ** (1 - b) - 1) / (p - 1)
    return 1 - torch.log1p(inner) / math.log(p)


def _norm(x: Tensor, y: Tensor, p: float) -> Tensor:
    """(x^p + y^p)^(1/p), flat at 0: a face that is not there has no slope, which a power would have without bound."""
    one, other = (torch.where(v > 0, v.clamp(min=1e-12) ** p, 0) for v in (x, y))
    total = one + other
    return torch.where(total > 0, total.clamp(min=1e-30) ** (1 / p), 0)


def _yager(a: Tensor, b: Tensor, p: float) -> Tensor:
    return _norm(a, b, p).clamp(max=1)


def _aczel_alsina(a: Tensor, b: Tensor, p: float) -> Tensor:
    x, y = (-torch.log((1 - v).clamp(min=1e-12)) for v in (a, b))
    return 1 - torch.exp(-_norm(x, y, p))


def _dombi(a: Tensor, b: Tensor, p: float) -> Tensor:
    x, y = (v / (1 - v).clamp(min=1e-12) for v in (a, b))
    return 1 - 1 / (1 + _norm(x, y, p))


def _schweizer_sklar(a: Tensor, b: Tensor, p: float) -> Tensor:
    a, b = ((1 - v).clamp(min=1e-6) for v in (a, b))
    return 1 - (a**p + b**p - 1) ** (1 / p)


T_CONORMS: dict[str, TConorm] = {
    "max": TConorm(_max),
    "probabilistic": TConorm(_probabilistic),
    "einstein": TConorm(_einstein),
    "hamacher": TConorm(_hamacher, 0.0, "0 or more"),
    "frank": TConorm(_frank, 2.0, "more than 0"),
    "yager": TConorm(_yager, 2.0, "more than 0"),
    "aczel_alsina": TConorm(_aczel_alsina, 1.0, "more than 0"),
    "dombi": TConorm(_dombi, 1.0, "more than 0"),
    "schweizer_sklar": TConorm(_schweizer_sklar, -1.0, "less than 0"),
}
