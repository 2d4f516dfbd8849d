"""A^T W A of texture, and A^T W image, added up view by view: no more memory for a thousand pictures than for one.

A = B P, a pyramid P and what pixels take of its levels, B. Two texels are in one pixel's lookup only if they are
neighbours on a level, or on two levels that follow each other, so B^T W B is a table of 9 + 9 numbers for each texel of
the pyramid: its neighbours on its own level, and those of the texel that covers it one level up.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...core import check
from .interpolation import checked_weight
from .lookup import Lookup, Pyramid, lookup
from .sparse import csr, transposed

_CHUNK = 1 << 20  # pixels at a time


class TextureNormal:
    """Sums over the pixels that were added.

    Args:
        size: (Ht, Wt) of the texture.
        channels: C of the images; 0 where only A^T W A is wanted.
        filter_mode, boundary_mode, max_mip_level: as `texture` takes them; no cube maps.
        device: of the tensors that are added.

    Attributes:
        right: float32 [Ht*Wt,C], A^T W image.
        row_sums: float32 [Ht*Wt], A^T W A 1: how much the pixels have to say of a texel; 0: nothing.

    `normal @ texels`, [Ht*Wt,C] to the same, is the product with A^T W A.

    Memory: 72 bytes for each texel of all levels (4/3 of Ht*Wt with mipmaps), and about 900 for each of at most a
        million pixels while they are added; products need up to 300 bytes a texel.
    """

    def __init__(
        self,
        size: tuple[int, int],
        channels: int = 0,
        *,
        filter_mode: str = "auto",
        boundary_mode: str = "wrap",
        max_mip_level: int | str | None = None,
        device: torch.device | str = "cpu",
    ):
        self.size = check.resolution("optim.TextureNormal", size)
        self.channels = check.whole("optim.TextureNormal", "channels", channels, 0)
        self.modes = (filter_mode, boundary_mode, max_mip_level)
        self.device = torch.device(device)
        self.pyramid: Pyramid | None = (
            None  # from the first pixels: whether there are levels follows from them
        )
        self._product: tuple[Tensor, Tensor] | None = None

    def add(
        self,
        image: Tensor | None,
        uv: Tensor,
        uv_da: Tensor | None = None,
        weight: Tensor | None = None,
        mip_level_bias: Tensor | None = None,
    ) -> TextureNormal:
        """Adds the pixels of some images.

        Args:
            image: float32 [N,H,W,C]; None where channels is 0.
            uv, uv_da, mip_level_bias: as `texture` takes them.
            weight: [N,H,W], bool or float, what a pixel's squared error counts; None: 1. Pixels without a surface need
                0: their uv is (0,0), and they would paint that texel.
        """
        name = "optim.TextureNormal.add"
        shape = tuple(uv.shape[:3]) if uv.ndim == 4 else ()
        weight = checked_weight(name, weight, shape, uv).reshape(-1)
        colors = self._colors(name, image, uv)
        kept = weight.nonzero()[:, 0]
        for pixels in kept.split(_CHUNK) if len(kept) else ():
            at, da, bias = (
                None if values is None else _some(name, what, values, shape, pixels)
                for what, values in (
                    ("uv", uv),
                    ("uv_da", uv_da),
                    ("mip_level_bias", mip_level_bias),
                )
            )
            assert at is not None
            found = lookup(name, self.size, at, da, bias, *self.modes)
            self._add(found, weight[pixels], None if colors is None else colors[pixels])
        return self

    def _colors(self, name: str, image: Tensor | None, uv: Tensor) -> Tensor | None:
        if image is None:
            check.value(
                name,
                "image",
                f"[N,H,W,{self.channels}] (from channels)",
                self.channels == 0,
                "None",
            )
            return None
        image = check.floats(name, "image", image, device=uv.device).detach()
        expected = (*uv.shape[:3], self.channels)
        check.shape(
            name,
            "image",
            image,
            f"{list(expected)} (from uv and channels)",
            tuple(image.shape) == expected,
        )
        return image.reshape(-1, self.channels)

    def _begin(self, found: Lookup) -> None:
        """Room for the sums; all that is added has the same levels."""
        self.pyramid = found.pyramid
        texels = found.pyramid.offsets[-1]
        self.table = torch.zeros((texels, 18), device=self.device)
        self._right = torch.zeros((texels, self.channels), device=self.device)
        self._ones = torch.zeros(texels, device=self.device)

    def _add(self, found: Lookup, weight: Tensor, colors: Tensor | None) -> None:
        if self.pyramid is None:
            self._begin(found)
        as_before = found.pyramid == self.pyramid
        expected = "given for all images or for none"
        check.value("optim.TextureNormal.add", "uv_da", expected, as_before, "both")
        self._product = None
        columns, weighted = found.columns(), found.weight * weight[:, None]
        total = weighted * found.weight.sum(
            dim=1, keepdim=True
        )  # of one 1, less beyond the texture's border
        self._ones.scatter_add_(0, columns.reshape(-1), total.reshape(-1))
        if colors is not None:
            for channel, color in enumerate(colors.unbind(1)):
                right = self._right[:, channel].contiguous()
                right.scatter_add_(0, columns.reshape(-1), (weighted * color[:, None]).reshape(-1))
                self._right[:, channel] = right
        table = self.table.view(-1)
        for one, other, first in found.neighbours():
            for a, b, place in _places(found, one, other):
                at = torch.add(place.add_(first), columns[:, a], alpha=18)
                table.scatter_add_(0, at, weighted[:, a] * found.weight[:, b])

    @property
    def right(self) -> Tensor:
        return self._pyramid().down(self._right)

    @property
    def row_sums(self) -> Tensor:
        return self._pyramid().down(self._ones[:, None])[:, 0]

    def _pyramid(self) -> Pyramid:
        if self.pyramid is None:
            raise ValueError(
                "glrast.optim.TextureNormal: there are no pixels in it: add some whose weight is not 0"
            )
        return self.pyramid

    def __matmul__(self, texels: Tensor) -> Tensor:
        pyramid = self._pyramid()
        if self._product is None:
            self._product = self._matrices()
        upper, lower = self._product
        levels = pyramid.up(texels)
        return pyramid.down(upper @ levels + lower @ levels)

    def _matrices(self) -> tuple[Tensor, Tensor]:
        """B^T W B as two matrices by rows: what the table has, and the transpose of its part between two levels."""
        kept = self.table != 0
        columns = self._columns()
        size = (len(columns), len(columns))
        upper = csr(_starts(kept), columns[kept], self.table[kept], size)
        kept[:, :9] = False
        between = csr(_starts(kept), columns[kept], self.table[kept], size)
        return upper, transposed(between)

    def _columns(self) -> Tensor:
        """The texels that a row of the table speaks of, int64 [texels,18]."""
        pyramid = self._pyramid()
        sizes, offsets = pyramid.sizes, pyramid.offsets
        found = []
        for level, (height, width) in enumerate(sizes):
            above = min(level + 1, pyramid.last)
            parts = [
                _around(height, width, sizes[k], self.device) + offsets[k] for k in (level, above)
            ]
            found.append(torch.cat(parts, dim=1))
        return torch.cat(found)


def _around(height: int, width: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Of each of height x width texels the 3 x 3 around its place among size[0] x size[1], int64 [texels,9]."""
    rows, columns = (
        (torch.arange(own, device=device) * other // own)[:, None]
        + torch.arange(-1, 2, device=device)
        for own, other in ((height, size[0]), (width, size[1]))
    )
    places = (rows % size[0])[:, None, :, None] * size[1] + (columns % size[1])[None, :, None, :]
    return places.reshape(height * width, 9)


def _places(found: Lookup, one: range, other: range) -> Iterator[tuple[int, int, Tensor]]:
    """Of each texel a of `one` and b of `other`, as many on a level that follows or is the same: which of the 3 x 3
    around a, or around the one that covers it, b is: 3 dy + dx, of a texel before, the same, the next one: 0, 1, 2."""
    side = 2 if len(one) == 4 else 1  # a lookup has 2 x 2 texels, or one
    steps = []
    for at, extents in ((found.y, found.heights), (found.x, found.widths)):
        stride = side if at is found.y else 1
        own, extent = extents[:, one[0]], extents[:, other[0]]
        for k in range(side):
            place = at[:, one[k * stride]]
            if one is not other:
                place = place * extent // own
            for n in range(side):
                steps.append((at[:, other[n * stride]] - place + 1) % extent)
    y, x = steps[: side * side], steps[side * side :]
    for a in range(len(one)):
        for b in range(len(other)):
            dy, dx = y[a // side * side + b // side], x[a % side * side + b % side]
            yield one[a], other[b], torch.add(dx, dy, alpha=3)


def _starts(kept: Tensor) -> Tensor:
    counts = kept.sum(dim=1)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _some(name: str, what: str, values: Tensor, shape: tuple[int, ...], pixels: Tensor) -> Tensor:
    """[1,1,K,...] of [N,H,W,...]."""
    check.tensor(name, what, values, device=pixels.device)
    fits = values.ndim in (3, 4) and tuple(values.shape[:3]) == shape
    check.shape(name, what, values, f"[N,H,W,...], N, H, W = {list(shape)} as uv's", fits)
    return values.detach().flatten(0, 2)[pixels][None, None]


def texture_normal(
    size: tuple[int, int],
    uv: Tensor,
    uv_da: Tensor | None = None,
    weight: Tensor | None = None,
    mip_level_bias: Tensor | None = None,
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | str | None = None,
) -> TextureNormal:
    """A^T W A of `texture_matrix`, to be multiplied with; A is never in memory. More images: its `add`.

    Args:
        size: (Ht, Wt) of the texture.
        weight: [N,H,W], bool or float, of the pixels; None: 1.
        uv, uv_da, mip_level_bias, filter_mode, boundary_mode, max_mip_level: as `texture` takes them; no cube maps.

    Returns: a TextureNormal; `normal @ texels` is [Ht*Wt,C] of the same.

    Gradients: none.

    Raises:
        TypeError, ValueError: as `texture`; boundary_mode "cube"; a negative weight.
    """
    normal = TextureNormal(
        size,
        filter_mode=filter_mode,
        boundary_mode=boundary_mode,
        max_mip_level=max_mip_level,
        device=uv.device,
    )
    return normal.add(None, uv, uv_da, weight, mip_level_bias)
