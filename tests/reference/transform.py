"""The float64 twin of glrast.ops.transform: out_i = M_i0 x + M_i1 y + M_i2 z + M_i3."""

import torch
from torch import Tensor


def transform(matrix: Tensor, points: Tensor) -> Tensor:
    """[V,4] or [N,V,4] from matrix [4,4] or [N,4,4] and points [V,3] or [N,V,3]; an N of 1 is broadcast."""
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], -1).double()
    return torch.einsum("...ij,...vj->...vi", matrix.double(), homogeneous)
