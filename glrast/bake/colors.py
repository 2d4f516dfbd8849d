"""What a mesh's materials and vertex colours say, wherever rast shows the mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from ..mesh.mesh import Mesh
from ..shading import Paint


def colors_of(mesh: Mesh, rast: Tensor) -> Tensor:
    """[H,W,4], sRGB and straight alpha, what the mesh's materials and vertex colours say where rast [1,H,W,4] shows it;
    0 elsewhere. A mesh with neither is white."""
    materials, _ = mesh.appearance()
    if mesh.color is None and all(m.texture is None and m.is_plain for m in materials):
        return (rast[0, ..., 3:] > 0).float().expand(-1, -1, 4)
    # no mip level is asked for: the texels are about as fine as the texture, or finer
    eye = torch.eye(4, device=rast.device)
    return Paint(mesh).at(rast, torch.zeros_like(rast), eye)[0][0]
