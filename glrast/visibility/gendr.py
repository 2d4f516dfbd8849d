"""gendr: a family of soft renderers: any distribution of the distance, any t-conorm of the faces' opacities."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core import check
from .distributions import ALIASES, DISTRIBUTIONS, DOMAINS, T_CONORMS, distribution
from .nearest_faces import NearestFaces
from .softras import EPS, checked_colors, checked_near, positive, softmax

TAU_NDC, GAMMA = 1e-2, 1e-3  # of the authors' library
LEAST = 1e-6  # likewise: a face whose D is not above it does not count
_TINY = 1e-12  # pixels squared: the root has no slope at 0


def gendr(
    near: NearestFaces,
    colors: torch.Tensor | None,
    background: torch.Tensor | None = None,
    tau_pix: float | None = None,
    distribution: str = "uniform",
    t_conorm: str = "probabilistic",
    p: float | None = None,
    squared: bool = False,
    gamma: float = GAMMA,
    znear: float = -1.0,
    zfar: float = 1.0,
    eps: float = EPS,
    tau_ndc: float | None = None,
    shape: float | None = None,
    shift: float | None = None,
) -> torch.Tensor:
    """D_k = F(d_k / tau), d_k the signed distance, positive inside; alpha = D_1 v D_2 v ..., v a t-conorm.

    Args:
        near, colors, background, gamma, znear, zfar, eps: as `softras` takes them; colour is its softmax of D.
        tau_pix: scale of the distribution, in pixels; with `squared` of +-d^2, in pixels squared.
        distribution: a cumulative distribution function F by name: "heaviside"; of bounded support "uniform",
            "cubic_hermite", "wigner_semicircle"; "gaussian", "laplace", "logistic", "hyperbolic_secant"; "cauchy",
            "reciprocal"; "gumbel_max", "gumbel_min"; one-sided "exponential", "gamma", "levy", and these with
            "_reversed": 1 - F(-x). The library's other names for them are taken too.
        t_conorm: "max", "probabilistic", "einstein", "hamacher", "frank", "yager", "aczel_alsina", "dombi" or
            "schweizer_sklar".
        p: parameter of "hamacher" (0), "frank" (2), "yager" (2), "aczel_alsina" (1), "dombi" (1) and "schweizer_sklar"
            (-1), with these defaults.
        tau_ndc: instead of tau_pix, in units of which the image's short side has 2; the library's: 0.01.
        shape: of "gamma" (2).
        shift: of the one-sided ones: F(x + shift), reversed 1 - F(shift - x).

    Returns: [N,H,W,C+1], alpha last; [N,H,W,1] without colors.

    Gradients: colors, background, near.z, near.dist2.

    Raises:
        TypeError, ValueError: as `softras`; a p or shape that its function does not take.

    Note: logistic, squared, probabilistic is SoftRas; uniform with "max" is the hard mask blurred across its outline.
        Faces beyond the reach of near count as not there, also where F is still above 0; so do those with D up to
        1e-6, as in the authors' library. Scales are that library's: "hyperbolic_secant" is 2/pi atan(exp(x)),
        "reciprocal" 1/2 + x/(2 + 2|x|). Where two faces have the same D, "max" gives half the gradient to each; the
        library gives it to both.

    Source: Petersen et al. 2022, GenDR: A Generalized Differentiable Renderer, sections 3 and 4, and its library.
    """
    name = "visibility.gendr"
    check.choice(name, "t_conorm", t_conorm, tuple(T_CONORMS))
    gamma = positive(name, "gamma", gamma)
    there = checked_near(name, near)
    tau = tau_of(name, near.id.shape[1:3], tau_pix, tau_ndc, squared)
    size = near.dist2.abs()
    d = size if squared else size.clamp(min=_TINY).sqrt()
    F = distribution_of(name, distribution, shape, shift)
    every = F(torch.where(near.dist2 < 0, d, -d) / tau)
    there = there & (every > LEAST)
    D = torch.where(there, every, 0)
    alpha = _joined(name, D, t_conorm, p)
    if colors is None:
        return alpha[..., None]
    colors, behind = checked_colors(name, near, colors, background)
    zhat = (zfar - near.z) / (zfar - znear)
    rgb = softmax(D, there, zhat, colors, behind, gamma, eps)
    return torch.cat([rgb, alpha[..., None]], -1)


def tau_of(
    name: str, size: tuple[int, ...], pix: float | None, ndc: float | None, squared: bool
) -> float:
    """In pixels, or pixels squared."""
    if pix is not None and ndc is not None:
        raise ValueError(
            check.wrong(name, "tau must be given once", "tau_pix and tau_ndc", "leave one out")
        )
    if pix is not None:
        return positive(name, "tau_pix", pix)
    unit = min(size) / 2
    given = positive(name, "tau_ndc", TAU_NDC if ndc is None else ndc)
    return given * (unit**2 if squared else unit)


def distribution_of(
    name: str, which: str, shape: float | None, shift: float | None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """F of distance / tau, by arguments as gendr takes them."""
    check.choice(name, "distribution", which, (*DISTRIBUTIONS, *ALIASES))
    shape = None if shape is None else positive(name, "shape", shape)
    return distribution(which, shape, None if shift is None else check.number(name, "shift", shift))


def _joined(name: str, D: torch.Tensor, t_conorm: str, p: float | None) -> torch.Tensor:
    """[N,H,W]: D_1 v D_2 v ..."""
    v = T_CONORMS[t_conorm]
    q = v.usual if p is None else check.number(name, "p", p)
    if v.domain:
        check.value(
            name, "p", f"{v.domain} with t_conorm={t_conorm!r}", DOMAINS[v.domain](q), f"{q}"
        )
    alpha = D[..., 0]
    for k in range(1, D.shape[-1]):
        alpha = v.join(alpha, D[..., k], q)
    return alpha
