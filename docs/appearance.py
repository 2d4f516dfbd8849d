"""The table of docs/appearance.md: a texture and vertex colours solved, and descended to by Adam, on the same pictures.

    python docs/appearance.py                          the built-in pictures, on their true mesh
    python docs/appearance.py --data DATASET --mesh MESH

Geometry and cameras are given; every method learns from the same pixels (inside the silhouettes) and is judged on views
that none has seen. Adam takes the mean squared error of a batch of pictures, its step falling from 2e-2 to a twentieth
of that; rasterization and uv are computed once for all. Seconds are of processor time: the machine may be busy.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import glrast
from glrast.clip import load_mesh, transform_points
from glrast.fit.atlas import PACKED, Atlas, largest_side, texels_seen, unwrap
from glrast.fit.dataset import Dataset, load_dataset
from glrast.fit.demo_scene import demo_mesh
from glrast.fit.demo_views import demo_dataset
from glrast.fit.views import Views
from glrast.optim import solve_colours, solve_texture

ADAM_STEPS = 2500
LEARNING_RATE, LAST = 2e-2, 0.05


@dataclass
class Pixels:
    """Of N pictures: target [N,H,W,3], rast, uv and its derivatives, and which pixels lie wholly inside [N,H,W]."""

    target: Tensor
    rast: Tensor
    uv: Tensor
    uv_da: Tensor
    inside: Tensor


@torch.no_grad()
def pixels(ctx: glrast.Context, views: Views, pos: Tensor, tri: Tensor, atlas: Atlas) -> Pixels:
    clip = transform_points(views.world_to_clip.float(), pos)
    rast, rast_db = glrast.rasterize(ctx, clip, tri, views.resolution)
    uv, uv_da = glrast.interpolate(atlas.uv, rast, atlas.uv_tri, rast_db, diff_attrs="all")
    rgba = views.target(torch.arange(len(views)), pos.device)
    covered = ((rast[..., 3] > 0) & (rgba[..., 3] == 1.0)).float()
    inside = -torch.nn.functional.max_pool2d(-covered[:, None], 3, 1, 1)[:, 0] > 0
    return Pixels(rgba[..., :3], rast, uv, uv_da, inside)


def psnr(image: Tensor, at: Pixels) -> float:
    return float(-10 * torch.log10((image - at.target)[at.inside].square().mean()))


class Way:
    """One kind of appearance x: its picture, where Adam begins, and the solution."""

    def __init__(self, name: str, picture, start: Tensor, solve):
        self.name, self.picture, self.start, self.solve = name, picture, start, solve

    def rows(self, learn: Pixels, judge: Pixels, steps: int) -> Iterator[str]:
        yield self.row("solved", self.solve, learn, judge)
        for batch in (1, 4):
            words = f"Adam, {steps:,} steps of {batch} picture{'s'[: batch - 1]}"
            yield self.row(words, partial(self.descended, learn, steps, batch), learn, judge)

    def row(self, how: str, make, learn: Pixels, judge: Pixels) -> str:
        began = time.process_time()
        x = make()
        seconds = time.process_time() - began
        shown = [psnr(self.picture(x, at, slice(None)), at) for at in (learn, judge)]
        return f"| {self.name} | {how} | {seconds:.1f} | {shown[0]:.2f} | {shown[1]:.2f} |"

    def descended(self, at: Pixels, steps: int, batch: int) -> Tensor:
        """What Adam makes of the mean colour."""
        x = self.start.clone().requires_grad_()
        adam = torch.optim.Adam([x], lr=LEARNING_RATE)
        order = torch.Generator().manual_seed(0)
        for step in range(steps):
            adam.param_groups[0]["lr"] = LEARNING_RATE * LAST ** (step / steps)
            views = torch.randperm(len(at.target), generator=order)[:batch]
            error = (self.picture(x, at, views) - at.target[views])[at.inside[views]]
            adam.zero_grad()
            error.square().mean().backward()
            adam.step()
        return x.detach()


def ways(learn: Pixels, atlas: Atlas, tri: Tensor, vertices: int) -> Iterator[Way]:
    size = (atlas.size, atlas.size)
    mean = learn.target[learn.inside].mean(dim=0)
    yield Way(
        f"texture {atlas.size} x {atlas.size}",
        lambda x, at, views: glrast.texture(x, at.uv[views], at.uv_da[views], max_mip_level="auto"),
        mean.expand(1, *size, 3),
        partial(
            solve_texture,
            learn.target,
            learn.uv,
            learn.uv_da,
            weight=learn.inside,
            size=size,
            max_mip_level="auto",
        ),
    )
    yield Way(
        f"{vertices:,} vertices",
        lambda x, at, views: glrast.interpolate(x, at.rast[views], tri)[0],
        mean.expand(vertices, 3),
        partial(
            solve_colours, learn.target, learn.rast, tri, vertices=vertices, weight=learn.inside
        ),
    )


def compare(data: Dataset, pos: Tensor, tri: Tensor, steps: int) -> None:
    ctx = glrast.Context(pos.device)
    largest = largest_side(data.train)
    wanted = min(texels_seen(pos, tri, data.train), PACKED * largest**2)
    atlas = unwrap(pos, tri, wanted, None, largest)
    learn, judge = (pixels(ctx, views, pos, tri, atlas) for views in (data.train, data.test))
    print(
        f"{len(learn.target)} pictures of {learn.target.shape[2]} pixels, {int(learn.inside.sum()):,} inside\n"
    )
    print("| what | how | seconds | PSNR, learned from | PSNR, held out |\n|---|---|---|---|---|")
    for way in ways(learn, atlas, tri, len(pos)):
        for row in way.rows(learn, judge, steps):
            print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data")
    parser.add_argument("--mesh")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=ADAM_STEPS)
    args = parser.parse_args()
    device = torch.device("cpu")
    if args.data:
        data = load_dataset(args.data, args.resolution)
        mesh = load_mesh(Path(args.mesh))
        pos, tri = mesh.pos, mesh.tri
    else:
        snail = demo_mesh()
        data, pos, tri = demo_dataset(device, args.resolution), snail.pos, snail.tri
    compare(data, pos, tri, args.steps)


if __name__ == "__main__":
    main()
