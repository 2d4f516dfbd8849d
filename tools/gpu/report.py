"""results.json and results.md: written whole after every rung, so that what is known is there whatever comes next."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

GOALS = {"1 view": "at most 2 ms", "64 views": "at least 3,000 a second"}
GOOD = ("right", "absent", "cut")  # cut: no failure so far, and the time was up
_ERROR = 220


def write(report: dict[str, Any], folder: Path) -> None:
    """Both files, whole or not at all, on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("results.json", json.dumps(report, indent=1, default=str)),
        ("results.md", markdown(report)),
    ):
        making = folder / f".{name}"
        with making.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        making.replace(folder / name)


def holds(report: dict[str, Any]) -> bool:
    return all(step["state"] in GOOD for step in report["steps"].values())


def markdown(report: dict[str, Any]) -> str:
    steps = report["steps"]
    facts = report["machine"] | (_data(steps, "ladder", "versions") or {})
    parts = [f"# {facts.get('GPU', report['device'])}\n"]
    if report.get("fake"):
        parts.append("**A trial run on fakes: no figure here is a GPU's.**\n")
    parts.append(table(("", ""), [(n, v) for n, v in facts.items()]))
    rows = [(n, s["state"], f"{s['seconds']:.1f}", s.get("says", "")) for n, s in steps.items()]
    parts.append("## Steps\n\n" + table(("step", "state", "s", "says"), rows))
    parts += [
        p
        for p in (
            _views(steps),
            _interop(steps),
            _iterations(steps),
            _operations(steps),
            _others(steps),
        )
        if p
    ]
    parts.append(
        "## Missing\n\n" + (table(("what", "state", "why"), missing(report)) or "Nothing.\n")
    )
    return "\n".join(parts)


def missing(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Every step and rung without figures to rely on, and why."""
    found = []
    for name, step in report["steps"].items():
        rungs = step.get("rungs", {})
        found += [
            (f"{name}: {rung}", note["state"], note.get("error", "")[:_ERROR])
            for rung, note in rungs.items()
            if note["state"] != "right"
        ]
        if step["state"] != "right" and not rungs:
            found.append((name, step["state"], step.get("why") or step.get("says", "")))
    return found


# ---- tables of figures -----------------------------------------------------------------------------------


def _data(steps: dict[str, Any], step: str, rung: str) -> Any:
    """A rung's figures; those of one that is wrong stand in the JSON alone."""
    note = steps.get(step, {}).get("rungs", {}).get(rung, {})
    return note.get("data") if note.get("state") == "right" else None


def _rungs(steps: dict[str, Any], step: str, prefix: str) -> dict[str, Any]:
    names = steps.get(step, {}).get("rungs", {})
    found = {name: _data(steps, step, name) for name in names if name.startswith(prefix)}
    return {name: data for name, data in found.items() if data}


def _views(steps: dict[str, Any]) -> str:
    rows = []
    for views, goal in GOALS.items():
        for name, data in _rungs(steps, "timings", views).items():
            figures = [
                f"{data[w]['ms']} ms, {data[w]['views a second']}/s"
                for w in ("rasterize", "image", "iteration")
            ]
            rows.append((name, *figures, goal))
    head = ("1280 x 720", "rasterize", "with interpolate and antialias", "and backward", "goal")
    return "## Views\n\n" + table(head, rows) if rows else ""


def _interop(steps: dict[str, Any]) -> str:
    rows = [
        (name.removeprefix("interop "), *(str(data.get(key, "-")) for key in _INTEROP))
        for name, data in _rungs(steps, "ladder", "interop").items()
    ]
    text = "## Sharing\n\n(layers, height, width) of each array; 0 layers of a flat one.\n\n"
    text += table(("texture", *_INTEROP), rows)
    steps_of_a_call = _data(steps, "ladder", "steps of a call")
    if steps_of_a_call:
        text += "\n" + table(
            ("step of a call", "us"), [(n, _number(v)) for n, v in steps_of_a_call.items()]
        )
    return text if rows or steps_of_a_call else ""


_INTEROP = (
    "level 0", "the array", "an array for each layer", "served", "map and unmap us", "register us", "texture object us",
)  # fmt: skip


def _iterations(steps: dict[str, Any]) -> str:
    rows = []
    for name, data in _rungs(steps, "ladder", "iteration").items():
        rows += [(name.split()[1], program, t["ms"], t["queued ms"]) for program, t in data.items()]
    text = table(("pixels", "program", "ms", "of them the host's"), rows)
    kernels = _data(steps, "ladder", "kernels") or {}
    if kernels:
        text += "\n" + table(("kernel, at 1024 x 1024", "us on the device"), list(kernels.items()))
    return "## Iterations\n\n" + text if rows or kernels else ""


def _operations(steps: dict[str, Any]) -> str:
    bandwidth = (_data(steps, "timings", "copy") or {}).get("GB/s", 0) * 1e9
    rows = []
    for prefix in ("pixels", "triangles"):
        for data in _rungs(steps, "timings", prefix).values():
            rows += [_operation(row, bandwidth) for row in data]
    head = ("op", "pixels", "triangles", "forward ms", "backward ms", "of copy", "of copy")
    text = f"## Operations\n\nA copy reads and writes {bandwidth / 1e9:.0f} GB/s.\n\n" + table(
        head, rows
    )
    return text if rows else ""


def _operation(row: dict[str, Any], bandwidth: float) -> tuple[Any, ...]:
    parts = []
    for way in ("forward", "backward"):
        ms, bytes = row[f"{way} ms"], row[f"{way} bytes"]
        parts.append(f"{bytes / (1e-3 * ms) / bandwidth:.0%}" if bandwidth and ms > 0 else "-")
    return (
        row["op"],
        row["pixels"],
        f"{row['triangles']:,}",
        row["forward ms"],
        row["backward ms"],
        *parts,
    )


def _others(steps: dict[str, Any]) -> str:
    rows = []
    for name in ("deterministic", "one layer or several", "overhead"):
        data = _data(steps, "timings", name)
        if data:
            nested = data if isinstance(next(iter(data.values())), dict) else {"": data}
            rows += [
                (f"{name}: {k}".rstrip(": "), v["ms"], v["queued ms"]) for k, v in nested.items()
            ]
    text = table(("at 1024 x 1024", "ms", "of them the host's"), rows)
    textures = []
    for name, data in _rungs(steps, "timings", "texture").items():
        textures += [
            (name.split()[1], r["channels"], r["forward ms"], r["backward ms"]) for r in data
        ]
    text += (
        "\n" + table(("texture", "channels", "forward ms", "backward ms"), textures)
        if textures
        else ""
    )
    return "## Others\n\n" + text if rows or textures else ""


def _number(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def table(head: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> str:
    """Markdown; nothing where there are no rows."""
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(_cell(c) for c in row) + " |\n" for row in lines)


def _cell(content: Any) -> str:
    return " ".join(str(content).replace("|", "/").split())
