"""shade_faces, shade_surfaces: what vertices or faces carry, at what `nearest_faces` found."""

from __future__ import annotations

import math

import torch

from ..core import check
from ..core.rast import channel_of
from ..ops.interpolate import interpolate
from .nearest_faces import NearestFaces, checked_near


def rast_of(near: NearestFaces) -> torch.Tensor:
    """[N,H,W*K,4]: the K faces of a pixel side by side, in rast's form, for `interpolate`, `texture` and your shading.

    Gradients: near.bary.

    Raises:
        TypeError, ValueError: another near than `nearest_faces` gives.
    """
    checked_near("visibility.rast_of", near)
    N, H, W, K = near.id.shape
    shown = channel_of(near.id)
    rast = torch.cat([near.bary[..., :2], near.z.detach()[..., None], shown[..., None]], -1)
    return rast.reshape(N, H, W * K, 4)


def derivatives_of(
    near: NearestFaces, pos: torch.Tensor, tri: torch.Tensor, perspective_correct: bool = True
) -> torch.Tensor:
    """[N,H,W*K,4]: (du/dX, du/dY, dv/dX, dv/dY) per pixel of the faces' planes at the pixels' centres, 0 where there is
    no face: rast_db to `rast_of`.

    Args:
        near, pos, tri, perspective_correct: what `nearest_faces` gave, and was given.

    Gradients: none.

    Raises:
        TypeError, ValueError: another near than `nearest_faces` gives.
    """
    checked_near("visibility.derivatives_of", near)
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
        attr: float32 [V,A], [1,V,A] or [N,V,A]; of faces: `shade_surfaces`.
        tri: [T,3] into attr's vertices.

    Gradients: attr, near.bary.

    Raises:
        TypeError, ValueError: as `interpolate`.
    """
    checked_near("visibility.shade_faces", near)
    out, _ = interpolate(attr, rast_of(near), tri)
    return out.reshape(*near.id.shape, out.shape[-1])


def shade_surfaces(texture: torch.Tensor, near: NearestFaces) -> torch.Tensor:
    """[N,H,W,K,C]: colours of R x R texels of each face, as the Soft Rasterizer lays them out; 0 where there is none.

    Args:
        texture: float32 [T,R*R,C]; R = 1: one colour for each face.
        near: of the T faces. With w its bary, the cell is (i, j) = floor(R w0), floor(R w1); its texel R j + i in the
            half of the cell where R (w0 + w1) - i - j <= 1, else R (R-1-j) + (R-1-i).

    Gradients: texture. There is none by near: the nearest texel is taken.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; a number of texels that is no square.
    """
    name = "visibility.shade_surfaces"
    there = checked_near(name, near)
    check.floats(name, "texture", texture, device=near.id.device)
    R = math.isqrt(texture.shape[1]) if texture.ndim == 3 else 0
    fits = R > 0 and R * R == texture.shape[1] and texture.shape[0] > 0
    check.shape(name, "texture", texture, "[T,R*R,C] with T and R from 1", fits)
    w = near.bary.detach()[..., :2].clamp(0, 1)
    i, j = (w * R).floor().long().unbind(-1)
    upper = w.sum(-1) * R - i - j > 1
    texel = torch.where(upper, (R - 1 - j) * R + (R - 1 - i), j * R + i).clamp(0, R * R - 1)
    face = near.id.long().clamp(0, texture.shape[0] - 1)
    return torch.where(there[..., None], texture[face, texel], 0)
