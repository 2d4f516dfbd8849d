"""texture as a matrix, mipmaps included, without the many entries that they would have."""

from __future__ import annotations

import torch
from torch import Tensor

from .lookup import Lookup, Pyramid, lookup
from .sparse import by_places, by_rows, transposed


class TextureMatrix:
    """A = B P: the texels' mip pyramid P, and what pixels take of its levels, B.

    `matrix @ texels` and `matrix.T @ image` are products; `to_sparse()` writes A out, of which a pixel at level l has
    about 4^l entries a texel; B has at most eight.

    Attributes:
        entries: B, float32 CSR [N*H*W, texels of all levels].
        size: (Ht, Wt).
        shape: (N*H*W, Ht*Wt), A's.
    """

    def __init__(self, found: Lookup):
        self.pyramid: Pyramid = found.pyramid
        self.entries = by_rows(found.columns(), found.weight, self.pyramid.offsets[-1])
        self._transposed: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.pyramid.size

    @property
    def shape(self) -> tuple[int, int]:
        return self.entries.shape[0], self.size[0] * self.size[1]

    def __matmul__(self, texels: Tensor) -> Tensor:
        """[N*H*W,C] of texels [Ht*Wt,C]."""
        return self.entries @ self.pyramid.up(texels)

    @property
    def T(self) -> Transposed:
        return Transposed(self)

    def entries_transposed(self) -> Tensor:
        """B^T by rows; made once."""
        if self._transposed is None:
            self._transposed = transposed(self.entries)
        return self._transposed

    def to_sparse(self) -> Tensor:
        """A, float32 CSR [N*H*W, Ht*Wt]: level by level what a texel of a level is the mean of."""
        pyramid = self.pyramid
        place = torch.arange(self.shape[1], device=self.entries.device)
        height, width = pyramid.size
        y, x = place // width, place % width
        rows = []
        for (h, w), offset in zip(pyramid.sizes, pyramid.offsets):
            steps = (height // h, width // w)
            rows.append(offset + (y // steps[0]) * w + x // steps[1])
        row = torch.cat(rows)
        counts = [len(place) // (h * w) for h, w in pyramid.sizes]
        value = torch.cat([torch.full_like(place, 1.0 / n, dtype=torch.float32) for n in counts])
        column = place.repeat(len(rows))
        levels = by_places(row, column, value, (pyramid.offsets[-1], len(place)))
        return torch.sparse.mm(self.entries, levels)


class Transposed:
    """A^T, to be multiplied with."""

    def __init__(self, matrix: TextureMatrix):
        self.matrix = matrix

    def __matmul__(self, image: Tensor) -> Tensor:
        """[Ht*Wt,C] of pixels [N*H*W,C]."""
        return self.matrix.pyramid.down(self.matrix.entries_transposed() @ image)


def texture_matrix(
    size: tuple[int, int],
    uv: Tensor,
    uv_da: Tensor | None = None,
    mip_level_bias: Tensor | None = None,
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | str | None = None,
) -> TextureMatrix:
    """`texture` as a matrix: what a pixel takes of each texel, through the mip levels.

    Args:
        size: (Ht, Wt) of the texture.
        uv, uv_da, mip_level_bias, filter_mode, boundary_mode, max_mip_level: as `texture` takes them; no cube maps.

    Returns: A, with texture(tex, uv, ...) = (A @ tex.reshape(Ht * Wt, C)).reshape(N, H, W, C) for one texture
        [1,Ht,Wt,C] of all images.

    Gradients: none: to differentiate by uv use `texture`.

    Raises:
        TypeError, ValueError: as `texture`; boundary_mode "cube".

    Memory: 12 bytes for each of up to eight entries of a pixel, 8 for a row; as much again once A^T is used.
    """
    found = lookup(
        "optim.texture_matrix",
        size,
        uv,
        uv_da,
        mip_level_bias,
        filter_mode,
        boundary_mode,
        max_mip_level,
    )
    return TextureMatrix(found)
