"""The pictures of the tutorials, drawn from what each page's own program computes: `python docs/tutorials/pictures.py`.

You will see: docs/tutorials/0*.png. --out DIR writes them elsewhere, PAGE (such as 03) draws those of one page. Takes
20 seconds. Needs matplotlib (`pip install '.[fit]'`).
"""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "pictures")]

from blurred import seams, width  # noqa: E402
from boundary import parameters, shift, step_and_ramp  # noqa: E402
from repaired import integral, pairs, splats  # noqa: E402
from run import PAGES, run  # noqa: E402
from style import plt  # noqa: E402

PICTURES = {
    "01": (step_and_ramp,), "02": (shift, parameters), "03": (width, seams), "04": (pairs,), "05": (splats,),
    "06": (integral,),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="*", default=sorted(PICTURES), help="01 to 06")
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        if page.name[:2] in args.page:
            _, names = run(page)
            for picture in draw(page, names, args.out):
                print(f"wrote {picture}")


def draw(page: Path, names: dict, out: Path) -> list[Path]:
    """The pictures of a page whose program left these names."""
    number, wrote = page.name[:2], []
    for picture in PICTURES[number]:
        wrote.append(out / f"{number}_{picture.__name__}.png")
        figure = picture(SimpleNamespace(**names))
        figure.savefig(wrote[-1], pil_kwargs={"optimize": True}, metadata={"Software": None})
        plt.close(figure)
    return wrote


if __name__ == "__main__":
    main()
