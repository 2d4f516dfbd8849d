"""Draws docs/demo.png from what `make demo` wrote: two of the held-out views, without the white below them.

usage: python docs/demo.py [out/demo/compare.png] [--out demo.png]
"""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

ROWS = (1, 3)  # of the four views in compare.png
MARGIN = 6

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("sheet", type=Path, nargs="?", default=Path("out/demo/compare.png"))
parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
args = parser.parse_args()

sheet = Image.open(args.sheet).convert("RGB")
side = sheet.width // 3  # target, render, difference
rows = [sheet.crop((0, row * side, sheet.width, (row + 1) * side)) for row in ROWS]
heights = [min(side, ImageOps.invert(row).getbbox()[3] + MARGIN) for row in rows]
picture = Image.new("RGB", (sheet.width, sum(heights)), "white")
for n, row in enumerate(rows):
    picture.paste(row.crop((0, 0, sheet.width, heights[n])), (0, sum(heights[:n])))
picture.quantize(128, dither=Image.Dither.NONE).save(args.out, optimize=True)
print(f"wrote {args.out}, {args.out.stat().st_size} bytes")
