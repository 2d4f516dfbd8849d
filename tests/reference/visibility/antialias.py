"""The float64 twin of glrast.antialias: where an edge passes between two pixel centres, the pixel it cuts is blended.

1  A pair is a pixel p with its right, or its upper, neighbour q, when the two see different triangles.
2  The pair's triangle is the only one of the two, or the nearer by z/w (tie: q's); s = +1 if it is p's, -1 if q's.
   Its vertices are taken relative to the centre of its own pixel, in pixel units; axes swapped for upper neighbours:

                x = X/w W/2 - (px + 1/2 - W/2),  y = Y/w H/2 - (py + 1/2 - H/2)       the pair lies on the line y = 0

3  Edge (1,2), opposite vertex k, crosses that line when one end has y < 0 and the other y >= 0. With dx = x2-x1 and
   dy = y2-y1 it does so at x_c = (x1 dy - y1 dx)/dy; the distance towards the other pixel is d = s x_c. The crossed
   edge with the largest d is where the triangle ends on that side.
4  It counts when |dy| >= |dx| (a steeper edge belongs to this direction, a flatter one to the other), when
   -1/16 < d < 17/16, and when it is a silhouette: nothing continues the surface there. That is: no other triangle has
   the edge, or the other triangle's apex lies on the same side of it in the image as vertex k (it folds back), or the
   other triangle is not drawn because its own corners turn the culled way.
   A corner behind the camera (w <= 0) has no place in the image, but its edges to corners before it do: each is seen as
   a ray from the front corner 1, in the direction of (X2 - x1 w2, Y2 - y1 w2). It crosses when y1 and the direction's
   y differ in sign, at the same x_c = x1 - y1 dx/dy. An edge with both ends behind is not seen.
5  With d clamped to [0,1], alpha = s (1/2 - d) is the part of a pixel that changes hands; if alpha > 0 it is p that
   contains the edge: out_p += alpha (c_q - c_p), else it is q: out_q += alpha (c_q - c_p). Contributions add up.
   A pixel that small triangles cut on three or four sides would give away S = sum |alpha| > 1 of itself: then each
   pair takes alpha / S, and nothing of the pixel's own colour is left.

       s = +1   |  p  .-d->|   q   |     d < 1/2: the edge cuts p, which gives away 1/2 - d of itself to q's colour
                                         d > 1/2: the edge cuts q, which takes d - 1/2 of p's colour

Gradient: alpha is a function of the edge's two end points and nothing else moves; 0 where |alpha| >= 1/2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..rasterize import determinant, triangle_id

# An edge is accepted this far beyond the two centres, because the rasterizer's 8 sub-pixel bits move it; then clamped.
REACH = 1 / 16


@dataclass
class Pairs:
    """P pairs of neighbouring pixels with different triangles, and the edge that passes between them."""

    p: tuple[Tensor, Tensor, Tensor]  # (n, py, px), each [P]: the left or lower pixel
    q: tuple[Tensor, Tensor, Tensor]  # its right or upper neighbour
    own: tuple[Tensor, Tensor, Tensor]  # the one of the two that sees the pair's triangle
    s: Tensor  # [P] float64: +1 if that is p, -1 if q
    vertical: Tensor  # [P] bool: q is above p
    edge: Tensor  # [P,2] int64: the vertices of the crossed edge
    accepted: Tensor  # [P] bool: steps 3 and 4 all say yes
    margin: Tensor  # [P] float64: how far the nearest of those decisions is from turning over

    def where(self, keep: Tensor) -> "Pairs":
        """The pairs of a bool mask [P]."""
        return Pairs(
            *(
                tuple(x[keep] for x in field) if isinstance(field, tuple) else field[keep]
                for field in vars(self).values()
            )
        )


def antialias(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    pos_gradient_boost: float = 1.0,
    cull: str = "none",
    discontinuities: str = "silhouettes",
) -> Tensor:
    """The image with silhouettes blended by coverage, float64.

    Args:
        color: [N,H,W,C].
        rast: [N,H,W,4]; z/w and the id are read.
        pos: [N,V,4], [1,V,4] or [V,4], clip space.
        tri: [T,3].
        pos_gradient_boost: multiplies the gradient of pos and nothing else.
        cull: "none", or the faces that rast leaves out: "back" (corners clockwise in the image) or "front".
        discontinuities: "silhouettes", or "all": with what reference/visibility/inner.py adds.

    Gradients: color, pos (x, y, w; z too by "all"). None to rast.
    """
    color = color.double()
    pairs = crossed_pairs(rast, pos, tri, cull)
    alpha = coverage(pairs, pos, color.shape[1:3])
    alpha = alpha.detach() + pos_gradient_boost * (alpha - alpha.detach())
    alpha = alpha / given_away(pairs, alpha, color.shape[:3]).clamp(min=1)
    change = alpha[:, None] * (color[pairs.q] - color[pairs.p])
    out = color.index_put(_changed(pairs, alpha), change, accumulate=True)
    if discontinuities == "all":
        from .inner import inner_change  # which builds on this file

        out = out + inner_change(color, rast, pos, tri, pos_gradient_boost, cull)
    return out


def coverage(pairs: Pairs, pos: Tensor, resolution) -> Tensor:
    """alpha [P], a torch function of pos: step 5 for the chosen edges."""
    _, _, s_x_c = _crossing(pairs, pos, resolution)
    alpha = pairs.s * (0.5 - s_x_c.clamp(0, 1))
    return torch.where(alpha.abs() < 0.5, alpha, alpha.detach())


def given_away(pairs: Pairs, alpha: Tensor, pixels) -> Tensor:
    """S [P]: the sum of |alpha| over all pairs that change the pixel that this pair changes."""
    changed = _changed(pairs, alpha)
    total = torch.zeros(tuple(pixels), dtype=torch.float64)
    return total.index_put(changed, alpha.abs(), accumulate=True)[changed]


def crossed_pairs(rast: Tensor, pos: Tensor, tri: Tensor, cull: str = "none") -> Pairs:
    """The accepted pairs: all discrete decisions of antialias, which carry no gradient."""
    pairs = decide(rast, pos, tri, cull)
    return pairs.where(pairs.accepted)


def fragile_pixels(
    rast: Tensor, pos: Tensor, tri: Tensor, tolerance: float = 1e-3, cull: str = "none"
) -> Tensor:
    """bool [N,H,W]: pixels of pairs with a decision within `tolerance` (pixels) of turning over.

    float32 may rightly decide otherwise there. To compare with a float32 kernel leave these pixels out of the image,
    and set the incoming gradient to 0 at them, which takes such pairs out of both gradients.
    """
    pairs = decide(rast, pos, tri, cull)
    pairs = pairs.where(pairs.margin < tolerance)
    fragile = torch.zeros(rast.shape[:3], dtype=torch.bool)
    fragile[pairs.p] = True
    fragile[pairs.q] = True
    return fragile


def opposite_vertices(tri: Tensor) -> Tensor:
    """int64 [T,3]: the apex of the other triangle on the edge opposite vertex k, -1 where the edge is open."""
    return neighbours(tri)[0]


def neighbours(tri: Tensor) -> tuple[Tensor, Tensor]:
    """int64 [T,3] twice: the apex of the other triangle on the edge opposite vertex k, and its index; -1: open edge.

    Edges are pairs of vertex indices, whatever their direction. The two triangles with the lowest indices own an edge;
    the other of a third one is the lowest. A triangle that names a vertex twice, or a negative one, draws nothing and
    has no edges.
    """
    owners: dict[
        tuple[int, int], list[tuple[int, int]]
    ] = {}  # edge -> (triangle, its apex), in index order
    edges: dict[tuple[int, int], tuple[int, int]] = {}  # (triangle, k) -> edge
    for t, vertices in enumerate(tri.tolist()):
        if len(set(vertices)) < 3 or min(vertices) < 0:
            continue
        for k in range(3):
            i, j = vertices[(k + 1) % 3], vertices[(k + 2) % 3]
            edges[t, k] = (min(i, j), max(i, j))
            owners.setdefault(edges[t, k], []).append((t, vertices[k]))
    opposite, index = torch.full((2, len(tri), 3), -1, dtype=torch.int64)
    for (t, k), edge in edges.items():
        others = [(other, apex) for other, apex in owners[edge][:2] if other != t]
        index[t, k], opposite[t, k] = others[0] if others else (-1, -1)
    return opposite, index


def decide(rast: Tensor, pos: Tensor, tri: Tensor, cull: str = "none") -> Pairs:
    """All pairs whose triangle is usable (valid, finite, a w > 0): steps 1 to 4, accepted or not."""
    ids = triangle_id(rast)
    pos = _per_image(pos.detach().double(), len(ids))
    right = _pairs_of(ids, rast, pos, tri, cull, vertical=False)
    upper = _pairs_of(ids, rast, pos, tri, cull, vertical=True)
    return Pairs(
        *(
            tuple(torch.cat(x) for x in zip(r, t, strict=True))
            if isinstance(r, tuple)
            else torch.cat([r, t])
            for r, t in zip(vars(right).values(), vars(upper).values(), strict=True)
        )
    )


def closed_form_backward(
    grad_out: Tensor,
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    pos_gradient_boost: float = 1.0,
    cull: str = "none",
) -> tuple[Tensor, Tensor]:
    """grad_color and grad_pos by the formulas of the specification, without autograd: what the kernel computes.

        colour:   g_c = g everywhere; then g_p -= alpha y, g_q += alpha y with y = g of the changed pixel
        position: D = sum_c y_c (c_q - c_p) is dL/dalpha, and dalpha/dx_c = -s s = -1. With h = (x w, y w, w) of an end
                  in pixels, x_c = (h1x h2y - h1y h2x)/Q, Q = h1w h2y - h1y h2w, for any signs of w:
                  gh1 = -D/Q (h2y, x_c h2w - h2x, -x_c h2y),   gh2 = -D/Q (-h1y, h1x - x_c h1w, x_c h1y)
                  gX = (W/2) ghx, gY = (H/2) ghy, gw = ghw - cx ghx - cy ghy, (cx, cy) the pixel's centre
                  x and y change places for upper neighbours; 0 where |alpha| >= 1/2
        Where S > 1: alpha / S for alpha, and D = sum_c y_c (c_other - out_c) / S, out the changed pixel's new colour.

    Here the "W" in W/2 is the image width. Where both w > 0 these are the formulas of the specification:
    gX1 = -D (W/2)/W1 y2/dy and so on. Q is never 0: the ends straddle y = 0.
    """
    grad_out, color, pos = grad_out.double(), color.detach().double(), pos.detach().double()
    height, width = color.shape[1:3]
    pairs = crossed_pairs(rast, pos, tri, cull)
    alpha = coverage(pairs, pos, (height, width))
    changed = _changed(pairs, alpha)
    y, total = grad_out[changed], given_away(pairs, alpha, color.shape[:3])
    share = alpha / total.clamp(min=1)
    grad_color = grad_out.index_put(pairs.p, -share[:, None] * y, accumulate=True)
    grad_color = grad_color.index_put(pairs.q, share[:, None] * y, accumulate=True)

    step = color[pairs.q] - color[pairs.p]
    out = color.index_put(changed, share[:, None] * step, accumulate=True)
    other = color[pairs.p].where(alpha[:, None] <= 0, color[pairs.q])
    step = torch.where(
        total[:, None] > 1, alpha.sign()[:, None] * (other - out[changed]) / total[:, None], step
    )
    d_loss = (y * step).sum(-1) * pos_gradient_boost
    d_loss = torch.where(alpha.abs() < 0.5, d_loss, 0.0)
    ends, (along, across, w), s_x_c = _crossing(pairs, pos, (height, width))
    (x1, x2), (y1, y2), (w1, w2) = along.unbind(-1), across.unbind(-1), w.unbind(-1)
    x_c, scale = pairs.s * s_x_c, -d_loss / (w1 * y2 - y1 * w2)
    g_along = torch.stack([y2, -y1], -1) * scale[:, None]
    g_across = torch.stack([x_c * w2 - x2, x1 - x_c * w1], -1) * scale[:, None]
    g_own_w = torch.stack([-x_c * y2, x_c * y1], -1) * scale[:, None]

    upper = pairs.vertical[:, None]
    g_x, g_y = torch.where(upper, g_across, g_along), torch.where(upper, g_along, g_across)
    _, py, px = pairs.own
    cx, cy = (px.double() + 0.5 - width / 2)[:, None], (py.double() + 0.5 - height / 2)[:, None]
    g_w = g_own_w - cx * g_x - cy * g_y
    grad_ends = torch.stack([g_x * (width / 2), g_y * (height / 2), torch.zeros_like(g_x), g_w], -1)
    return grad_color, torch.zeros_like(pos).index_put(
        _rows(pairs, pos), grad_ends, accumulate=True
    )


def _pairs_of(ids, rast, pos, tri, cull, vertical: bool) -> Pairs:
    """Steps 1 to 4 for the right (or the upper) neighbours."""
    height, width = ids.shape[1:]
    n, py, px = torch.nonzero(
        ids[:, :-1] != ids[:, 1:] if vertical else ids[:, :, :-1] != ids[:, :, 1:], as_tuple=True
    )
    p, q = (n, py, px), (n, py + 1, px) if vertical else (n, py, px + 1)

    # 2: the pair's triangle
    depth = rast[..., 2].detach().double()
    both = (ids[p] >= 0) & (ids[q] >= 0)
    p_owns = (ids[q] < 0) | (both & (depth[p] < depth[q]))
    tie = (depth[p] - depth[q]).abs() * 1e3  # scaled so that a tolerance of 1e-3 means 1e-6 of z/w
    margin = torch.where(both, tie, 1.0)
    own = tuple(torch.where(p_owns, a, b) for a, b in zip(p, q, strict=True))
    s = torch.where(p_owns, 1.0, -1.0).double()
    t = ids[own]
    usable = t < len(tri)
    vertices = tri[torch.where(usable, t, 0)].long() if len(tri) else torch.full((len(t), 3), -1)
    usable &= ((vertices >= 0) & (vertices < pos.shape[1])).all(-1)
    usable[usable.clone()] &= _in_front(pos[n[usable, None], vertices[usable]])
    n, t, s, margin, vertices = n[usable], t[usable], s[usable], margin[usable], vertices[usable]
    p, q, own = (tuple(x[usable] for x in pixel) for pixel in (p, q, own))
    corners = pos[n[:, None], vertices]  # [P,3,4]

    # 3: the crossed edge with the largest d
    x, y, w = _pixel_units(corners, own, vertical, height, width)
    front = w > 0
    first = front.roll(
        -1, 1
    )  # edge k runs from vertex k+1 to vertex k+2; of a ray the one in front comes first
    x1, x2 = _swapped(first, x.roll(-1, 1), x.roll(-2, 1))
    y1, y2 = _swapped(first, y.roll(-1, 1), y.roll(-2, 1))
    w1, w2 = _swapped(first, w.roll(-1, 1), w.roll(-2, 1))
    seen, whole = w1 > 0, w2 > 0
    x1, y1 = x1 / torch.where(seen, w1, 1.0), y1 / torch.where(seen, w1, 1.0)
    dx, dy = x2 - x1 * w2, y2 - y1 * w2
    dx, dy = (torch.where(whole, z / torch.where(whole, w2, 1.0), z) for z in (dx, dy))
    end = torch.where(
        whole, y2 / torch.where(whole, w2, 1.0), dy
    )  # where it is, or on which side far out
    crossed = seen & ((y1 < 0) != (end < 0)) & (dy != 0)
    d = torch.where(
        crossed, s[:, None] * (x1 - y1 * dx / torch.where(crossed, dy, 1.0)), -torch.inf
    )
    d_sorted = d.sort(1, descending=True).values
    d, k = d.max(1)
    lengths = torch.where(
        whole, 1.0, torch.maximum(dx.abs(), dy.abs())
    )  # of a ray's direction: none
    dx, dy = ((z / lengths).gather(1, k[:, None])[:, 0] for z in (dx, dy))
    ends_margin = torch.where(front, (y / torch.where(front, w, 1.0)).abs(), torch.inf).amin(1)
    rays_margin = torch.where(seen & ~whole, dy.abs()[:, None], torch.inf).amin(1)

    # 4: steep, near, and a silhouette
    opposite, index = (across[t].gather(1, k[:, None])[:, 0] for across in neighbours(tri))
    sides, side_margin = _folds_back(corners, pos, n, k, opposite)
    sides |= _culled(pos, tri, n, index, cull)
    steep, near = dy.abs() >= dx.abs(), (d > -REACH) & (d < 1 + REACH)
    accepted = crossed.any(1) & steep & near & sides
    d_margins = [
        d_sorted[:, 0] - d_sorted[:, 1],
        *((d - at).abs() for at in (-REACH, 0, 0.5, 1, 1 + REACH)),
    ]
    fragile = torch.stack(
        [margin, ends_margin, rays_margin, (dy.abs() - dx.abs()).abs(), side_margin, *d_margins]
    )
    edge = torch.stack([vertices.roll(-1, 1), vertices.roll(-2, 1)], -1)[torch.arange(len(k)), k]
    return Pairs(
        p,
        q,
        own,
        s,
        torch.full_like(k, vertical, dtype=torch.bool),
        edge,
        accepted,
        fragile.nan_to_num(nan=torch.inf).amin(0),
    )


def _folds_back(corners, pos, n, k, apex):
    """bool [P]: edge k is a silhouette; and how far from turning over that is.

    The sides are signs of the homogeneous determinant of (edge, apex), which also tells the side of an apex behind the
    camera, where dividing by its w would mirror it. An apex exactly on the edge's line (the neighbour is seen edge-on,
    as the sides of a box in orthographic projection are) counts as a silhouette. A neighbour that draws nothing (an
    index outside pos, a vertex that is not finite) leaves the edge open.
    """
    row = torch.arange(len(k))
    v, v1, v2 = corners[row, k], corners[row, (k + 1) % 3], corners[row, (k + 2) % 3]
    known = (apex >= 0) & (apex < pos.shape[1])
    other = pos[n, torch.where(known, apex, 0)]
    known &= other.isfinite().all(-1)
    other = torch.where(known[:, None], other, v)
    lengths = (
        v1[:, [0, 1, 3]].norm(dim=1)
        * v2[:, [0, 1, 3]].norm(dim=1)
        * other[:, [0, 1, 3]].norm(dim=1)
    )
    side_own = determinant(torch.stack([v1, v2, v], 1))
    side_other = determinant(torch.stack([v1, v2, other], 1))
    return side_own.sign() * side_other.sign() >= 0, side_other.abs() / lengths * 1e3


def _culled(pos, tri, n, index, cull):
    """bool [P]: triangle `index` of image n is left out, by the way its own corners turn in the image."""
    if cull == "none" or len(tri) == 0:
        return torch.zeros_like(index, dtype=torch.bool)
    vertices = tri[index.clamp(min=0)].long()
    known = (index >= 0) & ((vertices >= 0) & (vertices < pos.shape[1])).all(-1)
    turn = determinant(pos[n[:, None], torch.where(known[:, None], vertices, 0)])
    return known & (turn < 0 if cull == "back" else turn > 0)


def _crossing(pairs: Pairs, pos: Tensor, resolution):
    """The ends of the chosen edges [P,2,4], their (x w, y w, w) in pixel units as three [P,2], and d = s x_c [P]."""
    height, width = (int(z) for z in resolution)
    pos = pos.double()
    ends = pos[_rows(pairs, pos)]
    x, y, w = _pixel_units(ends, pairs.own, pairs.vertical[:, None], height, width)
    (x1, x2), (y1, y2), (w1, w2) = x.unbind(-1), y.unbind(-1), w.unbind(-1)
    return ends, (x, y, w), pairs.s * (x1 * y2 - y1 * x2) / (w1 * y2 - y1 * w2)


def _swapped(keep: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b) where `keep`, else (b, a)."""
    return torch.where(keep, a, b), torch.where(keep, b, a)


def _pixel_units(corners, own, vertical, height, width):
    """(x w, y w, w), each [P,K], of vertices [P,K,4], x and y in pixels from the centres of the pixels `own`, swapped
    where vertical."""
    _, py, px = own
    w = corners[..., 3]
    x = corners[..., 0] * (width / 2) - (px.double() + 0.5 - width / 2)[:, None] * w
    y = corners[..., 1] * (height / 2) - (py.double() + 0.5 - height / 2)[:, None] * w
    vertical = torch.as_tensor(vertical)
    return torch.where(vertical, y, x), torch.where(vertical, x, y), w


def _changed(pairs: Pairs, alpha: Tensor):
    """The pixels that the pairs change: p where alpha > 0, else q."""
    return tuple(torch.where(alpha > 0, a, b) for a, b in zip(pairs.p, pairs.q, strict=True))


def _in_front(corners):
    return corners.isfinite().all(-1).all(-1) & (corners[..., 3] > 0).any(-1)


def _per_image(pos, images):
    return (pos if pos.ndim == 3 else pos[None]).expand(images, -1, -1)


def _rows(pairs: Pairs, pos: Tensor):
    """The index into pos, whatever its broadcasting, for pairs.edge."""
    if pos.ndim == 2:
        return (pairs.edge,)
    n = pairs.own[0][:, None].expand_as(pairs.edge)
    return (n if pos.shape[0] > 1 else torch.zeros_like(n), pairs.edge)
