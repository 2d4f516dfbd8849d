"""Flat meshes with a uv of known scale."""

import torch

from glrast.clip import Mesh, grid

# A texture of 33 x 17 texels (width x height): a size that divides nothing.
ODD = (17, 33)


def sheet(rows: int = 3, cols: int = 5, low: float = 0.1, high: float = 0.9) -> Mesh:
    """[-1,1] x [-1,1] at z = 0, facing +z, over low..high of the texture."""
    pos, tri = grid(rows, cols)
    uv = low + (pos[:, :2] + 1) / 2 * (high - low)
    return Mesh(pos, tri, uv=uv, uv_tri=tri)


def centres(size: tuple[int, int]) -> torch.Tensor:
    """[H,W,2], u and v of the texels' centres."""
    height, width = size
    v, u = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij"
    )
    return torch.stack([u, v], -1)


def on_the_sheet(size: tuple[int, int], low: float = 0.1, high: float = 0.9) -> torch.Tensor:
    """[H,W,2], x and y of `sheet` under the texels' centres."""
    return (centres(size) - low) / (high - low) * 2 - 1
