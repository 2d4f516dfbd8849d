"""How good reconstructions of held-out objects are, from views that the network did not see: numbers and a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import glrast
from glrast.clip import transform_points

from .network import Reconstruction
from .objects import FAMILIES
from .pictures import BACKGROUND, Pictures, photographs, voxels


@torch.no_grad()
def measure(ctx: glrast.Context, net: Reconstruction, held_out: Pictures) -> dict[str, Tensor]:
    """From view 0 of every object: {"mask", "voxel", "color"}, each [number of families].

    mask: IoU of what pixels' centres see in the other views; voxel: IoU of 32^3 voxels; color: the mean absolute
    difference of those views. All are means over the family's objects; no estimator takes part.
    """
    object, R = torch.arange(len(held_out.family)), held_out.rgba.shape[2]
    net.eval()
    pos, color = net(net.given(held_out, object, 0 * object))
    net.train()
    overlap = iou(voxels(ctx, pos, net.tri), held_out.voxels)
    masks, apart = [], []
    for view in range(1, held_out.rgba.shape[1]):
        pos_clip = transform_points(held_out.matrix[:, view], pos)
        rast, _ = glrast.rasterize(ctx, pos_clip, net.tri, (R, R))
        truth, shown = held_out.image(object, torch.tensor(view)), rast[..., 3:] > 0
        masks.append(iou(shown, truth[..., 3:] > 0.5))
        image = glrast.interpolate(color, rast, net.tri)[0]
        image = torch.where(shown, image, torch.tensor(BACKGROUND))
        apart.append((image - truth[..., :3]).abs().mean((1, 2, 3)))
    found = {
        "mask": torch.stack(masks).mean(0),
        "voxel": overlap,
        "color": torch.stack(apart).mean(0),
    }
    families = range(len(FAMILIES))
    return {
        k: torch.stack([v[held_out.family == f].mean() for f in families]) for k, v in found.items()
    }


def iou(a: Tensor, b: Tensor) -> Tensor:
    """[N] of bool [N,...]."""
    return (a & b).flatten(1).sum(1) / (a | b).flatten(1).sum(1)


@torch.no_grad()
def draw(
    ctx: glrast.Context,
    nets: dict[str, Reconstruction],
    held_out: Pictures,
    path: Path,
    rows: int = 2,
) -> None:
    """The input, and from two other views the truth and what each network made of the input; `rows` of each family."""
    families, R, views = len(FAMILIES), held_out.rgba.shape[2], (1, 2)
    objects = [f + families * k for f in range(families) for k in range(rows)]
    heads = ["input"] + ["truth", *nets] * len(views)
    figure, axes = plt.subplots(len(objects), len(heads), figsize=(1.0 * len(heads), len(objects)))
    for axis, head in zip(axes[0], heads):
        axis.set_title(head, fontsize=9)
    for row, n in zip(axes, objects):
        cells = [held_out.rgba[n, 0]]
        for view in views:
            cells.append(held_out.rgba[n, view])
            for net in nets.values():
                net.eval()
                pos, color = net(net.given(held_out, torch.tensor([n]), torch.tensor([0])))
                matrix = held_out.matrix[n, view][None]
                cells.append(photographs(ctx, pos[0], net.tri, color[0], net.tri, matrix, R)[0])
        for axis, cell in zip(row, cells):
            axis.imshow(cell[..., :3].flip(0).numpy())  # row 0 is the bottom
            axis.axis("off")
    figure.subplots_adjust(0, 0, 1, 0.95, 0.02, 0.02)
    figure.savefig(path, dpi=85, pil_kwargs={"optimize": True})
    plt.close(figure)
