"""The float64 twin of the level of detail of glrast.texture (the filters have their own twin when they are built).

The pixel's footprint is the ellipse that the 2x2 matrix J, in texels per pixel, makes of the unit circle:

    J = [sx sy]   sx = ds/dX Wt, sy = ds/dY Wt          a = sx^2 + tx^2, b = sy^2 + ty^2, c = sx sy + tx ty
        [tx ty]   tx = dt/dX Ht, ty = dt/dY Ht          M^2 = (a+b)/2 + sqrt((a-b)^2/4 + c^2)

M is J's largest singular value, the length of the ellipse's major semi-axis; [a c; c b] is J^T J. level = log2 M.
"""

import math

import torch
from torch import Tensor


def level_of_detail(uv_da: Tensor, height_tex: int, width_tex: int) -> Tensor:
    """log2 M, [...], of uv_da [...,4] = (ds/dX, ds/dY, dt/dX, dt/dY): before the bias and before the clamp to [0,L]."""
    _, _, _, _, a, b, c = _footprint(uv_da, height_tex, width_tex)
    return 0.5 * torch.log2((a + b) / 2 + torch.sqrt((a - b) ** 2 / 4 + c**2))


def level_of_detail_gradient(uv_da: Tensor, height_tex: int, width_tex: int) -> Tensor:
    """d level/d uv_da, [...,4], by the formulas of the specification; 0 where not finite.

        n = (a-b)^2/4 + c^2, s = sqrt n, m = (a+b)/2, k = (1/2/ln2)/(n + s m), e = k (a-b)/2, f = k c

    n = 0 is a round footprint: M^2 = m + s has a kink there (the axes change places) and the gradient is 0 by decree.
    """
    sx, sy, tx, ty, a, b, c = _footprint(uv_da.detach(), height_tex, width_tex)
    n = (a - b) ** 2 / 4 + c**2
    s, m = torch.sqrt(n), (a + b) / 2
    k = 0.5 / math.log(2) / (n + s * m)
    e, f = k * (a - b) / 2, k * c
    gradient = torch.stack(
        [
            width_tex * (sx * (k * s + e) + sy * f),
            width_tex * (sy * (k * s - e) + sx * f),
            height_tex * (tx * (k * s + e) + ty * f),
            height_tex * (ty * (k * s - e) + tx * f),
        ],
        -1,
    )
    return torch.where(gradient.isfinite(), gradient, 0.0)


def _footprint(uv_da, height_tex, width_tex):
    ds_dx, ds_dy, dt_dx, dt_dy = uv_da.double().unbind(-1)
    sx, sy, tx, ty = ds_dx * width_tex, ds_dy * width_tex, dt_dx * height_tex, dt_dy * height_tex
    return sx, sy, tx, ty, sx**2 + tx**2, sy**2 + ty**2, sx * sy + tx * ty
