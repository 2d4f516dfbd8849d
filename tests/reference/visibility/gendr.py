"""The float64 twin of glrast.visibility.gendr: the library's distributions, and t-conorms of all faces at once.

A t-conorm is 1 - T(1 - a, ...) of a t-norm T; but for max each T here is g^-1(g(a_1) + ... + g(a_K)) by its additive
generator g, where glrast joins two faces after the other.
"""

import math

import torch
from torch import Tensor

from .softras import softras

# ---- distributions ---------------------------------------------------------------------------------------


def _erlang(x: Tensor, shape: float) -> Tensor:
    """The gamma distribution of a whole shape."""
    rest = sum(x**k / math.factorial(k) for k in range(round(shape)))
    return torch.where(x > 0, 1 - torch.exp(-x) * rest, 0.0)


def _bounded(x: Tensor, inner: Tensor) -> Tensor:
    return torch.where(x < -1, 0.0, torch.where(x < 1, inner, 1.0))


def F(name: str, x: Tensor, shape: float = 2.0, shift: float = 0.0) -> Tensor:
    if name.endswith("_reversed"):
        return 1 - F(name.removesuffix("_reversed"), -x, shape, shift)
    y, positive = x + shift, (x + shift).clamp(min=1e-9)
    match name:
        case "heaviside":
            return (x > 0).double()
        case "uniform":
            return _bounded(x, x / 2 + 0.5)
        case "cubic_hermite":
            return _bounded(x, 3 * ((x + 1) / 2) ** 2 - 2 * ((x + 1) / 2) ** 3)
        case "wigner_semicircle":
            u = x.clamp(-1 + 1e-12, 1 - 1e-12)
            return _bounded(x, 0.5 + u * torch.sqrt(1 - u * u) / math.pi + torch.asin(u) / math.pi)
        case "gaussian":
            return torch.erfc(-x / math.sqrt(2)) / 2
        case "laplace":
            return torch.where(x < 0, torch.exp(-x.abs()) / 2, 1 - torch.exp(-x.abs()) / 2)
        case "logistic":
            return 1 / (1 + torch.exp(-x))
        case "hyperbolic_secant":
            return torch.atan(torch.tanh(x / 2)) * 2 / math.pi + 0.5
        case "cauchy":
            return torch.atan(x) / math.pi + 0.5
        case "reciprocal":
            return x / (1 + x.abs()) / 2 + 0.5
        case "gumbel_max":
            return torch.exp(-torch.exp(-x))
        case "gumbel_min":
            return 1 - torch.exp(-torch.exp(x))
        case "exponential":
            return torch.where(y < 0, 0.0, 1 - torch.exp(-y))
        case "gamma":
            return _erlang(y, shape)
        case "levy":
            return torch.where(y > 1e-6, torch.erfc(torch.sqrt(1 / 2 / positive)), 0.0)
    raise KeyError(name)


# ---- t-conorms -------------------------------------------------------------------------------------------


def joined(name: str, D: Tensor, p: float) -> Tensor:
    """[...]: of D [...,K], all between 0 and 1."""
    if name == "max":
        return D.amax(-1)
    if name == "probabilistic":
        return 1 - torch.exp(torch.log1p(-D).sum(-1))
    if name == "einstein":
        return torch.tanh(torch.atanh(D).sum(-1))
    a = 1 - D
    if name == "hamacher" and p > 0:
        return 1 - p / (torch.exp(torch.log((p + (1 - p) * a) / a).sum(-1)) - (1 - p))
    if name == "hamacher":
        return 1 - 1 / (1 + (1 / a - 1).sum(-1))
    if name == "frank":
        product = torch.prod((p**a - 1) / (p - 1), -1)
        return 1 - torch.log1p((p - 1) * product) / math.log(p)
    if name == "yager":
        return length(1 - a, p).clamp(max=1)
    if name == "aczel_alsina":
        return 1 - torch.exp(-length(-torch.log(a), p))
    if name == "dombi":
        return 1 - 1 / (1 + length(1 / a - 1, p))
    if name == "schweizer_sklar":
        return 1 - ((a**p).sum(-1) - (a.shape[-1] - 1)).pow(1 / p)
    raise KeyError(name)


def length(x: Tensor, p: float) -> Tensor:
    """(sum x^p)^(1/p) of what is above 0."""
    some = x > 0
    total = torch.where(some, torch.where(some, x, 1.0) ** p, 0.0).sum(-1)
    return torch.where(total > 0, torch.where(total > 0, total, 1.0).pow(1 / p), 0.0)


# ---- the renderer ----------------------------------------------------------------------------------------


def gendr(
    id: Tensor, z: Tensor, bary: Tensor, dist2: Tensor, colors: Tensor, background: Tensor, tau: float,
    distribution: str, t_conorm: str, p: float, squared=False, gamma=1e-3, znear=-1.0, zfar=1.0, eps=1e-3, shape=2.0,
    shift=0.0,
) -> Tensor:  # fmt: skip
    """[N,H,W,C+1]. tau in pixels, or pixels squared. Gradients: z, dist2, colors, background."""
    there = id >= 0
    d = dist2.abs() if squared else dist2.abs().sqrt()
    D = F(distribution, torch.where(dist2 < 0, d, -d) / tau, shape, shift)
    there = there & (D > 1e-6)
    D = torch.where(there, D, 0.0)
    # the colour is that of softras, whose D is a sigmoid: so given it the logarithm of the odds
    odds = torch.logit(D, 1e-15)
    options = dict(gamma=gamma, znear=znear, zfar=zfar, eps=eps)
    image = softras(torch.where(there, id, -1), z, bary, -odds, colors, background, 1.0, **options)
    return torch.cat([image[..., :-1], joined(t_conorm, D, p)[..., None]], -1)
