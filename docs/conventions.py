"""The pictures of docs/conventions.md, each drawn from what glrast computes: `python docs/conventions.py [--out DIR]`.

You will see: conventions_*.png, one for each convention. Takes about 5 seconds.
Needs matplotlib (`pip install '.[fit]'`).
"""

import argparse
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER / "pictures"))

from raster import antialiasing, barycentrics, rast_channels, rast_db  # noqa: E402
from sampling import boundaries, cube_map, mip_level, texels  # noqa: E402
from space import clip_space, half_pixel, layers, pixels  # noqa: E402

PICTURES = (
    clip_space, pixels, barycentrics, rast_channels, rast_db, texels, boundaries, mip_level, cube_map, antialiasing,
    half_pixel, layers,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for draw in PICTURES:
        picture = args.out / f"conventions_{draw.__name__}.png"
        draw().savefig(picture, pil_kwargs={"optimize": True}, metadata={"Software": None})
    print(f"wrote {len(PICTURES)} pictures to {args.out}")


if __name__ == "__main__":
    main()
