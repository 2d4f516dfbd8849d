"""Where the texels of a cube map look: to paint one, or to bake one from another picture of the surroundings."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import check

# Right (s), down (t) and forward of the faces +x, -x, +y, -y, +z, -z, for t growing downwards: OpenGL 4.6, table 8.19.
_FACES = (
    ((0, 0, -1), (0, -1, 0), (1, 0, 0)),
    ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
)

_LARGEST = 1 << 24  # texels on a side: as many as float32 tells apart, and `texture` takes


def cube_directions(size: int, device: torch.device | str | None = None) -> Tensor:
    """The unit direction [6,size,size,3] that the centre of each texel of a cube map lies in.

    f(cube_directions(size))[None] is the cube map of a function f of the direction, as `texture` takes it with
    boundary_mode 'cube'.

    Args:
        size: texels on a side of a face, 1 or more.
        device: of the result.
    """
    size = check.whole(
        "clip.cube_directions",
        "size",
        size,
        1,
        _LARGEST,
        remedy="pass the texels on a side of a face",
    )
    right, down, forward = torch.tensor(_FACES, dtype=torch.float32, device=device).unbind(1)
    step = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) * (2 / size) - 1
    across = forward[:, None, None] + step[:, None] * right[:, None, None]
    return torch.nn.functional.normalize(across + step[:, None, None] * down[:, None, None], dim=3)
