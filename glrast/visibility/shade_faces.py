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


def derivatives_of(
    near: NearestFaces, pos: torch.Tensor, tri: torch.Tensor, perspective_correct: bool = True
) -> torch.Tensor:
    """[N,H,W*K,4]: (du/dX, du/dY, dv/dX, dv/dY) per pixel of the faces' planes at the pixels' centres, 0 where there is
    no face: rast_db to `rast_of`.

    Args:
        near, pos, tri, perspective_correct: what `nearest_faces` gave, and was given.

    Gradients: none.
    """
    N, H, W, K = near.id.shape
    db = near.bary.new_zeros((N * H * W * K, 4))
    with torch.no_grad():
        id = near.id.reshape(-1)
        at = (id >= 0).nonzero()[:, 0]
        if not len(at):
            return db.reshape(N, H, W * K, 4)
        pixel = at // K
        face = id.index_select(0, at).long()
        if pos.ndim == 3 and pos.shape[0] > 1:
            face += pixel // (H * W) * len(tri)
        rows = _planes(pos, tri, perspective_correct).index_select(0, face)
        u, v, s = rows.reshape(-1, 3, 3).unbind(1)
        x, y = (2 * (pixel % W) + 1) / W - 1, (2 * (pixel // W % H) + 1) / H - 1
        below = 1 / (s[:, 0] * x + s[:, 1] * y + s[:, 2])
        for k, a in enumerate((u, v)):
            share = (a[:, 0] * x + a[:, 1] * y + a[:, 2]) * below
            for axis, size in ((0, W), (1, H)):
                slope = (a[:, axis] - share * s[:, axis]) * below * (2 / size)
                db[:, 2 * k + axis].index_copy_(0, at, slope.nan_to_num_(0.0, 0.0, 0.0))
    return db.reshape(N, H, W * K, 4)


def _planes(pos: torch.Tensor, tri: torch.Tensor, perspective_correct: bool) -> torch.Tensor:
    """[sets of vertices * T,9]: a_0, a_1 and s = a_0 + a_1 + a_2, each as A x + B y + C of NDC, such that u = a_0/s and
    v = a_1/s: a_i = (v_j x v_k).(x, y, 1) of vertices (x, y, w)."""
    inside = tri.long().clamp(0, max(pos.shape[-2] - 1, 0))  # other faces are nowhere
    corners = pos[..., inside, :][..., [0, 1, 3]].double().reshape(-1, 3, 3)
    if not perspective_correct:
        corners = corners / corners[..., 2:]
    planes = torch.cross(corners.roll(-1, 1), corners.roll(-2, 1), dim=2)
    planes = torch.stack([planes[:, 0], planes[:, 1], planes.sum(1)], 1).reshape(-1, 9)
    return (planes / planes.abs().amax(1, keepdim=True)).to(pos.dtype)


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
