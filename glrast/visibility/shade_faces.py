"""shade_faces: vertex attributes at what `nearest_faces` found."""

from __future__ import annotations

import torch

from ..ops.interpolate import interpolate
from .nearest_faces import NearestFaces


def rast_of(near: NearestFaces) -> torch.Tensor:
    """[N,H,W*K,4]: the K faces of a pixel side by side, in rast's form, for `interpolate`, `texture` and your shading.

    Gradients: near.bary.
    """
    N, H, W, K = near.id.shape
    id = near.id + 1
    large = (id + 0x4A800000).view(torch.float32)
    encoded = torch.where(id <= 2**24, id.to(torch.float32), large)
    rast = torch.cat([near.bary[..., :2], near.z.detach()[..., None], encoded[..., None]], -1)
    return rast.reshape(N, H, W * K, 4)


def shade_faces(attr: torch.Tensor, near: NearestFaces, tri: torch.Tensor) -> torch.Tensor:
    """[N,H,W,K,A]: attributes of vertices at the K faces of every pixel; 0 where there is none.

    Args:
        attr: float32 [V,A], [1,V,A] or [N,V,A]; of surfaces: three vertices of one value, with a tri of their own.
        tri: [T,3] into attr's vertices.

    Gradients: attr, near.bary.

    Raises:
        TypeError, ValueError: as `interpolate`.
    """
    out, _ = interpolate(attr, rast_of(near), tri)
    return out.reshape(*near.id.shape, out.shape[-1])
