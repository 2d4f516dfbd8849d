"""The world around a shiny stone, and the lamp beside the camera, found from pictures of the stone alone.

You will see: the stone at the start, in truth and as found; the town that it reflects and what is found of it (four of
the six faces of a cube map with mipmaps). The lamp moves with the camera; its direction, colour and Phong exponent are
unknown, and what is found of them is printed. Takes about a minute. Change first: the stone's bumps in `pos`.
After Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", the envphong experiment.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import glrast
from glrast import clip

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=128, help="twice that of the cube map")
parser.add_argument("--iterations", type=int, default=1000)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
torch.manual_seed(0)

way = clip.cube_directions(args.resolution // 2)  # of the cube map's texels; a town at dusk there
up, turn = way[..., 1:2], torch.atan2(way[..., 2:], way[..., :1])
town = torch.tensor([0.95, 0.55, 0.3]).lerp(torch.tensor([0.1, 0.2, 0.5]), up.clamp(0, 1).sqrt())
house = (5 * turn[..., 0]).floor().long()  # one of 32, negative to the left
lit = ((30 * turn).sin() * (40 * up).sin() > 0.3) * torch.tensor([0.9, 0.7, 0.2])
town = torch.where(up < 0.6 * torch.rand(32, 1)[house], 0.3 * torch.rand(32, 3)[house] + lit, town)
squares = (2 * way / (up.abs() + 0.1)).floor()[..., ::2].sum(-1, keepdim=True) % 2
town = torch.where(up < 0, 0.1 + squares * torch.tensor([0.35, 0.3, 0.25]), town)[None]

pos, tri = clip.icosphere(5)
pos = pos + 0.07 * pos * (2.5 * pos @ torch.randn(3, 9) + torch.randn(9)).sin().sum(1, keepdim=True)
normal, ctx = clip.vertex_normals(pos, tri), glrast.Context("cpu")


def render(view, cube, lamp_cam, color, log_exponent):
    pos_clip = clip.transform_points(clip.perspective(0.6, 1.0, 1.0, 10.0) @ view, pos)
    rast, rast_db = glrast.rasterize(ctx, pos_clip, tri, [args.resolution] * 2)
    to_eye = F.normalize(-view[:, :3, 3:].mT @ view[:, :3, :3] - pos, dim=-1)
    mirrored = 2 * (normal * to_eye).sum(-1, keepdim=True) * normal - to_eye
    way, way_da = glrast.interpolate(mirrored, rast, tri, rast_db, "all")
    cosine = F.cosine_similarity(way, (lamp_cam @ view[:, :3, :3])[:, None, None], dim=3)
    shine = color * cosine[..., None].clamp(min=1e-3) ** log_exponent.exp()
    return (glrast.texture(cube, way, way_da, boundary_mode="cube") + shine) * (rast[..., 3:] > 0)


true = town, *map(torch.tensor, ([0.5, 0.8, 0.9], [0.6, 0.9, 1.0], 3.5))
found = torch.full_like(town, 0.5), *map(torch.tensor, ([0.0, 0.0, 1.0], [0.3, 0.3, 0.3], 2.0))
front = clip.look_at((0.0, 1.0, 4.0), (0, 0, 0))[None]
shown = [render(front, *found)]
optimizer = torch.optim.Adam([parameter.requires_grad_() for parameter in found], lr=0.03)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.03 ** (1 / args.iterations))
for _ in range(args.iterations):
    view = torch.stack([clip.look_at(4 * at, (0, 0, 0)) for at in F.normalize(torch.randn(4, 3))])
    loss = (render(view, *found) - render(view, *true)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
psnr = -10 * (found[0] - town).square().mean().log10()
degrees = F.cosine_similarity(found[1], true[1], 0).clamp(max=1).acos().rad2deg()
print(f"exponent {found[3].exp():.1f} (in truth {true[3].exp():.1f}), environment {psnr:.1f} dB")
print(f"lamp off by {degrees:.2f} degrees, its colour by {(found[2] - true[2]).abs().max():.3f}")

shown += [render(front, *each) for each in (true, found)]
shown += [torch.cat([cube[:, f] for f in (1, 4, 0, 5)], 2).flip(1) for cube in (town, found[0])]
titles = "at the start", "in truth", "as found", "the town in truth", f"as found: {psnr:.1f} dB"
figure, axes = plt.subplot_mosaic("abc;ddd;eee", figsize=(9, 8.6), layout="constrained")
for axis, title, image in zip(axes.values(), titles, shown):
    axis.imshow(image[0].detach().clamp(0, 1), origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "05_envphong.png", dpi=110)
print(f"wrote {args.out / '05_envphong.png'}")
