"""The float64 twin of antialias(discontinuities="all"): boundaries between two visible surfaces that are no silhouette.

Pairs (p, q) as in reference/visibility/antialias.py, but of two triangles P and Q, and only those without a silhouette
crossing.

    crease         P and Q share an edge and lie on its two sides. x_c: where the edge meets the line of the two centres
    intersection   they share none. With z/w = a fx + b fy + g on each, x_c is where the two are equal; P must be the
                   nearer one before it, both must cover the point, and the line must be the steeper way (45 degrees)

Each side's colour is continued to the boundary with its own slope, taken from the next pixel of the same triangle.
Where only one side has such a pixel its slope stands for both, if it is flat: at most 1/16 of the pair's difference,
summed over the channels. With neither the pair is left alone.

    left(t) = c_p + t s_p,   right(t) = c_q + (t - 1) s_q,   t from 0 at p to 1 at q
    the cut pixel gets the integral of right - left from x_c to 1/2: more of right where x_c < 1/2, else of left

Gradients by autograd alone: of this integral by x_c and colours, of x_c by all of the vertices' x, y, z, w.
"""

import torch
from torch import Tensor

from ..rasterize import centre, determinant, triangle_id
from .antialias import REACH, _per_image, _pixel_units, crossed_pairs, fragile_pixels

# z/w must part by this much per pixel; below a hundred times as much float32 does not know x_c to 1e-3 pixels.
LEAST_DEPTH_SLOPE = 1e-6
SURE_DEPTH_SLOPE = 1e-4
# Pixels between p and x_c from which on no rounding brings it back into reach.
FAR = 4.0
FLAT = 1 / 16


def inner_change(color, rast, pos, tri, pos_gradient_boost=1.0, cull="none") -> Tensor:
    """[N,H,W,C]: what the boundaries add to the image, a torch function of color and of pos."""
    color = color.double()
    change = torch.zeros_like(color)
    for vertical in (False, True):
        p, q, x_c, found, _ = _boundaries(rast, pos, tri, vertical, cull)
        (before, has_before), (after, has_after) = _slopes_at(rast, p, q, vertical)
        flat = _flatness(color.detach(), p, q, before, has_before, after, has_after)
        found = found & (has_before | has_after) & (flat <= FLAT)
        p, q, before, after = (tuple(z[found] for z in at) for at in (p, q, before, after))
        has_before, has_after, x_c = has_before[found], has_after[found], x_c[found]
        x_c = x_c.detach() + pos_gradient_boost * (x_c - x_c.detach())
        inside = (x_c > 0) & (x_c < 1)
        x_c = torch.where(inside, x_c, x_c.detach().clamp(0, 1))[:, None]

        s_p, s_q = color[p] - color[before], color[after] - color[q]
        s_p, s_q = (
            torch.where(has_before[:, None], s_p, s_q),
            torch.where(has_after[:, None], s_q, s_p),
        )

        def integral(t, s_p=s_p, s_q=s_q, p=p, q=q):  # of right - left, from 0
            return (color[q] - s_q - color[p]) * t + (s_q - s_p) * t**2 / 2

        changed = tuple(torch.where(x_c[:, 0] < 0.5, a, b) for a, b in zip(p, q, strict=True))
        part = integral(torch.tensor(0.5)) - integral(x_c)
        change = change.index_put(changed, part, accumulate=True)
    return change


def fragile_inner_pixels(color, rast, pos, tri, tolerance=1e-3, cull="none") -> Tensor:
    """bool [N,H,W]: pixels of pairs with a decision within `tolerance` of turning over, silhouettes' included."""
    fragile = fragile_pixels(rast, pos, tri, tolerance, cull)
    for vertical in (False, True):
        p, q, _, _, margin = _boundaries(rast, pos, tri, vertical, cull)
        (before, has_before), (after, has_after) = _slopes_at(rast, p, q, vertical)
        flat = _flatness(color.detach().double(), p, q, before, has_before, after, has_after)
        near = (margin < tolerance) | ((flat - FLAT).abs() < 1e-2 * tolerance)
        for pixels in (p, q):
            fragile[tuple(z[near] for z in pixels)] = True
    return fragile


def _flatness(color, p, q, before, has_before, after, has_after):
    """[P]: |slope| of the side that knows it over the pair's difference, where only one does; else 0."""
    slope = torch.where(has_before[:, None], color[p] - color[before], color[after] - color[q])
    difference = (color[q] - color[p]).abs().sum(-1)
    flat = torch.where(difference > 0, slope.abs().sum(-1) / difference, torch.inf)
    flat = torch.where(slope.any(-1), flat, 0.0)
    return torch.where(has_before & has_after, 0.0, flat)


def _boundaries(rast, pos, tri, vertical, cull):
    """p, q, x_c [P], found [P] and the margin of the decisions [P], of all pairs of two valid triangles."""
    ids = triangle_id(rast)
    images, height, width = ids.shape
    pos = _per_image(pos.double(), images)
    first = ids[:, :-1] if vertical else ids[:, :, :-1]
    second = ids[:, 1:] if vertical else ids[:, :, 1:]
    n, py, px = torch.nonzero((first != second) & (first >= 0) & (second >= 0), as_tuple=True)
    p, q = (n, py, px), (n, py + 1, px) if vertical else (n, py, px + 1)
    corners = tri.long()
    good = (ids[p] < len(tri)) & (ids[q] < len(tri))
    p, q = (tuple(z[good] for z in at) for at in (p, q))
    P, Q = corners[ids[p]], corners[ids[q]]
    good = ((P >= 0) & (P < pos.shape[1]) & (Q >= 0) & (Q < pos.shape[1])).all(-1)
    p, q = (tuple(z[good] for z in at) for at in (p, q))
    P, Q = P[good], Q[good]

    silhouettes = crossed_pairs(rast, pos, tri, cull)
    taken = torch.zeros_like(ids, dtype=torch.bool)
    taken[tuple(z[silhouettes.vertical == vertical] for z in silhouettes.p)] = True
    common = P[:, :, None] == Q[:, None, :]
    in_q, in_p = common.any(2), common.any(1)
    share = (in_q.sum(1) == 2) & (in_p.sum(1) == 2)

    x_c, margin = torch.zeros(2, len(P), dtype=torch.float64)
    found = torch.zeros(len(P), dtype=torch.bool)
    parts = ((share, _creases), (~share & (in_q.sum(1) < 2), _intersections))
    for chosen, solve in parts:
        at = tuple(z[chosen] for z in p)
        own = (P[chosen], Q[chosen], in_q[chosen], in_p[chosen])
        x, yes, sure = solve(pos, at, own, vertical, height, width)
        x_c = x_c.masked_scatter(chosen, x)
        found, margin = found.masked_scatter(chosen, yes), margin.masked_scatter(chosen, sure)
    margin = torch.where(in_q.all(1), 1.0, margin)
    ends = torch.stack([(x_c.detach() - at).abs() for at in (-REACH, 0, 0.5, 1, 1 + REACH)])
    found = found & ~taken[p] & (x_c > -REACH) & (x_c < 1 + REACH)
    return p, q, x_c, found, torch.minimum(margin, ends.amin(0))


def _creases(pos, p, triangles, vertical, height, width):
    """x_c, whether the edge is crossed, steep and no fold, and the margin, of pairs that share two vertices."""
    P, Q, in_q, in_p = triangles
    n = p[0]
    apex_p, apex_q = (pos[n, t[~inside]] for t, inside in ((P, in_q), (Q, in_p)))
    ends = pos[n[:, None], P[in_q].reshape(-1, 2)]
    x, y, w = _pixel_units(ends, p, vertical, height, width)
    (x1, x2), (y1, y2) = ((z / torch.where(w > 0, w, 1.0)).unbind(-1) for z in (x, y))
    side_p, side_q = (determinant(torch.cat([ends, apex[:, None]], 1)) for apex in (apex_p, apex_q))
    apart = side_p.sign() * side_q.sign() < 0
    in_front = (ends[..., 3] > 0).all(1) & (apex_p[:, 3] > 0)
    crossed, steep = (y1 < 0) != (y2 < 0), (y2 - y1).abs() >= (x2 - x1).abs()
    found = apart & in_front & crossed & steep
    dy = torch.where(crossed, y2 - y1, 1.0)
    x_c = torch.where(found, x1 - y1 * (x2 - x1) / dy, 9.0)
    margin = torch.stack(
        [y1.abs(), y2.abs(), ((y2 - y1).abs() - (x2 - x1).abs()).abs(), side_q.abs() * 1e3]
    )
    return x_c, found, margin.detach().amin(0)


def _intersections(pos, p, triangles, vertical, height, width):
    """x_c, whether the triangles change places there, and the margin, of pairs that share no edge."""
    n, py, px = p
    P, Q = (pos[n[:, None], t] for t in triangles[:2])
    regular = (determinant(P).abs() > 1e-9) & (determinant(Q).abs() > 1e-9)
    eye = torch.eye(3, 4, dtype=torch.float64)[:, [0, 1, 3, 2]]  # stands in for what has no area
    P, Q = (torch.where(regular[:, None, None], t, eye) for t in (P, Q))
    plane_p, plane_q = (torch.linalg.solve(t[..., [0, 1, 3]], t[..., 2]) for t in (P, Q))
    fx, fy = centre(px, py, height, width)
    point = torch.stack([fx, fy, torch.ones_like(fx)], -1)
    gap = plane_p - plane_q
    slopes = gap[:, 0] * 2 / width, gap[:, 1] * 2 / height
    slope, across = slopes[::-1] if vertical else slopes
    steep = regular & (slope >= across.abs()) & (slope >= LEAST_DEPTH_SLOPE)
    x_c = torch.where(steep, -(gap * point).sum(1) / torch.where(steep, slope, 1.0), 9.0)
    step = torch.tensor([0, 2 / height, 0] if vertical else [2 / width, 0, 0]).double()
    where = (point + x_c[:, None] * step).detach()
    weights = torch.stack(
        [torch.linalg.solve(t[..., [0, 1, 3]].transpose(1, 2), where) for t in (P, Q)]
    )
    lean = (slope - across.abs()).abs() / slope.abs().clamp(min=1e-12)
    margin = torch.stack(
        [weights.abs().amin((0, 2)), lean, slope.abs() / SURE_DEPTH_SLOPE * 1e-3 * 1.01]
    )
    margin = torch.where(slope > 0, margin.amin(0), slope.abs() * 1e6)
    # nearly parallel and far from each other: x_c is beyond any neighbour, whatever the rounding of the slope
    apart = (gap * point).sum(1).abs() > FAR * slope.abs().clamp(min=SURE_DEPTH_SLOPE)
    margin = torch.where(apart, 1.0, margin)
    return x_c, steep & (weights >= 0).all(-1).all(0), margin.detach()


def _slopes_at(rast, p, q, vertical):
    """The pixels before p and after q (p and q themselves where there is none), and whether they show P and Q."""
    ids = triangle_id(rast)
    extent = ids.shape[1] if vertical else ids.shape[2]
    out = []
    for (n, y, x), way in ((p, -1), (q, 1)):
        moved = (y if vertical else x) + way
        inside = (moved >= 0) & (moved < extent)
        moved = moved.clamp(0, extent - 1)
        at = (n, moved, x) if vertical else (n, y, moved)
        out.append((at, inside & (ids[at] == ids[n, y, x])))
    return out
