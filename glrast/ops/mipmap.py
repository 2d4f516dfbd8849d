"""The pyramid of a texture: `texture_construct_mip`, and how its levels lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..core import check
from ..launch import by_value, launch, on_host
from .operator import operator


class Mipmap:
    """Handle of a texture's pyramid: levels 1 to `last`, one after another in one tensor."""

    def __init__(self, shape: tuple[int, ...], last: int, packed: torch.Tensor):
        self.shape = shape  # of the texture it was made from
        self.last = last
        self.packed = packed


_LARGEST = 1 << 24  # texels on a side: float32 tells no more apart
LEVELS = 26  # as GLRAST_LEVELS in kernels/texture/arguments.cuh: levels 0 to 24, and what follows the last


def texture_construct_mip(
    tex: torch.Tensor, max_mip_level: int | str | None = None, cube_mode: bool = False
) -> Mipmap:
    """The mip levels of a texture, to be made once and passed to `texture` as `mip` while tex stays as it is.

    Args:
        tex: float32 [B,Ht,Wt,C], with cube_mode [B,6,S,S,C].
        max_mip_level: the last level wanted; None: down to one texel; 'auto': as many as exist.
        cube_mode: tex is a cube map.

    Returns: an opaque handle. A third of tex's memory. A level is the mean of 2x2 texels of the one below, of 2
        along the other axis where one extent is 1.

    Gradients: `texture` pulls the levels' gradients back to the tex it is given; the handle itself carries none.

    Raises:
        TypeError, ValueError: wrong types or shapes; an odd extent above 1 before the last level wanted, with a table
            of the levels.

    Note: after a change of tex, by an optimizer, say, the handle still holds the old texels. Make it again.
    """
    function = "texture_construct_mip"
    tex = check.floats(function, "tex", tex).detach()
    check_texture(function, tex, check.flag(function, "cube_mode", cube_mode))
    last = last_level(function, tex.shape, max_mip_level)
    return Mipmap(tuple(tex.shape), last, build(tex, last))


def check_texture(function: str, tex: torch.Tensor, cube: bool) -> None:
    if cube:
        square = tex.ndim == 5 and tex.shape[1] == 6 and tex.shape[2] == tex.shape[3] > 0
        check.shape(function, "tex", tex, "[B,6,S,S,C] with S > 0 for a cube map", square)
    else:
        filled = tex.ndim == 4 and min(tex.shape[1:3]) > 0
        check.shape(function, "tex", tex, "[B,Ht,Wt,C] with Ht, Wt > 0", filled)
    fits = max(tex.shape[-3:-1]) <= _LARGEST
    check.shape(function, "tex", tex, f"of at most {_LARGEST} texels on a side", fits)


def last_level(function: str, shape: tuple[int, ...], max_mip_level: int | str | None) -> int:
    """How many levels are built above tex: as max_mip_level says, or an error that shows where building stops."""
    as_many = isinstance(max_mip_level, str) and max_mip_level == "auto"
    if max_mip_level is not None and not as_many:
        max_mip_level = check.whole(
            function, "max_mip_level", max_mip_level, 0, also="None, 'auto' or "
        )
    height, width = shape[-3:-1]
    sizes = [(height, width)]
    while (height, width) != (1, 1) and len(sizes) - 1 != max_mip_level:
        if (height > 1 and height % 2) or (width > 1 and width % 2):
            if max_mip_level == "auto":
                break
            raise ValueError(_odd(function, sizes))
        height, width = max(height >> 1, 1), max(width >> 1, 1)
        sizes.append((height, width))
    return len(sizes) - 1


def _odd(function: str, sizes: list[tuple[int, int]]) -> str:
    table = "\n".join(f"  level {i}: {h} x {w}" for i, (h, w) in enumerate(sizes))
    last = len(sizes) - 1
    return (
        f"glrast.{function}: tex must halve evenly down to the last mip level; level {last} of {sizes[0][0]} x "
        f"{sizes[0][1]} (height x width) has an odd extent:\n{table}  <- cannot be halved\n"
        f"Pass max_mip_level={last} (or 'auto') to stop there, or resize tex, best to powers of two"
    )


def level_offsets(shape: tuple[int, ...], last: int) -> bytes:
    """As kernels take it: texels before each level, tex being level 0, and in all."""
    return by_value("int64", LEVELS, _offsets(shape, last))


@lru_cache(maxsize=256)
def _offsets(shape: tuple[int, ...], last: int) -> tuple[int, ...]:
    offsets = [0]
    for level in range(last + 1):
        offsets.append(offsets[-1] + _texels(level_shape(shape, level)))
    return tuple(offsets)


def level_shape(shape: tuple[int, ...], level: int) -> tuple[int, ...]:
    height, width = (max(extent >> level, 1) for extent in shape[-3:-1])
    return (*shape[:-3], height, width, shape[-1])


def packed_texels(shape: tuple[int, ...], last: int) -> int:
    """Texels of levels 1 to `last`."""
    return sum(_texels(level_shape(shape, level)) for level in range(1, last + 1))


def _texels(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape[:-1]:
        count *= extent
    return count


@dataclass
class Build:
    tex: Tensor
    last: int

    def fake(self) -> Tensor:
        return self.tex.new_empty(
            packed_texels(tuple(self.tex.shape), self.last) * self.tex.shape[-1]
        )

    def run(self) -> Tensor:
        packed, shape, below = self.fake(), tuple(self.tex.shape), self.tex
        step = levels_at_once(below.device)
        if step > 1:
            for first in range(1, self.last + 1, step):
                _launch_tower(shape, first, min(first + step - 1, self.last), self.tex, packed)
            return packed
        for level, above in enumerate(split_levels(packed, shape, self.last), 1):
            _launch("texture_mip_down", shape, level, below, above, width_of=level)
            below = above
        return packed


def levels_at_once(device: torch.device) -> int:
    """A launch of its own for each of the many small levels takes a GPU longer than their texels do; a CPU's caches are
    best used level by level."""
    return 1 if on_host(device) else 3


_build = operator("texture_mip", Build)


def build(tex: Tensor, last: int) -> Tensor:
    """Levels 1 to `last` in one tensor."""
    return _build(Build(tex, last))


def pull_back(grad: torch.Tensor, shape: tuple[int, ...], last: int) -> None:
    """Add the gradients of the levels to those below them, in place; grad [texels,C] of tex and the levels after it."""
    C = shape[-1]
    if levels_at_once(grad.device) > 1:
        H, W = shape[-3:-1]
        launch(
            "texture", "texture_mip_collect", grad.device, width=W * C, H=H, rows=_images(shape) * H, grad=grad,
            levels=level_offsets(shape, last), last=last, C=C,
        )  # fmt: skip
        return
    base = _texels(shape) * C
    flat = grad.view(-1)
    levels = [flat[:base], *split_levels(flat[base:], shape, last)]
    for level in range(last, 0, -1):
        _launch("texture_mip_pull", shape, level, levels[level - 1], levels[level], level - 1)


def split_levels(
    packed: torch.Tensor, shape: tuple[int, ...], last: int
) -> tuple[torch.Tensor, ...]:
    """Levels 1 to `last` of a packed pyramid, each in its shape."""
    shapes = [level_shape(shape, level) for level in range(1, last + 1)]
    sizes = [_texels(s) * s[-1] for s in shapes]
    parts = torch.split(packed, sizes) if shapes else ()
    return tuple(part.view(s) for part, s in zip(parts, shapes))


def _images(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape[:-3]:
        count *= extent
    return count


def _launch_tower(
    shape: tuple[int, ...], first: int, last: int, tex: Tensor, packed: Tensor
) -> None:
    """Levels `first` to `last` from the one below."""
    (h, w), C, offsets = level_shape(shape, first - 1)[-3:-1], shape[-1], _offsets(shape, last)
    H, W = level_shape(shape, last)[-3:-1]
    base = offsets[1]  # texels of tex, which is not among the packed
    launch(
        "texture", "texture_mip_tower", tex.device, width=W * C, H=H, rows=_images(shape) * H,
        below=tex if first == 1 else packed[(offsets[first - 1] - base) * C :],
        above=packed[(offsets[first] - base) * C :], w=w, h=h, C=C, levels=last - first + 1,
    )  # fmt: skip


def _launch(
    kernel: str, shape: tuple[int, ...], level: int, below: Tensor, above: Tensor, width_of: int
) -> None:
    """Between level - 1 and level, with one thread per texel of the level `width_of`."""
    fine, coarse = level_shape(shape, level - 1), level_shape(shape, level)
    H, W = level_shape(shape, width_of)[-3:-1]
    launch(
        "texture", kernel, below.device, width=W, H=H, rows=_images(shape) * H, below=below, above=above,
        C=shape[-1], step_x=fine[-2] // coarse[-2], step_y=fine[-3] // coarse[-3],
    )  # fmt: skip
