"""What a finished fit leaves behind: figures, pictures, and the mesh."""

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

import glrast

from ..clip import Material, Mesh, save_mesh, vertex_normals
from ..core.files import replacing
from ..losses import iou, psnr
from .dataset import Dataset, Views
from .images import to_bytes
from .loop import Fit
from .losses import composite
from .model import ColoredMesh, supersampled
from .turntable import axis, up_axis, write_turntable

# Each pixel of a judged image is the mean of 2 x 2: antialias smooths a silhouette where its edge
# belongs to a triangle that some pixel's centre sees, and the triangles of a fit are small.
SUPERSAMPLE = 2
# The views shown in compare.png, and how often their difference is magnified.
COMPARED_VIEWS = 4
DIFFERENCE_GAIN = 4.0
WHITE = 1.0


@dataclass(frozen=True)
class Judgement:
    """Per view: psnr [N] in dB over white, iou [N]; and the images compared, [n,H,W,3] in 0..1."""

    psnr: Tensor
    iou: Tensor
    target: Tensor
    rendered: Tensor


def write_report(out: Path, fit: Fit, data: Dataset, up: str | None = None) -> dict[str, Any]:
    """Judges the finished fit by the held-out views, writes all results to `out`, returns metrics.

    Args:
        up: the data set's axis that points up, 'x', 'y', 'z', '-x', '-y' or '-z'; None: as the cameras stand.
    """
    mesh = fit.mesh()
    judgement = judge(fit.ctx, mesh, data.test, fit.device)
    values = metrics(
        judgement,
        held_out=data.held_out,
        seconds=round(fit.seconds, 2),
        steps=len(fit.losses),
        vertices=len(mesh.pos),
        triangles=len(mesh.tri),
        colour="texture" if mesh.atlas else "vertex",
        texture_size=mesh.atlas.size if mesh.atlas else None,
        device=device_name(fit.device),
    )
    direction = up_axis(data.train) if up is None else axis(up)
    x, y, z = direction.tolist()
    save_mesh(out / "mesh.glb", as_saved(mesh, data.origin), up=(x, y, z))
    write_turntable(out / "turntable.gif", fit.ctx, mesh, direction, fit.device)
    write_losses(out / "loss.png", fit.losses, [stage.steps for stage in fit.stages])
    write_comparison(out / "compare.png", judgement)
    # Last, so that whoever waits for the figures finds the rest there.
    with replacing(out / "metrics.json") as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")
    return values


@torch.no_grad()
def judge(ctx: glrast.Context, mesh: ColoredMesh, views: Views, device: torch.device) -> Judgement:
    """Renders the mesh from each view and compares."""
    mesh = mesh.to(device)
    values, overlaps, targets, images = [], [], [], []
    for index in torch.arange(len(views)).split(1):
        target = views.target(index, device)
        matrix = views.world_to_clip[index].float().to(device)
        rgba = supersampled(ctx, mesh, matrix, views.resolution, SUPERSAMPLE).clamp(0.0, 1.0)
        image, wanted = composite(rgba, WHITE), composite(target, WHITE)
        covered = [(picture[..., 3] > 0.5).float() for picture in (rgba, target)]
        if views.known is not None:  # only what the picture knows is judged; the rest is white
            known = views.known[index].to(device)
            image, wanted = (torch.where(known[..., None], x, WHITE) for x in (image, wanted))
            judged = [x[known][None, None] for x in (image, wanted)]
            covered = [x[known][None, None] for x in covered]
        else:
            judged = [image, wanted]
        values.append(psnr(*judged).cpu())
        overlaps.append(iou(*covered).cpu())
        if len(images) < COMPARED_VIEWS:
            images.append(image.cpu())
            targets.append(wanted.cpu())
    return Judgement(*(torch.cat(part) for part in (values, overlaps, targets, images)))


def metrics(judgement: Judgement, **facts: Any) -> dict[str, Any]:
    """The content of metrics.json: means over the held-out views, then the facts given."""
    return {
        "psnr": float(judgement.psnr.double().mean()),
        "mask_iou": float(judgement.iou.double().mean()),
        "psnr_per_view": [round(value, 3) for value in judgement.psnr.tolist()],
        "mask_iou_per_view": [round(value, 5) for value in judgement.iou.tolist()],
        **facts,
        "versions": {
            "glrast": getattr(glrast, "__version__", "unknown"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def as_saved(mesh: ColoredMesh, origin: tuple[float, float, float]) -> Mesh:
    """The mesh as files hold it: in the world, with normals, and a texture, or colours of its vertices. Both are as the
    pictures had them, so they hold the light already: no lamp shall be added.

    Args:
        origin: what the fit calls (0,0,0), in the world.
    """
    pos, tri, atlas = mesh.pos, mesh.tri, mesh.atlas
    normal = vertex_normals(pos, tri)
    if atlas is None:
        material = Material("fit", unlit=True)
        return Mesh(pos, tri, color=mesh.color, normal=normal, materials=(material,), origin=origin)
    # what lies beyond the texture's border is none of it
    material = Material("fit", texture=mesh.color, wrap=("clamp", "clamp"), unlit=True)
    return Mesh(
        pos,
        tri,
        normal=normal,
        uv=atlas.uv,
        uv_tri=atlas.uv_tri,
        materials=(material,),
        origin=origin,
    )


def device_name(device: torch.device) -> str:
    """The device as a person knows it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"


def write_comparison(path: Path, judgement: Judgement) -> None:
    """A row for each compared view: target, render, difference magnified."""
    difference = (judgement.rendered - judgement.target).abs() * DIFFERENCE_GAIN
    rows = torch.cat([judgement.target, judgement.rendered, 1.0 - difference.clamp(max=1.0)], dim=2)
    sheet = Image.fromarray(to_bytes(rows.flip(1).flatten(0, 1)).numpy())
    draw = ImageDraw.Draw(sheet)
    height, width = judgement.target.shape[1:3]
    titles = ["target", "render", f"difference x {DIFFERENCE_GAIN:g}"]
    for row, value in enumerate(judgement.psnr[: len(rows)].tolist()):
        for column, title in enumerate(titles):
            text = f"{title}  {value:.1f} dB" if column == 1 else title
            draw.text((column * width + 6, row * height + 4), text, fill=(90, 90, 90))
    with replacing(path) as temporary:
        sheet.save(temporary)


def write_losses(path: Path, losses: list[float], stage_steps: list[int]) -> None:
    """The loss of each step on a logarithmic scale; the stages' borders are dashed."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.semilogy(losses, color="#9db4d3", linewidth=0.7, label="each step")
    if len(losses) >= 20:
        width = max(1, len(losses) // 50)
        mean = np.convolve(losses, np.ones(width) / width, mode="valid")
        axes.semilogy(np.arange(len(mean)) + width // 2, mean, color="#1f4e8c", label="mean")
    for end in np.cumsum(stage_steps)[:-1]:
        axes.axvline(end, color="#888888", linestyle="--", linewidth=0.8)
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
