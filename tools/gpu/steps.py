"""How each step is started, what it may take, and what its output says."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .machine import ROOT
from .plan import RUNGS
from .rungs import Note, kill, watch

_TAIL = 3000  # characters of a step's output that are kept
_WARNING = r"error:glrast. OpenGL.s images reach CUDA:RuntimeWarning"  # a test on host copies proves nothing
_OUR_WARNINGS = "error:glrast:RuntimeWarning"
_SANITIZER = "compute-sanitizer"
# Where the suite is cut by the time, what came first is what only a GPU can tell.
_SUITE = ("tests/ops", "tests/visibility", "tests/gl", "tests/raster", "tests/launch")


def commands(args: argparse.Namespace, scratch: Path) -> dict[str, list[str] | str]:
    """By step: the command, or why there is none."""
    python, device = sys.executable, ["--device", args.device]
    trial = [*(["--fake"] if args.fake else []), *(["--tiny"] if args.tiny else [])]
    found: dict[str, list[str] | str] = {
        step: [python, "-m", f"tools.gpu.{step}", *device, *trial] for step in RUNGS
    }
    small = ["--triangles", "80", "--resolution", "33"]
    json_file = ["--json", str(scratch / "parity.json")]
    parity = [python, "-W", _OUR_WARNINGS, "-m", "glrast.bench.parity", *device]
    found["parity"] = [*parity, *(small if args.tiny else []), *json_file]
    if args.fake:
        found["parity"] = "of fakes: the step llvmpipe compares the same kernels"
    found["depth"] = pytest(args, "tests/ops/test_rasterize.py", "-k", "linear_on_the_screen")
    found["waiting"] = pytest(args, "tests/ops/test_no_waiting.py")
    if args.tiny:
        found["suite"] = pytest(
            args, "tests/ops/test_interpolate.py", "-m", "not slow", "-k", "not fuzz"
        )
    else:
        found["suite"] = pytest(args, *_SUITE, "-m", "not slow")
    sanitizer = shutil.which(_SANITIZER)
    memcheck = [_SANITIZER, "--tool", "memcheck", "--error-exitcode", "9", *parity, *small]
    found["memcheck"] = memcheck if sanitizer else f"no {_SANITIZER} here"
    return found


def pytest(args: argparse.Namespace, *words: str) -> list[str]:
    """The words of a run that names each test as it ends, and takes host copies for an error."""
    given = ["-v", "--no-header", "-p", "no:cacheprovider", "--tb=short", "--device", args.device]
    given += ["--emulate-cuda"] if args.fake else []
    filters = f"filterwarnings=ignore:.*pos is relative to\n{_WARNING}"
    return [sys.executable, "-m", "pytest", *given, "-o", filters, "-o", "addopts=", *words]


def run(
    name: str, command: list[str] | str, seconds: float, environment: dict[str, str], folder: Path, scratch: Path,
    said: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:  # fmt: skip
    """State, seconds, what it says, and its rungs or data. `said` is told what is known so far."""
    if isinstance(command, str):
        return {"state": "absent", "seconds": 0.0, "why": command}
    log, begin = folder / "log.txt", time.monotonic()
    with log.open("ab") as file:
        file.write(f"\n==== {name}: {' '.join(command)}\n".encode())
        file.flush()
        place = file.tell()

        def start(words: list[str]) -> subprocess.Popen:
            return subprocess.Popen(
                words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

        def found() -> dict[str, Any]:
            return {"seconds": round(time.monotonic() - begin, 1)}

        if name in RUNGS:
            notes = watch(
                command, RUNGS[name], seconds, start, scratch / f"{name}.notes",
                lambda rungs: said({"state": "begun", **found(), "rungs": rungs, "says": _counted(rungs)}),
            )  # fmt: skip
            bad = [n for n in notes.values() if n["state"] not in ("right", "absent")]
            return {
                "state": "wrong" if bad else "right",
                **found(),
                "rungs": notes,
                "says": _counted(notes),
            } | ({"output": _tail(log, place)} if bad else {})
        process = start(command)
        try:
            code: int | None = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            kill(process)
            code = None
    return {**_judged(name, code, log, place), **found(), **_extra(scratch / f"{name}.json")}


def _counted(rungs: dict[str, Note]) -> str:
    right = sum(note["state"] == "right" for note in rungs.values())
    return f"{right} of {len(rungs)} rungs right"


def _judged(name: str, code: int | None, log: Path, place: int) -> dict[str, Any]:
    """A command's state and last line; of tests how many passed, also where the time was up."""
    output = _tail(log, place, None)
    tests = re.findall(r"^(\S+::.*?) (PASSED|FAILED|ERROR|SKIPPED)", output, re.M)
    failed = [test for test, state in tests if state in ("FAILED", "ERROR")]
    state = "too slow" if code is None else "wrong" if code else "right"
    if code is None and tests and not failed:
        state = "cut"
    if state == "right" and tests and all(s == "SKIPPED" for _, s in tests):
        state = "absent"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    says = lines[-1][:160] if lines else "no output"
    if tests:
        passed = sum(s == "PASSED" for _, s in tests)
        skipped = sum(s == "SKIPPED" for _, s in tests)
        says = f"{passed} passed, {len(failed)} failed, {skipped} skipped"
        says += ", then the time was up" if code is None else ""
    out: dict[str, Any] = {"state": state, "says": says}
    if failed:
        out["failed"] = failed
    if state in ("wrong", "too slow"):
        out["output"] = output[-_TAIL:]
        out["why"] = (
            (failed[0] if failed else says) if code is not None else "the time of this step was up"
        )
    return out


def _extra(file: Path) -> dict[str, Any]:
    try:
        return {"data": json.loads(file.read_text())}
    except (OSError, ValueError):
        return {}


def _tail(log: Path, place: int, most: int | None = _TAIL) -> str:
    with log.open("rb") as file:
        file.seek(place)
        text = file.read().decode(errors="replace")
    return text if most is None else text[-most:]
