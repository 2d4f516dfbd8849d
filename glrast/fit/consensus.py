"""What the masks agree on, so that a few wrong ones do not decide the shape.

A visual hull believes every mask: one hole in one of them drills through the object. Here each
point in space is voted on. It is surely inside the object where the views say that it lies inside
their outlines by more than a tolerance, and surely outside where they say the contrary; an eighth
of the views may be wrong about it. A pixel whose mask contradicts what is sure so is distrusted: an
empty one before a place surely inside, a covered one with nothing but what is surely outside behind
it. The hull takes the others' word there, and the loss leaves the pixel out.

Masks that agree come through unchanged, to the bit: a point near the surface is near the outline
of many views, within their tolerance. A hole that the mask encloses is believed where another view
saw the whole way through it as empty, or where more than an eighth look through it: see holes.py.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import (
    binary_dilation,
    label,
    maximum_filter,
    minimum_filter,
)
from torch import Tensor

from .holes import enclosed, witnessed
from .silhouettes import homogeneous, signed_distance, tell

# The share of the views that may err about a point: an eighth, and a little because they weigh
# unequally (each by how far its direction is its own). So with seven views or fewer none may.
WRONG = 0.14
# How far from an outline a point is sure, in voxels of the vote or cells of the mask, the larger.
# Gaps between legs, which few views see into, need more than a hole in the middle of a mask.
TOLERANCE, HOLE_TOLERANCE = 3.0, 2.0
# Voxels along the longest side of the box that is voted on.
VOXELS, COARSE_VOXELS = 64, 40
# Boxes to try, each 1.6 times the last, until what is possible does not touch the sides.
BOXES = 4
# Pieces with fewer cells are the masks' own roughness: of what a mask lacks along its outline, and
# of the holes that it encloses.
SMALLEST_BITE, SMALLEST_HOLE = 6, 3
# Views closer than about 20 degrees share a vote: |cos|^11 is one half there.
SHARPNESS = 11.0
# A mask that lacks this share of what is surely the object, or its pose, is wrong altogether.
BROKEN = 0.3
# Points asked about at a time, to bound memory.
CHUNK = 1 << 18
# Coverage, of 255, below which a speck is not worth a word.
FAINT = 4
SQUARE = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Consensus:
    """What came of the vote, bool [N,h,w] in cells.

    inside: the masks corrected. distrusted: where not to believe the picture. possible: before
    what the object may be, as the others have it; whatever a picture shows elsewhere is not it. known: which cells the
    pictures say anything of; None: all.
    """

    inside: Tensor
    distrusted: Tensor
    possible: Tensor
    known: Tensor | None = None

    def distrusted_pixels(self, index: int, alpha: Tensor) -> Tensor | None:
        """Of one view's coverage, uint8 [H,W]: the pixels not to learn from, bool; None if all are good."""
        if self.distrusted[index].all():
            return torch.ones_like(alpha, dtype=torch.bool)
        cells = torch.stack([self.distrusted[index], ~self.possible[index]]).float()[None]
        # Mean over the cells that a pixel touches: more than zero where any of them is meant.
        doubt, beyond = torch.nn.functional.interpolate(cells, size=alpha.shape, mode="area")[0] > 0
        # Also specks too small for a cell of their own.
        doubt |= beyond & (alpha > FAINT)
        return doubt if doubt.any() else None

    def said(self, names: list[str]) -> str:
        """One line for a person; empty where all masks agree."""
        share = self.distrusted.flatten(1).float().mean(dim=1)
        wrong = sorted(
            (i for i in range(len(names)) if share[i] > 0), key=lambda i: -float(share[i])
        )
        if not wrong:
            return ""
        some = ", ".join(
            f"{names[i]} ({100 * float(share[i]):.2g} % of the picture)" for i in wrong[:4]
        )
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        return (
            f"The masks of {len(wrong)} of {len(names)} views contradict the others; left out there: "
            f"{some}{more}."
        )


def agree(
    inside: Tensor, matrix: Tensor, centre: Tensor, radius: float, known: Tensor | None = None
) -> Consensus:
    """The masks [N,h,w] (bool, in cells) after the vote on what lies around the centre [3].

    Args:
        matrix: world to clip space, float64 [N,4,4].
        radius: about that of the object; the box is found by voting, too.
        known: bool [N,h,w], the cells that the pictures say anything of.
    """
    weight = vote_weights(matrix, centre)
    everyone = Consensus(inside, torch.zeros_like(inside), torch.ones_like(inside), known)
    if float(weight.min()) > WRONG * float(weight.sum()):
        return everyone  # nobody can be outvoted
    distance = signed_distance(inside, known)
    found = _possible_box(distance, matrix, weight, centre, radius)
    if found is None:
        return everyone
    points, voxel = _grid(*found, VOXELS)
    verdict = _ballot(distance, matrix, weight, points, voxel)
    settled = []
    true_holes = witnessed(inside, matrix, points, WRONG)
    there = torch.ones_like(inside) if known is None else known
    views = zip(inside.numpy(), there.numpy(), true_holes, matrix, strict=True)
    for mask, seen, hole, world_to_clip in views:
        sure, alone, possible = (
            _picture(points[which], world_to_clip, mask.shape, voxel, generous)
            for which, generous in zip(verdict, (False, False, True), strict=True)
        )
        corrected = _corrected(mask, sure & seen, alone & ~hole & seen, possible)
        settled.append((*corrected, possible))
    corrected, doubted, before = (
        torch.from_numpy(np.stack(part)) for part in zip(*settled, strict=True)
    )
    return Consensus(corrected, doubted, before, known)


def _possible_box(
    distance: Tensor, matrix: Tensor, weight: Tensor, centre: Tensor, radius: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """The box of what is possible, with a margin; None where the masks do not bound it."""
    half = 1.5 * radius
    for _ in range(BOXES):
        points, voxel = _grid(centre.numpy() - half, centre.numpy() + half, COARSE_VOXELS)
        # With half a voxel of slack; a whole tolerance of a large box would soon reach the cameras.
        possible = _ballot(distance, matrix, weight, points, 0.5 * voxel / TOLERANCE)[2]
        occupied = points[possible].numpy()
        if len(occupied):
            low, high = occupied.min(axis=0) - 2 * voxel, occupied.max(axis=0) + 2 * voxel
            if max(abs(low - centre.numpy()).max(), abs(high - centre.numpy()).max()) < half:
                return low, high
        half *= 1.6
    return None


def _ballot(
    distance: Tensor, matrix: Tensor, weight: Tensor, points: Tensor, voxel: float
) -> tuple[Tensor, ...]:
    parts = [vote(distance, matrix, weight, part, voxel) for part in points.split(CHUNK)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def vote_weights(matrix: Tensor, centre: Tensor) -> Tensor:
    """[N] float64: one over how many views look along the same line, or against it.

    Twenty pictures from one place know no more of an outline than one does.
    """
    # The camera is the point whose x, y and w are 0 in clip space, or the direction, without perspective.
    eye = torch.linalg.inv(matrix)[:, :, 2]
    away = torch.nn.functional.normalize(eye[:, :3] - centre * eye[:, 3:], dim=1)
    return 1.0 / ((away @ away.T).abs() ** SHARPNESS).sum(dim=1)


def vote(
    distance: Tensor, matrix: Tensor, weight: Tensor, points: Tensor, voxel: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the points [P,3], each bool [P]: surely inside; so but for one view at most; possibly inside.

    What less than a quarter of the views tell of is none of these.
    """
    asked = homogeneous(points)
    told, shallow, near, out = torch.zeros(4, len(points), dtype=torch.float64)
    against = torch.zeros(len(points), dtype=torch.int32)
    for image, world_to_clip, w in zip(distance, matrix, weight, strict=True):
        view = tell(image, world_to_clip, asked)
        step = view.cell.clamp_min(voxel)
        told += w * view.told
        shallow += w * (view.value < TOLERANCE * step)
        near += w * (view.value < HOLE_TOLERANCE * step)
        out += w * (view.value < -TOLERANCE * step)
        against += view.value < 0
    allowed = WRONG * told
    enough = told >= 0.25 * weight.sum()
    alone = (near <= allowed) & (against <= 1)
    return (shallow <= allowed) & enough, alone & enough, (out <= allowed) & enough


def _grid(low: np.ndarray, high: np.ndarray, voxels: int) -> tuple[Tensor, float]:
    voxel = float((high - low).max()) / (voxels - 1)
    counts = np.ceil((high - low) / voxel).astype(int) + 1
    axes = [
        torch.arange(count, dtype=torch.float64) * voxel + start
        for count, start in zip(counts, low, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3), voxel


def _picture(
    points: Tensor, world_to_clip: Tensor, shape: tuple[int, int], voxel: float, generous: bool
) -> np.ndarray:
    """The cells [h,w] before which one of the points lies, without the gaps between voxels.

    generous: and a voxel farther.
    """
    clip = homogeneous(points) @ world_to_clip.T
    clip = clip[clip[:, 3] > 0]
    if not len(clip):
        return np.zeros(shape, dtype=bool)
    size = torch.tensor([shape[1], shape[0]], dtype=torch.float64)
    cell = 2.0 * float(clip[:, 3].median()) / float(world_to_clip[1, :3].norm()) / shape[0]
    reach = min(int(np.ceil(0.5 * voxel / cell)), max(shape))
    # With a margin: a voxel whose middle lies beyond the border reaches into the picture.
    margin = 2 * reach + 1
    place = ((clip[:, :2] / clip[:, 3:] + 1) / 2 * size).floor() + margin
    place = place[((place >= 0) & (place < size + 2 * margin)).all(dim=1)].long().numpy()
    seen = np.zeros((shape[0] + 2 * margin, shape[1] + 2 * margin), dtype=bool)
    seen[place[:, 1], place[:, 0]] = True
    wide = maximum_filter(seen, 2 * reach + 1)
    seen = (maximum_filter if generous else minimum_filter)(wide, 2 * reach + 1)
    return seen[margin:-margin, margin:-margin]


def _corrected(
    mask: np.ndarray, sure: np.ndarray, alone: np.ndarray, possible: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mask after the vote, and the cells where it is not to be believed."""
    hole = enclosed(mask)
    lacking = _pieces(sure & ~mask & ~hole, SMALLEST_BITE)
    lacking |= _pieces(alone & hole, SMALLEST_HOLE)
    excess = mask & ~possible
    if lacking.sum() > BROKEN * max(sure.sum(), 1):
        return np.ones_like(mask), np.ones_like(mask)  # says nothing
    if not lacking.any() and not excess.any():
        return mask, np.zeros_like(mask)
    # What is sure ends a tolerance inside the outline; the rest of a hole or a bite lies around it.
    if lacking.any():
        grow = int(np.ceil(2 * TOLERANCE)) + 1
        around = ~mask & possible
        lacking = np.asarray(binary_dilation(lacking, SQUARE, iterations=grow, mask=around))
    # A cell at the edge of a hole is covered in part.
    return (mask | lacking) & ~excess, np.asarray(
        binary_dilation(np.logical_or(lacking, excess), SQUARE)
    )


def _pieces(cells: np.ndarray, smallest: int) -> np.ndarray:
    """Without the connected pieces of fewer cells."""
    pieces = np.zeros(cells.shape, dtype=np.int32)
    label(cells, SQUARE, output=pieces)
    if not pieces.any():
        return cells
    return cells & (np.bincount(pieces.ravel())[pieces] >= smallest)
