"""Which of the holes that masks enclose are holes of the object: those that several views look through.

The lines of sight through a true hole all meet in it, inside the object. Those of holes by mistake
may meet too, by chance or because each stands in the middle of its mask; but no more views than may
err have one.
"""

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, label
from torch import Tensor

from .silhouettes import homogeneous

SQUARE = np.ones((3, 3), dtype=bool)


def enclosed(mask: np.ndarray) -> np.ndarray:
    """The empty cells [h,w] that the mask encloses."""
    return np.asarray(binary_fill_holes(mask)) & ~mask


def witnessed(inside: Tensor, matrix: Tensor, points: Tensor, wrong: float) -> np.ndarray:
    """Of the masks [N,h,w] (bool, in cells) the enclosed holes that other views' holes meet, bool [N,h,w].

    Args:
        matrix: world to clip space, float64 [N,4,4].
        points: [P,3], where the object may be, close enough together for the smallest hole.
        wrong: the share of the views that may err; a hole is true if more than these look through it.
    """
    masks = inside.numpy()
    holes = np.stack([enclosed(mask) for mask in masks])
    believed = np.zeros_like(holes)
    showing = np.flatnonzero(holes.any(axis=(1, 2)))
    may_err = wrong * len(masks)
    if len(showing) <= may_err:
        return believed
    cell, shown = _cells(matrix, points, masks.shape[1:])
    filled = (masks | holes).reshape(len(masks), -1)
    within = np.stack([f[c] & s for f, c, s in zip(filled, cell, shown, strict=True)])
    cell = cell[:, (~within).sum(axis=0) <= may_err]
    through = np.stack([h.reshape(-1)[c] for h, c in zip(holes, cell, strict=True)])
    for view in showing:
        pieces = np.zeros(masks.shape[1:], np.int32)
        label(holes[view], SQUARE, output=pieces)
        here = through[view]
        piece = pieces.reshape(-1)[cell[view, here]]
        witnesses = np.zeros(pieces.max() + 1, dtype=np.int64)
        for one in showing:  # the view itself is among them
            witnesses[np.unique(piece[through[one, here]])] += 1
        believed[view] = holes[view] & (witnesses > may_err)[pieces]
    return believed


def _cells(matrix: Tensor, points: Tensor, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Of each view the cell [N,P] (flat) before which a point lies, and whether it lies before any."""
    size = torch.tensor([shape[1], shape[0]], dtype=torch.float64)
    cells, shown = [], []
    for world_to_clip in matrix:
        clip = homogeneous(points) @ world_to_clip.T
        place = ((clip[:, :2] / clip[:, 3:].clamp_min(1e-9) + 1) / 2 * size).floor()
        inside = (clip[:, 3] > 0) & (place >= 0).all(dim=1) & (place < size).all(dim=1)
        column, row = place.where(inside[:, None], torch.zeros_like(place)).long().unbind(1)
        cells.append((row * shape[1] + column).numpy())
        shown.append(inside.numpy())
    return np.stack(cells), np.stack(shown)
