"""Tangents: the direction of +u on the surface."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def tangents(pos: Tensor, tri: Tensor, uv: Tensor, uv_tri: Tensor) -> tuple[Tensor, Tensor]:
    """Unit tangents [U,3], the mean over a corner's triangles weighted by their area; and sign [T], -1 where the
    texture is mirrored, else 1.

    Args:
        pos: [V,3]; tri: [T,3].
        uv: [U,2]; uv_tri: [T,3].
    Gradients: to pos and uv.
    """
    a, b, c = pos[tri.long()].unbind(1)
    ua, ub, uc = uv[uv_tri.long()].unbind(1)
    e1, e2 = b - a, c - a
    (u1, v1), (u2, v2) = (ub - ua).unbind(1), (uc - ua).unbind(1)
    area = u1 * v2 - u2 * v1
    sign = torch.where(area < 0, -1.0, 1.0)
    # d pos / d u = (e1 v2 - e2 v1) / area: only its direction counts, and mirrored ones turn
    along = functional.normalize((e1 * v2[:, None] - e2 * v1[:, None]) * sign[:, None], dim=1)
    weight = torch.linalg.cross(e1, e2).norm(dim=1, keepdim=True)
    share = (along * weight).repeat_interleave(3, 0)
    total = torch.zeros_like(uv[:, :1].expand(-1, 3)).index_add(0, uv_tri.reshape(-1).long(), share)
    return functional.normalize(total, dim=1), sign
