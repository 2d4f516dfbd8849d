"""The tables of a report, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .errors import Case, Difference
from .report import Report, Ticks

NONE = "-"


@dataclass
class Table:
    """Cells of text; the first column's are words, the others' figures."""

    name: str  # of its place on a page
    title: str
    head: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """Columns aligned; a head's words below each other."""
        words = [h.replace("_", " ").split(" ") for h in self.head]
        lines = max(len(w) for w in words)
        heads = [[w[k] if k < len(w) else "" for w in words] for k in range(lines)]
        widths = [max(len(row[c]) for row in [*heads, *self.rows]) for c in range(len(self.head))]
        rule = ["-" * w for w in widths]
        return "\n".join([self.title, *(_line(r, widths) for r in (*heads, rule, *self.rows))])

    def markdown(self) -> str:
        marks = ["---", *["---:"] * (len(self.head) - 1)]
        return "\n".join(f"| {' | '.join(r)} |" for r in (self.head, marks, *self.rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:]))]).rstrip()


def tables(report: Report) -> list[Table]:
    """All of them; those that nothing was measured for are left out."""
    made = [
        _by_kind(report, "smooth", "Relative error, smooth loss", lambda c: _error(c.smooth)),
        _by_kind(report, "noise", "Relative error, white noise", lambda c: _error(c.noise)),
        _by_kind(report, "scale", "Scale (1 is right), smooth loss", lambda c: _two(c.smooth.scale)),
        _by_kind(report, "cosine", "Cosine, smooth loss", lambda c: _two(c.smooth.cosine)),
        _by_kind(report, "mask", "Relative error of the mask, smooth loss", lambda c: _error(c.mask)),
        _by_kind(report, "own", "Relative error against the own image's differences", lambda c: _error(c.own)),
        _by_kind(report, "forward", "Error of the image, rms", lambda c: f"{c.forward:.4f}"),
        _checks(report),
        _ticks(report),
    ]  # fmt: skip
    return [t for t in made if any(cell != NONE for row in t.rows for cell in row[1:])]


def _error(found: Difference | None) -> str:
    return NONE if found is None else figure(found.error)


def _two(value: float) -> str:
    """Two places, and no -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def figure(error: float) -> str:
    """Two places, three below 0.1, one from 10 on."""
    return f"{error:.{3 if error < 0.0995 else 2 if error < 9.995 else 1}f}"


def _by_kind(report: Report, name: str, title: str, cell: Callable[[Case], str]) -> Table:
    rows = [[t.method, *(cell(c) for c in report.of(t.method))] for t in report.ticks]
    some = [row for row in rows if any(c != NONE for c in row[1:])]
    return Table(name, title, ["method", *report.kinds], some)


def _checks(report: Report) -> Table:
    rows = [[c.kind, str(c.entries), figure(c.smooth.error), f"{c.image:.5f}"] for c in report.checks]  # fmt: skip
    head = ["kind", "entries", "gradient", "image"]
    return Table("check", "Exact against supersampled images: error, rms", head, rows)


def _ticks(report: Report) -> Table:
    fastest = next((t.cost.ms for t in report.ticks if t.method == "antialias"), None)
    head = [
        "method", "performance", "flexibility", "correct gradients", "noise-free", "no tuning", "global illumination",
    ]  # fmt: skip
    rows = [_ticks_of(report, t, fastest) for t in report.ticks]
    return Table("ticks", "The table of ticks, in figures", head, rows)


def _ticks_of(report: Report, line: Ticks, fastest: float | None) -> list[str]:
    cost = line.cost
    times = "" if fastest is None else f" ({cost.ms / fastest:.1f}x)"
    # below a millionth it is sums in another order, and not noise; 0 are the same bits
    noise = "same bits" if cost.repeats == 0 else f"{cost.repeats:.2g} apart"
    spread = NONE
    if line.spread is not None:
        many = len(line.spread.parameters)
        least, most = (figure(e) for e in (line.spread.least, line.spread.most))
        spread = f"{many}: {least} to {most}" if many else f"0: {least}"
    return [
        line.method,
        f"{cost.ms:.1f} ms{times}, {cost.bytes / 1e6:.1f} MB",
        f"{len(line.flexible)} of {len(report.trials)}",
        f"{line.right} of {len(report.kinds)}, {figure(line.error)}",
        noise,
        spread,
        f"{100 * line.indirect:.0f} %",
    ]
