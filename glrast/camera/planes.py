"""Near and far planes: from the mesh that a camera sees, or, without one, a guess from the cameras alone.

Between the planes lies all that is drawn. float32 depth tells two surfaces at distance z apart when they are
about 3e-8 z^2 / near apart, so near decides over the precision and far hardly matters: near is the distance of
the nearest thing in view, and far may be generous.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..core.arguments import positions, triangles
from .camera import Camera

MARGIN = 0.01  # the planes keep this share of their distance from the mesh
# A camera that touches the mesh: near is this share of far, and float32 still orders what is beyond 1e-3 of far.
LEAST_NEAR = 1e-6
# Vertices in front within this ratio need no closer look: their depth is precise enough.
SHALLOW = 1e-3
SHARED = 0.9  # of the cameras must have the common point in front of them
CHUNK = 1 << 20  # vertices or triangles at a time, to bound memory


@torch.no_grad()
def planes_around(camera: Camera, pos: Any, tri: Any) -> tuple[float, float] | None:
    """(near, far) that hold what `camera` can see of a mesh, for `Camera.with_planes`.

    Args:
        camera: its own planes do not matter, but for a parallel projection whose near plane lies behind the
            camera: then what is behind it counts too.
        pos: [V,3] in the camera's world. Vertices that are not finite are left out.
        tri: int [T,3].
    Returns: distances along the axis with a margin of 1 %; near > 0 for a perspective. None where no part of the
        mesh is in front of the camera.
    Note: for a camera inside the mesh, or with triangles that reach behind it, near is the distance of the nearest
        point inside the view, not of the nearest vertex.
    """
    pos = positions("planes_around", pos).detach()
    tri = triangles("planes_around", tri, len(pos))
    clip = _homogeneous(camera, pos)
    used = tri[torch.isfinite(clip).all(1)[tri].all(1)] if len(tri) else tri
    if not len(used):
        return None
    depth = clip[:, 3]
    far = float(depth[used].amax())
    if not camera.is_perspective:
        return _parallel(camera, float(depth[used].amin()), far)
    if far <= 0:
        return None
    nearest = float(depth[used].amin())
    if nearest < SHALLOW * far:
        nearest = min((_nearest(clip, part) for part in used.split(CHUNK)), default=math.inf)
        if nearest == math.inf:  # in front, but not in the view
            nearest = SHALLOW * far
    near = max(nearest * (1 - MARGIN), far * LEAST_NEAR)
    return near, max(far, near) * (1 + MARGIN)


def guess_planes(centres: Tensor, backward: Tensor) -> tuple[float, float] | None:
    """(near, far) from cameras alone: float64 centres [N,3], axes that point away from the scene [N,3].

    Cameras that look at something in common: with d the distance from the point nearest to all optical axes,
    near = median d / 100, far = 10 max d. Cameras side by side, looking outwards, or a single one say nothing of
    where the scene is: with E the largest distance of two cameras and c those to the world's origin, near =
    min(E, median c) / 100 and far = 100 max(E, c). None where that is 0.
    """
    looked_at = focus_distance(centres, backward)
    if looked_at is not None:
        return float(looked_at.median()) / 100, 10 * float(looked_at.max())
    extent = spread(centres)
    distance = centres.norm(dim=1)
    scales = [x for x in (extent, float(distance.median())) if x > 0]
    if not scales:
        return None
    return min(scales) / 100, 100 * max(extent, float(distance.max()))


def focus_distance(centres: Tensor, backward: Tensor) -> Tensor | None:
    """How far each camera is from the point nearest to all optical axes, [N]; None where they share none in front."""
    axes = torch.nn.functional.normalize(backward, dim=1)
    # the point nearest to all lines c + s a: sum (1 - a a^T) (x - c) = 0
    across = (
        torch.eye(3, dtype=axes.dtype, device=axes.device) - axes[:, :, None] * axes[:, None, :]
    )
    # from the first camera: far coordinates would cost digits
    away = centres - centres[0]
    system, right = across.sum(0), (across @ away[:, :, None]).sum(0)
    # the least eigenvalue over N is the mean square sine between the axes: 1e-4 is 0.6 degrees
    if float(torch.linalg.eigvalsh(system)[0]) < 1e-4 * len(centres):
        return None
    to_focus = torch.linalg.solve(system, right)[:, 0] - away
    distance, before = to_focus.norm(dim=1), (to_focus * axes).sum(1) < 0
    shared = float(before.double().mean()) >= SHARED and float(distance.median()) > 0
    return distance if shared else None


def spread(centres: Tensor) -> float:
    """The diagonal of the box of the cameras [N,3]: the largest distance of two, or up to sqrt(3) times it."""
    return float((centres.amax(0) - centres.amin(0)).norm())


def _parallel(camera: Camera, nearest: float, far: float) -> tuple[float, float] | None:
    """Planes of a parallel projection: depth is linear, so a margin of the range will do."""
    behind = camera.near_plane < 0
    if far <= 0 and not behind:
        return None
    near = nearest if behind else max(nearest, 0.0)
    slack = MARGIN * max(far - near, 1e-6 * abs(far), 1e-30)
    return (near - slack if behind or near > slack else 0.0), far + slack


def _homogeneous(camera: Camera, pos: Tensor) -> Tensor:
    """float64 [V,4] of the vertices: x and y as in clip space, 0, and the distance along the axis."""
    view, projection = (
        m.detach().to(pos.device).double() for m in (camera.world_to_camera, camera.projection)
    )
    rows = torch.stack(
        [projection[0], projection[1], 0 * projection[2], torch.zeros_like(projection[3])]
    )
    if camera.is_perspective:  # x and y per unit of distance
        rows = rows / -projection[3, 2]
    rows[3, 2] = -1.0
    matrix = rows @ view
    parts = [part.double() @ matrix[:, :3].T + matrix[:, 3] for part in pos.split(CHUNK)]
    return torch.cat(parts) if parts else pos.new_zeros(0, 4).double()


def _nearest(clip: Tensor, tri: Tensor) -> float:
    """The least depth of the triangles inside the view pyramid, inf where they are all outside.

    The least depth of a triangle cut by the pyramid is at a corner of the cut: on an edge of the triangle, or
    where an edge of the pyramid goes through it.
    """
    corner = clip[tri]
    x, y, w = corner[..., 0], corner[..., 1], corner[..., 3]
    sides = torch.stack(
        [w - x, w + x, w - y, w + y]
    )  # [4,T,3], >= 0 inside; all four: in front as well
    kept = ~(sides < 0).all(2).any(0)
    corner, sides, w = corner[kept], sides[:, kept], w[kept]
    if not len(corner):
        return math.inf
    return min(_nearest_of_edges(sides, w), _nearest_of_rays(corner))


def _nearest_of_edges(sides: Tensor, w: Tensor) -> float:
    """The least depth on the triangles' edges within the pyramid; each side is linear along an edge."""
    start, end = sides, sides.roll(-1, 2)
    cross = start / (start - end)  # where the edge goes through the side
    low = torch.where(
        (start < 0) & (end >= 0), cross, torch.where((start < 0) & (end < 0), 2.0, 0.0)
    )
    high = torch.where((start >= 0) & (end < 0), cross, 1.0)
    low, high = low.amax(0), high.amin(0)
    inside = low <= high
    w_end = w.roll(-1, 1)
    depth = torch.minimum(w + low * (w_end - w), w + high * (w_end - w))
    return float(depth[inside].amin().clamp_min(0)) if bool(inside.any()) else math.inf


def _nearest_of_rays(corner: Tensor) -> float:
    """The least depth at which the pyramid's four edges go through the triangles [T,3,4]."""
    least = math.inf
    for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        # in (x - X w, y - Y w) the ray is the point 0; w is linear over the triangle
        u = corner[..., 0] - x * corner[..., 3]
        v = corner[..., 1] - y * corner[..., 3]
        # twice the area that the point 0 makes with the edge across from each corner
        u1, u2, v1, v2 = u.roll(-1, 1), u.roll(-2, 1), v.roll(-1, 1), v.roll(-2, 1)
        area = u1 * v2 - u2 * v1
        total = area.sum(1)
        hit = ((area >= 0).all(1) | (area <= 0).all(1)) & (total != 0)
        depth = ((area * corner[..., 3]).sum(1) / total)[hit]
        depth = depth[depth > 0]
        if len(depth):
            least = min(least, float(depth.amin()))
    return least
