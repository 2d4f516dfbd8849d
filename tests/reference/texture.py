"""The float64 twin of glrast.texture: every filter and boundary mode, mip levels, cube maps with their seams.

    linear      sum over the 2x2 texels around (u Wt - 1/2, v Ht - 1/2) of texel * (1 - |x distance|) (1 - |y distance|)
    trilinear   sum over all levels i of linear at i * max(0, 1 - |level - i|), level = log2 M + bias clamped to [0,L]

The pixel's footprint is the ellipse that the 2x2 matrix J, in texels per pixel, makes of the unit circle:

    J = [sx sy]   sx = ds/dX Wt, sy = ds/dY Wt          a = sx^2 + tx^2, b = sy^2 + ty^2, c = sx sy + tx ty
        [tx ty]   tx = dt/dX Ht, ty = dt/dY Ht          M^2 = (a+b)/2 + sqrt((a-b)^2/4 + c^2)

M is J's largest singular value, the length of the ellipse's major semi-axis; [a c; c b] is J^T J. level = log2 M.
Autograd differentiates all of it, so the gradients need no formulas here (one is given: level_of_detail_gradient).
"""

import math

import torch
from torch import Tensor

# m, s, t of the faces +x, -x, +y, -y, +z, -z: OpenGL 4.6, table 8.19. A face's point is m + p s + q t, p, q in [-1,1].
FACES = torch.tensor(
    [
        [[1, 0, 0], [0, 0, -1], [0, -1, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, -1, 0]],
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, -1, 0], [1, 0, 0], [0, 0, -1]],
        [[0, 0, 1], [1, 0, 0], [0, -1, 0]],
        [[0, 0, -1], [-1, 0, 0], [0, -1, 0]],
    ],
    dtype=torch.float64,
)


def texture(
    tex: Tensor,
    uv: Tensor,
    uv_da: Tensor | None = None,
    mip_level_bias: Tensor | None = None,
    mip: list[Tensor] | None = None,
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | None = None,
) -> Tensor:
    """[N,H,W,C], float64; arguments as glrast.texture's, `mip` a list or None.

    Gradients: by autograd, to everything that is differentiable; undefined from a round footprint (see below).
    """
    if filter_mode == "auto":
        plain = uv_da is None and mip_level_bias is None
        filter_mode = "linear" if plain else "linear-mipmap-linear"
    tex, uv = tex.double(), uv.double()
    usable = uv.isfinite().all(-1)
    if boundary_mode == "cube":
        usable = usable & (uv != 0).any(-1)
    uv = torch.where(usable[..., None], uv, torch.ones_like(uv))
    if "mipmap" not in filter_mode:
        return _sample(tex, uv, boundary_mode, filter_mode) * usable[..., None]
    levels = [tex, *(m.double() for m in mip)] if mip is not None else pyramid(tex, max_mip_level)
    level = torch.zeros(uv.shape[:3], dtype=torch.float64)
    if uv_da is not None:
        slopes = cube_slopes(uv, uv_da.double()) if boundary_mode == "cube" else uv_da
        level = level + level_of_detail(slopes, *tex.shape[-3:-1])
    if mip_level_bias is not None:
        level = level + mip_level_bias.double()
    level = level.clamp(0, len(levels) - 1)
    if filter_mode == "linear-mipmap-nearest":
        level = level.detach().floor()
    out = 0
    for i, texels in enumerate(levels):
        weight = (1 - (level - i).abs()).clamp(min=0)
        out = out + weight[..., None] * _sample(texels, uv, boundary_mode, "linear")
    return out * usable[..., None]


def pyramid(tex: Tensor, max_mip_level: int | None = None) -> list[Tensor]:
    """tex and the levels above it: the mean of 2x2 texels, of 2 where one extent is 1."""
    levels = [tex]
    while levels[-1].shape[-3:-1] != (1, 1) and len(levels) - 1 != max_mip_level:
        *outer, h, w, C = levels[-1].shape
        dy, dx = min(h, 2), min(w, 2)
        assert h % dy == 0 and w % dx == 0, f"odd extent in {h} x {w}"
        levels.append(levels[-1].reshape(*outer, h // dy, dy, w // dx, dx, C).mean((-2, -4)))
    return levels


def _sample(texels: Tensor, uv: Tensor, boundary: str, filter: str) -> Tensor:
    """One level at every pixel; `filter` nearest or linear."""
    if texels.shape[0] == 1:
        texels = texels.expand(uv.shape[0], *texels.shape[1:])
    h, w = texels.shape[-3:-1]
    if boundary == "cube":
        face, st = cube_point(uv)
        x, y = (st * w - 0.5).unbind(-1)
    else:
        face = None
        x, y = (_coordinate(uv[..., i], n, boundary) for i, n in ((0, w), (1, h)))
    if filter == "nearest":
        i, j = (torch.floor(t.detach() + 0.5).long() for t in (x, y))
        if boundary == "cube":
            i, j = i.clamp(0, w - 1), j.clamp(0, h - 1)
        return _fetch(texels, face, i, j, boundary)[0]
    x0, y0 = torch.floor(x.detach()), torch.floor(y.detach())
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    out, absent = 0, []
    total = 0
    for dy in (0, 1):
        for dx in (0, 1):
            value, there = _fetch(texels, face, (x0 + dx).long(), (y0 + dy).long(), boundary)
            weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
            out, total = out + weight * value, total + value
            absent.append(weight * ~there[..., None])
    if boundary == "cube":  # at a corner the missing texel is the mean of the other three
        out = out + sum(absent) * total / 3
    return out


def _coordinate(u: Tensor, size: int, boundary: str) -> Tensor:
    """The position between texel centres: texel i's is i."""
    if boundary == "wrap":
        u = u - torch.floor(u)
    if boundary == "mirror":
        u = 1 - (u - 2 * torch.floor(u / 2) - 1).abs()
    t = u * size - 0.5
    return t.clamp(0, size - 1) if boundary == "clamp" else t.clamp(-2, size + 1)


def _fetch(texels: Tensor, face, i: Tensor, j: Tensor, boundary: str) -> tuple[Tensor, Tensor]:
    """Texels (i,j), 0 where missing, and which are there."""
    h, w = texels.shape[-3:-1]
    n = torch.arange(texels.shape[0])[:, None, None].expand(i.shape)
    if boundary == "cube":
        there = ((i >= 0) & (i < w)) | ((j >= 0) & (j < h))
        face, i, j = across_the_edge(face, i, j, w)
        return texels[n, face, j, i] * there[..., None], there
    there = (i >= 0) & (i < w) & (j >= 0) & (j < h)
    if boundary == "wrap":
        i, j = i % w, j % h
    value = texels[n, j.clamp(0, h - 1), i.clamp(0, w - 1)]
    if boundary == "zero":
        value = value * there[..., None]
    return value, there


# ---- cube maps ---------------------------------------------------------------------------------------------


def cube_point(direction: Tensor) -> tuple[Tensor, Tensor]:
    """face [...] and (s, t) [...,2] in [0,1] where directions [...,3] meet the cube."""
    face = _face(direction)
    m, p, q = (FACES[face] * direction[..., None, :]).sum(-1).unbind(-1)
    return face, torch.stack([p / m, q / m], -1) / 2 + 0.5


def cube_slopes(direction: Tensor, direction_da: Tensor) -> Tensor:
    """(ds/dX, ds/dY, dt/dX, dt/dY) from [...,6] = (dx/dX, dx/dY, dy/dX, ...), by the quotient rule."""
    axes = FACES[_face(direction)]
    m, p, q = (axes * direction[..., None, :]).sum(-1)[..., None].unbind(-2)
    dm, dp, dq = (axes @ direction_da.unflatten(-1, (3, 2))).unbind(-2)
    return torch.cat([(dp * m - p * dm) / m**2, (dq * m - q * dm) / m**2], -1) / 2


def _face(direction: Tensor) -> Tensor:
    axis = direction.detach().abs().argmax(-1)
    return 2 * axis + (direction.detach().gather(-1, axis[..., None])[..., 0] < 0)


def across_the_edge(face: Tensor, i: Tensor, j: Tensor, S: int) -> tuple[Tensor, Tensor, Tensor]:
    """Texel (i,j) of a face, where one of them lies one step outside: the other face's texel nearest to that edge.

    By search, not by rules: of all texels of other faces, the one whose centre is nearest to the point of the rim that
    the step crosses. Corners (both outside) return some texel.
    """
    out_i, out_j = (i < 0) | (i >= S), (j < 0) | (j >= S)
    outside = out_i | out_j
    face, i, j = face.clone(), i.clamp(-1, S), j.clamp(-1, S)
    if outside.any():
        rim_p = torch.where(out_i, torch.sign(i - 0.5), (2 * i + 1) / S - 1)[outside]
        rim_q = torch.where(out_j, torch.sign(j - 0.5), (2 * j + 1) / S - 1)[outside]
        m, s, t = FACES[face[outside]].unbind(-2)
        rim = m + rim_p[:, None] * s + rim_q[:, None] * t
        centre = (2 * torch.arange(S, dtype=torch.float64) + 1) / S - 1
        m, s, t = (FACES[:, k, None, None, :] for k in range(3))
        centres = m + centre[None, None, :, None] * s + centre[None, :, None, None] * t  # [6,S,S,3]
        distance = torch.cdist(rim, centres.reshape(-1, 3)).reshape(-1, 6, S * S)
        distance[torch.arange(len(rim)), face[outside]] = math.inf
        best = distance.flatten(1).argmin(1)
        face[outside], inner = best // (S * S), best % (S * S)
        i[outside], j[outside] = inner % S, inner // S
    return face, i, j


# ---- level of detail ---------------------------------------------------------------------------------------


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
