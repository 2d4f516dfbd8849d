"""Image estimators and layers by name: from a scene to its image [N,H,W,C], or [N,H,W,C+1] with the mask.

Keywords are options, with the papers' values; `render` reads them off the functions here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...core import check
from ...ops.peel import peel
from ..antialias import antialias
from ..dirt import dirt
from ..edge_grad import edge_grad
from ..edge_sampling import edge_sampling
from ..nmr import EPS, EPS_SILHOUETTES, nmr
from ..opendr import opendr
from ..rasterize_then_splat import rasterize_then_splat
from ..render import render
from ..topology import Topology
from .scene import NAME, Scene

_Estimate = Callable[[Tensor, Tensor], Tensor]  # of (color, rast)


def _estimated(scene: Scene, estimate: _Estimate, moves: bool = True) -> Tensor:
    """The image that an estimator makes of the shaded one; `moves`: what is inside triangles moves by rast."""
    rast, db = scene.draw()
    seen = (rast, db) if moves else (rast.detach(), db.detach())
    covered = rast.detach()[..., 3:] > 0
    color = scene.over(scene.color(*seen), covered)
    if scene.alpha:
        color = torch.cat([color, covered.to(color)], -1)
    return estimate(color, rast)


def _antialias(
    scene: Scene, *, discontinuities: str = "silhouettes", pos_gradient_boost: float = 1.0,
    topology_hash: Topology | None = None,
) -> Tensor:  # fmt: skip
    def estimate(color: Tensor, rast: Tensor) -> Tensor:
        return antialias(
            color, rast, scene.pos, scene.tri, topology_hash, pos_gradient_boost, scene.cull,
            discontinuities, scene.ranges,
        )  # fmt: skip

    return _estimated(scene, estimate)


def _exact(scene: Scene) -> Tensor:
    return _fragments(scene, "all")


def _exact_near(scene: Scene) -> Tensor:
    return _fragments(scene, "near")


def _fragments(scene: Scene, discontinuities: str) -> Tensor:
    def shade(rast: Tensor, rast_db: Tensor) -> Tensor:
        color, covered = scene.color(rast, rast_db), rast.detach()[..., 3:] > 0
        if rast.shape[1:3] == scene.size:
            scene.behind(len(rast), color.shape[3], color)  # checked under this function's name
        if scene.background is None:
            color = torch.where(covered, color, 0.0)
        return torch.cat([color, covered.to(color)], -1) if scene.alpha else color

    behind = scene.background
    if scene.alpha and behind is not None:
        behind = check.tensor(NAME, "background", behind)
        behind = torch.nn.functional.pad(behind, (0, 1))
    return render(
        scene.ctx, scene.pos, scene.tri, scene.size, shade, behind, discontinuities, scene.ranges, scene.cull
    )  # fmt: skip


def _opendr(
    scene: Scene, *, overdraw: bool = True, topology_hash: Topology | None = None
) -> Tensor:
    def estimate(color: Tensor, rast: Tensor) -> Tensor:
        return opendr(color, rast, scene.pos, scene.tri, overdraw, topology_hash)

    return _estimated(scene, estimate, moves=False)


def _dirt(scene: Scene) -> Tensor:
    def estimate(color: Tensor, rast: Tensor) -> Tensor:
        if not scene.alpha:
            return dirt(color, rast, scene.pos, scene.tri)
        return _apart(lambda part: dirt(part, rast, scene.pos, scene.tri), color)

    return _estimated(scene, estimate, moves=False)


def _nmr(
    scene: Scene, *, eps: float | None = None, fill_back: bool = True, supersample: int = 2
) -> Tensor:
    supersample = check.whole(NAME, "supersample", supersample, 1, 2)
    rast, db = scene.draw(supersample)
    covered = rast.detach()[..., 3:] > 0

    def drawn(color: Tensor, published: float) -> Tensor:
        size = published if eps is None else eps
        return nmr(color, rast, scene.pos, scene.tri, size, fill_back, supersample)

    image = drawn(scene.over(scene.color(rast, db), covered, supersample), EPS)
    if not scene.alpha:
        return image
    return torch.cat([image, drawn(covered.to(image), EPS_SILHOUETTES)], -1)


def _edge_grad(scene: Scene, *, units: str = "same") -> Tensor:
    return _estimated(scene, lambda c, rast: edge_grad(c, rast, scene.pos, scene.tri, units))


def _edge_sampling(
    scene: Scene, *, samples_per_edge: int = 4, sampling: str = "stratified", silhouettes_only: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    def estimate(color: Tensor, rast: Tensor) -> Tensor:
        return edge_sampling(
            color, rast, scene.pos, scene.tri, samples_per_edge, sampling, silhouettes_only, generator
        )  # fmt: skip

    return _estimated(scene, estimate)


def _apart(estimate: Callable[[Tensor], Tensor], color: Tensor) -> Tensor:
    """Colours and mask each for themselves: where one channel would change what others give."""
    parts = color[..., :-1].contiguous(), color[..., -1:].contiguous()
    return torch.cat([estimate(part) for part in parts], -1)


# ---- layers ----------------------------------------------------------------------------------------------


def _rasterize_then_splat(scene: Scene, *, layers: int = 2) -> Tensor:
    layers = check.whole(NAME, "layers", layers, 1)
    made = peel(
        scene.ctx, scene.pos, scene.tri, scene.size, scene.ranges, cull=scene.cull, max_layers=layers
    )  # fmt: skip
    made = made or [scene.draw()]  # nothing is seen: one empty layer
    # a point keeps its colour when it moves: by interpolate as well the motion inside would count twice
    colors = [scene.color(rast.detach(), db.detach()) for rast, db in made]
    splatted = rasterize_then_splat(made, colors, scene.pos, scene.tri)
    color, alpha = splatted[..., :-1], splatted[..., -1:]
    color = color + (1 - alpha) * scene.behind(len(color), color.shape[3], color)
    return torch.cat([color, alpha], -1) if scene.alpha else color


IMAGES: dict[str, Callable[..., Tensor]] = {
    "antialias": _antialias,
    "exact": _exact,
    "exact near": _exact_near,
    "opendr": _opendr,
    "dirt": _dirt,
    "nmr": _nmr,
    "edge_grad": _edge_grad,
    "edge_sampling": _edge_sampling,
    "rasterize_then_splat": _rasterize_then_splat,
}
