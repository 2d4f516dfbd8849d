"""The pose of a cube from one picture: a greedy search finds the neighbourhood, gradients find the rotation.

You will see: five trials, each a row: its picture, a random start, what the greedy search made of it, what gradients
found. Prints how many of 100 trials end within 5 degrees of the truth. Takes about 30 seconds.
Change first: STARTS = 1, with which the search often ends with the right outline in the wrong colours.
After Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", the experiment on poses.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast
from glrast.clip import cube, look_at, perspective, transform_points

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=256, help="a multiple of 32")
parser.add_argument("--trials", type=int, default=100)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R, N, STARTS, SMALL, ROUNDS, ITERATIONS = args.resolution, args.trials, 8, 32, 200, 30
torch.manual_seed(0)

pos, tri = cube()
face_tri = torch.arange(6).repeat_interleave(2)[:, None].expand(12, 3)  # one colour for each face
color = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1.0]])
matrix = perspective(0.21, 1.0, 10.0, 30.0) @ look_at((0.0, 0.0, 20.0), (0.0, 0.0, 0.0))
ctx = glrast.Context("cpu", output_db=False)


# Cubes turned by quaternions [M,4] (w, x, y, z) of any length, 20 away from the camera: [M,H,W,3].
def render(quaternion, resolution):
    w, axis = F.normalize(quaternion, dim=1)[:, None].expand(-1, 8, 4).split([1, 3], -1)
    across = torch.linalg.cross(axis, pos.expand_as(axis))
    turned = pos + 2 * (w * across + torch.linalg.cross(axis, across))
    pos_clip = transform_points(matrix, turned)
    rast, _ = glrast.rasterize(ctx, pos_clip, tri, (resolution, resolution))
    image, _ = glrast.interpolate(color, rast, face_tri)
    return glrast.antialias(image, rast, pos_clip, tri)


def loss_of(quaternion, target):
    return (render(quaternion, target.shape[1]) - target).square().mean((1, 2, 3))


def descend(quaternion, target):
    found = quaternion.clone().requires_grad_()
    optimizer = torch.optim.Adam([found], lr=4e-3)
    for _ in range(ITERATIONS):
        found.grad = torch.autograd.grad(loss_of(found, target).sum(), found)[0]  # each its own
        optimizer.step()
    return found.detach()


truth, best = (F.normalize(torch.randn(n, 4), dim=1) for n in (N, N * STARTS))
stages = {"picture": truth, "start": best[::STARTS]}
target = render(truth, R)
small = target.view(N, SMALL, R // SMALL, SMALL, R // SMALL, 3).mean((2, 4))
small = small.repeat_interleave(STARTS, 0)
lowest = loss_of(best, small)
for i in range(ROUNDS):  # first anywhere, then in smaller and smaller steps
    step = 3.0 if i < ROUNDS // 2 else 0.5 * 0.05 ** (2 * i / ROUNDS - 1)
    trial = F.normalize(best + step * torch.randn(N * STARTS, 4), dim=1)
    loss = loss_of(trial, small)
    best, lowest = torch.where((loss < lowest)[:, None], trial, best), lowest.minimum(loss)
sharp = descend(best, small)  # which search was right shows when all are sharp
right = STARTS * torch.arange(N) + loss_of(sharp, small).view(N, STARTS).argmin(1)
stages["greedy search"] = best[right]
stages["gradients"] = descend(sharp[right], target)

for name, found in list(stages.items())[1:]:
    error = 2 * (F.normalize(found, dim=1) * truth).sum(1).abs().clamp(max=1).acos().rad2deg()
    print(
        f"{name:13} {int((error < 5).sum())} of {N} within 5 degrees, median {error.median():.2g}"
    )
panels = torch.cat([torch.cat(list(render(q[:5], R))) for q in stages.values()], 1)
args.out.mkdir(parents=True, exist_ok=True)
plt.imsave(args.out / "06_pose.png", panels.clamp(0, 1).flip(0).numpy())  # row 0 is the bottom
print(f"wrote {args.out / '06_pose.png'}")
