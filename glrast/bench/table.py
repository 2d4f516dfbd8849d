"""Measurements as Markdown tables, which also read well on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .exact import Exact
from .launches import Launches
from .members import Member
from .operations import Row
from .overhead import Overhead
from .paper import Case
from .peer import Comparison
from .texture import Row as TextureRow


def operations(rows: Sequence[Row], bandwidth: float) -> str:
    """Every operation: times, bytes it must move, and how much of the copy bandwidth that is."""
    head = ("op", "pixels", "triangles", "forward ms", "backward ms", "fwd MB", "bwd MB", "fwd of copy",
            "bwd of copy", "peak MB")  # fmt: skip
    lines = []
    for row in rows:
        forward = row.forward_bytes / (row.forward_ms * 1e-3) / bandwidth
        backward = row.backward_bytes / (row.backward_ms * 1e-3) / bandwidth
        lines.append((
            row.op, _square(row.resolution), f"{row.triangles:,}", f"{row.forward_ms:.2f}", f"{row.backward_ms:.2f}",
            f"{row.forward_bytes / 1e6:.1f}", f"{row.backward_bytes / 1e6:.1f}", f"{forward:.0%}", f"{backward:.0%}",
            f"{row.peak_bytes / 1e6:.0f}",
        ))  # fmt: skip
    return markdown(head, lines)


def scaling(rows: Sequence[Row]) -> str:
    """Totals, with the time per pixel and per triangle: constant where growth is linear."""
    head = (
        "pixels",
        "triangles",
        "forward ms",
        "backward ms",
        "ns per pixel",
        "ns per triangle",
        "peak MB",
    )
    lines = []
    for row in rows:
        ns = (row.forward_ms + row.backward_ms) * 1e6
        lines.append((
            _square(row.resolution), f"{row.triangles:,}", f"{row.forward_ms:.1f}", f"{row.backward_ms:.1f}",
            f"{ns / row.resolution**2:.0f}", f"{ns / row.triangles:.0f}", f"{row.peak_bytes / 1e6:.0f}",
        ))  # fmt: skip
    return markdown(head, lines)


def peer(comparisons: Sequence[Comparison]) -> str:
    """glrast beside its peer, with the ratio of medians of forward + backward."""
    name = comparisons[0].peer if comparisons else "peer"
    head = ("pixels", "triangles", "glrast fwd ms", "bwd ms", f"{name} fwd ms", "bwd ms", f"{name} / glrast",
            "image difference")  # fmt: skip
    lines = [
        (
            _square(c.resolution), f"{c.triangles:,}", f"{c.forward_ms:.1f}", f"{c.backward_ms:.1f}",
            f"{c.peer_forward_ms:.1f}", f"{c.peer_backward_ms:.1f}", f"{c.ratio:.2f}x", f"{c.image_difference:.4f}",
        )
        for c in comparisons
    ]  # fmt: skip
    return markdown(head, lines)


def texture(rows: Sequence[TextureRow]) -> str:
    """Times and, from medians of forward + backward, what grid_sample and trilinear take in units of linear."""
    head = ("map", "texture", "C", "linear fwd ms", "bwd ms", "grid_sample fwd ms", "bwd ms", "grid_sample / linear",
            "trilinear fwd ms", "bwd ms", "trilinear / linear", "pyramid ms", "of reading twice")  # fmt: skip
    lines = []
    for row in rows:
        linear = row.linear_forward_ms + row.linear_backward_ms
        trilinear = row.trilinear_forward_ms + row.trilinear_backward_ms
        peer = ("", "", "")
        if row.grid_sample_forward_ms is not None and row.grid_sample_backward_ms is not None:
            up, down = row.grid_sample_forward_ms, row.grid_sample_backward_ms
            peer = (f"{up:.1f}", f"{down:.1f}", f"{(up + down) / linear:.2f}x")
        lines.append((
            row.map, _square(row.size), f"{row.channels}", f"{row.linear_forward_ms:.1f}",
            f"{row.linear_backward_ms:.1f}", *peer, f"{row.trilinear_forward_ms:.1f}",
            f"{row.trilinear_backward_ms:.1f}", f"{trilinear / linear:.2f}x", f"{row.pyramid_ms:.2f}",
            f"{row.pyramid_ms / row.read_twice_ms:.2f}x",
        ))  # fmt: skip
    return markdown(head, lines)


def overhead(found: Overhead) -> str:
    """The numbers and how they come about."""
    return (
        f"64 x 64, 100 triangles, forward + backward: {found.total_ms:.3f} ms: OpenGL {found.opengl_ms:.3f} ms, "
        f"kernels {found.kernels_ms:.3f} ms, Python and dispatch {found.overhead_ms:.3f} ms"
    )


def launches(rows: Sequence[Launches]) -> str:
    """Kernels and PyTorch's own fills and copies, and microseconds of the host, forward and backward."""
    head = (
        "operation",
        "kernels",
        "fills, copies",
        "host us",
        "kernels back",
        "fills, copies",
        "host us",
    )
    lines = [
        (
            row.operation, f"{row.forward}", f"{row.forward_fills}", f"{row.forward_us:.0f}",
            f"{row.backward}", f"{row.backward_fills}", f"{row.backward_us:.0f}",
        )
        for row in rows
    ]  # fmt: skip
    return markdown(head, lines)


def exact(rows: Sequence[Exact]) -> str:
    """`fragments` beside `antialias`."""
    head = ("pixels", "triangles", "discontinuities", "crossed pixels", "fragments", "ms", "processor ms", "ratio",
            "processor ratio", "peak MB")  # fmt: skip
    lines = [
        (
            _square(row.resolution), f"{row.triangles:,}", row.discontinuities, f"{row.pixels:,}",
            f"{row.fragments:,}", f"{row.ms:.1f}", f"{row.cpu_ms:.1f}", f"{row.ratio:.2f}", f"{row.cpu_ratio:.2f}",
            f"{row.peak_bytes / 1e6:.0f}",
        )
        for row in rows
    ]  # fmt: skip
    return markdown(head, lines)


def stages(found: dict[str, float]) -> str:
    """Steps, and within each its kernels and the rest."""
    return markdown(("stage", "ms"), [(name, f"{ms:.2f}") for name, ms in found.items()])


def members(rows: Sequence[Member]) -> str:
    """Forward and backward, and how many times as long as antialias both take."""
    head = ("member", "pixels", "triangles", "forward ms", "backward ms", "to antialias")
    lines = [
        (
            row.name, _square(row.resolution), f"{row.triangles:,}", f"{row.forward_ms:.1f}",
            f"{row.backward_ms:.1f}", f"{row.ratio:.1f}",
        )
        for row in rows
    ]  # fmt: skip
    return markdown(head, lines)


def paper(cases: Sequence[Case]) -> str:
    """The paper's table; beneath it why cells are empty."""
    names = list(cases[0].cells) if cases else []
    others = names[1:]
    head = ("triangles", "pixels", *(part for name in names for part in (f"{name} ms", "back ms")),
            *(f"{name} / {names[0]}" for name in others))  # fmt: skip
    reasons: list[str] = []
    lines: list[tuple[str, ...]] = []
    for case in cases:
        line = [f"{case.triangles:,}", _square(case.resolution)]
        for name, cell in case.cells.items():
            if cell.repeats:
                line += [_short(cell.forward_ms), _short(cell.backward_ms)]
                continue
            reason = f"{name}: {cell.why_not}"
            if reason not in reasons:
                reasons.append(reason)
            line += [f"({reasons.index(reason) + 1})", ""]
        for name in others:
            ratio = case.ratio(name)
            line.append("" if ratio is None else f"{_short(ratio)}x")
        lines.append(tuple(line))
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([markdown(head, lines), *(["", "  \n".join(notes)] if notes else [])])


def _short(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, columns aligned to the right."""
    widths = [max(len(row[i]) for row in (head, *lines)) for i in range(len(head))]
    rule = "|".join("-" * (width + 1) + ":" for width in widths)
    rows = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths)) + " |"
        for row in (head, *lines)
    ]
    return "\n".join([rows[0], f"|{rule}|", *rows[1:]])


def _square(resolution: int) -> str:
    return f"{resolution} x {resolution}"
