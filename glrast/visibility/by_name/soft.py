"""Soft renderers by name: from a scene to its image [N,H,W,C], or [N,H,W,C+1] with the mask.

Keywords are options, with the papers' values; `render` reads them off the functions here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...core import check
from ..dibr import BOXLEN, KNUM, SIGMAINV, dibr_mask
from ..gendr import DISTRIBUTIONS, gendr
from ..nearest_faces import NearestFaces
from ..softras import DIST_EPS, EPS, GAMMA, SIGMA_NDC, hard, sigmoid_alpha, softras, softras_reach
from .scene import NAME, Scene

K = 8  # faces per pixel, as `nearest_faces`


def _softras(
    scene: Scene, *, faces_per_pixel: int = K, reach_pix: float | None = None, sigma_pix2: float | None = None,
    sigma_ndc: float | None = None, gamma: float = GAMMA, color: str = "softmax", distance: str = "euclidean",
    znear: float = -1.0, zfar: float = 1.0, eps: float = EPS, face_count: int | None = None,
    aggregate: str = "product",
) -> Tensor:  # fmt: skip
    plane = distance == "barycentric"  # of the image, as published; unclipped tell how far outside
    if reach_pix is None:
        reach_pix = softras_reach(scene.size, sigma_pix2, sigma_ndc)
        if plane:  # min(bary) is a distance by a height, of a triangle as large as the image
            reach_pix *= 2 * math.sqrt(2)
    how = {"perspective_correct": False, "clip_barycentrics": False} if plane else {}
    near = at = scene.near(faces_per_pixel, reach_pix, **how)
    if plane:
        near = _weighing(near, SIGMA_NDC if sigma_ndc is None else sigma_ndc)
        at = near._replace(bary=_clipped(near.bary))
    colors = scene.faces(at, perspective=not plane)
    return scene.masked(
        softras(
            near, colors, scene.behind(len(colors), colors.shape[4], colors), sigma_pix2, sigma_ndc, gamma,
            color, aggregate, distance, znear, zfar, eps, face_count,
        )
    )  # fmt: skip


def _weighing(near: NearestFaces, sigma: float) -> NearestFaces:
    """Without the faces whose D, by barycentric distance, is below 1e-4: there the sum of weights may be 0."""
    least = near.bary.detach().amin(-1)
    away = (near.id < 0) | ((least < 0) & (least * least > math.log(1 / DIST_EPS - 1) * sigma))
    away, order = torch.sort(away, stable=True, dim=-1)  # those that are there come first
    id, z, dist2 = (part.gather(-1, order) for part in (near.id, near.z, near.dist2))
    bary = near.bary.gather(-2, order[..., None].expand(near.bary.shape))
    hidden = away[..., None]
    return NearestFaces(
        id.masked_fill(away, -1), z.masked_fill(away, -1), bary.masked_fill(hidden, -1), dist2.masked_fill(away, -1)
    )  # fmt: skip


def _clipped(bary: Tensor) -> Tensor:
    """Between 0 and 1, and of sum 1; -1 where there is no face, as it was."""
    kept = bary.clamp(0, 1)
    total = kept.sum(-1, keepdim=True)
    return torch.where(total > 0, kept / torch.where(total > 0, total, 1.0), bary)


def _sigmoid_alpha(
    scene: Scene, *, faces_per_pixel: int = K, reach_pix: float | None = None, sigma_pix2: float | None = None,
    sigma_ndc: float | None = None,
) -> Tensor:  # fmt: skip
    if sigma_pix2 is None and sigma_ndc is None:
        sigma_ndc = 1e-4
    if reach_pix is None:
        reach_pix = softras_reach(scene.size, sigma_pix2, sigma_ndc)
    near = scene.near(faces_per_pixel, reach_pix)
    colors = scene.faces(near)
    behind = scene.behind(len(colors), colors.shape[4], colors)
    return scene.masked(sigmoid_alpha(near, colors, behind, sigma_pix2, sigma_ndc))


def _hard(scene: Scene) -> Tensor:
    near = scene.near(1, 0.0)
    colors = scene.faces(near)
    return scene.masked(hard(near, colors, scene.behind(len(colors), colors.shape[4], colors)))


def _gendr(
    scene: Scene, *, faces_per_pixel: int = K, reach_pix: float | None = None, tau_pix: float = 1.0,
    distribution: str = "logistic", t_conorm: str = "probabilistic", p: float | None = None, squared: bool = False,
    gamma: float = GAMMA, znear: float = -1.0, zfar: float = 1.0, eps: float = EPS,
) -> Tensor:  # fmt: skip
    check.choice(NAME, "distribution", distribution, tuple(DISTRIBUTIONS))
    if reach_pix is None:
        reach_pix = _gendr_reach(distribution, check.number(NAME, "tau_pix", tau_pix), squared)
    near = scene.near(faces_per_pixel, reach_pix)
    colors = scene.faces(near)
    behind = scene.behind(len(colors), colors.shape[4], colors)
    return scene.masked(
        gendr(near, colors, behind, tau_pix, distribution, t_conorm, p, squared, gamma, znear, zfar, eps)
    )  # fmt: skip


def _gendr_reach(distribution: str, tau_pix: float, squared: bool) -> float:
    """Where F falls below 1e-4, in pixels; of heavy tails (cauchy, reciprocal) no further than the logistic's."""
    furthest = math.log(1 / DIST_EPS - 1)
    steps = torch.linspace(0, furthest, 1000, dtype=torch.float64)
    beyond = (DISTRIBUTIONS[distribution](-steps) > DIST_EPS).nonzero()
    reach = tau_pix * float(steps[beyond[-1, 0]]) if len(beyond) else 0.0
    return max(math.sqrt(reach) if squared and reach > 0 else reach, 0.0)


def _dibr(
    scene: Scene, *, sigmainv: float = SIGMAINV, boxlen: float = BOXLEN, knum: int = KNUM, affine: bool = False
) -> Tensor:  # fmt: skip
    near = scene.near(1, 0.0, perspective_correct=not check.flag(NAME, "affine", affine))
    covered = near.id[..., 0] >= 0
    image = scene.over(scene.faces(near, not affine)[..., 0, :], covered[..., None])
    if not scene.alpha:
        return image
    mask = dibr_mask(
        scene.ctx, scene.pos, scene.tri, scene.size, covered, sigmainv, boxlen, knum, scene.ranges, scene.cull
    )  # fmt: skip
    return torch.cat([image, mask], -1)


SOFT: dict[str, Callable[..., Tensor]] = {
    "softras": _softras,
    "sigmoid_alpha": _sigmoid_alpha,
    "hard": _hard,
    "gendr": _gendr,
    "dibr": _dibr,
}
