"""Faces cut at a depth, as PyTorch3D cuts them: what crosses z_clip_value becomes one or two faces."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Pieces(NamedTuple):
    """What is left of faces [F,3,3]: P pieces, in the order of the faces."""

    corners: Tensor  # [P,3,3]
    face: Tensor  # int64 [P]: the face that each is of
    ranges: Tensor  # int64 [N,2] on the CPU
    other: (
        Tensor | None
    )  # int32 [P]: the other half of a face that became two, or -1; None: none did
    weights: (
        Tensor | None
    )  # [P,3,3]: what each corner is of the face's corners; None: the corner itself


def pieces_of(
    corners: Tensor,
    ranges: Tensor,
    z_clip: float | None,
    perspective: bool,
    extent: tuple[float, float] | None,
) -> Pieces:
    """The pieces of faces with z >= z_clip, without those beyond one side of +-extent.

    Args:
        perspective: edges are straight in space; else in (x, y, z) as they are.
    """
    F, device = len(corners), corners.device
    face = torch.arange(F, device=device)
    if z_clip is None and extent is None:
        return Pieces(corners, face, ranges, None, None)
    seen = corners.detach()
    kept = torch.ones(F, dtype=torch.bool, device=device)
    if extent is not None:
        for axis in range(2):
            kept &= ~(seen[..., axis] > extent[axis]).all(1)
            kept &= ~(seen[..., axis] < -extent[axis]).all(1)
    if z_clip is None:
        return _in_order([(face[kept], corners[kept], None, None)], ranges, F)
    behind = seen[..., 2] < z_clip
    count = behind.sum(1)
    whole = face[kept & (count == 0)]
    parts = [(whole, corners[whole], _same(corners, len(whole)), None)]
    for number in (1, 2):
        cut = face[kept & (count == number)]
        parts += _cut(corners, cut, behind[cut], z_clip, perspective)
    return _in_order(parts, ranges, F)


_Part = tuple[Tensor, Tensor, Tensor | None, "bool | None"]  # face, corners, weights, which half


def _same(like: Tensor, count: int) -> Tensor:
    return torch.eye(3, dtype=like.dtype, device=like.device).expand(count, 3, 3)


def _cut(
    corners: Tensor, face: Tensor, behind: Tensor, z_clip: float, perspective: bool
) -> list[_Part]:
    """Faces with one corner behind, or all but one: one piece each of those, two of these."""
    if not len(face):
        return []
    two = bool(behind[0].sum() == 1)
    lone = (behind if two else ~behind).to(torch.uint8).argmax(1)  # the corner on its own side
    turn = (lone[:, None] + torch.arange(3, device=lone.device)) % 3
    weights = _same(corners, len(face)).gather(1, turn[..., None].expand(-1, 3, 3))
    at = corners[face].gather(1, turn[..., None].expand(-1, 3, 3))
    if perspective:
        at = torch.cat([at[..., :2] * at[..., 2:], at[..., 2:]], -1)
    t = (z_clip - at[:, :1, 2:]) / (
        at[:, 1:, 2:] - at[:, :1, 2:]
    )  # on the ways from the lone corner
    where = torch.cat([at, at[:, :1] + t * (at[:, 1:] - at[:, :1])], 1)
    share = torch.cat([weights, weights[:, :1] + t * (weights[:, 1:] - weights[:, :1])], 1)
    if perspective:
        where = torch.cat([where[..., :2] / where[..., 2:], where[..., 2:]], -1)
    if not two:
        return [(face, where[:, [0, 3, 4]], share[:, [0, 3, 4]], None)]
    halves = [3, 1, 4], [4, 1, 2]
    return [(face, where[:, h], share[:, h], i == 1) for i, h in enumerate(halves)]


def _in_order(parts: list[_Part], ranges: Tensor, F: int) -> Pieces:
    """All pieces by face, the two halves of one after the other."""
    face = torch.cat([p[0] for p in parts])
    corners = torch.cat([p[1] for p in parts])
    half = torch.cat([torch.full_like(p[0], 0 if p[3] is None else 1 + p[3]) for p in parts])
    order = torch.sort(3 * face + half).indices
    face, half, corners = face[order], half[order], corners[order]
    step = torch.where(half == 1, 1, -1)
    at = torch.arange(len(face), device=face.device)
    other = torch.where(half > 0, at + step, -1).to(torch.int32)
    weights = None
    if parts[0][2] is not None:
        weights = torch.cat([p[2] for p in parts if p[2] is not None])[order]
    ends = torch.bincount(face, minlength=F).cumsum(0).cpu()
    before = torch.cat([ends.new_zeros(1), ends])
    first, last = before[ranges[:, 0]], before[ranges.sum(1)]
    return Pieces(corners, face, torch.stack([first, last - first], 1), other, weights)
