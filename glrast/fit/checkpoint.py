"""The state of a fit in one file: everything that a later step depends on.

A run that continues from a checkpoint ends with the same bits as one that was never interrupted,
so whatever influences a step belongs in here: parameters, optimiser moments, generator, the
minibatch order that is left, the place in the list of stages.
"""

import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..core.files import DiskFull, replacing

# Raised when the meaning of the saved fields changes; an older file is then refused, not misread.
FORMAT = 2
# From one save to the next at least so many times as long as the last one took: a large checkpoint
# on a slow disk costs a thirtieth of the time at most.
SAVE_SHARE = 30.0


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, numbers, strings, lists and dicts of them) to `path`, atomically.

    Raises:
        DiskFull: there is no room for it; an older checkpoint stays whole.
    """
    # Into an open file: given a path, torch.save hides what the system says of a full disk.
    with replacing(path) as temporary, open(temporary, "wb") as file:
        torch.save({"format": FORMAT, **state}, file)


class Saver:
    """Saves now and then, so that a run neither loses much nor spends its time on writing.

    Args:
        path: of the checkpoint.
        seconds: at least so long from one save to the next.
        warn: is told once when the disk is full. The run goes on: the older checkpoint is whole,
            and there may be room again the next time.
    """

    def __init__(self, path: Path, seconds: float, warn: Callable[[str], None]):
        self.path, self.seconds = path, seconds
        self._warn, self._warned = warn, False
        self._last, self._took = time.monotonic(), 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last save, which took its share of it."""
        return time.monotonic() - self._last > max(self.seconds, SAVE_SHARE * self._took)

    def save(self, state: dict[str, Any], needed: bool = False) -> None:
        """Saves; where there is no room, raises DiskFull if it is `needed` and else warns, once."""
        started = time.monotonic()
        try:
            save_checkpoint(self.path, state)
            self._warned = False
        except DiskFull as error:
            if needed:
                raise
            if not self._warned:
                self._warn(f"{error} The fit goes on and will try again.")
            self._warned = True
        self._last = time.monotonic()
        self._took = self._last - started


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The state saved at `path`, its tensors on the CPU.

    Raises:
        ValueError: the file is damaged, or no checkpoint of this version of glrast.
    """
    try:
        damaged = _damaged_part(path)
        # weights_only: a checkpoint from elsewhere must not be able to run code.
        state: Any = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"glrast fit: --resume expected a checkpoint in {path}; it could not be read "
            f"({type(error).__name__}): damaged, or another kind of file. Delete it, or run "
            "without --resume to start over."
        ) from error
    if damaged:
        raise ValueError(
            f"glrast fit: --resume: {path} is damaged (the checksum of {damaged} in it is wrong). "
            "Delete the file, or run without --resume to start over."
        )
    found = state.pop("format", "none") if isinstance(state, dict) else "none"
    if found != FORMAT:
        raise ValueError(
            f"glrast fit: --resume expected a checkpoint of format {FORMAT} in {path}; found "
            f"{found}. It was written by another version or program: run without --resume to start over."
        )
    return state


def _damaged_part(path: str | Path) -> str | None:
    """The first part of the archive whose checksum is wrong; torch.load does not look at them."""
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


# Which words of the command line a setting comes from.
_WORDS = {
    "data": "DATASET or --resolution",
    "stages": "--steps or --colour",
    "batch": "--batch",
    "seed": "--seed",
    "device": "--device",
    "texture_size": "--texture-size",
    "edges": "--edges",
}


def require_same(saved: Any, current: dict[str, Any], path: str | Path) -> None:
    """Raises ValueError naming the first setting in which a saved run differs from this one."""
    if not isinstance(saved, dict):
        raise ValueError(
            f"glrast fit: --resume expected the checkpoint of a fit in {path}, but it has no settings. "
            "It was written by another program: run without --resume to start over."
        )
    for name, now in current.items():
        then = saved.get(name)
        if then != now:
            raise ValueError(
                f"glrast fit: --resume needs the settings of the interrupted run; {_WORDS.get(name, name)} was "
                f"{_brief(name, then)} in {path} and is {_brief(name, now)} now. Give the old value, or leave out "
                "--resume to start over."
            )


def _brief(name: str, value: Any) -> str:
    if name == "stages" and isinstance(value, list):
        colour = "texture" if any(stage.get("texture") for stage in value) else "vertex"
        return f"{sum(stage['steps'] for stage in value)} steps, {colour}"
    return f"pictures {value}" if name == "data" else str(value)
