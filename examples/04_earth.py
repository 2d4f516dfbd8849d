"""A globe's texture learned from pictures in which it is too small: with mipmaps, and without.

You will see: the true texture on its globe, what is learned of it without and with mipmaps, and how near to the truth
both come over the iterations. Takes about a minute. Change first: NEAR (1.6 hides the finest detail from both), or
--texture. The pictures to learn from use no mipmaps: a pixel is the mean of FINE x FINE points in it, the texture
looked up bilinearly at each; over random cameras that is the pixel's integral without bias.
After Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", the earth experiment.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast
from glrast.clip import cube_directions, icosphere, look_at, perspective, transform_points

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--texture", type=int, default=128, help="side of a face of the cube map")
parser.add_argument("--iterations", type=int, default=1000)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
S, R, FINE, BATCH = args.texture, args.texture // 2, 8, 4
NEAR, FAR = 0.7, 20.0  # camera to ground, in radii of the globe: 81 % of the pixels are minified
torch.manual_seed(0)

ground = cube_directions(S)  # of the cube map's texels; fractal noise there
octaves = [torch.randn(1, 2, *[5 * 2**i] * 3) * 0.65**i for i in range(6)]  # finer and fainter
height, cold = sum(F.grid_sample(each, ground[None], align_corners=True)[0] for each in octaves)
height = 0.33 + 0.08 * height.sign() + 0.13 * height  # a step at the coast
land = torch.tensor(plt.get_cmap("gist_earth")(height.clamp(0.05, 0.95).numpy()))[..., :3].float()
ice = ((ground[..., 1:2].abs() + 0.05 * cold[..., None] - 0.9) * 20).clamp(0, 1)
true = (land + ice * (0.93 - land) + 0.04 * torch.randn(6, S, S, 1)).clamp(0, 1)[None]

ctx, (pos, tri) = glrast.Context("cpu"), icosphere(4)


def render(view, resolution, *textures):  # (texture, with mipmaps?), ...
    pos_clip = transform_points(perspective(0.6, 1.0, 0.1, 2 * FAR) @ view, pos)
    rast, rast_db = glrast.rasterize(ctx, pos_clip, tri, (resolution, resolution))
    at, at_da = glrast.interpolate(pos, rast, tri, rast_db, "all")
    # uv_da makes the filter trilinear
    images = [glrast.texture(t, at, (None, at_da)[m], boundary_mode="cube") for t, m in textures]
    return *images, (rast[..., 3:] > 0).float()  # and the coverage


learned = [torch.full_like(true, 0.5).requires_grad_() for _ in range(2)]
optimizer = torch.optim.Adam(learned, lr=0.02)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.05 ** (1 / args.iterations))
psnr = []
for _ in range(args.iterations):
    eyes = F.normalize(torch.randn(BATCH, 3)) * (1 + NEAR * (FAR / NEAR) ** torch.rand(BATCH, 1))
    view = torch.stack([look_at(eye, (0, 0, 0)) for eye in eyes])
    fine = torch.cat(render(view, R * FINE, (true, False)), -1).permute(0, 3, 1, 2)
    target, coverage = F.avg_pool2d(fine, FINE).permute(0, 2, 3, 1).split([3, 1], -1)
    *images, _ = render(view, R, (learned[0], False), (learned[1], True))
    loss = sum(((image - target) * (coverage == 1)).square().sum() for image in images)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    psnr.append([-10 * (tex.detach() - true).square().mean().log10().item() for tex in learned])
names = [f"{name} mipmaps: {psnr[-1][i]:.2f} dB" for i, name in enumerate(("without", "with"))]
print(f"PSNR of the texture {', '.join(names)}; {psnr[-1][1] - psnr[-1][0]:.2f} dB more")

shown = render(look_at((3, 1.4, 1), (0, 0, 0))[None], 512, *((t, True) for t in (true, *learned)))
figure, axes = plt.subplots(1, 4, figsize=(19, 4.9), layout="constrained")
for axis, title, image in zip(axes, ("the true texture", *names), shown):
    axis.imshow(image[0].detach().clamp(0, 1), origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
axes[3].legend(axes[3].plot(psnr), names)
axes[3].set(title="PSNR of the texture, dB", xlabel="iteration")
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "04_earth.png", dpi=110)
print(f"wrote {args.out / '04_earth.png'}")
