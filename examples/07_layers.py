"""Glass: translucent shells, nested and through each other, blended in the right order by peeling their layers.

You will see: the nearest layer alone, all layers blended from back to front, the same by ray-sphere intersection (the
truth), and their difference. Prints the error after each layer. Takes about 5 seconds. Change first: SHELLS.
After Everitt 2001, "Interactive Order-Independent Transparency".
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import glrast
from glrast.clip import icosphere

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--resolution", type=int, default=400)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R = args.resolution
SHELLS = [  # centre x, y, z, radius, opacity seen straight on, red, green, blue
    [0.0, 0.0, 0.0, 1.0, 0.15, 0.2, 0.5, 0.9],
    [0.0, 0.0, 0.0, 0.8, 0.2, 0.9, 0.8, 0.2],
    [0.35, 0.1, 0.5, 0.6, 0.3, 0.9, 0.2, 0.3],
    [-0.3, -0.1, 0.1, 0.45, 0.5, 0.2, 0.8, 0.4],
    [-0.1, 0.3, -0.2, 0.3, 0.7, 0.7, 0.3, 0.8],
]
center, radius, opacity, tint = torch.tensor(SHELLS).split([3, 1, 1, 3], 1)
light = torch.tensor([0.48, 0.6, 0.64])

sphere, sphere_tri = icosphere(5)
pos = (center[:, None] + radius[:, None] * sphere).flatten(0, 1)
tri = torch.cat([sphere_tri + i * len(sphere) for i in range(len(SHELLS))])
# Seen along -z, without perspective, 2.4 units wide: a larger z is nearer.
pos_clip = torch.cat([pos / torch.tensor([1.2, 1.2, -2.0]), torch.ones(len(pos), 1)], 1)
row = 1.2 * ((torch.arange(R) + 0.5) * 2 / R - 1)
y, x = torch.meshgrid(row, row, indexing="ij")


def shade(point, shell, hit):
    # Colour and opacity of shells at points on them: more opaque where the ray goes through slantwise.
    normal = (point - center[shell]) / radius[shell]
    alpha = 1 - (1 - opacity[shell]) ** (1 / normal[..., 2:].abs().clamp(min=0.02))
    return tint[shell] * (0.6 + 0.4 * (normal @ light).abs()[..., None]), alpha * hit[..., None]


def blend(layers):
    image = torch.full((R, R, 3), 0.95)
    for color, alpha in reversed(layers):
        image = alpha * color + (1 - alpha) * image
    return image


layers = []
for rast, _ in glrast.peel(glrast.Context("cpu"), pos_clip[None], tri, (R, R)):
    point, _ = glrast.interpolate(pos, rast, tri)
    shell = glrast.triangle_id(rast)[0] // len(sphere_tri)
    layers.append(shade(point[0], shell.clamp(min=0), shell >= 0))

# The truth: where the ray of each pixel meets each sphere, twice or not at all, sorted by distance.
cx, cy, cz = center.T[..., None, None]
half_chord = (radius[..., None] ** 2 - (x - cx) ** 2 - (y - cy) ** 2).sqrt()  # NaN: no hit
z, order = torch.cat([cz + half_chord, cz - half_chord]).nan_to_num(-9).sort(0, descending=True)
hits = [(torch.stack([x, y, z], -1), at % len(SHELLS), z > -9) for z, at in zip(z, order)]
truth = blend([shade(*hit) for hit in hits])

for k in range(1, len(layers) + 1):
    print(f"{k:2} layers: mean error {(blend(layers[:k]) - truth).abs().mean():.5f}")
panels = {
    "the nearest layer alone": blend(layers[:1]),
    f"{len(layers)} layers, back to front": blend(layers),
    "the truth: rays and spheres": truth,
    "difference x 10": 10 * (blend(layers) - truth).abs(),
}
figure, axes = plt.subplots(1, 4, figsize=(16, 4.4), layout="constrained")
for axis, (title, shown) in zip(axes, panels.items()):
    axis.imshow(shown.clamp(0, 1), origin="lower")
    axis.set(title=title, xticks=[], yticks=[])
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "07_layers.png", dpi=110)
print(f"wrote {args.out / '07_layers.png'}")
