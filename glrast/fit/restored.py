"""Whether a checkpoint's contents make a fit: what `Fit.restore` may rely on."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def require_sound(
    state: dict[str, Any], stages: list[dict[str, Any]], views: int, path: str | Path
) -> None:
    """Raises ValueError, one line with the file's name, at the first thing that cannot be.

    Args:
        state: as of `Fit.state`.
        stages: of the run, the same as in state["settings"].
        views: how many there are.
    """
    try:
        _check_place(state, stages, views)
        _check_mesh(state)
        _check_moments(state)
    except (_Unsound, KeyError, TypeError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"glrast fit: --resume expected the checkpoint of a fit in {path}, but {what}. The file "
            "is damaged or was written by another program: run without --resume to start over."
        ) from error


class _Unsound(Exception):
    pass


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise _Unsound(what)


def _whole(state: dict[str, Any], name: str, least: int, most: int) -> int:
    value = state[name]
    _expect(
        type(value) is int and least <= value <= most,
        f"{name} must be {least} to {most}; it is {value!r}",
    )
    return value


def _tensor(
    holder: dict[str, Any], name: str, dtype: torch.dtype, shape: tuple[int | None, ...]
) -> Tensor:
    value = holder[name]
    _expect(isinstance(value, Tensor), f"{name} is no tensor but {type(value).__name__}")
    fits = len(value.shape) == len(shape) and all(
        w in (None, n) for n, w in zip(value.shape, shape)
    )
    wanted = "[" + ",".join("any" if n is None else str(n) for n in shape) + "]"
    _expect(
        value.dtype == dtype and fits,
        f"{name} must be {dtype} {wanted}; it is {value.dtype} {list(value.shape)}",
    )
    if value.dtype.is_floating_point:
        _expect(bool(value.isfinite().all()), f"{name} holds values that are not finite")
    return value


def _index(
    holder: dict[str, Any], name: str, dtype: torch.dtype, shape: tuple, count: int
) -> Tensor:
    value = _tensor(holder, name, dtype, shape)
    inside = not value.numel() or (0 <= int(value.min()) and int(value.max()) < count)
    _expect(inside, f"{name} must be 0 to {count - 1}; it goes from {_ends(value)}")
    return value


def _ends(value: Tensor) -> str:
    return f"{int(value.min())} to {int(value.max())}" if value.numel() else "nothing"


def _check_place(state: dict[str, Any], stages: list[dict[str, Any]], views: int) -> None:
    """Where in the run it stands; the generator and the order of the views."""
    stage = _whole(state, "stage_index", 0, len(stages) - 1)
    step = _whole(state, "step_in_stage", 0, stages[stage]["steps"])
    done = sum(s["steps"] for s in stages[:stage]) + step
    losses = state["losses"]
    numbers = isinstance(losses, list) and all(
        isinstance(x, float) and math.isfinite(x) for x in losses
    )
    _expect(numbers, "losses is no list of finite numbers")
    _expect(len(losses) == done, f"it has {len(losses)} losses at step {done}")
    for name in ("size", "seconds"):
        value = state[name]
        good = isinstance(value, float | int) and math.isfinite(value) and value >= 0
        _expect(good, f"{name} must be a number, 0 or more; it is {value!r}")
    _expect(state["size"] > 0, "size is 0")
    _index(state, "order", torch.int64, (None,), views)
    expected = torch.Generator().get_state().shape
    _tensor(state, "generator", torch.uint8, tuple(expected))


def _check_mesh(state: dict[str, Any]) -> None:
    vertices = len(_tensor(state, "u", torch.float32, (None, 3)))
    triangles = len(_index(state, "tri", torch.int32, (None, 3), vertices))
    _expect(triangles > 0, "its mesh has no triangle")
    atlas = state["atlas"]
    if atlas is None:
        _tensor(state, "color", torch.float32, (vertices, 3))
        return
    _expect(isinstance(atlas, dict), f"atlas is no dict but {type(atlas).__name__}")
    size = _whole(atlas, "size", 1, 1 << 15)
    uv = _tensor(atlas, "uv", torch.float32, (None, 2))
    _index(atlas, "uv_tri", torch.int32, (triangles, 3), len(uv))
    _tensor(state, "color", torch.float32, (size, size, 3))


# The optimisers' moments, one for each entry of what they move, by the names that they give them.
_MOMENTS = {"move": ("u", ("mean", "square")), "paint": ("color", ("exp_avg", "exp_avg_sq"))}


def _check_moments(state: dict[str, Any]) -> None:
    for name, (parameter, moments) in _MOMENTS.items():
        held = state[name]
        _expect(
            isinstance(held, dict) and held.keys() == {"state", "param_groups"},
            f"{name} is no optimiser's state",
        )
        groups = held["param_groups"]
        _expect(
            isinstance(groups, list) and len(groups) == 1 and groups[0]["params"] == [0],
            f"{name} belongs to other parameters",
        )
        if not held["state"]:
            continue
        _expect(held["state"].keys() == {0}, f"{name} belongs to other parameters")
        for moment in moments:
            _tensor(held["state"][0], moment, torch.float32, tuple(state[parameter].shape))
        _expect(float(held["state"][0]["step"]) >= 1, f"{name} has done no step")
