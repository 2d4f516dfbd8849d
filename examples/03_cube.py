"""A cube from tiny images: corners and colours are found from pictures of 16 x 16 or even 4 x 4 pixels.

You will see: where the fit starts, one of the small images it learns from, what it found and the true cube. Prints the
mean distance of its corners from the true ones as a part of the cube's edge: below 0.00001 from 16 x 16 pixels, below
0.001 from 4 x 4, since image and gradient are exact. Takes about 15 seconds. Change first: --resolution 4.
After Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", section 4.2.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast
from glrast.clip import cube, look_at, perspective, transform_points

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=16)
parser.add_argument("--iterations", type=int, default=2000)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R, BATCH, DISTANCE, SHARP, EDGE = args.resolution, 8, 5.0, 400, 2.0
torch.manual_seed(0)

true_pos, tri = cube()  # 8 corners, 12 triangles, two for each face
# Four colours of its own for each face: they have other indices than the corners.
color_tri = torch.arange(24).reshape(6, 4)[:, [0, 1, 2, 0, 2, 3]].reshape(12, 3).int()
true_color, color = torch.rand(24, 3), torch.full((24, 3), 0.5, requires_grad=True)
pos = (true_pos + 0.5 * torch.randn(8, 3)).requires_grad_()
ctx = glrast.Context("cpu")
projection = perspective(0.8, 1.0, 1.0, 10.0)


def poses(count):
    """Random rotations, the cube DISTANCE in front of the camera: object to clip space [count,4,4]."""
    x = F.normalize(torch.randn(count, 3), dim=1)
    y = F.normalize(torch.linalg.cross(torch.randn(count, 3), x), dim=1)
    view = torch.eye(4).repeat(count, 1, 1)
    view[:, :3, :3] = torch.stack([x, y, torch.linalg.cross(x, y)], 1)
    view[:, 2, 3] = -DISTANCE
    return projection @ view


def render(matrix, pos, color, resolution):
    # Faces differ in colour, so edges between them are steps as well: "all" boundaries, not only silhouettes.
    def shade(rast, _):
        return glrast.interpolate(color, rast, color_tri)[0]

    pos_clip, size = transform_points(matrix, pos), (resolution, resolution)
    return glrast.render(ctx, pos_clip, tri, size, shade, discontinuities="all")


view = (projection @ look_at((2.6, 2.2, 3.6), (0, 0, 0)))[None]
start = render(view, pos, color, SHARP)
optimizer = torch.optim.Adam([pos, color], lr=1e-2)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / args.iterations))
for _ in range(args.iterations):
    matrix = poses(BATCH)
    target = render(matrix, true_pos, true_color, R)
    loss = (render(matrix, pos, color, R) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
error = (pos.detach() - true_pos).norm(dim=1).mean() / EDGE
print(f"{R} x {R} pixels: mean error of a corner {error:.1g} of the edge length")

panels = {
    "start": start,
    f"learns from: {R} x {R} pixels": render(view, true_pos, true_color, R),
    f"found: corners off by {error:.1g} edges": render(view, pos, color, SHARP),
    "the true cube": render(view, true_pos, true_color, SHARP),
}
figure, axes = plt.subplots(1, 4, figsize=(14, 3.9), layout="constrained")
for axis, (title, image) in zip(axes, panels.items()):
    axis.imshow(image[0].detach().clamp(0, 1), origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "03_cube.png", dpi=110)
print(f"wrote {args.out / '03_cube.png'}")
