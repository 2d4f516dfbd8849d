"""Where the object is: the box of what the masks have in common, or of the points that most cameras see."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .hull import object_box, settled
from .views import Views

# A point belongs to what the pictures are of where this share of them shows it.
SHOWN = 0.5
# Of those points the outermost are strays: per axis this share at either end.
STRAY = 0.02
FEWEST = 20  # points that make a box
MARGIN = 0.05


@dataclass(frozen=True)
class Box:
    """low and high, float64 [3], in the coordinates of the views; `said`: what it comes from."""

    low: np.ndarray
    high: np.ndarray
    said: str

    @property
    def corners(self) -> Tensor:
        """float64 [8,3]; bit 0 of the index is x, bit 1 y, bit 2 z."""
        ends = np.stack([self.low, self.high])
        return torch.from_numpy(
            np.stack([[ends[k >> a & 1, a] for a in range(3)] for k in range(8)])
        )

    @property
    def centre(self) -> Tensor:
        """float64 [3]."""
        return torch.from_numpy((self.low + self.high) / 2)

    @property
    def diagonal(self) -> float:
        """Its length."""
        return float(np.linalg.norm(self.high - self.low))


def box_of_masks(views: Views) -> tuple[Box | None, str]:
    """(The box of the visual hull, what contradicts it by name); None where the masks have nothing in common."""
    alpha = views.rgba[..., 3].float() / 255.0
    try:
        agreed = settled(alpha, views.world_to_clip, views.names, views.known)
        low, high = object_box(agreed.inside, views.world_to_clip, views.names, agreed.known)
    except ValueError as error:
        return None, str(error).removeprefix("glrast fit: ")
    return Box(low, high, "of what the masks have in common"), agreed.said(views.names)


def box_of_points(views: Views, points: np.ndarray) -> Box | None:
    """The box of those of the points (float64 [P,3], in the coordinates of the views) that half of the views show."""
    if not len(points):
        return None
    at = torch.cat([torch.from_numpy(points), torch.ones(len(points), 1, dtype=torch.float64)], 1)
    count = torch.zeros(len(points))
    for matrix in views.world_to_clip:
        clip = at @ matrix.T
        count += (clip[:, 3] > 0) & (clip[:, :2].abs() <= clip[:, 3:]).all(1)
    shown = points[(count >= SHOWN * len(views)).numpy()]
    if len(shown) < FEWEST:
        return None
    low, high = np.quantile(shown, [STRAY, 1 - STRAY], axis=0)
    margin = MARGIN * (high - low)
    return Box(
        low - margin,
        high + margin,
        f"of {len(shown)} of {len(points)} points, which half of the views show",
    )
