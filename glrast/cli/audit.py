"""`glrast audit`: what every answer to the discontinuity problem is worth, measured here."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import glrast

from ..core.files import check_writable, replacing
from ..visibility.audit import LABELS, Report, audit
from ..visibility.audit.tables import tables
from .bench import machine
from .device import chosen

DRAWN = (".png", ".pdf", ".svg")
BEGIN, END = "<!-- audit:{} -->", "<!-- audit:end -->"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast audit`."""
    parser.description = (
        "Measure how wrong each method's gradients are in eleven kinds of scene, what it costs and what it can do. "
        "docs/visibility.md says what the figures are."
    )
    parser.add_argument(
        "--estimator", nargs="+", action="extend", metavar="NAME", help=f"of {', '.join(LABELS)}; all by default"
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="four kinds and no tuning: some seconds"
    )
    parser.add_argument(
        "--json", action="store_true", help="all figures as JSON on standard output"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the Jacobian image of every method beside the truth"
    )  # fmt: skip
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the tables where a Markdown page has marks for them"
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ...")


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw, write; 0."""
    device = chosen("audit", args.device)
    if args.page is not None and (args.quick or args.estimator):
        raise ValueError(
            "glrast audit: --page needs all figures; leave out --quick and --estimator"
        )
    _check_plot(args.plot)
    target: Path | None = args.page
    if target is not None and not target.is_file():
        raise ValueError(
            f"glrast audit: --page must be a Markdown page with marks; {target} is none: make it first"
        )
    page = None if target is None else target.read_text()
    if target is not None:
        check_writable("audit", "--page", target)
    ctx = glrast.Context(device)
    report = audit(args.estimator, quick=args.quick, ctx=ctx, say=_say)
    about = {"date": datetime.date.today().isoformat(), **machine(device)}
    if args.json:
        print(json.dumps({"machine": about, **report.as_dict()}, indent=1))
    else:
        print("\n\n".join(table.text() for table in tables(report)))
        print(f"\n{_words(about)}")
    if page is not None and target is not None:
        with replacing(target) as file:
            file.write_text(filled(page, report, about))
        print(f"wrote {args.page}", file=sys.stderr)
    if args.plot is not None:
        from ..visibility.audit.pictures import plot

        plot(args.plot, [t.method for t in report.ticks], ctx, quick=args.quick)
        print(f"wrote {args.plot}", file=sys.stderr)
    return 0


def _check_plot(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in DRAWN:
        expected = f"--plot must end in {', '.join(DRAWN)}"
        raise ValueError(f"glrast audit: {expected}; got {path.name!r}; name a png")
    if importlib.util.find_spec("matplotlib") is None:
        raise ModuleNotFoundError(
            "glrast audit: --plot needs Matplotlib, which is not installed; run: "
            'pip install "glrast[fit]"',
            name="matplotlib",
        )
    check_writable("audit", "--plot", path)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what} ...\r", end="", file=sys.stderr, flush=True)


def _words(about: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in about.items())


def filled(page: str, report: Report, about: dict[str, Any]) -> str:
    """The page with what is measured between its marks: a table by name, or "machine"."""
    parts = {table.name: table.markdown() for table in tables(report)}
    parts["machine"] = f"Measured: {_words(about)}."
    for name, text in parts.items():
        begin = BEGIN.format(name)
        if begin in page:
            before, rest = page.split(begin, 1)
            if END not in rest:
                raise ValueError(f"glrast audit: the page has {begin} without {END} after it")
            page = f"{before}{begin}\n{text}\n{END}{rest.split(END, 1)[1]}"
    return page
