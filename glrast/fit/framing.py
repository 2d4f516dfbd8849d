"""Near and far planes that hold what the masks show: the pictures know where the object is, cameras only guess.

The rays through the middle of each mask meet in the object. Planes that already hold the surroundings of that
point generously stay as they are.
"""

import torch
from torch import Tensor

# The hull is looked for within 6.2 radii of the meeting point (fit/hull.py: 1.5 * 1.6^3).
REACH = 7.0
# near at most this share of the object's distance, which an object may come towards the camera.
NEAR, NEAR_GIVEN = 0.05, 0.01


def planes_of_masks(
    alpha: Tensor, world_to_camera: Tensor, projection: Tensor
) -> tuple[Tensor, float] | None:
    """(meeting point [3], radius of the object), both float64; None where the rays do not meet in front of all.

    Args:
        alpha: [N,H,W], row 0 at the bottom, more than half of its largest value on the object.
        world_to_camera, projection: float64 [N,4,4], perspective.
    """
    origins, directions, spreads = [], [], []
    for mask, view, lens in zip(alpha, world_to_camera, projection, strict=True):
        on = mask > 127
        rows, columns = torch.nonzero(on.any(dim=1)), torch.nonzero(on.any(dim=0))
        if not len(rows):
            return None
        size = torch.tensor([mask.shape[1], mask.shape[0]], dtype=torch.float64)
        low = torch.stack([columns.min(), rows.min()]).double() / size * 2 - 1
        high = torch.stack([columns.max() + 1, rows.max() + 1]).double() / size * 2 - 1
        # at distance 1: x_ndc = P00 x - P02
        scale, offset = torch.diagonal(lens)[:2], -lens[:2, 2]
        x, y = (((low + high) / 2 - offset) / scale).tolist()
        to_world = torch.linalg.inv(view)
        ray = to_world[:3, :3] @ torch.tensor([x, y, -1.0], dtype=torch.float64)
        origins.append(to_world[:3, 3])
        directions.append(torch.nn.functional.normalize(ray, dim=0))
        spreads.append(((high - low) / 2 / scale).max())
    origin, direction = torch.stack(origins), torch.stack(directions)
    # The point nearest to all rays: sum (1 - d d^T) (x - o) = 0.
    across = torch.eye(3, dtype=torch.float64) - direction[:, :, None] * direction[:, None, :]
    system = across.sum(dim=0)
    if float(torch.linalg.eigvalsh(system)[0]) < 1e-6 * len(alpha):  # parallel
        return None
    centre = torch.linalg.solve(system, (across @ origin[:, :, None]).sum(dim=0)[:, 0])
    depth = _depth(world_to_camera, centre)
    if not bool((depth > 0).all()):
        return None
    return centre, float((torch.stack(spreads) * depth).max())


def holding(world_to_camera: Tensor, projection: Tensor, centre: Tensor, radius: float) -> Tensor:
    """`projection` [N,4,4], the planes of those views moved that do not hold the object's surroundings."""
    depth = _depth(world_to_camera, centre)
    a, b = projection[:, 2, 2], projection[:, 2, 3]  # z_clip = a Z + b, w = -Z
    near, far = b / (a - 1), b / (a + 1)
    wanted = depth + REACH * radius
    kept = (depth <= 0) | ((near <= NEAR * depth) & (far >= wanted))
    new_near = torch.where(near <= NEAR * depth, near, NEAR_GIVEN * depth)
    new_far = torch.maximum(far, 1.5 * wanted)
    moved = projection.clone()
    moved[:, 2, 2] = torch.where(kept, a, -(new_far + new_near) / (new_far - new_near))
    moved[:, 2, 3] = torch.where(kept, b, -2 * new_far * new_near / (new_far - new_near))
    return moved


def _depth(world_to_camera: Tensor, point: Tensor) -> Tensor:
    """How far the point [3] lies in front of each camera, along its axis: [N]."""
    return -(world_to_camera[:, 2, :3] @ point + world_to_camera[:, 2, 3])
