"""A grey ball beside a red wall: its colour and shape from two pictures, with direct light alone and with all.

You will see: a picture; the fit that the rasterizer starts, from outlines; what a path tracer finds from there when it
follows direct light alone, which takes the wall's glow for paint, and when it follows all light; and where the two
differ from the picture. Prints how far off each is. Needs Mitsuba: pip install 'glrast[mitsuba]'; `glrast doctor`
says whether it works. Takes two minutes. Change first: WALL, the wall's colour; a black one throws back no lie.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import glrast
from glrast import clip
from glrast.mitsuba import Surface, render

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=32)
parser.add_argument("--iterations", type=int, default=50, help="of each fit")
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
WALL, SIZE, STEPS = torch.tensor([0.9, 0.1, 0.05]), [args.resolution] * 2, args.iterations
projection, target_at = clip.perspective(0.5, 1.0, 0.1, 20.0), (-0.4, -0.25, 0)
view = torch.stack([clip.look_at(eye, target_at) for eye in ((0.5, 0.5, 3.4), (2.6, 0.7, 1.8))])
ctx, (sphere, tri) = glrast.Context("cpu"), clip.icosphere(2)


def square(corner, a, b, **light):
    corner, a, b = (torch.tensor(x) for x in (corner, a, b))
    pos = torch.stack([corner, corner + a, corner + a + b, corner + b])
    return Surface(pos, torch.tensor([[0, 1, 2], [0, 2, 3]]), **light)


room = [
    square((-1.0, -0.7, 2.0), (0.0, 0.0, -4.0), (0.0, 2.7, 0.0), color=WALL),
    square((-1.0, -0.7, 2.0), (4.0, 0.0, 0.0), (0.0, 0.0, -4.0), color=torch.full((3,), 0.6)),
    square((0.4, 2.0, 0.2), (0.8, 0.0, 0.0), (0.0, 0.0, 1.2), emission=torch.full((3,), 14.0)),
]


def outline(place, log_radii, color):
    pos_clip = clip.transform_points(projection @ view, sphere * log_radii.exp() + place)
    return glrast.render(ctx, pos_clip, tri, SIZE, lambda rast, _: (rast[..., 3:] > 0).float())


def picture(place, log_radii, color, max_depth, spp, seed=0):
    pos = sphere * log_radii.exp() + place
    ball = Surface(pos, tri, color=color, normal=clip.vertex_normals(pos, tri))
    return render([*room, ball], projection, view, SIZE, max_depth=max_depth, spp=spp, seed=seed)


# By rasterized outlines; where depth is more than 0 by them and by the path-traced picture, in one loss.
def fit(start, depth):
    found = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([found])
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.04 * 0.05 ** (step / STEPS)
        loss = (outline(*found) - outline(*truth)).square().mean()
        if depth:
            loss = 0.1 * loss + (picture(*found, depth, 16, step) - target).square().mean()
        # Held, so that no single huge sample would rule Adam's steps for long.
        found.grad = torch.autograd.grad(loss, found)[0].clamp(-0.02, 0.02)
        optimizer.step()
    return found.detach()


truth = torch.tensor([[-0.6, -0.25, 0.0], [-1.1, -0.95, -1.0], [0.5, 0.5, 0.5]])
target, panels = picture(*truth, 8, 1024), {}
outlined = fit(torch.tensor([[-0.3, 0.0, 0.3], [-1.2, -1.2, -1.2], [0.8, 0.8, 0.8]]), 0)
for name, depth in {"outlines": 0, "direct light": 2, "all light": 8}.items():
    found = fit(outlined, depth) if depth else outlined
    off = [round(x, 3) for x in (found - truth).abs().amax(1).tolist()]
    print(f"{name}: place, log of radii, colour off by {off}; RGB {found[2].numpy().round(3)}")
    panels[name] = picture(*found, depth or 2, 256, 1)
    panels[f"{name}: error x 5"] = 5 * (panels[name] - target).abs()
figure, axes = plt.subplots(1, 7, figsize=(16, 2.7), layout="constrained")
for axis, (title, image) in zip(axes, ({"the picture": target} | panels).items()):
    axis.imshow(image[0].clamp(0, 1) ** (1 / 2.2), origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "09_global_light.png", dpi=110)
print(f"wrote {args.out / '09_global_light.png'}")
