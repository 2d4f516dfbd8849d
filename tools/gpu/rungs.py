"""Measurements that cost only themselves: each is announced and written down at once, by a process that may die.

`climb` runs them, in that process; `watch` runs the process, again after each one that killed or held it. Between them
is a file of notes, a line of JSON each, flushed to the disk. Neither needs PyTorch.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

BREAK = "GLRAST_GPU_CHECK_BREAK"  # "step/rung=how ...": tests break rungs on purpose
_MESSAGE, _TRACE = 600, 900  # characters kept of an error
_LOOK_S = 0.05
_BARREN = 2  # processes
_BETWEEN_S = 10.0  # to end, after the last rung

Note = dict[str, Any]  # state, seconds, and data or error


class Missing(Exception):
    """What a rung measures cannot be here; the text says why."""


class Wrong(Exception):
    """A rung has figures, and they are not to be trusted."""

    def __init__(self, why: str, data: object = None):
        super().__init__(why)
        self.data = data


# ---- in the process that measures ------------------------------------------------------------------------


def climb(
    step: str, rungs: Mapping[str, Callable[[], object]], notes: Path, skip: Sequence[str]
) -> None:
    """Run all but `skip`, one after the other; whatever one raises is its own."""
    for name, function in rungs.items():
        if name in skip:
            continue
        _write(notes, {"rung": name, "state": "begun"})
        start = time.monotonic()
        found = _outcome(step, name, function)
        _write(notes, {"rung": name, "seconds": round(time.monotonic() - start, 2), **found})


def _outcome(step: str, name: str, function: Callable[[], object]) -> Note:
    try:
        _break(f"{step}/{name}")
        return {"state": "right", "data": function()}
    except Missing as missing:
        return {"state": "absent", "error": str(missing)}
    except Wrong as wrong:
        return {"state": "wrong", "error": str(wrong)[:_MESSAGE], "data": wrong.data}
    except BaseException as error:  # an assertion, a driver's error, an exit: it is the finding
        said = f"{type(error).__name__}: {error}"[:_MESSAGE]
        return {"state": "wrong", "error": said, "at": traceback.format_exc()[-_TRACE:]}


def _write(notes: Path, note: Note) -> None:
    with notes.open("a") as file:
        file.write(json.dumps(note, default=str) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _break(rung: str) -> None:
    for word in os.environ.get(BREAK, "").split(","):
        where, _, how = word.strip().partition("=")
        if where != rung:
            continue
        if how == "segv":
            ctypes.string_at(0)
        elif how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "exit":
            os._exit(3)
        elif how == "hang":
            time.sleep(1e6)
        raise ZeroDivisionError("broken on purpose")


# ---- in the process that watches -------------------------------------------------------------------------


def watch(
    command: Sequence[str], limits: Mapping[str, float], seconds: float, start: Callable[..., subprocess.Popen],
    notes: Path, said: Callable[[dict[str, Note]], None],
) -> dict[str, Note]:  # fmt: skip
    """What became of each rung of `limits` (seconds at most, by name), within `seconds` altogether.

    Args:
        start: start(command) -> the process, in a group of its own.
        said: called with all that is known, whenever more is.
    """
    end, found, barren = time.monotonic() + seconds, {}, 0
    while len(found) < len(limits) and time.monotonic() < end:
        place = notes.stat().st_size if notes.exists() else 0  # before it can have written
        process = start([*command, "--notes", str(notes), "--skip", *found])
        known = len(found)
        running, why = _follow(process, limits, end, notes, place, found, said)
        if running is not None:
            found[running] = {"state": "wrong", "error": why}
            said(found)
        elif process.returncode == 0:
            break
        elif len(found) == known:
            barren += 1
            if barren == _BARREN:  # it does not get as far as a rung: no more will the next
                for name in limits:
                    found.setdefault(name, {"state": "wrong", "error": f"before any rung, {why}"})
    for name in limits:
        found.setdefault(name, {"state": "no time", "error": "the time of this step was up"})
    said(found)
    return found


def _follow(
    process: subprocess.Popen, limits: Mapping[str, float], end: float, notes: Path, place: int, found: dict[str, Note],
    said: Callable[[dict[str, Note]], None],
) -> tuple[str | None, str]:  # fmt: skip
    """Until the process ends or must: the rung that it was at, if any, and how it ended."""
    running, since = None, time.monotonic()
    while True:
        ended = process.poll() is not None
        lines, place = _read(notes, place)
        for note in lines:
            name = note.pop("rung")
            running, since = (name if note["state"] == "begun" else None), time.monotonic()
            if running is None:
                found[name] = note
                said(found)
        if ended:
            return running, _death(process.returncode)
        now = time.monotonic()
        limit = limits[running] if running else _BETWEEN_S if len(found) == len(limits) else None
        if now > end or (limit is not None and now - since > limit):
            kill(process)
            took = "the time of this step was up" if now > end else f"no answer in {limit:g} s"
            return running, took
        time.sleep(_LOOK_S)


def _read(notes: Path, place: int) -> tuple[list[Note], int]:
    """Whole lines from `place` on, and where they end."""
    if not notes.exists():
        return [], place
    with notes.open("rb") as file:
        file.seek(place)
        whole, newline, _ = file.read().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()], place + len(whole) + len(newline)


def _death(code: int) -> str:
    if code >= 0:
        return f"the process ended with code {code}"
    try:
        return f"the process died of {signal.Signals(-code).name}"
    except ValueError:
        return f"the process died of signal {-code}"


def kill(process: subprocess.Popen) -> None:
    """It and the group that it began."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
