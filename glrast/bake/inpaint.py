"""What no picture saw: filled from what is known around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong
from ..mesh.topology import laplacian
from ..ops.interpolate import interpolate
from .pad import boxes, pad
from .texels import Texels, check_texels

WAYS = ("surface", "texture")
# How much a vertex's difference from its neighbours weighs beside a texel's error.
SMOOTH = 1e-3
# Triangles around the empty texels that take part.
RINGS = 3


@torch.no_grad()
def inpaint(texels: Texels, image: Tensor, mask: Tensor, way: str = "surface") -> Tensor:
    """The image with the empty texels of charts filled smoothly.

    Args:
        texels: of the mesh.
        image: float32 [H,W,C].
        mask: bool [H,W], the texels that hold something.
        way: 'surface': colours flow over the mesh, across the seams of its charts, from vertex to vertex (a smooth
            function fitted to the texels around, by SciPy's sparse factorization): as fine as the mesh.
            'texture': each chart by itself, texel by texel (biharmonic, by scikit-image): it continues what runs into a
            hole; for small holes, and what lies in a chart of which nothing is known stays as it is.
    Returns: [H,W,C]; texels outside the charts as they were.
    Raises: ModuleNotFoundError: the library is not there. TypeError, ValueError: shapes.
    """
    name = "bake.inpaint"
    check_texels(name, texels)
    way = check.choice(name, "way", way, WAYS)
    height, width = texels.resolution
    check.tensor(name, "image", image)
    expected = f"[{height},{width},C] (from texels)"
    check.shape(
        name, "image", image, expected, image.ndim == 3 and image.shape[:2] == (height, width)
    )
    check.shape(name, "mask", mask, f"[{height},{width}]", tuple(mask.shape) == (height, width))
    if mask.dtype != torch.bool:
        raise TypeError(wrong(name, "mask must be bool", mask.dtype, "mask > 0"))
    known, empty = mask & texels.mask, texels.mask & ~mask
    if not empty.any() or not known.any():
        return image.clone()
    if way == "texture":
        return _in_charts(texels, image, known, empty)
    color = _over_the_surface(texels, image.float(), known)
    filled = interpolate(color, texels.rast, texels.mesh.tri)[0][0]
    return torch.where(empty[..., None], filled.to(image.dtype), image)


def _over_the_surface(texels: Texels, image: Tensor, known: Tensor) -> Tensor:
    """[V,C], vertex colours that show the known texels, and are as smooth as that allows: least squares.

    Of b the weights of a texel's corners, c its colour, x the vertices': sum (b x - c)^2 + s x L x, with L the mesh's
    Laplacian. Only vertices near empty texels are asked for: others change nothing there.
    """
    mesh = texels.mesh
    index = torch.unique(mesh.pos.detach(), dim=0, return_inverse=True)[1]  # seams of pos are none
    tri = index[mesh.tri.long()]
    face, empty = texels.face, texels.mask & ~known
    near = torch.zeros(int(index.max()) + 1, dtype=torch.bool, device=index.device)
    for _ in range(RINGS):
        near[tri[near[tri].any(1)].reshape(-1)] = True
        near[tri[face[empty].long().unique()].reshape(-1)] = True
    part = near[tri].all(1)
    held = (known & part[face.long()]).reshape(-1).nonzero()[:, 0]
    if not len(held):  # all of the piece is unknown, and what is around it too
        held, part = known.reshape(-1).nonzero()[:, 0], torch.ones_like(part)
    used, small = torch.unique(tri[part], return_inverse=True)
    number = torch.full_like(near, -1, dtype=torch.int64)
    number[used] = torch.arange(len(used), device=used.device)
    C = image.shape[-1]
    solved = _fitted(
        small.cpu(),
        len(used),
        number[tri[face.reshape(-1)[held].long()]].cpu().numpy(),
        texels.bary.reshape(-1, 3)[held].double().cpu().numpy(),
        image.reshape(-1, C)[held].double().cpu().numpy(),
    )
    color = image.new_zeros((len(near), C))
    color[used] = torch.from_numpy(solved).to(image)
    return color[index]


def _fitted(
    tri: Tensor, V: int, corners: np.ndarray, weight: np.ndarray, color: np.ndarray
) -> np.ndarray:
    """[V,C] from the colours [K,C] of texels with corners [K,3] and weights [K,3]."""
    sparse, factorized = _sparse()
    laplace = laplacian(tri, V)
    smooth = sparse.csr_matrix(
        (laplace.values().double().numpy(), laplace.indices().numpy()), (V, V)
    )
    rows, columns = (
        corners[:, k].reshape(-1) for k in ([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2] * 3)
    )
    products = (weight[:, :, None] * weight[:, None, :]).reshape(-1)
    data = sparse.csr_matrix((products, (rows, columns)), (V, V))
    # a pull to the mean that only decides where nothing else does
    system = data + SMOOTH * smooth + 1e-9 * sparse.identity(V)
    solve, mean = factorized(system.tocsc()), color.mean(0)
    out = np.empty((V, color.shape[1]))
    for channel in range(color.shape[1]):
        pull = weight * (color[:, channel, None] - mean[channel])
        right = np.bincount(corners.reshape(-1), pull.reshape(-1), V)
        out[:, channel] = mean[channel] + solve(right)
    return out


def _in_charts(texels: Texels, image: Tensor, known: Tensor, empty: Tensor) -> Tensor:
    biharmonic = _biharmonic()
    chart, out = texels.chart, image.float().cpu().numpy().copy()
    for number, (rows, columns) in boxes(chart, torch.unique(chart[empty])):
        own = chart[rows, columns] == number
        hole = (empty[rows, columns] & own).cpu().numpy()
        there = (known[rows, columns] & own).cpu().numpy()
        if not there.any():
            continue
        # what is none of this chart must not flow in: the nearest of its own stands there
        box = torch.from_numpy(out[rows, columns])
        base = pad(box, torch.from_numpy(there))[0].numpy()
        done = biharmonic(base, hole, channel_axis=-1)
        out[rows, columns][hole] = done[hole]
    return torch.from_numpy(out).to(image.device, image.dtype)


def _sparse() -> tuple[Any, Any]:
    try:
        from scipy import sparse
        from scipy.sparse.linalg import factorized
    except ModuleNotFoundError as error:
        raise _missing("SciPy", "scipy") from error
    return sparse, factorized


def _biharmonic() -> Any:
    try:
        from skimage.restoration import inpaint_biharmonic
    except ModuleNotFoundError as error:
        raise _missing("scikit-image", "skimage") from error
    return inpaint_biharmonic


def _missing(what: str, name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f'glrast.bake.inpaint: it needs {what}, which is not installed; run: pip install "glrast[fit]"',
        name=name,
    )
