"""What no picture saw: filled from what is known around it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.check import wrong
from ..ops.interpolate import interpolate
from ..optim.solve.colours import fitted
from .pad import boxes, pad
from .texels import Texels, check_texels

WAYS = ("surface", "texture")
# How much differences along edges weigh beside what texels say of a vertex.
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
            function fitted to the texels around, as `glrast.optim.solve_colours` does): as fine as the mesh.
            'texture': each chart by itself, texel by texel (biharmonic, by scikit-image): it continues what runs into a
            hole; for small holes, and what lies in a chart of which nothing is known stays as it is.
    Returns: [H,W,C]; texels outside the charts as they were.
    Raises: ModuleNotFoundError: 'texture' without scikit-image. TypeError, ValueError: shapes.
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
    check.tensor(name, "mask", mask, device=image.device)
    check.shape(name, "mask", mask, f"[{height},{width}]", tuple(mask.shape) == (height, width))
    if mask.dtype != torch.bool:
        raise TypeError(wrong(name, "mask must be bool", mask.dtype, "mask > 0"))
    known, empty = mask & texels.mask, texels.mask & ~mask
    if not empty.any() or not known.any() or not image.shape[2]:
        return image.clone()
    if way == "texture":
        return _in_charts(texels, image, known, empty)
    color = _over_the_surface(texels, image.float(), known)
    filled = interpolate(color, texels.rast, texels.mesh.tri)[0][0]
    return torch.where(empty[..., None], filled.to(image.dtype), image)


def _over_the_surface(texels: Texels, image: Tensor, known: Tensor) -> Tensor:
    """[V,C], vertex colours that show the known texels, and are as smooth as that allows: least squares.

    Only vertices near empty texels are asked for: others change nothing there.
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
    row = part.cumsum(0) - 1  # of a face among those that take part
    id, bary = row[face.reshape(-1)[held].long()], texels.bary.reshape(-1, 3)[held]
    color = image.new_zeros((len(near), image.shape[-1]))
    known_colors, counts = image.reshape(-1, image.shape[-1])[held], bary.new_ones(len(held))
    solved = fitted(
        "bake.inpaint", small, len(used), id, bary, counts, known_colors, SMOOTH, "auto"
    )
    color[used] = solved.to(color)
    return color[index]


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


def _biharmonic() -> Any:
    try:
        from skimage.restoration import inpaint_biharmonic
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "glrast.bake.inpaint: way='texture' needs scikit-image, which is not installed; run: "
            'pip install "glrast[fit]"',
            name="skimage",
        ) from error
    return inpaint_biharmonic
