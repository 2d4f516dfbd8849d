"""The float64 twin of glrast.rasterize: every triangle is tried at every pixel centre.

Vertex i of a triangle is (Xi, Yi, Zi, Wi) in clip space; pixel (px, py) of an image H x W has its centre at
fx = 2(px+1/2)/W - 1, fy = 2(py+1/2)/H - 1 (row 0 is the bottom). The whole of it in six lines:

    xi' = Xi - fx Wi,   yi' = Yi - fy Wi
    a0 = x1'y2' - y1'x2',   a1 = x2'y0' - y2'x0',   a2 = x0'y1' - y0'x1',   A = a0 + a1 + a2
    D  = sum Wi ai   (the determinant of the rows (Xi, Yi, Wi): the same number at every pixel)
    u  = a0/A,   v = a1/A,   w = D/A,   z/w = sum Zi ai / D
    covered     iff  u, v, 1-u-v >= 0 and w > 0, that is: no ai has the sign opposite to D; and -1 <= z/w <= 1
    seen        the covering triangle with the smallest z/w; at equal z/w the one with the lower index

Why: the ai are the cofactors of that determinant, so sum ai (Xi, Yi, Wi) = D (fx, fy, 1): the point with weights
ai/A lies on the triangle and projects to the pixel centre. No vertex is ever divided by its w, therefore a triangle
that reaches behind the camera or through the near plane needs no clipping: the part with w > 0 is what is seen.
"""

import torch
from torch import Tensor

# GL keeps 8 sub-pixel bits: a vertex moves by up to 1/512 pixel along each axis, and the rounding of float32 is added.
MARGIN_PIX = 1 / 256 + 1e-3
# A float32 z/w in [-1,1] carries 6e-8; interpolation costs a few digits more.
MARGIN_DEPTH = 1e-5
# |D| relative to the lengths of its rows below which three vertices lie on a line; float64 rounding is 1e-16.
ZERO_AREA = 1e-14
# Triangles tried at once: enough to keep torch busy, little enough to stay in the cache.
SAMPLES_AT_ONCE = 1 << 18


def rasterize(pos: Tensor, tri: Tensor, resolution, ranges=None) -> tuple[Tensor, Tensor]:
    """The triangle seen at each pixel centre, with barycentrics, depth and their screen derivatives.

    Args:
        pos: [N,V,4] (instanced) or [V,4] (range mode), clip space, any float type; computed in float64.
        tri: [T,3] integers.
        resolution: (height, width).
        ranges: [N,2] rows (first triangle, count); with pos [V,4] and no ranges, one image of all triangles.

    Returns:
        rast [N,H,W,4] = (u, v, z/w, id + 1) and rast_db [N,H,W,4] = (du/dX, du/dY, dv/dX, dv/dY), 0 where empty.

    Gradients: pos x, y, w from u, v and rast_db. None from z/w and the id.
    """
    ids = visible_ids(pos, tri, resolution, ranges)
    return resolve(pos, tri, ids, resolution)


def visible_ids(pos: Tensor, tri: Tensor, resolution, ranges=None) -> Tensor:
    """int64 [N,H,W]: the index of the triangle seen at each pixel centre, -1 where there is none."""
    height, width = (int(x) for x in resolution)
    fx, fy = pixel_centres(height, width)
    images = [
        nearest_triangle(p, tri, first, count, fx, fy)
        for p, first, count in _images(pos, tri, ranges)
    ]
    if not images:
        return torch.empty(0, height, width, dtype=torch.int64)
    return torch.stack(images).reshape(-1, height, width)


def resolve(pos: Tensor, tri: Tensor, ids: Tensor, resolution) -> tuple[Tensor, Tensor]:
    """rast and rast_db of the triangles `ids` [N,H,W] (-1: none), a pure torch function of pos in float64.

    Give it the ids that a real context found, and everything else of `rast` can be compared at every pixel. A centre
    that lies just outside (sub-pixel snapping) has its u, v clamped into the triangle; the gradient ignores the clamp.

        S_x = sum dak/dfx,   du/dX = (2/W)/A (da0/dfx - u S_x),   du/dY = (2/H)/A (da0/dfy - u S_y),   v with a1
    """
    height, width = (int(x) for x in resolution)
    n, py, px = torch.nonzero(ids >= 0, as_tuple=True)
    corners = _corners(pos, tri, n, ids[n, py, px])
    fx, fy = centre(px, py, height, width)

    a = edge_functions(corners, fx, fy)
    area = a.sum(-1)
    u, v = a[:, 0] / area, a[:, 1] / area
    depth = (corners[..., 2] * a).sum(-1) / (corners[..., 3] * a).sum(-1)

    da_dfx, da_dfy = edge_slopes(corners)
    s_x, s_y = da_dfx.sum(-1), da_dfy.sum(-1)
    du_dx = 2 / width / area * (da_dfx[:, 0] - u * s_x)
    du_dy = 2 / height / area * (da_dfy[:, 0] - u * s_y)
    dv_dx = 2 / width / area * (da_dfx[:, 1] - v * s_x)
    dv_dy = 2 / height / area * (da_dfy[:, 1] - v * s_y)

    u_inside = u.detach().clamp(0, 1)
    v_inside = torch.minimum(v.detach().clamp(min=0), 1 - u_inside)
    u, v = u + (u_inside - u.detach()), v + (v_inside - v.detach())

    rast = torch.stack([u, v, depth.detach().clamp(-1, 1), ids[n, py, px] + 1.0], -1)
    rast_db = torch.stack([du_dx, du_dy, dv_dx, dv_dy], -1)
    empty = torch.zeros(*ids.shape, 4, dtype=torch.float64)
    return empty.index_put((n, py, px), rast), empty.index_put((n, py, px), rast_db)


def triangle_id(rast: Tensor) -> Tensor:
    """int64 [N,H,W]: the triangle index in channel 3, -1 where empty or not a number.

    The channel holds m = id + 1. float32 holds m itself up to 2^24 and, above, has the bits 0x4a800000 + m.
    """
    m = torch.nan_to_num(rast[..., 3].detach(), nan=0, posinf=0, neginf=0)
    plain = m.long()
    if rast.dtype == torch.float32:
        plain = torch.where(m > 2**24, m.contiguous().view(torch.int32).long() - 0x4A800000, plain)
    return plain.clamp(min=0) - 1


def pixel_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    """fx and fy of all pixel centres, both [H*W], row by row from the bottom."""
    px, py = torch.arange(width).repeat(height), torch.arange(height).repeat_interleave(width)
    return centre(px, py, height, width)


def centre(
    px: Tensor,
    py: Tensor,
    height: int,
    width: int,
    x: float | Tensor = 0.5,
    y: float | Tensor = 0.5,
) -> tuple[Tensor, Tensor]:
    """fx and fy of the centre of pixels (px, py), or of the point (x, y) of them, in float64."""
    return 2 * (px.double() + x) / width - 1, 2 * (py.double() + y) / height - 1


def cyclic(p: Tensor, q: Tensor) -> Tensor:
    """The cross product over the last axis (the three vertices): result k is p1 q2 - q1 p2, indices k+1, k+2 mod 3.

    Exactly antisymmetric in floating point: two triangles that share an edge get exactly opposite values for it.
    """
    return p.roll(-1, -1) * q.roll(-2, -1) - q.roll(-1, -1) * p.roll(-2, -1)


def edge_functions(corners: Tensor, fx: Tensor, fy: Tensor) -> Tensor:
    """a0, a1, a2 as [...,3] of the triangles `corners` [...,3,4] at the points fx, fy [...]."""
    x = corners[..., 0] - fx[..., None] * corners[..., 3]
    y = corners[..., 1] - fy[..., None] * corners[..., 3]
    return cyclic(x, y)


def edge_slopes(corners: Tensor) -> tuple[Tensor, Tensor]:
    """dak/dfx and dak/dfy, each [...,3]: constant over the image.  da0/dfx = Y1 W2 - Y2 W1, da0/dfy = X2 W1 - X1 W2."""
    x, y, w = corners[..., 0], corners[..., 1], corners[..., 3]
    return cyclic(y, w), cyclic(w, x)


def determinant(corners: Tensor) -> Tensor:
    """D of the rows (Xi, Yi, Wi): twice the signed area of the projected triangle times W0 W1 W2."""
    return (corners[..., 3] * cyclic(corners[..., 0], corners[..., 1])).sum(-1)


def drawable(pos: Tensor, tri: Tensor) -> Tensor:
    """bool [T]: the triangles of one image (pos [V,4]) with indices in range, finite vertices and some area."""
    in_range = ((tri >= 0) & (tri < len(pos))).all(-1)
    if len(pos) == 0 or len(tri) == 0:
        return in_range
    corners = pos[torch.where(in_range[:, None], tri, 0).long()]
    finite = in_range & corners.isfinite().all(-1).all(-1)
    corners = torch.where(finite[:, None, None], corners, 0.0)
    lengths = corners[..., [0, 1, 3]].norm(dim=-1).prod(-1)
    return finite & (determinant(corners).abs() > ZERO_AREA * lengths)


def nearest_triangle(
    pos: Tensor, tri: Tensor, first: int, count: int, fx: Tensor, fy: Tensor
) -> Tensor:
    """int64 [S]: the triangle seen at each of S points of one image (pos [V,4]), -1 where there is none."""
    seen = torch.full(fx.shape, -1, dtype=torch.int64)
    seen_depth = torch.full(fx.shape, torch.inf, dtype=torch.float64)
    for ids, corners in _batches(pos, tri, first, count, len(fx)):
        a = edge_functions(corners, fx, fy)
        covered = (a * determinant(corners).sign()[..., None] >= 0).all(-1)
        depth = (corners[..., 2] * a).sum(-1) / (corners[..., 3] * a).sum(-1)
        depth = torch.where(covered & (depth.abs() <= 1), depth, torch.inf)
        front = depth.amin(0)
        lowest = torch.where(depth == front, ids[:, None], len(tri)).amin(0)
        seen = torch.where(front < seen_depth, lowest, seen)
        seen_depth = torch.minimum(front, seen_depth)
    return seen


def ambiguous_pixels(
    pos: Tensor,
    tri: Tensor,
    resolution,
    ranges=None,
    margin_pix: float = MARGIN_PIX,
    margin_depth: float = MARGIN_DEPTH,
) -> Tensor:
    """bool [N,H,W]: pixels where GL may rightly see another triangle than this twin; leave them out of comparisons.

    A triangle covers a centre *surely* when the centre is further than margin_pix inside every edge (and inside the
    near and far planes), *perhaps* when it is less than that outside. A pixel is ambiguous when some triangle that
    perhaps covers it is not clearly behind the nearest of those that surely do. Distances to edge k are ak divided by
    the length of its gradient over pixels, which needs no division by w. A depth is known to margin_depth plus what
    moving by margin_pix changes in it.
    """
    height, width = (int(x) for x in resolution)
    fx, fy = pixel_centres(height, width)
    images = []
    for p, first, count in _images(pos, tri, ranges):
        front = torch.full(fx.shape, torch.inf, dtype=torch.float64)
        front_far, front_id = front.clone(), torch.full(fx.shape, -1)
        batches = list(_batches(p, tri, first, count, len(fx)))
        for ids, corners in batches:
            inside, depth, slack = _distances(
                corners, fx, fy, height, width, margin_pix, margin_depth
            )
            depth = torch.where(inside > margin_pix, depth, torch.inf)
            nearest, at = depth.min(0)
            better = nearest < front
            front_id = torch.where(better, ids[at], front_id)
            front_far = torch.where(better, nearest + slack[at, 0], front_far)
            front = torch.minimum(nearest, front)
        doubt = torch.zeros(fx.shape, dtype=torch.bool)
        for ids, corners in batches:
            inside, depth, slack = _distances(
                corners, fx, fy, height, width, margin_pix, margin_depth
            )
            rival = (
                (inside > -margin_pix) & (ids[:, None] != front_id) & (depth - slack <= front_far)
            )
            doubt |= rival.any(0)
        images.append(doubt)
    if not images:
        return torch.empty(0, height, width, dtype=torch.bool)
    return torch.stack(images).reshape(-1, height, width)


def closed_form_backward(
    pos: Tensor,
    tri: Tensor,
    ids: Tensor,
    resolution,
    grad_rast: Tensor,
    grad_db: Tensor | None = None,
) -> Tensor:
    """d loss/d pos by the formulas of the specification, without autograd: what the kernel computes.

    With the incoming gu', gv' and gu = gu'/A, gv = gv'/A, g = gu u + gv v (so that dL/da0 = gu - g, dL/da1 = gv - g,
    dL/da2 = -g), the gradients of the shifted coordinates xi', yi' are the six lines in the code. X enters xi' only
    and W enters both: gXi = gxi, gYi = gyi, gWi = -fx gxi - fy gyi. gZi = 0.

    The derivative part in front of it is the plain adjoint of du/dX = (2/W)/A (da0/dfx - u S_x) and its three sisters:
    it adds to gu', gv', to dL/dA (that is: subtracts from g) and, through the slopes dak/dfx = (Y x W)k and
    dak/dfy = (W x X)k, to X, Y, W directly. (c = p x q has the adjoint gp = q x gc, gq = gc x p.)
    """
    height, width = (int(x) for x in resolution)
    pos = pos.detach().double()
    n, py, px = torch.nonzero(ids >= 0, as_tuple=True)
    t = ids[n, py, px]
    corners = _corners(pos, tri, n, t)
    fx, fy = centre(px, py, height, width)
    big_x, big_y, big_w = corners[..., 0], corners[..., 1], corners[..., 3]
    x0, x1, x2 = (big_x - fx[:, None] * big_w).unbind(-1)
    y0, y1, y2 = (big_y - fy[:, None] * big_w).unbind(-1)
    a = edge_functions(corners, fx, fy)
    area = a.sum(-1)
    u, v = a[:, 0] / area, a[:, 1] / area
    gu, gv = grad_rast[n, py, px, 0] / area, grad_rast[n, py, px, 1] / area
    g_area = torch.zeros_like(u)
    grad_x, grad_y, grad_w = (torch.zeros_like(big_x) for _ in range(3))

    if grad_db is not None:
        q_ux, q_uy, q_vx, q_vy = grad_db[n, py, px].unbind(-1)
        r_ux, r_vx = q_ux * 2 / width / area, q_vx * 2 / width / area
        r_uy, r_vy = q_uy * 2 / height / area, q_vy * 2 / height / area
        ax, ay = edge_slopes(corners)
        s_x, s_y = ax.sum(-1), ay.sum(-1)
        gu = gu - (r_ux * s_x + r_uy * s_y) / area
        gv = gv - (r_vx * s_x + r_vy * s_y) / area
        g_area = (
            -(
                r_ux * (ax[:, 0] - u * s_x)
                + r_vx * (ax[:, 1] - v * s_x)
                + r_uy * (ay[:, 0] - u * s_y)
                + r_vy * (ay[:, 1] - v * s_y)
            )
            / area
        )
        nothing = torch.zeros_like(u)
        g_ax = torch.stack([r_ux, r_vx, nothing], -1) - (r_ux * u + r_vx * v)[:, None]
        g_ay = torch.stack([r_uy, r_vy, nothing], -1) - (r_uy * u + r_vy * v)[:, None]
        grad_x += cyclic(g_ay, big_w)
        grad_y += cyclic(big_w, g_ax)
        grad_w += cyclic(g_ax, big_y) + cyclic(big_x, g_ay)

    g = gu * u + gv * v - g_area
    gx = torch.stack(
        [g * (y2 - y1) - gv * y2, g * (y0 - y2) + gu * y2, g * (y1 - y0) - gu * y1 + gv * y0], -1
    )
    gy = torch.stack(
        [g * (x1 - x2) + gv * x2, g * (x2 - x0) - gu * x2, g * (x0 - x1) + gu * x1 - gv * x0], -1
    )
    grad_x, grad_y = grad_x + gx, grad_y + gy
    grad_w = grad_w - fx[:, None] * gx - fy[:, None] * gy

    grad_corners = torch.stack([grad_x, grad_y, torch.zeros_like(grad_x), grad_w], -1)
    vertices = tri[t].long()
    at = (vertices,) if pos.ndim == 2 else (n[:, None].expand_as(vertices), vertices)
    return torch.zeros_like(pos).index_put(at, grad_corners, accumulate=True)


def _images(pos: Tensor, tri: Tensor, ranges) -> list[tuple[Tensor, int, int]]:
    """(pos [V,4], first triangle, count) of each image."""
    pos = pos.detach().double()
    if pos.ndim == 3:
        return [(p, 0, len(tri)) for p in pos]
    if ranges is None:
        return [(pos, 0, len(tri))]
    return [
        (pos, int(first), int(count))
        for first, count in torch.as_tensor(ranges).reshape(-1, 2).tolist()
    ]


def _corners(pos: Tensor, tri: Tensor, n: Tensor, ids: Tensor) -> Tensor:
    """[P,3,4]: the vertices of triangle ids[P] in image n[P]."""
    pos, vertices = pos.double(), tri[ids].long()
    return pos[vertices] if pos.ndim == 2 else pos[n[:, None], vertices]


def _batches(pos: Tensor, tri: Tensor, first: int, count: int, samples: int):
    """The drawable triangles of a range in index order, a batch at a time: ids [B] and corners [B,1,3,4]."""
    ids = torch.arange(first, first + count)
    ids = ids[drawable(pos, tri[first : first + count])]
    if len(ids) == 0:
        return
    for batch in ids.split(max(1, SAMPLES_AT_ONCE // max(1, samples))):
        yield batch, pos[tri[batch].long()][:, None]


def _distances(corners, fx, fy, height, width, margin_pix, margin_depth):
    """Distance in pixels to the boundary (positive inside), z/w, and how far z/w can be wrong; each [B,S]."""
    a, det = edge_functions(corners, fx, fy), determinant(corners)
    da_dx, da_dy = (
        slope * 2 / size for slope, size in zip(edge_slopes(corners), (width, height), strict=True)
    )
    inside = (a * det.sign()[..., None] / torch.hypot(da_dx, da_dy)).amin(-1)

    z = corners[..., 2]
    depth = (z * a).sum(-1) / det
    slope = torch.hypot((z * da_dx).sum(-1), (z * da_dy).sum(-1)) / det.abs()
    slack = margin_depth + margin_pix * slope
    to_planes = (1 - depth.abs()) / slack * margin_pix  # in units that make `slack` the margin
    # A triangle that lies in the near or the far plane is seen, no doubt about it.
    w = corners[..., 3]
    in_plane = (z == w).all(-1) | (z == -w).all(-1)
    return torch.where(in_plane, inside, torch.minimum(inside, to_planes)), depth, slack
