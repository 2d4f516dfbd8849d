"""A material's texture at places on it: decoded once, filtered in linear light, wrapped as each axis says."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..mesh.material import Material
from ..ops.mipmap import texture_construct_mip
from ..ops.texture import texture as look_up
from .light import to_linear

_BOUNDARY = {"repeat": "wrap", "mirror": "mirror", "clamp": "clamp"}
_ROW = 256  # places go to the operation in rows of so many: on the CPU the rows are shared out among the threads
# Between two texels 'nearest' jumps. A face that lies on the border in exact numbers does so but for a few of these.
_ROUNDING = 1e-6


class Texels:
    """The texture of a material, ready to be looked up.

    Args:
        material: one with a texture.
        alpha: whether alpha is asked for; 1 where the texture has none.
    """

    def __init__(self, material: Material, alpha: bool):
        assert material.texture is not None
        self._alpha, self._nearest = alpha, material.filter == "nearest"
        self._boundary, self._held, self._twice = _ways(material.wrap)
        texture = _linear(material.texture, alpha)
        for axis in (1, 0):  # of the texture: columns are u
            if self._twice[1 - axis]:
                texture = torch.cat([texture, texture.flip(axis)], axis)
        self._texture = texture[None].contiguous()
        self._levels = _levels(self._texture, whole=material.wrap == ("clamp", "clamp"))

    def at(self, uv: Tensor, uv_da: Tensor | None) -> Tensor:
        """[P,3] in linear light; with `alpha` [P,4].

        Args:
            uv: [P,2].
            uv_da: [P,4], as out_da of `glrast.interpolate`; None: no mipmaps.
        """
        uv = torch.stack([self._along(k, uv[:, k]) for k in (0, 1)], -1)
        if uv_da is not None and any(self._twice):
            scale = [0.5 if twice else 1.0 for twice in self._twice for _ in "XY"]
            uv_da = uv_da * uv_da.new_tensor(scale)
        smooth = self._look(uv, uv_da, "linear" if uv_da is None else "linear-mipmap-linear")
        if self._nearest:
            sharp = self._look(self._off_the_borders(uv), None, "nearest")
            smooth = sharp if uv_da is None else torch.where(self._small(uv_da), smooth, sharp)
        return _widened(smooth, self._alpha)

    def _along(self, axis: int, u: Tensor) -> Tensor:
        """The coordinate on the texture as it is stored, which has its mirror image beside it where it is `twice`."""
        u = u.clamp(0, 1) if self._held[axis] else u
        return u * 0.5 if self._twice[axis] else u

    def _sizes(self, like: Tensor) -> Tensor:
        height, width = self._texture.shape[1:3]
        return like.new_tensor([width, height])

    def _off_the_borders(self, uv: Tensor) -> Tensor:
        """uv, moved to one side where rounding alone decides on which side of a border between texels it lies."""
        sizes = self._sizes(uv)
        t = uv * sizes
        border, near = t.round(), 1e-3 + _ROUNDING * t.abs()
        return torch.where((t - border).abs() <= near, (border + near) / sizes, uv)

    def _small(self, uv_da: Tensor) -> Tensor:
        """[P,1], whether a texel is smaller than a pixel."""
        texels = uv_da.view(-1, 2, 2) * self._sizes(uv_da)[:, None]
        return texels.norm(dim=1).amax(1, keepdim=True) > 1

    def _look(self, uv: Tensor, uv_da: Tensor | None, filter_mode: str) -> Tensor:
        P = len(uv)
        rows = -(-P // _ROW)
        # What fills the last row is no place on the texture, which costs nothing.
        uv = functional.pad(uv, (0, 0, 0, rows * _ROW - P), value=math.nan).view(1, rows, _ROW, 2)
        if uv_da is not None:
            uv_da = functional.pad(uv_da, (0, 0, 0, rows * _ROW - P)).view(1, rows, _ROW, 4)
        mip = None if uv_da is None else self._levels
        color = look_up(
            self._texture, uv, uv_da, mip=mip, filter_mode=filter_mode, boundary_mode=self._boundary
        )
        return color.view(rows * _ROW, self._texture.shape[-1])[:P]


def _ways(wrap: tuple[str, str]) -> tuple[str, list[bool], list[bool]]:
    """How `glrast.texture`, which has one boundary mode for both axes, does one for each: its mode; the axes along
    which uv is held in 0..1; and those along which the texture is followed by its mirror image.

    A repeated texture beside its mirror image is a mirrored one. A mirrored one is a clamped one where uv ends at
    0 and 1: what lies beyond the last texel is that texel again. Both hold at every mip level.
    """
    if wrap[0] == wrap[1]:
        return _BOUNDARY[wrap[0]], [False, False], [False, False]
    held = [way == "clamp" for way in wrap]
    if "repeat" in wrap:
        return "wrap", held, [way != "repeat" for way in wrap]
    return "mirror", held, [False, False]


def _linear(texture: Tensor, alpha: bool) -> Tensor:
    """[Ht,Wt,C] with C as in the file, without its alpha where nobody asks for it."""
    C = texture.shape[-1]
    colors = 1 if C <= 2 else 3
    color = to_linear(texture[..., :colors])
    if alpha and C in (2, 4):
        return torch.cat([color, texture[..., C - 1 :].clamp(0, 1)], -1)
    return color


def _widened(color: Tensor, alpha: bool) -> Tensor:
    C = color.shape[1]
    if C == 3 + alpha:
        return color
    rgb = color[:, : 3 if C >= 3 else 1].expand(-1, 3)
    if not alpha:
        return rgb
    return torch.cat([rgb, color[:, C - 1 :] if C == 2 else torch.ones_like(rgb[:, :1])], 1)


def _levels(texture: Tensor, whole: bool):
    """The mip levels of [1,Ht,Wt,C]: a handle; or, of a side that cannot be halved to 1, a list, each rounded down.

    Args:
        whole: stop before a side that cannot be halved. What clamps is an atlas as a rule, and texels of its coarse
            levels mix charts that are far apart on the surface: `glrast fit` makes its sides so that they end in time.
    """
    height, width = texture.shape[1:3]
    if whole or (height & (height - 1) == 0 and width & (width - 1) == 0):
        return texture_construct_mip(texture, "auto")
    levels = []
    level = texture.permute(0, 3, 1, 2)
    while max(level.shape[2:]) > 1:
        half = max(1, level.shape[2] // 2), max(1, level.shape[3] // 2)
        level = functional.adaptive_avg_pool2d(level, half)
        levels.append(level.permute(0, 2, 3, 1).contiguous())
    return levels
