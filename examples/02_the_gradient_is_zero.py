"""Why antialias: move a star to the right; which pixels change? Without antialias the gradient says: none.

You will see: the star, and d image / d shift three times on the same scale: by autograd without antialias (zero), by
autograd with antialias, and by finite differences of a supersampled image, the truth. Takes about 5 seconds.
Change first: the outline in `radius`, or --resolution.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=48)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R, SAMPLES, STEP = args.resolution, 32, 0.125  # pixels, samples per pixel and axis, pixels

corner = torch.arange(10)
angle, radius = corner * math.pi / 5 + 0.3, torch.where(corner % 2 == 0, 0.85, 0.5)
ring = torch.stack([radius * angle.cos(), radius * angle.sin(), 0 * angle, 0 * angle + 1], 1)
pos = torch.cat([torch.tensor([[0.0, 0.0, 0.0, 1.0]]), ring])
tri = torch.stack([0 * corner, 1 + corner, 1 + (corner + 1) % 10], 1).int()
ctx = glrast.Context("cpu")


def render(shift_pix, resolution, antialias):
    """The white star [H,W], moved to the right by shift_pix pixels of the small image."""
    moved = (pos + shift_pix * torch.tensor([2 / R, 0, 0, 0]))[None]
    rast, _ = glrast.rasterize(ctx, moved, tri, (resolution, resolution))
    image, _ = glrast.interpolate(torch.ones(len(pos), 1), rast, tri)
    return (glrast.antialias(image, rast, moved, tri) if antialias else image)[0, :, :, 0]


def jacobian(antialias):
    """d image / d shift by autograd, one backward pass for each pixel."""
    shift = torch.tensor(0.0, requires_grad=True)
    pixels = render(shift, R, antialias).flatten()
    slopes = [
        torch.autograd.grad(pixels, shift, one, retain_graph=True)[0] for one in torch.eye(R * R)
    ]
    return torch.stack(slopes).reshape(R, R)


def supersampled(shift_pix):
    return F.avg_pool2d(render(shift_pix, R * SAMPLES, False)[None], SAMPLES)[0]


def blurred(image):
    return F.avg_pool2d(image[None], 5, stride=1, padding=2)[0]


truth = (supersampled(STEP) - supersampled(-STEP)) / (2 * STEP)
slopes = {"without antialias": jacobian(False), "with antialias": jacobian(True)}
titles = [
    "the image; shift moves it right",
    *(f"autograd {name}" for name in slopes),
    "the truth: differences of\nsupersampled images",
]
figure, axes = plt.subplots(1, 4, figsize=(15, 4.5), layout="constrained")
axes[0].imshow(render(0.0, R, True), cmap="gray", origin="lower")
arrow = {"color": "orange", "width": 4}
axes[0].annotate("", (0.98 * R, R / 2), (0.86 * R, R / 2), arrowprops=arrow)
for axis, slope in zip(axes[1:], (*slopes.values(), truth)):
    shown = axis.imshow(slope, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower")
for axis, (name, slope) in zip(axes[1:], slopes.items()):
    # A loss sees a pixel with its neighbours: their mean over 5 x 5 tells how wrong its gradient is.
    errors = [float((f(slope) - f(truth)).norm() / f(truth).norm()) for f in (torch.clone, blurred)]
    print(f"{name:18} relative error: pixels {errors[0]:.2f}, means of 5 x 5 {errors[1]:.2f}")
    axis.set_xlabel(f"relative error {errors[1]:.2f} (means of 5 x 5 pixels)")
axes[1].text(R / 2, R / 2, "zero everywhere", ha="center", fontsize=14)
for axis, title in zip(axes, titles):
    axis.set(title=title, xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, label="d pixel / d shift\nred: brighter, blue: darker", shrink=0.75)
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "02_the_gradient_is_zero.png", dpi=110)
print(f"wrote {args.out / '02_the_gradient_is_zero.png'}")
