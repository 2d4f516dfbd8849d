"""World coordinates that float32 cannot hold: which point to subtract in float64, and a word where nobody does.

Scenes in a national grid or UTM stand at 5e5, 5e6, where float32 knows half metres only. A mesh subtracts such an
origin by itself (`Mesh.origin`), the cameras of the same scene must subtract the same one.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .planes import focus_distance, spread
from .transforms_json import NAME

SPACING = 2.0**-23  # of float32, relative
# What a coordinate may be rounded by, as a share of the scene's size: 1e-6 is a thousandth of a pixel, 1e-5
# begins to be seen in gradients. Cameras that look at nothing in common may stand much closer to each other than to
# what they see.
FINE, COARSE, UNKNOWN = 1e-6, 1e-5, 100
ALONE = (
    1e5  # a single camera has no distance to compare with; from here on float32 knows centimetres
)


def choose_origin(centres: Tensor, backward: Tensor) -> tuple[float, float, float]:
    """What to subtract from the cameras, (0,0,0) where float32 holds them as they are.

    Args:
        centres: float64 [N,3]. backward: the axes that point away from what they see, [N,3].

    Round numbers: whole ones, or for scenes smaller than 1 multiples of a power of two.
    """
    if not _lost(centres, backward, FINE):
        return 0.0, 0.0, 0.0
    extent = spread(centres)
    step = 2.0 ** math.floor(math.log2(extent)) if 0 < extent < 1 else 1.0
    middle = (centres.amax(0) + centres.amin(0)) / 2
    x, y, z = (float(value) for value in torch.round(middle / step) * step + 0.0)  # never -0
    return x, y, z


def warn_of_lost_digits(path: Path, centres: Tensor, backward: Tensor) -> None:
    """One warning where float32 moves these cameras by what a picture shows: centres (float64, origin subtracted) and
    backward axes [N,3]."""
    if not _lost(centres, backward, COARSE):
        return
    largest = float(centres.abs().max())
    warnings.warn(
        f"{NAME}: {path}: cameras stand at coordinates up to {largest:g}, where float32 knows steps of "
        f"{largest * SPACING:.2g}, and are {spread(centres):g} apart: pictures will be off. Pass origin=mesh.origin "
        f"of the mesh that load_mesh gave, or origin={choose_origin(centres, backward)} and subtract it from the mesh "
        "in float64.",
        stacklevel=3,
    )


def checked_origin(value: Any) -> Tensor:
    """`origin` of load_cameras as float64 [3]."""
    try:
        x, y, z = (float(v) for v in value)
    except (TypeError, ValueError):
        x = y = z = math.nan
    if not all(map(math.isfinite, (x, y, z))):
        raise ValueError(
            f"{NAME}: origin must be three finite numbers; got {value!r}; pass mesh.origin, or (0, 0, 0)."
        )
    return torch.tensor([x, y, z], dtype=torch.float64, device="cpu")


def _lost(centres: Tensor, backward: Tensor, share: float) -> bool:
    """Whether float32 rounds the coordinates by more than this share of the scene."""
    looked_at = focus_distance(centres, backward)
    if looked_at is None:
        share, size = share * UNKNOWN, spread(centres)
    else:
        size = max(spread(centres), float(looked_at.median()))
    largest = float(centres.abs().max())
    return largest * SPACING > share * size if size > 0 else largest > ALONE
