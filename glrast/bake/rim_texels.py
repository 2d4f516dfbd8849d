"""The texels that the borders of charts pass through.

OpenGL decides coverage on a grid of 1/256 pixel: a centre nearer than that to a border may be missed. And a chart may
cover a part of a texel without its centre. Both lie on a border, so the borders are walked, texel by texel, in float64.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..mesh.remesh_surface import ragged
from .charts import rims

# In texels: twice what OpenGL's grid of 1/256 can move a border by.
NEAR = 1 / 128
EDGES = 1 << 20  # walked at once


def rim_texels(
    uv: Tensor, uv_tri: Tensor, free: Tensor, near_only: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Texels that are free and that a border passes through: each with the nearest border's point.

    Args:
        uv: [U,2].
        uv_tri: [T,3]; a row with an index that names nothing draws nothing.
        free: bool [H,W].
        near_only: only those whose centre is at most NEAR from a border.
    Returns: (texel int64 [R] = row * W + column, triangle int64 [R], weights [R,3] of its corners), or None.
    """
    height, width = free.shape
    real = ((uv_tri >= 0) & (uv_tri < len(uv))).all(1)
    found = rims(uv, torch.where(real[:, None], uv_tri, 0))
    size = np.array([width, height])
    places = uv.detach().double().cpu().numpy() * size
    tri, is_free = uv_tri.cpu().numpy(), free.reshape(-1).cpu().numpy()
    parts = []
    for first in range(0, len(found.triangle), EDGES):
        triangle = found.triangle[first : first + EDGES]
        corner = found.corner[first : first + EDGES]
        begin = places[tri[triangle, corner]]
        end = places[tri[triangle, (corner + 1) % 3]]
        edge, texel = _walk(begin, end, width, height)
        kept = is_free[texel]
        edge, texel = edge[kept], texel[kept]
        centre = np.stack([texel % width, texel // width], 1) + 0.5
        along, distance = _nearest(centre, begin[edge], end[edge])
        if near_only:
            kept = distance <= NEAR
            edge, texel, along, distance = edge[kept], texel[kept], along[kept], distance[kept]
        parts.append((texel, triangle[edge], corner[edge], along, distance))
    if not parts:
        return None
    texel, triangle, corner, along, distance = (np.concatenate(x) for x in zip(*parts))
    order = np.lexsort([distance, texel])
    texel, one = np.unique(texel[order], return_index=True)  # the first of each is the nearest
    triangle, corner, along = (x[order][one] for x in (triangle, corner, along))
    weight = np.zeros((len(texel), 3), np.float32)
    row = np.arange(len(texel))
    weight[row, corner], weight[row, (corner + 1) % 3] = 1 - along, along
    device = free.device
    return tuple(torch.from_numpy(x).to(device) for x in (texel, triangle, weight))  # type: ignore[return-value]


def nearest_weights(centre: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[R,3], the weights of the point of each triangle [R,3,2] that is nearest to a point [R,2]: itself inside."""
    best, weight = np.full(len(centre), np.inf), np.zeros((len(centre), 3))
    row, sides = np.arange(len(centre)), []
    for k in range(3):
        a, b = corners[:, k], corners[:, (k + 1) % 3]
        along, distance = _nearest(centre, a, b)
        nearer = distance < best
        best = np.where(nearer, distance, best)
        point = np.zeros_like(weight)
        point[row, k], point[row, (k + 1) % 3] = 1 - along, along
        weight = np.where(nearer[:, None], point, weight)
        (x1, y1), (x2, y2) = (b - a).T, (centre - a).T
        sides.append(x1 * y2 - y1 * x2)
    side = np.stack(sides[1:] + sides[:1], 1)  # twice the area across from each corner
    area = side.sum(1, keepdims=True)
    inside = np.abs(np.sign(side).sum(1, keepdims=True)) == 3  # all on one side
    return np.where(inside, side / np.where(inside, area, 1), weight)


def _walk(
    begin: np.ndarray, end: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """(edge, texel), once for each texel of the image that each of the edges [E,2] to [E,2] passes through."""
    low, high = _within(begin, end, width, height)
    seen = np.flatnonzero(low <= high)
    step = end[seen] - begin[seen]
    first, last = (begin[seen] + t[seen, None] * step for t in (low, high))
    edges, times = [np.repeat(seen, 2)], [np.stack([low[seen], high[seen]], 1).reshape(-1)]
    for axis in (0, 1):  # where it crosses the lines between columns, and between rows
        least, most = (f(first[:, axis], last[:, axis]) for f in (np.minimum, np.maximum))
        line = np.floor(least).astype(np.int64) + 1
        row, at = ragged(line, np.maximum(0, np.ceil(most).astype(np.int64) - line))
        edges.append(seen[row])
        times.append((at - begin[seen[row], axis]) / step[row, axis])
    edge, time = np.concatenate(edges), np.concatenate(times)
    order = np.lexsort([time, edge])
    edge, time = edge[order], time[order]
    same = np.flatnonzero(edge[1:] == edge[:-1])
    edge, middle = edge[same], (time[same] + time[same + 1]) / 2
    x, y = np.floor(begin[edge] + middle[:, None] * (end[edge] - begin[edge])).astype(np.int64).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return edge[inside], (y * width + x)[inside]


def _within(
    begin: np.ndarray, end: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part low..high [E] of each edge that lies in the image; low > high where none does.

    Source: Liang and Barsky 1984.
    """
    low, high = np.zeros(len(begin)), np.ones(len(begin))
    step = end - begin
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, size in ((0, width), (1, height)):
            d, x = step[:, axis], begin[:, axis]
            a, b = np.sort(np.stack([-x / d, (size - x) / d]), axis=0)
            flat = d == 0
            beside = flat & ((x < 0) | (x > size))
            low = np.where(flat, low, np.maximum(low, a))
            high = np.where(flat, np.where(beside, -1.0, high), np.minimum(high, b))
    return low, high


def _nearest(
    point: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(where along each edge, 0..1, its point nearest to the point is; how far that is)."""
    step = end - begin
    squared = (step * step).sum(1)
    along = ((point - begin) * step).sum(1) / np.where(squared > 0, squared, 1)
    along = np.clip(along, 0, 1)
    return along, np.linalg.norm(begin + along[:, None] * step - point, axis=1)
