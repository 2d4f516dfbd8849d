"""Isotropic remeshing: the same surface in triangles of nearly one size and nearly equal sides.

One round splits long edges, collapses short ones, flips edges towards six at every vertex, moves
vertices along the surface to the middle of their neighbours, and puts them back onto the surface
that was given. The bounds 4/3 and 4/5 are those at which a split or a collapse pays: an edge of
length s is split when its halves are nearer to the target than s is.

Each step works on a set of edges that do not touch each other, in NumPy, in a fixed order.
Source: Botsch and Kobbelt 2004, "A Remeshing Approach to Multiresolution Modeling", section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..core import check
from ..core.arguments import plain, positions, triangles
from ..core.check import show, wrong
from .remesh_edges import collapse_short, flip_to_valence
from .remesh_surface import Surface, cross, normal_axes
from .topology import edge_table

LOW, HIGH = 4 / 5, 4 / 3  # of the target length
TRIANGLES_LIMIT = 50_000_000


def remesh(
    pos: Tensor,
    tri: Tensor,
    target_length: float,
    iterations: int = 5,
    project: bool = True,
    attrs: Sequence[Tensor] = (),
) -> tuple[Tensor, ...]:
    """The surface in nearly equilateral triangles with edges of about `target_length`.

    Args:
        pos: [V,3].
        tri: integer [T,3], consistently oriented.
        target_length: world units; most edges end between 4/5 and 4/3 of it.
        iterations: rounds; 5 is usual.
        project: keep vertices on the given surface. False lets the shape smooth a little.
        attrs: any number of [V,A]; taken over from the given surface at each new vertex.
    Returns: (pos [V',3], tri int32 [T',3], *attrs [V',A]).
    Gradients: none; results are detached.
    Note: a closed manifold stays one, of the same genus. The border of an open surface and edges
        with three triangles or more may be split but stay where they are. Creases of more than
        about 55 degrees are kept. A surface that comes nearer to itself than target_length may
        intersect itself.
    Source: Botsch and Kobbelt 2004, section 4; the closest point is searched by walking from
        where the vertex was, so that a thin sheet keeps its two sides.
    """
    pos = positions("remesh", pos)
    tri = triangles("remesh", tri, len(pos))
    target_length, iterations, attrs = _checked(pos, target_length, iterations, attrs)
    faces = tri.cpu().numpy()
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    given, faces = _compact(faces)
    place = pos.detach().cpu().numpy().astype(np.float64)[given]
    _check_size(place, faces, target_length)
    surface = Surface(place, faces)
    home = surface.any_triangle_of_vertices()
    for _ in range(iterations if len(faces) else 0):
        place, faces, home = _split_long(place, faces, home, HIGH * target_length)
        place, faces = collapse_short(place, faces, LOW * target_length, HIGH * target_length)
        faces = flip_to_valence(place, faces)
        moved = _relaxed(place, faces)
        if project:
            moved, home, _ = surface.closest(moved, home)
        place = _without_folds(place, moved, faces)
    used, faces = _compact(faces)
    place, home = place[used], home[used]
    out = [torch.from_numpy(place).to(pos), torch.from_numpy(faces).to(tri.device).int()]
    if attrs:
        _, home, weight = surface.closest(place, home)
        corners = torch.from_numpy(given[surface.tri[home]])
        for attr in attrs:
            rows = attr.detach()[corners.to(attr.device)]
            out.append((rows * torch.from_numpy(weight).to(attr)[:, :, None]).sum(1))
    return tuple(out)


def _checked(
    pos: Tensor, target_length: float, iterations: int, attrs: Sequence[Tensor]
) -> tuple[float, int, list[Tensor]]:
    target_length = check.number(
        "clip.remesh", "target_length", target_length, "it is in world units", finite=False
    )
    iterations = check.whole(
        "clip.remesh", "iterations", iterations, 0, 1_000_000, remedy="5 is usual"
    )
    attrs = [plain("remesh", f"attrs[{k}]", attr) for k, attr in enumerate(attrs)]
    if not 0 < target_length < float("inf"):
        raise ValueError(
            wrong(
                "clip.remesh",
                "target_length must be a positive length in world units",
                target_length,
                "edge_lengths(pos, tri).mean() is what the mesh has",
            )
        )
    if not bool(torch.isfinite(pos).all()):
        raise ValueError(
            wrong(
                "clip.remesh",
                "pos must be finite",
                "nan or inf",
                "look for the step of the optimisation that made it",
            )
        )
    for k, attr in enumerate(attrs):
        if attr.ndim != 2 or len(attr) != len(pos) or not attr.dtype.is_floating_point:
            raise ValueError(
                wrong(
                    "clip.remesh",
                    f"attrs[{k}] must be float [V,A] with V={len(pos)} (from pos)",
                    f"{attr.dtype} {show(attr)}",
                    "give every vertex a row",
                )
            )
    return target_length, iterations, attrs


def _check_size(pos: np.ndarray, tri: np.ndarray, target_length: float) -> None:
    area = np.linalg.norm(cross(pos, tri), axis=1).sum() / 2
    ends = edge_table(tri)[0]
    along = np.linalg.norm(pos[ends[:, 0]] - pos[ends[:, 1]], axis=1).sum()
    # triangles of an equilateral tiling, and for slivers those along their edges
    expected = area / (np.sqrt(3) / 4 * target_length**2) + along / target_length
    if expected > TRIANGLES_LIMIT:
        raise ValueError(
            wrong(
                "clip.remesh",
                f"target_length must make at most {TRIANGLES_LIMIT:,} triangles",
                f"{target_length:g}, which makes about {expected:.1e}",
                "choose a longer one",
            )
        )


def _compact(tri: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the vertices in use, tri with their new numbers)."""
    used, new = np.unique(tri, return_inverse=True)
    return used, new.reshape(-1, 3)


def _split_long(
    pos: np.ndarray, tri: np.ndarray, home: np.ndarray, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints on all edges longer than `high`, until there are none."""
    while True:
        ends, edge_of, _ = edge_table(tri)
        a, b = ends.T
        long = np.linalg.norm(pos[a] - pos[b], axis=1) > high
        if not long.any():
            return pos, tri, home
        middle = np.where(long, len(pos) + np.cumsum(long) - 1, -1)[edge_of]  # [T,3], -1 for none
        pos = np.concatenate([pos, (pos[a[long]] + pos[b[long]]) / 2])
        home = np.concatenate([home, home[a[long]]])
        tri = _cut(pos, tri, middle)


def _cut(pos: np.ndarray, tri: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Triangles cut at the given midpoints (middle[t,k] on the edge opposite corner k, or -1)."""
    parts = [tri[(middle < 0).all(1)]]
    for count in (1, 2, 3):
        rows = np.flatnonzero((middle >= 0).sum(1) == count)
        # turn each so that corner 0 is opposite the one cut edge, or the one whole edge
        turn = ((middle[rows] >= 0) == (count == 1)).argmax(1) if count < 3 else 0 * rows
        corner = (turn[:, None] + np.arange(3)) % 3
        v0, v1, v2 = np.take_along_axis(tri[rows], corner, 1).T
        m0, m1, m2 = np.take_along_axis(middle[rows], corner, 1).T
        if count == 1:
            parts += [np.stack([v0, v1, m0], 1), np.stack([v0, m0, v2], 1)]
        elif count == 2:
            # the corner, and a quad m2 v1 v2 m1 cut along its shorter diagonal
            first = np.linalg.norm(pos[m2] - pos[v2], axis=1) <= np.linalg.norm(
                pos[v1] - pos[m1], axis=1
            )
            third, fourth = np.where(first, v2, m1), np.where(first, m2, v1)
            parts += [np.stack(x, 1) for x in ((v0, m2, m1), (m2, v1, third), (fourth, v2, m1))]
        else:
            parts += [np.stack(x, 1) for x in ((v0, m2, m1), (m2, v1, m0), (m1, m0, v2))]
            parts.append(np.stack([m0, m1, m2], 1))
    return np.concatenate(parts)


def _relaxed(pos: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """Vertices moved to the mean of their neighbours as far as that leads along the surface.

    Creases move along themselves only; corners and borders stay.
    """
    ends, _, count = edge_table(tri)
    both = np.concatenate([ends, ends[:, ::-1]])
    degree = np.bincount(both[:, 0], minlength=len(pos))
    mean = np.stack([np.bincount(both[:, 0], pos[both[:, 1], k], len(pos)) for k in range(3)], 1)
    step = mean / np.maximum(degree, 1)[:, None] - pos
    axes, off = normal_axes(pos, tri)
    along = (axes * step[:, :, None]).sum(1)  # the step in the frame of the axes
    step = (axes * np.where(off, 0, along)[:, None, :]).sum(2)
    step[degree == 0] = 0
    step[ends[count != 2].reshape(-1)] = 0
    return pos + step


def _without_folds(pos: np.ndarray, moved: np.ndarray, tri: np.ndarray) -> np.ndarray:
    """`moved`, but the old place for the vertices of triangles that turned over on the way."""
    old = cross(pos, tri)
    moved = moved.copy()
    while True:  # ends: a triangle whose corners are all back has not turned
        turned = (cross(moved, tri) * old).sum(1) < 0
        if not turned.any():
            return moved
        back = tri[turned].reshape(-1)
        moved[back] = pos[back]
