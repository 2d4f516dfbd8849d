"""Why antialias: move a star to the right; which pixels change? Without antialias the gradient says: none.

You will see: the star, and d image / d shift on one scale: the truth, by finite differences of a supersampled image,
and by autograd without antialias (zero), with it, and by other answers to the question. Takes about 10 seconds.
Change first: --methods (any label of glrast.visibility.CLAIMS), the outline in `radius`, or --resolution.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast
from glrast.visibility.audit import jacobian

OTHERS = ["exact", "edge_grad", "dirt", "softras over"]
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=48)
parser.add_argument("--methods", nargs="*", default=OTHERS, metavar="NAME")
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R, SAMPLES, STEP = args.resolution, 32, 0.125  # pixels, samples per pixel and axis, pixels
claims = {claim.label: claim for claim in glrast.visibility.CLAIMS}
methods = {"without antialias": "hard", "with antialias": "antialias"}
methods |= {name: name for name in args.methods}

corner = torch.arange(10)
angle, radius = corner * math.pi / 5 + 0.3, torch.where(corner % 2 == 0, 0.85, 0.5)
ring = torch.stack([radius * angle.cos(), radius * angle.sin(), 0 * angle, 0 * angle + 1], 1)
pos = torch.cat([torch.tensor([[0.0, 0.0, 0.0, 1.0]]), ring])
tri = torch.stack([0 * corner, 1 + corner, 1 + (corner + 1) % 10], 1).int()
ctx = glrast.Context("cpu")


def render(label, shift_pix, resolution=R):
    """The white star [N,H,W,1], moved to the right by so many pixels [N] of the small image."""
    moved = pos + shift_pix[:, None, None] * torch.tensor([2 / R, 0, 0, 0])
    white, claim = torch.ones(len(pos), 1), claims[label]
    size = (resolution, resolution)
    return glrast.visibility.render(
        claim.name, ctx, moved, tri, lambda rast, *_: glrast.interpolate(white, rast, tri)[0], size, **claim.options
    )  # fmt: skip


def supersampled(shift_pix):
    large = render("hard", torch.tensor([shift_pix]), R * SAMPLES)
    return F.avg_pool2d(large[..., 0], SAMPLES)[0]


def blurred(image):
    return F.avg_pool2d(image[None], 5, stride=1, padding=2)[0]


truth = (supersampled(STEP) - supersampled(-STEP)) / (2 * STEP)
slopes = {"the truth: differences of\nsupersampled images": truth}
for name, label in methods.items():
    slope = jacobian(lambda shift, label=label: render(label, shift), (R, R))
    # A loss sees a pixel with its neighbours: their mean over 5 x 5 tells how wrong its gradient is.
    errors = [float((f(slope) - f(truth)).norm() / f(truth).norm()) for f in (torch.clone, blurred)]
    print(f"{name:18} relative error: pixels {errors[0]:.2f}, means of 5 x 5 {errors[1]:.2f}")
    slopes[f"{name}\nerror of 5 x 5 means {errors[1]:.2f}"] = slope

columns = -(-(len(slopes) + 1) // 2)
figure, axes = plt.subplots(2, columns, figsize=(3.6 * columns, 8), layout="constrained")
first, *others = axes.flat
first.imshow(render("antialias", torch.zeros(1))[0, ..., 0], cmap="gray", origin="lower")
first.annotate("", (0.98 * R, R / 2), (0.86 * R, R / 2), arrowprops={"color": "orange", "width": 4})
first.set_title("the image; shift moves it right")
for axis, (name, slope) in zip(others, slopes.items()):
    shown = axis.imshow(slope, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower")
    axis.set_title(name)
others[1].text(R / 2, R / 2, "zero everywhere", ha="center", fontsize=14)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, label="d pixel / d shift\nred: brighter, blue: darker", shrink=0.75)
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "02_the_gradient_is_zero.png", dpi=75)
print(f"wrote {args.out / '02_the_gradient_is_zero.png'}")
