"""What one call of antialias found: silhouettes, the colours beside them, and whether the loss looks there.

Its gradient is a sum over pairs of neighbouring pixels with a silhouette between them, of three factors:
    d loss / d (the pixel that is blended)  .  (colour of one - colour of the other)  .  d alpha / d positions
It is zero where one of them is zero at every pair, and these functions ask which.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..core.rast import triangle_id
from ..visibility.antialias import Antialias, blend
from ..visibility.topology import opposite_vertices
from .answer import Explanation

# Colours closer than this, relative to the largest, are the same: rounding of float32 in shading.
_SAME = 1e-6
_NUDGE_PIX = 0.01


@dataclass
class Call:
    """The tensors that antialias saved, and the gradient of the loss with respect to its result (None: no gradient)."""

    color: torch.Tensor
    rast: torch.Tensor
    pos: torch.Tensor
    tri: torch.Tensor
    flags: torch.Tensor
    alpha: torch.Tensor
    grad_out: torch.Tensor | None

    def pairs(self) -> tuple[tuple, tuple, torch.Tensor]:
        """The pixels p and q, each (n, y, x), of every pair whose blend moves with its edge; and alpha."""
        moves = (self.alpha != 0) & (self.alpha.abs() < 0.5)
        n, y, x, upper = moves.nonzero(as_tuple=True)
        return (n, y, x), (n, y + upper, x + 1 - upper), self.alpha[moves]


def look(answer: Explanation, call: Call, masks: list[torch.Tensor], mask_given: bool) -> None:
    """Which of the three factors is zero at every pair."""
    p, q, alpha = call.pairs()
    if len(alpha) == 0:
        _no_silhouette(answer, call)
        return
    step = (call.color[q] - call.color[p]).abs().amax(-1) if call.color.shape[-1] else 0 * alpha
    flat = step <= _SAME * call.color.abs().amax() if call.color.numel() else step == 0
    masked = _masked(call, masks, p, q, flat)
    if masked.any():
        answer.add(
            "mask-before-antialias",
            f"At {int(masked.sum())} of {len(flat)} silhouette pairs a mask that was applied before antialias gives "
            "both pixels the same value.",
            "Antialias the unmasked colours and apply the mask to the result: a blended pixel needs both sides.",
        )
    if flat.all() and not masked.all():
        answer.add(
            "constant-color",
            f"The colour is the same on both sides at {'the other ' if masked.any() else 'all '}"
            f"{int((flat & ~masked).sum())} silhouette pairs, so moving an edge changes no pixel.",
            "Give the background another colour, or add a channel for the silhouette: "
            "torch.cat([color, (rast[..., 3:] > 0).float()], -1).",
        )
        if not masked.any() and not mask_given:
            answer.unknown.append(
                "Whether a mask made the colour the same: the graph shows none that did, but it does not show masks "
                "on tensors without gradient. Give it as explain(..., mask=mask)."
            )
    if not flat.all():
        _flat_loss(answer, call, p, q, alpha, flat)


def _masked(call: Call, masks, p, q, flat) -> torch.Tensor:
    """bool [P]: flat pairs of which both pixels lie in a region of masks that has one colour, and is not everything."""
    masked = torch.zeros_like(flat)
    for region in masks:
        if region.shape != call.alpha.shape[:3] or region.all() or not region.any():
            continue
        inside = call.color[region]
        if (inside == inside[0]).all():
            masked |= flat & region[p] & region[q]
    return masked


def _flat_loss(answer: Explanation, call: Call, p, q, alpha, flat) -> None:
    blended = tuple(torch.where(alpha > 0, a, b)[~flat] for a, b in zip(p, q))
    grad = call.grad_out
    if grad is not None and grad[blended].any():
        return
    if grad is None or not grad.any():
        answer.add(
            "flat-loss",
            "The loss does not change with any pixel of the antialiased image.",
            "Look for a clamp, a comparison or a weight of 0 behind antialias; a loss at its minimum is flat, too.",
        )
        return
    answer.add(
        "flat-loss",
        f"The loss changes with {int(grad.any(-1).sum())} pixels of the antialiased image, but with none of the "
        f"{len(blended[0])} that blend across a silhouette.",
        "Let the loss see both sides of the silhouette: no mask made of rast, no crop, no clamp behind antialias.",
    )


def _no_silhouette(answer: Explanation, call: Call) -> None:
    ids = triangle_id(call.rast)
    if not (ids >= 0).any():
        return  # view.py says why
    across = (ids[:, :, 1:] != ids[:, :, :-1], ids[:, 1:] != ids[:, :-1])
    borders = sum(int(a.sum()) for a in across)
    outline = sum(
        int((a & ((one < 0) != (other < 0))).sum())
        for a, one, other in (
            (across[0], ids[:, :, 1:], ids[:, :, :-1]),
            (across[1], ids[:, 1:], ids[:, :-1]),
        )
    )
    nudged = _pairs_when_nudged(call) if borders else 0
    behind, visible = _reaching_behind(call, ids)
    if nudged:
        answer.add(
            "on-pixel-grid",
            "Every silhouette edge in view runs exactly through pixel centres, where the blend has no derivative; "
            f"moved by {_NUDGE_PIX} pixels it has one at {nudged} pairs.",
            "Shift the camera or the mesh by a fraction of a pixel, anew in every iteration.",
        )
    elif not outline:
        where = (
            "the mesh fills the image" if (ids >= 0).all() else "covered pixels touch no empty ones"
        )
        answer.add(
            "no-silhouette",
            f"No silhouette edge is in view: {where}, and no part of it ends before another.",
            "Move the camera back until the outline is in the image, or use a loss on interpolated attributes.",
        )
    else:
        answer.unknown.append(
            f"Why antialias moves none of the {outline} pairs of pixels along the outline: were rast, pos and tri of "
            f"one rasterize call? ({behind} of {visible} visible triangles reach behind the camera: the border "
            "that the near plane cuts is no edge.)"
        )


def _pairs_when_nudged(call: Call) -> int:
    """Pairs that antialias would find if the mesh lay a hundredth of a pixel aside, on one side or the other."""
    H, W = call.rast.shape[1:3]
    nudge = torch.tensor([2 * _NUDGE_PIX / W, 2 * _NUDGE_PIX / H], device=call.pos.device)
    opposite, most = opposite_vertices(call.tri), 0
    for shift in (nudge, -nudge):
        moved = call.pos.detach().clone()
        moved[..., :2] += shift * moved[..., 3:]
        alpha = blend(Antialias(call.color.detach(), call.rast, moved, call.tri, opposite)).alpha
        most = max(most, int(((alpha != 0) & (alpha.abs() < 0.5)).sum()))
    return most


def _reaching_behind(call: Call, ids: torch.Tensor) -> tuple[int, int]:
    """(visible triangles with a vertex at w <= 0, visible triangles), counted per image."""
    pos = call.pos if call.pos.ndim == 3 else call.pos[None]
    behind = visible = 0
    for n, image in enumerate(ids):
        seen = image.unique()
        seen = seen[(seen >= 0) & (seen < len(call.tri))].long()
        w = pos[min(n, len(pos) - 1)][call.tri[seen].long().clamp(0, pos.shape[1] - 1)][..., 3]
        behind, visible = behind + int((w <= 0).any(-1).sum()), visible + len(seen)
    return behind, visible
