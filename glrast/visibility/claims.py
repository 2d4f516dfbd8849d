"""CLAIMS: what each answer to the discontinuity problem says of itself. Tests hold every entry to it, scene by
scene."""

from __future__ import annotations

from typing import NamedTuple


class Claim(NamedTuple):
    """One estimator or renderer."""

    name: str  # in glrast.visibility
    paper: str
    gives: tuple[
        str, ...
    ]  # what gets a gradient: colours ("color"), pos x, y, w ("pos"), pos z ("z")
    needs: tuple[str, ...]  # beside color, pos and tri
    noise_free: bool  # the same gradient from the same inputs
    tune: tuple[str, ...]  # parameters whose value changes the gradient
    kinds: tuple[
        str, ...
    ]  # scenes of tests/visibility/discontinuities.py that it claims, under a smooth loss
    error: float  # of its gradient there, relative to the exact image's, at most; inf: it claims a direction
    cosine: float  # between its gradient and the exact one there, at least


_LARGE = ("silhouette", "occlusion", "leaving")
_CREASES = ("flat_crease", "shaded_crease", "smooth_crease")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "opendr", "Loper and Black 2014", ("color", "pos"), ("rast",), True, ("overdraw",),
        (*_LARGE, *_CREASES), 0.6, 0.88,
    ),
    Claim(
        "dirt", "Henderson and Ferrari 2018", ("color", "pos"), ("rast",), True, (),
        ("silhouette", "leaving", *_CREASES), 0.1, 0.99,
    ),
    Claim(
        "nmr", "Kato et al. 2018", ("color", "pos"), ("rast",), True, ("eps", "supersample"),
        _LARGE, float("inf"), 0.95,
    ),
    Claim(
        "edge_grad", "Pidhorskyi et al. 2024", ("color", "pos", "z"), ("rast",), True, (),
        (*_LARGE, "smooth_crease", "intersection"), 0.06, 0.995,
    ),
    Claim(
        "edge_sampling", "Li et al. 2018", ("color", "pos"), ("rast",), False, ("samples_per_edge",),
        (*_LARGE, *_CREASES), 0.13, 0.99,
    ),
    Claim(
        "rasterize_then_splat", "Cole et al. 2021", ("color", "pos"), ("layers",), True, (),
        ("silhouette", "leaving"), 0.3, 0.96,
    ),
)  # fmt: skip
