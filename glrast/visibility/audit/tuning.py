"""How much the choice of parameters matters: the error of the mask's gradient over the values that people use."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...context import Context
from ..claims import Claim
from .draw import by_claim, gradients
from .errors import Truth, at, compared

# Each parameter of Claim.tune over values from the papers and from what their libraries ship, the others as claimed.
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "softras": {
        "sigma_ndc": (1e-6, 1e-5, 3e-5, 1e-4, 3e-4),
        "gamma": (1e-4, 1e-3, 1e-2),
        "faces_per_pixel": (1, 4, 16, 50),
    },
    "sigmoid_alpha": {
        "sigma_ndc": (1e-6, 1e-5, 1e-4, 3e-4),
        "faces_per_pixel": (1, 4, 16, 50),
    },
    "gendr": {
        "tau_pix": (0.25, 0.5, 1.0, 2.0),
        "distribution": ("uniform", "gaussian", "logistic", "cauchy"),
        "t_conorm": ("max", "probabilistic", "yager"),
        "gamma": (1e-4, 1e-3, 1e-2),
        "faces_per_pixel": (1, 4, 16),
    },
    "dibr": {
        "sigmainv": (1e3, 7e3, 3e4),
        "boxlen": (0.01, 0.02, 0.1),
        "knum": (5, 30, 100),
    },
    "opendr": {"overdraw": (True, False)},
    "nmr": {"eps": (1e-4, 1e-3), "supersample": (1, 2)},
    "edge_sampling": {"samples_per_edge": (1, 4, 16, 64)},
    "rasterize_then_splat": {"layers": (1, 2, 4)},
}
KIND = "smooth_mesh"  # many faces and a silhouette: every parameter says something


class Spread(NamedTuple):
    parameters: tuple[str, ...]
    least: float  # error of the mask's gradient, smooth loss
    most: float


def spread(ctx: Context, claim: Claim, right: Truth) -> Spread:
    """`right`: of KIND."""
    wanted = at(right.gradients[2], right.entries)
    tried = [claim.options]
    for name, values in VALUES.get(claim.name, {}).items():
        if _asked(claim, name):
            others = {k: v for k, v in claim.options.items() if not _stands_for(k, name)}
            tried += [{**others, name: value} for value in values]
    found: list[float] = []
    for options in tried:
        draw = by_claim(ctx, right.kind, claim._replace(options=options))
        (grad,) = gradients(draw, right.kind.pos.to(ctx.device), right.losses[2:])
        found.append(compared(at(grad, right.entries), wanted).error)
    return Spread(claim.tune, min(found), max(found))


def _asked(claim: Claim, option: str) -> bool:
    return any(_stands_for(option, name) for name in claim.tune)


def _stands_for(option: str, name: str) -> bool:
    """sigma_pix2 and sigma_ndc are one parameter, sigma."""
    return option.split("_")[0] == name.split("_")[0]
