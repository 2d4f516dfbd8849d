"""What one mask tells of points in space: how far inside or outside its outline they lie."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor

# The masks are reduced to this many cells on the longer side; the distances interpolate.
MASK_CELLS = 256


@dataclass(frozen=True)
class Told:
    """Of points [P] by one view.

    value: signed distance to the outline in world units, + inside, -inf behind the camera.
    told: whether the mask says anything of the point; where not, `value` is +inf.
    cell: the side of a cell of the mask in world units, at the depth of the point.
    """

    value: Tensor
    told: Tensor
    cell: Tensor


def reduced_masks(alpha: Tensor) -> Tensor:
    """The masks in cells, bool [N,h,w], from coverage [N,H,W] in 0..1."""
    height, width = alpha.shape[1:]
    small = _in_cells(alpha)
    return small.cpu() > 0.5


def reduced_known(known: Tensor | None) -> Tensor | None:
    """Which cells [N,h,w] are known in whole, of pixels bool [N,H,W]."""
    return None if known is None else _in_cells((~known).float()) == 0


def _in_cells(values: Tensor) -> Tensor:
    height, width = values.shape[1:]
    scale = min(1.0, MASK_CELLS / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return torch.nn.functional.interpolate(values[:, None].float(), size=size, mode="area")[:, 0]


def mask_distance(alpha: Tensor) -> Tensor:
    """Signed distance to each mask's outline in units of the image height: [N,h,w], + inside."""
    return signed_distance(reduced_masks(alpha))


def signed_distance(inside: Tensor, known: Tensor | None = None) -> Tensor:
    """The same of masks in cells, bool [N,h,w]; where there is no outline it is farther than the image.

    A mask that reaches what is not `known` [N,h,w] is cut there as by a border: its distance is NaN in those cells.
    """
    if known is None:
        return torch.stack([_signed_distance(mask) for mask in inside.numpy()])
    pairs = zip(inside.numpy(), known.numpy(), strict=True)
    return torch.stack([_within(mask, there) for mask, there in pairs])


def _within(mask: np.ndarray, known: np.ndarray) -> Tensor:
    beside = np.asarray(binary_dilation(mask, np.ones((3, 3), dtype=bool)))
    if not (beside & ~known).any():
        return _signed_distance(mask)
    # goes on beyond the cut as it was there: the cut is no outline
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    row, column = np.asarray(nearest)
    distance = _signed_distance(mask[row, column])
    distance[torch.from_numpy(~known)] = torch.nan
    return distance


def _signed_distance(mask: np.ndarray) -> Tensor:
    if mask.all() or not mask.any():
        return torch.full(mask.shape, 2.0 if mask.all() else -2.0)
    to_outside, to_inside = (np.asarray(distance_transform_edt(m)) for m in (mask, ~mask))
    signed = to_outside - to_inside
    # The outline lies half a cell from the nearest centre of the other side.
    return torch.from_numpy(signed - 0.5 * np.sign(signed)).float() / mask.shape[0]


def is_cut(distance: Tensor) -> bool:
    """Whether the object of this mask reaches the border of the image, or of what is known of it."""
    border = (distance[0], distance[-1], distance[:, 0], distance[:, -1])
    return any(bool((side > 0).any()) for side in border) or bool(distance.isnan().any())


def tell(distance: Tensor, world_to_clip: Tensor, points: Tensor) -> Told:
    """What one mask tells of the points [P,4] (homogeneous, float64).

    A mask that keeps clear of the border shows the whole object: what lies beyond the image, or
    behind the camera, is outside. A mask that the border cuts says nothing of what its image does
    not show.
    """
    clip = points @ world_to_clip.T
    w = clip[:, 3].clamp_min(1e-9)
    ndc = (clip[:, :2] / w[:, None]).float()
    value = torch.nn.functional.grid_sample(
        distance[None, None], ndc[None, None], align_corners=False, padding_mode="border"
    )[0, 0, 0]
    # The image's height is 2 in y_ndc, and y_ndc * w is world units times |row of y|.
    height = 2.0 * (w / world_to_clip[1, :3].norm()).float()
    value = torch.where(clip[:, 3] > 0, value * height, -torch.inf)
    told = torch.ones_like(value, dtype=torch.bool)
    if is_cut(distance):
        told = (clip[:, 3] > 0) & (ndc.abs() <= 1).all(dim=1) & ~value.isnan()
        value = torch.where(told, value, torch.inf)
    return Told(value, told, height / distance.shape[0])


def homogeneous(points: Tensor) -> Tensor:
    """[P,4] float64 of points [P,3]."""
    return torch.cat([points, torch.ones_like(points[:, :1])], dim=1).double()
