"""The state of a fit in one file: everything that a later step depends on.

A run that continues from a checkpoint ends with the same bits as one that was never interrupted,
so whatever influences a step belongs in here: parameters, optimiser moments, generator, the
minibatch order that is left, the place in the list of stages.
"""

from pathlib import Path
from typing import Any

import torch

from glrast.fit.atomic import replacing

# Raised when the meaning of the saved fields changes; an older file is then refused, not misread.
FORMAT = 2


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, numbers, strings, lists and dicts of them) to `path`, atomically."""
    with replacing(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The state saved at `path`, its tensors on the CPU.

    Raises:
        ValueError: the file is no checkpoint of this version of glrast.
    """
    try:
        # weights_only: a checkpoint from elsewhere must not be able to run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state.pop("format", "none")
    except Exception as error:
        raise ValueError(
            f"glrast fit: --resume expected a checkpoint in {path}; it could not be read "
            f"({type(error).__name__}). Delete the file, or run without --resume to start over."
        ) from error
    if found != FORMAT:
        raise ValueError(
            f"glrast fit: --resume expected a checkpoint of format {FORMAT} in {path}; found "
            f"{found}. It was written by another version: run without --resume to start over."
        )
    return state


# Which words of the command line a setting comes from.
_WORDS = {
    "data": "DATASET or --resolution",
    "stages": "--steps or --colour",
    "batch": "--batch",
    "seed": "--seed",
    "device": "--device",
    "texture_size": "--texture-size",
}


def require_same(saved: dict[str, Any], current: dict[str, Any], path: str | Path) -> None:
    """Raises ValueError naming the first setting in which a saved run differs from this one."""
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
