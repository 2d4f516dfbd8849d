"""gendr: a family of soft renderers: any distribution of the distance, any t-conorm of the faces' opacities."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..core import check
from .nearest_faces import NearestFaces
from .softras import EPS, GAMMA, checked_colors, checked_near, positive, softmax

_TINY = 1e-12  # pixels squared: the root has no slope at 0


def gendr(
    near: NearestFaces,
    colors: torch.Tensor | None,
    background: torch.Tensor | None = None,
    tau_pix: float = 1.0,
    distribution: str = "logistic",
    t_conorm: str = "probabilistic",
    p: float | None = None,
    squared: bool = False,
    gamma: float = GAMMA,
    znear: float = -1.0,
    zfar: float = 1.0,
    eps: float = EPS,
) -> torch.Tensor:
    """D_k = F(d_k / tau), d_k the signed distance in pixels, positive inside; alpha = D_1 v D_2 v ..., v a t-conorm.

    Args:
        near, colors, background, gamma, znear, zfar, eps: as `softras` takes them; colour is its softmax of D.
        tau_pix: scale of the distribution, in pixels; with `squared` of +-d^2, in pixels squared.
        distribution: a cumulative distribution function F by name, of DISTRIBUTIONS.
        t_conorm: by name, of T_CONORMS.
        p: parameter of "hamacher" (0), "frank" (2), "yager" (2), "aczel_alsina" (1), "dombi" (1), with these defaults.

    Returns: [N,H,W,C+1], alpha last.

    Gradients: colors, background, near.z, near.dist2.

    Raises:
        TypeError, ValueError: as `softras`.

    Note: logistic, squared, probabilistic is SoftRas; uniform with "max" is the hard mask blurred across its outline.
        Faces beyond the reach of near count as not there, also where F is still above 0.

    Source: Petersen et al. 2022, GenDR: A Generalized Differentiable Renderer, sections 3 and 4.
    """
    name = "visibility.gendr"
    check.choice(name, "distribution", distribution, tuple(DISTRIBUTIONS))
    check.choice(name, "t_conorm", t_conorm, tuple(T_CONORMS))
    tau, gamma = positive(name, "tau_pix", tau_pix), positive(name, "gamma", gamma)
    there = checked_near(name, near)
    size = near.dist2.abs()
    d = size if squared else size.clamp(min=_TINY).sqrt()
    D = DISTRIBUTIONS[distribution](torch.where(near.dist2 < 0, d, -d) / tau) * there
    join, usual = T_CONORMS[t_conorm]
    q = usual if p is None else check.number(name, "p", p)
    alpha = D[..., 0]
    for k in range(1, D.shape[-1]):
        alpha = join(alpha, D[..., k], q)
    if colors is None:
        return alpha[..., None]
    colors, behind = checked_colors(name, near, colors, background)
    zhat = (zfar - near.z) / (zfar - znear)
    rgb = softmax(D, there, zhat, colors, behind, gamma, eps)
    return torch.cat([rgb, alpha[..., None]], -1)


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


# F, of the standard form of each
DISTRIBUTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "heaviside": lambda x: (x > 0).to(x.dtype),
    "uniform": lambda x: ((x + 1) / 2).clamp(0, 1),
    "cubic": _cubic,
    "wigner_semicircle": _semicircle,
    "gaussian": lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "laplace": _laplace,
    "logistic": torch.sigmoid,
    "hyperbolic_secant": lambda x: (
        2 / math.pi * torch.atan(torch.exp(math.pi / 2 * x.clamp(-40, 40)))
    ),
    "cauchy": lambda x: 0.5 + torch.atan(x) / math.pi,
    "reciprocal": lambda x: 0.5 + x / (1 + 2 * x.abs()),
    "gumbel_max": lambda x: torch.exp(-torch.exp(-x.clamp(-40, 80))),
    "gumbel_min": lambda x: 1 - torch.exp(-torch.exp(x.clamp(-80, 40))),
    "exponential": lambda x: 1 - torch.exp(-x.clamp(min=0)),
    "exponential_reversed": lambda x: torch.exp(x.clamp(max=0)),
}

_Join = Callable[[Tensor, Tensor, float], Tensor]


def _hamacher(a: Tensor, b: Tensor, p: float) -> Tensor:
    a, b = 1 - a, 1 - b
    both = a + b - a * b
    below = p + (1 - p) * both
    return 1 - a * b / torch.where(below > 0, below, 1)


def _frank(a: Tensor, b: Tensor, p: float) -> Tensor:
    if p == 1:
        return a + b - a * b
    inner = (p ** (1 - a) - 1) * (p ** (1 - b) - 1) / (p - 1)
    return 1 - torch.log1p(inner) / math.log(p)


def _root(total: Tensor, p: float) -> Tensor:
    return total.clamp(min=1e-30) ** (1 / p)


def _yager(a: Tensor, b: Tensor, p: float) -> Tensor:
    return _root(a**p + b**p, p).clamp(max=1)


def _aczel_alsina(a: Tensor, b: Tensor, p: float) -> Tensor:
    x, y = (-torch.log((1 - v).clamp(min=1e-12)) for v in (a, b))
    return 1 - torch.exp(-_root(x**p + y**p, p))


def _dombi(a: Tensor, b: Tensor, p: float) -> Tensor:
    x, y = (v / (1 - v).clamp(min=1e-12) for v in (a, b))
    return 1 - 1 / (1 + _root(x**p + y**p, p))


# a v b, and the parameter where none is given
T_CONORMS: dict[str, tuple[_Join, float]] = {
    "max": (lambda a, b, p: torch.maximum(a, b), 0.0),
    "probabilistic": (lambda a, b, p: a + b - a * b, 0.0),
    "einstein": (lambda a, b, p: (a + b) / (1 + a * b), 0.0),
    "hamacher": (_hamacher, 0.0),
    "frank": (_frank, 2.0),
    "yager": (_yager, 2.0),
    "aczel_alsina": (_aczel_alsina, 1.0),
    "dombi": (_dombi, 1.0),
}
