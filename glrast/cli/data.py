"""`glrast data DATASET`: what `glrast fit` would understand of it, and a contact sheet: the first thing to look at."""

import argparse
import warnings
from pathlib import Path

from .fit import add_reading_arguments

RESOLUTION = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast data`."""
    parser.description = "Tell what glrast fit understands of a data set, and draw a contact sheet."
    parser.add_argument("dataset", metavar="DATASET", help="as of glrast fit")
    parser.add_argument(
        "--sheet", default="data.png", metavar="FILE", help="where to draw it (default: data.png)"
    )
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Prints and draws; 0, also where something looks wrong."""
    from ..fit.capture import open_capture
    from ..fit.dataset import load_capture
    from ..fit.overview import of_files, of_views
    from ..fit.sheet import write_sheet

    sheet = Path(args.sheet)
    if sheet.suffix.lower() != ".png":
        raise ValueError(
            f"glrast data: --sheet must be a PNG file; got {sheet}; name it {sheet.with_suffix('.png')}."
        )
    capture = open_capture(args.dataset, args.skip_missing)
    told = of_files(capture)
    _print(told)
    masked = not dict(told)["masks"].startswith("none")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        data = load_capture(capture, RESOLUTION, args.invert_masks, need_masks=masked)
        overview = of_views(capture, data, masked)
    _print(overview.lines)
    doubts = [
        str(warning.message).removeprefix("glrast fit: ") for warning in warned
    ] + overview.wrong
    _print(
        [("look at" if not k else "", text) for k, text in enumerate(doubts)]
        or [("look at", "nothing looks wrong")]
    )
    write_sheet(sheet, data, overview.box)
    print(f"wrote {sheet}")
    return 0


def _print(lines: list[tuple[str, str]]) -> None:
    for name, text in lines:
        print(f"{name:11} {text}", flush=True)
