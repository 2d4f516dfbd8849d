"""One triangle: rasterized, coloured, antialiased, and a gradient that moves its corners.

You will see: three corners of different colour, the same image antialiased, and arrows at the corners that say which
way each would move to make the image brighter. Takes a second. Change first: the corners in `pos`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import glrast

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=24)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
H = W = args.resolution

# Clip space: x and y from -1 (left, bottom) to 1, divided by w; z/w is the depth. One image of three vertices.
pos = torch.tensor([[[-0.7, -0.6, 0.0, 1.0], [0.8, -0.4, 0.0, 1.0], [-0.1, 0.7, 0.0, 1.0]]])
pos.requires_grad_()
tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
color = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.7, 0.3], [0.2, 0.4, 0.9]])

ctx = glrast.Context("cpu")  # or "cuda", with the tensors there
rast, _ = glrast.rasterize(ctx, pos, tri, (H, W))
aliased, _ = glrast.interpolate(color, rast, tri)
image = glrast.antialias(aliased, rast, pos, tri)
image.sum().backward()  # brighter = larger: every corner should move outwards

figure, axes = plt.subplots(1, 3, figsize=(13, 4.7), layout="constrained")
titles = ("rasterize, interpolate", "antialias", "gradient: brighter if corners move out")
for axis, shown, title in zip(axes, (aliased, image, image), titles):
    # row 0 of a rendered image is the bottom
    axis.imshow(shown[0].detach().clamp(0, 1), origin="lower", extent=(-1, 1, -1, 1))
    axis.set(title=title, xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axis.set_facecolor("0.85")  # outside of the image
corners, arrows = pos[0, :, :2].detach(), pos.grad[0, :, :2]
arrows = 0.4 * arrows / arrows.norm(dim=1).max()
axes[2].quiver(
    *corners.T, *arrows.T, color="orange", scale_units="xy", scale=1, angles="xy", width=0.012
)

args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "01_triangle.png", dpi=110)
print(f"wrote {args.out / '01_triangle.png'}")
