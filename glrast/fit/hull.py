"""The visual hull: the largest shape whose silhouettes lie inside all the masks.

Laurentini 1994. A signed distance stands in for the yes or no of voxel carving: each mask gives the
distance to its outline, turned from pixels into world units at the depth of the point, and the
smallest over the views is the field whose zero level marching cubes takes. That surface is smooth
well below the size of a voxel.
"""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.measure import marching_cubes
from torch import Tensor

from glrast.clip import remove_small_components

# Voxels along the longest side of the box. The first carving only has to find the box; the second
# is as fine as the pictures, which show the object over about a third of their longer side.
COARSE_VOXELS = 40
FINE_VOXELS = 112
# Boxes to try, each 1.6 times the last, until the object does not touch the sides.
BOXES = 4
# The masks are reduced to this many pixels on the longer side; the distances interpolate.
MASK_PIXELS = 256
# Pieces with less than this share of the largest piece's triangles come from noise in the masks.
CRUMB = 0.02
# Points whose distance is evaluated at a time, to bound memory.
CHUNK = 1 << 18


def visual_hull(alpha: Tensor, world_to_clip: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
    """The surface of the visual hull, triangles seen anticlockwise from outside.

    Args:
        alpha: [N,H,W] in 0..1, row 0 at the bottom.
        world_to_clip: [N,4,4].
        names: of the N views, for the messages.

    Returns:
        pos [V,3] float32 and tri [T,3] int32, on the CPU.

    Raises:
        ValueError: fewer than two views, or masks that no common volume explains.
    """
    if len(alpha) < 2:
        raise ValueError(
            f"glrast fit: the shape needs at least 2 views (a dozen or more serve it well); found "
            f"{len(alpha)} ({', '.join(names)}). Add frames to the transforms file."
        )
    distance = mask_distance(alpha)
    matrix = world_to_clip.double()
    centre, radius = _first_box(alpha, matrix, names)
    low, high = _occupied_box(distance, matrix, centre, radius)
    voxels = min(FINE_VOXELS, max(COARSE_VOXELS, max(alpha.shape) // 3))
    field, origin, voxel = _field(distance, matrix, low, high, voxels)
    # A frame of outside around the box closes the surface where the masks leave it open.
    field = np.pad(field, 1, constant_values=-voxel)
    vertices, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
    pos = torch.from_numpy(((vertices - 1.0) * voxel + origin).astype(np.float32))
    tri = torch.from_numpy(faces.astype(np.int32))
    return remove_small_components(pos, tri, CRUMB)[:2]


def mask_distance(alpha: Tensor) -> Tensor:
    """Signed distance to each mask's outline in units of the image height: [N,h,w], + inside."""
    height, width = alpha.shape[1:]
    scale = min(1.0, MASK_PIXELS / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = torch.nn.functional.interpolate(alpha[:, None].float(), size=size, mode="area")[:, 0]
    inside = small.cpu().numpy() > 0.5
    to_outside, to_inside = (
        np.stack([np.asarray(distance_transform_edt(mask)) for mask in masks])
        for masks in (inside, ~inside)
    )
    signed = to_outside - to_inside
    # The outline lies half a pixel from the nearest centre of the other side.
    return torch.from_numpy(signed - 0.5 * np.sign(signed)).float() / size[0]


def _first_box(alpha: Tensor, matrix: Tensor, names: list[str]) -> tuple[Tensor, float]:
    """Where the views meet: a centre and a radius that holds the object, or nearly so."""
    origin, direction, spread = _mask_rays(alpha, matrix)
    # The point nearest to all rays: sum (I - d d^T) (x - o) = 0.
    across = torch.eye(3, dtype=torch.float64) - direction[:, :, None] * direction[:, None, :]
    total = across.sum(dim=0) + 1e-9 * torch.eye(3, dtype=torch.float64)
    centre = torch.linalg.solve(total, (across @ origin[:, :, None]).sum(dim=0)[:, 0])
    depth = (torch.cat([centre, centre.new_ones(1)]) @ matrix.transpose(1, 2))[:, 3]
    behind = [name for name, w in zip(names, depth.tolist(), strict=True) if w <= 0]
    if behind:
        raise ValueError(
            f"glrast fit: the object lies behind the camera of {_some(behind)}. transform_matrix "
            "must take the camera to the world with OpenGL axes (the camera looks along -z, y is "
            "up); for OpenCV axes negate the second and the third column."
        )
    return centre, float((spread * depth).median())


def _mask_rays(alpha: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per view: the ray through the mask's middle, and the mask's radius per unit of depth."""
    origins, directions, spreads = [], [], []
    for mask, world_to_clip in zip(alpha > 0.5, matrix, strict=True):
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

    A mask that keeps clear of the border shows the whole object: what lies beyond the image, or
    behind the camera, is outside. A mask that the border cuts says nothing of what its image does
    not show; what fewer than a quarter of the views (at least two) tell of is outside.
    """
    homogeneous = torch.cat([points, torch.ones_like(points[:, :1])], dim=1).to(matrix)
    nearest = torch.full((len(points),), torch.inf)
    told = torch.zeros(len(points), dtype=torch.int32)
    for image, world_to_clip in zip(distance, matrix, strict=True):
        clip = homogeneous @ world_to_clip.T
        w = clip[:, 3].clamp_min(1e-9)
        ndc = (clip[:, :2] / w[:, None]).float()
        value = torch.nn.functional.grid_sample(
            image[None, None], ndc[None, None], align_corners=False, padding_mode="border"
        )[0, 0, 0]
        # The image's height is 2 in y_ndc, and y_ndc * w is world units times |row of y|.
        value = value * 2.0 * (w / world_to_clip[1, :3].norm()).float()
        value = torch.where(clip[:, 3] > 0, value, -torch.inf)
        if _is_cut(image):
            shown = (clip[:, 3] > 0) & (ndc.abs() <= 1).all(dim=1)
            value = torch.where(shown, value, torch.inf)
            told += shown
        else:
            told += 1
        nearest = torch.minimum(nearest, value)
    return torch.where(told >= max(2, len(matrix) // 4), nearest, -torch.inf)


def _is_cut(distance: Tensor) -> bool:
    """Whether the object of this mask reaches the border of the image."""
    border = (distance[0], distance[-1], distance[:, 0], distance[:, -1])
    return any(bool((side > 0).any()) for side in border)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
