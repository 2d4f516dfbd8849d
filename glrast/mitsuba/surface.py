"""What a surface is made of, and the same as Mitsuba's mesh takes it: a corner has one index for place and texel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong

WRAPS = {"wrap": "repeat", "clamp": "clamp", "mirror": "mirror"}
FILTERS = {"linear": "bilinear", "nearest": "nearest"}
_NAME = "mitsuba.Surface"
_GREY = 0.5


@dataclass(frozen=True)
class Surface:
    """A triangle mesh and what it does with light; its tensors may require gradients.

    Args:
        pos: float32 [V,3], in the world.
        tri: integer [T,3]. Counter-clockwise is the front.
        color: the part of the light that it throws back in all directions (albedo), linear RGB: [3] for all of it,
            [V,3] at the vertices, or a texture [H,W,3], row 0 at v = 0; None: grey, or black where it emits.
        emission: the light that its front gives off, linear RGB, in the same three forms; None: none.
        uv: [V,2], or [Vt,2] with uv_tri; 0 to 1 across the texture.
        uv_tri: [T,3], the corners' rows of uv where they are not those of pos.
        normal: [V,3], for shading, as from `clip.vertex_normals`; None: flat triangles.
        boundary_mode: 'wrap', 'clamp' or 'mirror', of the textures.
        filter_mode: 'linear' or 'nearest'. A path tracer takes the mean of many lookups and needs no mipmaps.
        bsdf: instead of color, a material as Mitsuba describes one ({'type': 'dielectric'}); it gets no gradients.
    Raises: TypeError, ValueError for wrong types and shapes, and a texture without uv.
    """

    pos: Tensor
    tri: Tensor
    color: Tensor | None = None
    emission: Tensor | None = None
    uv: Tensor | None = None
    uv_tri: Tensor | None = None
    normal: Tensor | None = None
    boundary_mode: str = "wrap"
    filter_mode: str = "linear"
    bsdf: Mapping[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        pos = check.floats(_NAME, "pos", self.pos)
        holds = pos.ndim == 2 and pos.shape[1] == 3 and len(pos) > 0
        check.shape(_NAME, "pos", pos, "[V,3]", holds, "in the world, not in clip space")
        check.not_swapped(_NAME, self.pos, self.tri)
        tri = check.triangles(_NAME, self.tri, device=pos.device)
        check.shape(_NAME, "tri", tri, "[T,3] with T >= 1", len(tri) > 0)
        _in_range("tri", tri, "pos", len(pos))
        check.choice(_NAME, "boundary_mode", self.boundary_mode, tuple(WRAPS))
        check.choice(_NAME, "filter_mode", self.filter_mode, tuple(FILTERS))
        self._check_uv(pos, tri)
        if self.normal is not None:
            normal = check.floats(_NAME, "normal", self.normal, device=pos.device)
            check.shape(_NAME, "normal", normal, f"[{len(pos)},3]", normal.shape == pos.shape)
        for name in ("color", "emission"):
            self._check_color(name, getattr(self, name), pos)
        if self.bsdf is not None and self.color is not None:
            raise ValueError(wrong(_NAME, "color or bsdf must be None", "both", "pass one of them"))

    def part(self) -> Part:
        """The same with one index for each corner, and with Mitsuba's names of the parameters."""
        corner, of_pos, of_uv = _corners(self.tri, self.uv_tri)

        def at(x: Tensor, rows: Tensor | None) -> Tensor:
            return x if rows is None else x[rows]

        values = {"vertex_positions": at(self.pos, of_pos)}
        if self.normal is not None:
            values["vertex_normals"] = at(self.normal, of_pos)
        if self.uv is not None:
            values["vertex_texcoords"] = at(self.uv, of_uv)
        sources = {}
        for name, given in (("color", self._albedo()), ("emission", self.emission)):
            if given is not None:
                kind = _KINDS[given.ndim]
                sources[name] = kind
                values[name] = at(given, of_pos) if kind == "vertex" else given
        wrap, filter = WRAPS[self.boundary_mode], FILTERS[self.filter_mode]
        return Part(corner, sources, wrap, filter, self.bsdf, values)

    def _albedo(self) -> Tensor | None:
        if self.color is not None or self.bsdf is not None:
            return self.color
        return self.pos.new_full((3,), _GREY if self.emission is None else 0.0)

    def _check_uv(self, pos: Tensor, tri: Tensor) -> None:
        if self.uv is None:
            if self.uv_tri is not None:
                raise ValueError(
                    wrong(_NAME, "uv_tri must be None without uv", "uv None", "pass uv")
                )
            return
        uv = check.floats(_NAME, "uv", self.uv, device=pos.device)
        check.shape(_NAME, "uv", uv, "[Vt,2]", uv.ndim == 2 and uv.shape[1] == 2)
        if self.uv_tri is None:
            check.shape(
                _NAME, "uv", uv, f"[{len(pos)},2] like pos", len(uv) == len(pos), "without uv_tri"
            )
            return
        uv_tri = check.triangles(_NAME, self.uv_tri, device=pos.device)
        check.shape(_NAME, "uv_tri", uv_tri, f"[{len(tri)},3] like tri", len(uv_tri) == len(tri))
        _in_range("uv_tri", uv_tri, "uv", len(uv))

    def _check_color(self, name: str, given: Tensor | None, pos: Tensor) -> None:
        if given is None:
            return
        given = check.floats(_NAME, name, given, device=pos.device)
        shape = tuple(given.shape)
        holds = shape in ((3,), (len(pos), 3))
        holds |= len(shape) == 3 and shape[2] == 3 and given.numel() > 0
        check.shape(_NAME, name, given, f"[3], [{len(pos)},3] or a texture [H,W,3]", holds)
        if len(shape) == 3 and self.uv is None:
            raise ValueError(wrong(_NAME, f"uv must be given with a texture for {name}", "None"))


_KINDS = {1: "constant", 2: "vertex", 3: "texture"}


@dataclass(frozen=True)
class Part:
    """A surface as Mitsuba's mesh takes it.

    Args:
        tri: [T,3], into the rows of `values`.
        sources: 'color' and 'emission', where there are any: 'constant', 'vertex' or 'texture'.
        wrap, filter: Mitsuba's words.
        bsdf: Mitsuba's description of a material that is not `color`.
        values: its tensors by name; positions, normals and uv by Mitsuba's.
    """

    tri: Tensor
    sources: dict[str, str]
    wrap: str
    filter: str
    bsdf: Mapping[str, Any] | None
    values: dict[str, Tensor]


def _corners(tri: Tensor, uv_tri: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """(tri, rows of pos, rows of uv): a vertex for each pair of place and texel; None: all rows as they are."""
    if uv_tri is None or torch.equal(tri, uv_tri):
        return tri, None, None
    pairs = torch.stack([tri.reshape(-1).long(), uv_tri.reshape(-1).long()], 1)
    unique, corner = torch.unique(pairs, dim=0, return_inverse=True)
    return corner.reshape(tri.shape), unique[:, 0], unique[:, 1]


def _in_range(name: str, tri: Tensor, of: str, count: int) -> None:
    low, high = int(tri.min()), int(tri.max())
    check.value(
        _NAME,
        name,
        f"rows of {of}, 0 to {count - 1}",
        low >= 0 and high < count,
        f"{low} to {high}",
    )
