"""Draws docs/materials.png from the pictures that `make browser-check PICTURES=DIR` keeps.

usage: python docs/materials.py DIR [--out materials.png]
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

# Each file shows a scene twice: by `glrast render`, and by three.js.
SCENES = {
    "cube_obj": "Kd of an mtl",
    "leaf": "MASK",
    "wraps": "repeat, mirror, clamp by axis; nearest",
    "product": "factor x texture x vertex colour",
    "panes": "BLEND",
    "t0": "mesh.glb of a fit",
}
WIDTH, HEIGHT, CAPTION = 181, 135, 16

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
args = parser.parse_args()

sheet = Image.new("RGB", (4 * WIDTH + 8, 3 * (HEIGHT + CAPTION)), "white")
draw = ImageDraw.Draw(sheet)
for index, (name, words) in enumerate(SCENES.items()):
    x, y = (index % 2) * (2 * WIDTH + 8), (index // 2) * (HEIGHT + CAPTION)
    draw.text((x + 4, y + 2), f"{words}: glrast render | three.js", fill=(40, 40, 40))
    pair = Image.open(args.folder / f"{name}.png")
    half = pair.width // 2
    for side in (0, 1):
        picture = pair.crop((side * half, 0, (side + 1) * half, pair.height))
        place = Image.new("RGB", (WIDTH, HEIGHT), picture.getpixel((0, 0)))
        place.paste(picture, ((WIDTH - half) // 2, (HEIGHT - pair.height) // 2))
        sheet.paste(place, (x + side * WIDTH, y + CAPTION))
sheet.save(args.out, optimize=True)
print(f"wrote {args.out}, {args.out.stat().st_size} bytes")
