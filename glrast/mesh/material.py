"""What the triangles of a mesh look like: factor, texture, and what alpha means."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..core.arguments import as_tensor
from ..core.check import show, wrong

WRAPS = ("repeat", "mirror", "clamp")
FILTERS = ("linear", "nearest")
ALPHAS = ("opaque", "mask", "blend")


@dataclass(frozen=True, eq=False)
class Material:
    """The base colour of a surface. What is seen is the product, in linear light, of factor, texture
    and the mesh's vertex colours; alpha is the product of theirs.

    Args:
        name: as in the file.
        factor: red, green, blue, alpha in 0..1, LINEAR light.
        texture: float32 [Ht,Wt,C], 0..1, sRGB (alpha, the last of C = 2 or 4, is linear), row 0 at the BOTTOM.
        wrap: beyond 0..1, for u and for v: 'repeat', 'mirror' (each second one turned) or 'clamp'.
        filter: 'linear' or 'nearest', between texels.
        alpha: 'opaque' ignores it; 'mask' shows nothing where it is below `cutoff`; 'blend' mixes.
        cutoff: of 'mask'.
        unlit: the colours already hold the light that fell on the surface.
    """

    name: str = ""
    factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Tensor | None = None
    wrap: tuple[str, str] = ("repeat", "repeat")
    filter: str = "linear"
    alpha: str = "opaque"
    cutoff: float = 0.5
    unlit: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", _factor(self.factor))
        object.__setattr__(self, "wrap", _wrap(self.wrap))
        for name, given, known in (
            ("filter", self.filter, FILTERS),
            ("alpha", self.alpha, ALPHAS),
        ):
            if not isinstance(given, str) or given not in known:
                _refuse(name, "one of " + ", ".join(known), repr(given))
        if not isinstance(self.cutoff, (int, float)) or not math.isfinite(self.cutoff):
            _refuse("cutoff", "a finite number", repr(self.cutoff))
        if self.texture is not None:
            texture = as_tensor(self.texture).float()
            if texture.ndim != 3 or 0 in texture.shape:
                _refuse("texture", "[Ht,Wt,C], not empty", show(texture))
            object.__setattr__(self, "texture", texture)

    @property
    def is_plain(self) -> bool:
        """Whether `Mesh.texture` alone says as much (the name apart)."""
        return (
            self.factor == (1.0, 1.0, 1.0, 1.0)
            and self.wrap == ("repeat", "repeat")
            and self.filter == "linear"
            and self.alpha == "opaque"
            and not self.unlit
        )

    def to(self, device: torch.device | str) -> Material:
        """The same material with its texture on `device`."""
        if self.texture is None:
            return self
        return replace(self, texture=self.texture.to(device))


def _factor(given: Any) -> tuple[float, ...]:
    try:
        factor = tuple(float(x) for x in given)
    except (TypeError, ValueError):
        factor = ()
    if len(factor) != 4 or not all(0 <= x <= 1 for x in factor):
        _refuse("factor", "four numbers in 0..1, red, green, blue, alpha", repr(given))
    return factor


def _wrap(given: Any) -> tuple[str, ...]:
    wrap = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(wrap) != 2 or not all(isinstance(x, str) and x in WRAPS for x in wrap):
        _refuse("wrap", f"two of {', '.join(WRAPS)}, for u and v", repr(given))
    return wrap


def _refuse(name: str, expected: str, found: str) -> None:
    raise ValueError(wrong("clip.Material", f"{name} must be {expected}", found, "correct it"))
