"""What antialias and its inner boundaries ask of their kernels in the same words."""

from __future__ import annotations

import torch

from ..launch import launch


def pair_arguments(rast, pos, tri, flags) -> dict:
    """What the kernels that look at pixel pairs have in common."""
    N, H, W = rast.shape[:3]
    V, T = pos.shape[-2], tri.shape[0]
    many = flags.shape[0] > 1
    return dict(
        width=W, rows=N * H, rast=rast, pos=pos, pos_stride=V * 4 if many else 0, tri=tri, flags=flags,
        flags_stride=T if many else 0, V=V, T=T, H=H,
    )  # fmt: skip


def silhouettes(pos, tri, opposite) -> torch.Tensor:
    """int8 [1 or N,T]: bit k is set where the edge opposite vertex k is a silhouette."""
    flags = pos.new_empty((sets(pos), tri.shape[0]), dtype=torch.int8)
    launch(
        "antialias", "antialias_silhouettes", pos.device, width=tri.shape[0], H=1,
        rows=flags.shape[0], pos=pos,
        pos_stride=pos.shape[-2] * 4, tri=tri, opposite=opposite, V=pos.shape[-2], flags=flags,
    )  # fmt: skip
    return flags


def sets(pos: torch.Tensor) -> int:
    """Sets of vertices: one for all images, or one each."""
    return pos.shape[0] if pos.ndim == 3 else 1
