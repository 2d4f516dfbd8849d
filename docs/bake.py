"""Draws docs/bake.png: the built-in demonstration's pictures baked onto its mesh.

usage: python docs/bake.py [--out docs/bake.png] [--size 1024]. You will see: a picture that nothing was baked
from, the mesh with the baked texture from there, how well its surface was seen, and the texture. Takes half a minute.
Change first: VIEWS; with four some of the snail is seen by none.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image

import glrast
from glrast import bake
from glrast.cli.bake import cameras_of, straight
from glrast.clip import Mesh, remesh
from glrast.fit.demo_scene import demo_mesh
from glrast.fit.demo_views import demo_dataset
from glrast.fit.images import to_bytes
from glrast.fit.model import ColoredMesh, supersampled

VIEWS, HELD_OUT, PIXELS = 28, 1, 320

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
parser.add_argument("--size", type=int, default=1020)
args = parser.parse_args()

snail = demo_mesh()
pos, tri = remesh(snail.pos, snail.tri, 0.03)
mesh = Mesh(pos, tri)
data = demo_dataset(torch.device("cpu"), PIXELS)
views = data.train.pick(list(range(VIEWS)))
started = time.perf_counter()
atlas = bake.atlas(mesh, args.size)
texels = bake.texels(mesh, atlas=atlas, conservative=True)
print(bake.report(mesh, atlas=atlas))
images, masks = straight(views.rgba, views.known)
found = bake.project(texels, images, cameras_of(views), masks)
color = bake.inpaint(texels, found.color, found.seen)
texture, _ = bake.pad(color, texels.mask, None, texels.chart)
unseen = float((texels.mask & ~found.seen).sum() / texels.mask.sum())
print(f"{time.perf_counter() - started:.0f} s; {unseen:.1%} of the texels were seen by no view")

ctx = glrast.Context("cpu")
target = data.test.target(torch.tensor([HELD_OUT]), torch.device("cpu"))
matrix = data.test.world_to_clip[HELD_OUT : HELD_OUT + 1].float()
confidence = bake.pad(found.confidence[..., None].expand(-1, -1, 3), texels.mask)[0]
shown = [target]
for skin in (texture, confidence):
    colored = ColoredMesh(mesh.pos, mesh.tri, skin.contiguous(), atlas)
    shown.append(supersampled(ctx, colored, matrix, data.test.resolution, 2))
panels = [(x[..., :3] + 1 - x[..., 3:])[0] for x in shown]
small = torch.nn.functional.interpolate(
    texture.permute(2, 0, 1)[None], (PIXELS, PIXELS), mode="area"
)
panels.append(small[0].permute(1, 2, 0))
sheet = Image.fromarray(to_bytes(torch.cat(panels, 1)).flip(0).numpy())
sheet.quantize(128, dither=Image.Dither.NONE).save(args.out, optimize=True)
print(f"wrote {args.out}, {args.out.stat().st_size} bytes")
