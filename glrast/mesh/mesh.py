"""A mesh in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..core.arguments import as_tensor, positions, triangles
from ..core.check import show, wrong
from .material import Material


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with what may lie on them; arrays become tensors, shapes are checked.

    Args:
        pos: float32 [V,3].
        tri: int32 [T,3], counter-clockwise from outside.
        color: float32 [V,3] or [V,4], 0..1, as in an image file (sRGB).
        normal: float32 [V,3].
        uv: float32 [U,2], (0,0) at the bottom left of the texture, with its own indices:
        uv_tri: int32 [T,3] into uv. A seam splits uv, never pos.
        texture: float32 [Ht,Wt,C], 0..1, row 0 at the BOTTOM: short for one plain material with this
            texture. Never beside `materials`.
        materials: what the triangles look like where one plain texture does not say it.
        material: int32 [T] into materials; None: all triangles have the first.
        origin: x, y, z in float64 of the world's point that pos calls (0,0,0). Not zero where float32
            could not hold the world's coordinates: `world = pos + origin`.
    """

    pos: Tensor
    tri: Tensor
    color: Tensor | None = None
    normal: Tensor | None = None
    uv: Tensor | None = None
    uv_tri: Tensor | None = None
    texture: Tensor | None = None
    materials: tuple[Material, ...] = ()
    material: Tensor | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        pos = positions("Mesh", self.pos).float()
        tri = triangles("Mesh", self.tri, len(pos)).int()
        V, T = len(pos), len(tri)
        checked: dict[str, Tensor | None] = {"pos": pos, "tri": tri}
        checked["color"] = self._rows("color", f"[{V},3] or [{V},4]", (V,), (3, 4))
        checked["normal"] = self._rows("normal", f"[{V},3]", (V,), (3,))
        checked["texture"] = self._rows("texture", "[Ht,Wt,C]", (None, None), None)
        checked["uv"] = uv = self._rows("uv", "[U,2]", (None,), (2,))
        if (uv is None) != (self.uv_tri is None):
            raise ValueError(
                wrong(
                    "clip.Mesh",
                    "uv and uv_tri must come together",
                    f"only {('uv_tri' if uv is None else 'uv')}",
                    "pass uv_tri=tri if uv has a row per vertex",
                )
            )
        if uv is not None:
            uv_tri = triangles("Mesh.uv_tri", self.uv_tri, len(uv)).int()
            if len(uv_tri) != T:
                raise ValueError(
                    wrong(
                        "clip.Mesh",
                        f"uv_tri must be [{T},3] (T from tri)",
                        show(uv_tri),
                        "give every triangle three uv indices",
                    )
                )
            checked["uv_tri"] = uv_tri
        checked["material"] = self._material_of(T)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "origin", self._origin())

    def appearance(self) -> tuple[tuple[Material, ...], Tensor]:
        """The materials, one at least, and which of them each triangle has, int64 [T]: `texture` alone is one too."""
        materials = self.materials or (Material(texture=self.texture),)
        if self.material is None:
            return materials, torch.zeros(len(self.tri), dtype=torch.int64, device=self.tri.device)
        return materials, self.material.long()

    def to(self, device: torch.device | str) -> Mesh:
        """The same mesh with its tensors on `device`."""
        return self.with_tensors(lambda x: x.to(device))

    def with_tensors(self, change: Callable[[Tensor], Tensor]) -> Mesh:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {k: change(x) for k, x in given.items() if isinstance(x, Tensor)}
        changed["materials"] = tuple(
            m if m.texture is None else replace(m, texture=change(m.texture))
            for m in self.materials
        )
        return replace(self, **changed)

    def _material_of(self, T: int) -> Tensor | None:
        """`material` as int32 [T], after a look at `materials`."""
        materials = tuple(self.materials)
        object.__setattr__(self, "materials", materials)
        if not all(isinstance(m, Material) for m in materials):
            raise TypeError(
                wrong(
                    "clip.Mesh",
                    "materials must be glrast.clip.Material",
                    f"{', '.join(type(m).__name__ for m in materials)}",
                    "make them so",
                )
            )
        if materials and self.texture is not None:
            raise ValueError(
                wrong(
                    "clip.Mesh",
                    "texture and materials must not both be given",
                    "both",
                    "give the texture to a material",
                )
            )
        if self.material is None:
            return None
        index = as_tensor(self.material)
        whole = not (index.dtype.is_floating_point or index.dtype == torch.bool)
        fits = whole and index.shape == (T,)
        if fits and T:
            fits = 0 <= int(index.min()) and int(index.max()) < len(materials)
        if not fits:
            raise ValueError(
                wrong(
                    "clip.Mesh",
                    f"material must be integers [{T}] (T from tri) from 0 to {len(materials) - 1} (into materials)",
                    f"{index.dtype} {show(index)}",
                    "give every triangle the number of its material",
                )
            )
        return index.int()

    def _origin(self) -> tuple[float, float, float]:
        try:
            x, y, z = (float(value) for value in self.origin)
            fits = all(math.isfinite(value) for value in (x, y, z))
        except (TypeError, ValueError):
            x = y = z = 0.0
            fits = False
        if not fits:
            raise ValueError(
                wrong(
                    "clip.Mesh",
                    "origin must be three finite numbers",
                    f"{self.origin!r}",
                    "pass (0, 0, 0) where pos is in the world's coordinates",
                )
            )
        return x, y, z

    def _rows(
        self,
        name: str,
        expected: str,
        lead: tuple[int | None, ...],
        widths: tuple[int, ...] | None,
    ) -> Tensor | None:
        value = getattr(self, name)
        if value is None:
            return None
        x = as_tensor(value).float()
        fits = x.ndim == len(lead) + 1 and (widths is None or x.shape[-1] in widths)
        if not fits or any(n not in (None, m) for n, m in zip(lead, x.shape[:-1], strict=True)):
            raise ValueError(
                wrong(
                    "clip.Mesh", f"{name} must be {expected}", show(x), "check which array this is"
                )
            )
        return x
