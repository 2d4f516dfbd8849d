"""The visual hull: the largest shape whose silhouettes lie inside all the masks.

Laurentini 1994. A signed distance stands in for the yes or no of voxel carving: each mask gives the
distance to its outline, turned from pixels into world units at the depth of the point, and the
smallest over the views is the field whose zero level marching cubes takes. That surface is smooth
well below the size of a voxel.
"""

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor

from ..clip import remove_small_components
from .consensus import Consensus, agree
from .silhouettes import (
    MASK_CELLS,
    homogeneous,
    mask_distance,
    reduced_known,
    reduced_masks,
    signed_distance,
    tell,
)

__all__ = ["carved", "hull_distance", "mask_distance", "object_box", "settled", "visual_hull"]

# Voxels along the longest side of the box. The first carving only has to find the box; the second
# is as fine as the pictures, which show the object over about a third of their longer side.
COARSE_VOXELS = 40
FINE_VOXELS = 112
# Boxes to try, each 1.6 times the last, until the object does not touch the sides.
BOXES = 4
# Pieces with less than this share of the largest piece's triangles come from noise in the masks.
CRUMB = 0.02
# Rounds of weighting until the middle of the views stands.
RAY_ROUNDS = 8
# Points whose distance is evaluated at a time, to bound memory.
CHUNK = 1 << 18


def visual_hull(alpha: Tensor, world_to_clip: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
    """The surface of the visual hull, triangles seen anticlockwise from outside.

    Args:
        alpha: [N,H,W] in 0..1, row 0 at the bottom. Where a few contradict the others, the
            others decide: see consensus.py.
        world_to_clip: [N,4,4].
        names: of the N views, for the messages.

    Returns:
        pos [V,3] float32 and tri [T,3] int32, on the CPU.

    Raises:
        ValueError: fewer than two views, or masks that no common volume explains.
    """
    return carved(settled(alpha, world_to_clip, names).inside, world_to_clip, names)


def settled(
    alpha: Tensor, world_to_clip: Tensor, names: list[str], known: Tensor | None = None
) -> Consensus:
    """The masks after their vote; arguments and errors as of `visual_hull`, and where the masks are known [N,H,W]."""
    if len(alpha) < 2:
        raise ValueError(
            f"glrast fit: the shape needs at least 2 views (a dozen or more serve it well); found "
            f"{len(alpha)} ({', '.join(names)}). Add frames to the transforms file."
        )
    inside, matrix = reduced_masks(alpha), world_to_clip.double()
    return agree(inside, matrix, *_first_box(inside, matrix, names), reduced_known(known))


def carved(
    inside: Tensor, world_to_clip: Tensor, names: list[str], known: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The surface of what lies inside every one of the masks [N,h,w] (bool, in cells), where they are `known`."""
    distance, matrix = signed_distance(inside, known), world_to_clip.double()
    centre, radius = _first_box(inside, matrix, names)
    low, high = _occupied_box(distance, matrix, centre, radius)
    voxels = min(FINE_VOXELS, max(COARSE_VOXELS, FINE_VOXELS * max(inside.shape[1:]) // MASK_CELLS))
    field, origin, voxel = _field(distance, matrix, low, high, voxels)
    # A frame of outside around the box closes the surface where the masks leave it open.
    field = np.pad(field, 1, constant_values=-voxel)
    vertices, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
    pos = torch.from_numpy(((vertices - 1.0) * voxel + origin).astype(np.float32))
    tri = torch.from_numpy(faces.astype(np.int32))
    return remove_small_components(pos, tri, CRUMB)[:2]


def object_box(
    inside: Tensor, world_to_clip: Tensor, names: list[str], known: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), [3] each, of a box around what lies inside every mask; arguments as of `carved`."""
    distance, matrix = signed_distance(inside, known), world_to_clip.double()
    return _occupied_box(distance, matrix, *_first_box(inside, matrix, names))


def _first_box(inside: Tensor, matrix: Tensor, names: list[str]) -> tuple[Tensor, float]:
    """Where the views meet: a centre and a radius that holds the object, or nearly so."""
    seen = [index for index, mask in enumerate(inside) if mask.any()]
    if len(seen) < 2:
        raise ValueError(
            f"glrast fit: only {len(seen)} of the {len(inside)} masks show anything of the object at "
            f"{inside.shape[2]}x{inside.shape[1]} cells. Crop the pictures closer around it."
        )
    matrix = matrix[seen]
    origin, direction, spread = _mask_rays(inside[seen], matrix)
    centre = _nearest_to_rays(origin, direction)
    depth = (torch.cat([centre, centre.new_ones(1)]) @ matrix.transpose(1, 2))[:, 3]
    behind = [names[index] for index, w in zip(seen, depth.tolist(), strict=True) if w <= 0]
    if behind:
        raise ValueError(
            f"glrast fit: the object lies behind the camera of {_some(behind)}. transform_matrix "
            "must take the camera to the world with OpenGL axes (the camera looks along -z, y is "
            "up); for OpenCV axes negate the second and the third column."
        )
    return centre, float((spread * depth).median())


def _nearest_to_rays(origin: Tensor, direction: Tensor) -> Tensor:
    """The point [3] with the least sum of distances to the rays: a few rays astray move it little."""
    across = torch.eye(3, dtype=torch.float64) - direction[:, :, None] * direction[:, None, :]
    weight = torch.ones(len(origin), dtype=torch.float64)
    centre = torch.zeros(3, dtype=torch.float64)
    # Weighted least squares, sum w (I - d d^T) (x - o) = 0, with w one over the last distance.
    for _ in range(RAY_ROUNDS):
        total = (weight[:, None, None] * across).sum(dim=0)
        right = (weight[:, None] * (across @ origin[:, :, None])[:, :, 0]).sum(dim=0)
        total = total + 1e-9 * weight.sum() * torch.eye(3, dtype=torch.float64)
        centre = torch.linalg.solve(total, right)
        away = (across @ (centre - origin)[:, :, None]).norm(dim=(1, 2))
        weight = 1.0 / away.clamp_min(float(away.median()) + 1e-12)
    return centre


def _mask_rays(inside: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per view: the ray through the mask's middle, and the mask's radius per unit of depth."""
    origins, directions, spreads = [], [], []
    for mask, world_to_clip in zip(inside, matrix, strict=True):
        rows, columns = torch.nonzero(mask.any(dim=1)), torch.nonzero(mask.any(dim=0))
        size = torch.tensor([mask.shape[1], mask.shape[0]], dtype=torch.float64)
        low = torch.stack([columns.min(), rows.min()]).double() / size * 2 - 1
        high = torch.stack([columns.max() + 1, rows.max() + 1]).double() / size * 2 - 1
        clip_to_world = torch.linalg.inv(world_to_clip)
        near, far = (
            (clip_to_world @ torch.cat([(low + high) / 2, torch.tensor([z, 1.0]).double()]))
            for z in (-1.0, 0.5)
        )
        near, far = near[:3] / near[3], far[:3] / far[3]
        origins.append(near)
        directions.append(torch.nn.functional.normalize(far - near, dim=0))
        # One unit of x_ndc at w = 1 is 1 / |row of x| world units.
        spreads.append(((high - low) / 2 / world_to_clip[:2, :3].norm(dim=1)).max())
    return torch.stack(origins), torch.stack(directions), torch.stack(spreads)


def _occupied_box(
    distance: Tensor, matrix: Tensor, centre: Tensor, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """The box of the voxels inside the hull, with a margin of two coarse voxels."""
    half = 1.5 * radius
    for remaining in reversed(range(BOXES)):
        low, high = centre.numpy() - half, centre.numpy() + half
        field, origin, voxel = _field(distance, matrix, low, high, COARSE_VOXELS)
        # Half a voxel of slack: a thin horn between two samples still counts.
        inside = np.argwhere(field > -0.5 * voxel)
        last = np.array(field.shape) - 1
        clear = len(inside) and inside.min() > 0 and (inside < last).all()
        if clear or (len(inside) and not remaining):
            return (
                origin + (inside.min(axis=0) - 2) * voxel,
                origin + (inside.max(axis=0) + 2) * voxel,
            )
        half *= 1.6
    raise ValueError(
        "glrast fit: the masks have no volume in common, so there is no shape to start from. Check "
        "that transform_matrix takes the camera to the world with OpenGL axes (looks along -z, y "
        "up), that camera_angle_x or fl_x is right, and that white means object in the masks."
    )


def _field(
    distance: Tensor, matrix: Tensor, low: np.ndarray, high: np.ndarray, voxels: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """The hull's signed distance (world units, + inside) on a grid over the box [low, high]."""
    voxel = float((high - low).max()) / (voxels - 1)
    shape = np.maximum(np.ceil((high - low) / voxel).astype(int) + 1, 2)
    axes = [
        torch.arange(count, dtype=torch.float64) * voxel + start
        for count, start in zip(shape, low, strict=True)
    ]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    field = torch.cat([hull_distance(distance, matrix, part) for part in points.split(CHUNK)])
    # Beyond two voxels only the sign matters, and marching cubes interpolates better without leaps.
    return field.reshape(*shape).clamp(-2 * voxel, 2 * voxel).numpy(), low, voxel


def hull_distance(distance: Tensor, matrix: Tensor, points: Tensor) -> Tensor:
    """Signed distance of the points [P,3] to the hull in world units, [P], positive inside.

    What fewer than a quarter of the views (at least two) tell of is outside.
    """
    asked = homogeneous(points).to(matrix)
    nearest = torch.full((len(points),), torch.inf)
    told = torch.zeros(len(points), dtype=torch.int32)
    for image, world_to_clip in zip(distance, matrix, strict=True):
        view = tell(image, world_to_clip, asked)
        nearest = torch.minimum(nearest, view.value)
        told += view.told
    return torch.where(told >= max(2, len(matrix) // 4), nearest, -torch.inf)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
