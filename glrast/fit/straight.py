"""A picture as a pinhole would have taken it: the bends of the lens undone.

The straight picture has the size, the focal lengths and the principal point of the bent one, so the middle keeps its
scale. Each of its pixels asks where the lens has put it; where that lies outside of the photograph, or beyond where
the lens's formula is one to one, nothing is known. What the bent picture shows beyond the straight one's borders
(corners of a barrel, the rim of a fisheye) is left out.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..camera.distortion import Distortion

# Cameras whose way back is kept: most captures have one; it takes 9 bytes a pixel.
KEPT = 4


def straightened(
    picture: Tensor, projection: Tensor, distortion: Distortion
) -> tuple[Tensor, Tensor]:
    """(The straight picture uint8 [H,W,C], bool [H,W] where anything is known of it; elsewhere it is 0).

    Args:
        picture: uint8 [H,W,C], row 0 at the bottom, colour premultiplied by alpha.
        projection: [4,4] of the pinhole.
    """
    p = projection.tolist()
    # at distance 1: x_ndc = scale x + offset
    lens = (p[0][0], p[1][1], -p[0][2], -p[1][2])
    where, known = _way(lens, distortion, picture.shape[:2])
    planes = picture.permute(2, 0, 1)[None].float()
    found = torch.nn.functional.grid_sample(
        planes, where, mode="bilinear", padding_mode="border", align_corners=False
    )
    straight = found[0].permute(1, 2, 0).round() * known[..., None]
    return straight.to(torch.uint8).contiguous(), known


@lru_cache(maxsize=KEPT)
def _way(
    lens: tuple[float, float, float, float], distortion: Distortion, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Of each straight pixel the bent one's place in -1 .. 1, float32 [1,H,W,2], and whether it is known [H,W]."""
    height, width = size
    scale_x, scale_y, offset_x, offset_y = lens
    x = ((2 * np.arange(width) + 1) / width - 1 - offset_x) / scale_x
    y = ((2 * np.arange(height) + 1) / height - 1 - offset_y) / scale_y
    x, y = np.meshgrid(x, y)
    bent_x, bent_y = distortion(x, -y)  # y down, as computer vision has it
    place = np.stack([scale_x * bent_x + offset_x, -scale_y * bent_y + offset_y], axis=-1)
    known = (np.abs(place) <= 1).all(axis=-1) & (np.hypot(x, y) < distortion.reach)
    place = np.where(known[..., None], place, 0.0)
    return torch.from_numpy(place).float()[None], torch.from_numpy(known)
