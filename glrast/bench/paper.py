"""The table of Laine et al. 2020, Modular Primitives for High-Performance Differentiable Rendering: meshes of 284 to
308,170 triangles at 256 to 4096 pixels, rendered and differentiated by glrast, by softras and by PyTorch3D.

What is from the paper: the two ends of the range of meshes, their number, and whom it compares. Its meshes are objects
of ShapeNet, which are not ours to hand on; here each is a sphere of exactly so many triangles. The twelve counts
between the ends are a geometric progression, rounded to even numbers, for a closed mesh has one.

Every renderer begins with clip positions and vertex colours and ends with the gradients of both. Each has a process of
its own (`renderers.py`), so that one that takes too long, or more memory than there is, costs its own cell alone: the
cell says why, and larger cases of that renderer are not begun. They take turns on each case.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from . import renderers

FEWEST, MOST, MESHES = 284, 308_170, 14  # Laine et al. 2020
RESOLUTIONS = (256, 512, 1024, 2048, 4096)
QUICK_MESHES, QUICK_RESOLUTIONS, QUICK_LIMIT_S, QUICK_REPEATS = 3, (256, 512), 5.0, 1
LIMIT_S = (
    60.0  # of one forward and backward pass: on the CPU of the processor, on a GPU by the clock
)
SLOW = 0.02  # of that limit: a pass that took as much is not repeated
TO_BEGIN_S = 120.0  # for a process to import what it needs, and to make a mesh
_LOOK_S = 0.2  # how often the limit is looked at
WALL = 20  # a limit of the processor's time is at most so many times as long by the clock


def counts(meshes: int = MESHES) -> tuple[int, ...]:
    """Triangles of each mesh: from the paper's smallest to its largest, even, in a geometric progression."""
    grown = (MOST / FEWEST) ** (1 / (meshes - 1))
    return tuple(2 * round(FEWEST * grown**i / 2) for i in range(meshes))


@dataclass(frozen=True)
class Cell:
    """One renderer on one case: medians in milliseconds, or why there are none."""

    forward_ms: float = 0.0
    backward_ms: float = 0.0
    wall_ms: float = 0.0  # of both, by the clock
    repeats: int = 0
    why_not: str = ""

    @property
    def ms(self) -> float:
        return self.forward_ms + self.backward_ms


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    triangles: int
    resolution: int
    cells: dict[str, Cell] = field(default_factory=dict[str, Cell])

    def ratio(self, name: str) -> float | None:
        """How many times as long as glrast `name` takes."""
        ours, theirs = self.cells["glrast"], self.cells[name]
        return theirs.ms / ours.ms if ours.repeats and theirs.repeats else None


def measure_paper(
    device: torch.device,
    repeats: int,
    limit_s: float = LIMIT_S,
    triangles: Iterable[int] = (),
    resolutions: Iterable[int] = RESOLUTIONS,
    names: Iterable[str] = tuple(renderers.RENDERERS),
) -> Iterator[Case]:
    """Each mesh at each resolution. A renderer is not begun on what is no smaller than what it failed at."""
    workers = [_Worker(name, device, limit_s) for name in names]
    try:
        for T in tuple(triangles) or counts():
            for R in resolutions:
                yield Case(T, R, _in_turns(workers, T, R, repeats))
    finally:
        for worker in workers:
            worker.end()


def _in_turns(workers: list[_Worker], T: int, R: int, repeats: int) -> dict[str, Cell]:
    times: dict[str, list[tuple[float, float, float]]] = {w.name: [] for w in workers}
    why = {w.name: w.prepare(T, R) for w in workers}
    for turn in range(repeats + 1):  # the first warms up, and counts where it is the only one
        for worker in workers:
            took = times[worker.name]
            if why[worker.name] or (took and sum(took[-1][:2]) > 1e3 * SLOW * worker.limit_s):
                continue
            found = worker.run(T, R)
            if isinstance(found, str):
                why[worker.name] = found
            else:
                took.append(found)
                if turn == 1:
                    del took[0]
    for worker in workers:
        worker.forget()
    return {name: _cell(took, why[name]) for name, took in times.items()}


def _cell(took: list[tuple[float, float, float]], why: str) -> Cell:
    if why or not took:
        return Cell(why_not=why)
    return Cell(*(statistics.median(t) for t in zip(*took)), repeats=len(took))


class _Worker:
    """A renderer in a process of its own, which is begun when it is needed, and again after it was ended."""

    def __init__(self, name: str, device: torch.device, limit_s: float):
        self.name, self.device, self.limit_s = name, device, limit_s
        self.failed: list[tuple[int, int, str]] = []
        self.process: BaseProcess | None = None
        self.pipe: Connection  # pyright: ignore[reportUninitializedInstanceVariable] with the process

    def prepare(self, T: int, R: int) -> str:
        """ "", or why not."""
        for t, r, why in self.failed:
            if T >= t and R >= r:
                return (
                    why
                    if (T, R) == (t, r) or r == t == 0
                    else f"not begun: {why} at {t:,}, {r} x {r}"
                )
        if self.process is None:
            self._begin()
        answer = self._ask(("prepare", T, R), TO_BEGIN_S)
        return self._failure(T, R, answer) if isinstance(answer, str) else ""

    def run(self, T: int, R: int) -> tuple[float, float, float] | str:
        """Milliseconds forward, backward, and of both by the clock; or why not."""
        answer = self._ask(("run",), self.limit_s)
        return self._failure(T, R, answer) if isinstance(answer, str) else answer

    def forget(self) -> None:
        """Give the case's memory back."""
        if self.process is not None:
            self._ask(("forget",), TO_BEGIN_S)

    def end(self) -> None:
        if self.process is None:
            return
        self.pipe.close()
        self.process.kill()
        self.process.join()
        self.process = None

    def _begin(self) -> None:
        here, there = get_context("spawn").Pipe()
        self.process = get_context("spawn").Process(
            target=renderers.serve, args=(there, self.name, str(self.device)), daemon=True
        )
        self.process.start()
        there.close()
        self.pipe = here

    def _ask(self, what: tuple[object, ...], within_s: float) -> tuple[float, float, float] | str:
        """Its answer; where none comes in time the process is ended."""
        assert self.process is not None
        try:
            self.pipe.send(what)
            begin = time.perf_counter()
            before = self._processor_s()
            while not self.pipe.poll(_LOOK_S):
                wall = time.perf_counter() - begin
                if (
                    wall > WALL * within_s
                    or (self._processor_s() or wall) - (before or 0) > within_s
                ):
                    self.end()
                    return f"over {within_s:g} s"
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            why = f"its process ended ({self.process.exitcode})"
            self.end()
            return why

    def _processor_s(self) -> float | None:
        """What the process has used of the processor, all threads; None on a GPU, and where there is no /proc."""
        assert self.process is not None
        if self.device.type != "cpu":
            return None
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _failure(self, T: int, R: int, why: str) -> str:
        everywhere = why.startswith(renderers.NOT_HERE)
        self.failed.append((0, 0, why) if everywhere else (T, R, why))
        return why
