"""Li et al. 2018, Differentiable Monte Carlo Ray Tracing through Edge Sampling, section 3, in the image plane.

The derivative of sum(weight * image) by what edges do is an integral over all edges of the mesh on the screen,

    integral  weight(x) . (colour left of x - colour right of x)  n . dx/dpos  dl

of which this is the estimate by points drawn evenly over the edges' length, each looked at on both its sides, 1e-4
pixels away. Edges that two surfaces make by passing through each other, and cuts by the near and far planes, are none
of the mesh's: the paper has none of them. Edges are cut at w = NEAREST_W.
"""

import numpy as np
import torch
from torch import Tensor

from . import clipped

NEAREST_W = 1e-3
ASIDE = 1e-4  # pixels
BACKGROUND = 0.0
AT_ONCE = 2_000_000  # points times triangles


def gradients(pos: Tensor, tri: Tensor, corners: Tensor, weights, count: int, seed: int = 0):
    """By pos [V,4], float64: one [V,4] for each weight [H,W,C]. count: points on edges in all."""
    height, width = weights[0].shape[:2]
    p, t, c = pos.numpy(), tri.numpy().astype(np.int64), corners.numpy()
    edge = np.unique(np.sort(t[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    edge, span = _before_camera(p, edge)
    ends = [_screen(_at(p, edge, s), width, height) for s in span.T]
    ends, edge, span = _in_image(ends, edge, span, width, height)
    along = ends[1] - ends[0]
    length = np.linalg.norm(along, axis=1)
    random = np.random.default_rng(seed)
    found = [np.zeros_like(p) for _ in weights]
    if not length.sum():
        return [torch.from_numpy(f) for f in found]
    k = random.choice(len(edge), count, p=length / length.sum())
    s = random.random((count, 1))
    x = ends[0][k] + s * along[k]
    normal = np.stack([-along[k, 1], along[k, 0]], 1) / length[k, None]  # to the left
    step = _colors(p, t, c, x + ASIDE * normal, (height, width))
    step -= _colors(p, t, c, x - ASIDE * normal, (height, width))
    # the edge moves to its right by v: what is left of it gains v
    moves = _moves(p, edge[k], span[k], s, -normal, width, height)
    column, row = (np.clip(x[:, i].astype(int), 0, n - 1) for i, n in enumerate((width, height)))
    for out, weight in zip(found, weights):
        worth = (weight.numpy()[row, column] * step).sum(1) * length.sum() / count
        for i in range(2):
            np.add.at(out, edge[k, i], worth[:, None] * moves[i])
    return [torch.from_numpy(f) for f in found]


def _at(p, edge, s):
    """[E,4]: clip positions on edges, s in [0,1]."""
    return p[edge[:, 0]] + s[:, None] * (p[edge[:, 1]] - p[edge[:, 0]])


def _before_camera(p, edge):
    """The edges that reach before the camera, and the part [E,2] of each that does."""
    w = p[edge, 3] - NEAREST_W
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = w[:, 0] / (w[:, 0] - w[:, 1])
    span = np.stack([np.where(w[:, 0] < 0, cut, 0.0), np.where(w[:, 1] < 0, cut, 1.0)], 1)
    kept = (w > 0).any(1)
    return edge[kept], span[kept]


def _screen(q, width, height):
    return (q[:, :2] / q[:, 3:] + 1) * [width / 2, height / 2]


def _in_image(ends, edge, span, width, height):
    """The parts of edges in the image; span by where they are on the screen."""
    a, d = ends[0], ends[1] - ends[0]
    low, high = np.zeros(len(a)), np.ones(len(a))
    for axis, size in ((0, width), (1, height)):
        with np.errstate(divide="ignore", invalid="ignore"):
            first, last = (0 - a[:, axis]) / d[:, axis], (size - a[:, axis]) / d[:, axis]
        flat = d[:, axis] == 0
        outside = flat & ((a[:, axis] < 0) | (a[:, axis] > size))
        low = np.maximum(low, np.where(flat, 0, np.minimum(first, last)))
        high = np.minimum(high, np.where(flat, 1, np.maximum(first, last)))
        high[outside] = -1
    kept = high > low
    low, high = low[kept, None], high[kept, None]
    ends = [a[kept] + low * d[kept], a[kept] + high * d[kept]]
    return ends, edge[kept], np.concatenate([span[kept], low, high], 1)


def _moves(p, edge, span, s, normal, width, height):
    """[2][n,4]: how far a point on the screen moves along its normal by each of its edge's two clip positions."""
    first, last, low, high = (span[:, i : i + 1] for i in range(4))
    on_screen = low + s * (high - low)  # between the ends before the camera
    wa, wb = (_at(p, edge, e[:, 0])[:, 3:] for e in (first, last))
    between = on_screen / wb / ((1 - on_screen) / wa + on_screen / wb)
    share = first + between * (last - first)  # between the vertices
    q = (1 - share) * p[edge[:, 0]] + share * p[edge[:, 1]]
    half = np.array([width / 2, height / 2])
    n = normal * half / q[:, 3:]
    by = np.concatenate(
        [n, np.zeros_like(share), -(n * q[:, :2] / q[:, 3:]).sum(1, keepdims=True)], 1
    )
    return (1 - share) * by, share * by


def _colors(p, t, corners, x, resolution):
    """[n,C]: what is seen at points [n,2] of the image."""
    planes, drawn = clipped.affine(p, t, resolution)
    out = np.full((len(x), corners.shape[-1]), BACKGROUND)
    some = max(1, AT_ONCE // max(len(t), 1))
    for begin in range(0, len(x), some):
        at = x[begin : begin + some]
        px, py = at.T[:, :, None, None]
        b = planes[:, :, 0] * px + planes[:, :, 1] * py + planes[:, :, 2]
        holds = (b[:, :, :3] >= 0).all(2) & (abs(b[:, :, 3]) <= 1) & drawn
        depth = np.where(holds, b[:, :, 3], np.inf)
        nearest = depth.argmin(1)
        hit = np.isfinite(depth.min(1))
        shown = clipped.colors_at(planes, corners, nearest[hit], *at[hit].T)
        out[begin : begin + some][hit] = shown
    return out
