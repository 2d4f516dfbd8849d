"""The text of a transforms.json, as far as any of it can be read: values with a name, problems with a place.

A file may be hostile by accident: gigabytes, nested a hundred thousand deep, numbers of thousands of
digits, names longer than a file system takes. Each is told with the file's name.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from .pose import bad_poses, pose_problem

NAME = "glrast.clip.load_cameras"
SPLITS = ("train", "val", "test")
LARGEST_FILE = 1 << 30  # bytes: more than a million frames; parsed it takes about twice this memory
LONGEST_NAME = 255  # bytes of a file's name, on all file systems in use


class Problem(ValueError):
    """What is wrong and what to do, still without the file and the frame."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file, with at least one frame in 'frames'."""
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise FileNotFoundError(
            f"{NAME}: {short(path)}: must be a file; it {what}; pass the path of transforms.json itself."
        )
    size = os.path.getsize(path)
    if size > LARGEST_FILE:
        raise ValueError(
            f"{NAME}: {path}: must have at most {LARGEST_FILE >> 20} MiB; got {size >> 20} MiB; "
            "is it a transforms.json? Split it into several."
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ValueError(
            f"{NAME}: {path}: must be JSON of a few levels; it is nested too deeply to read; "
            "write it again."
        ) from None
    except ValueError as error:  # no JSON, no UTF-8, or an integer of thousands of digits
        raise ValueError(f"{NAME}: {path}: must be JSON; {error}; write it again.") from None
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames:
        raise ValueError(
            f"{NAME}: {path}: must have 'frames', a list of at least one frame; "
            f"got {type(frames).__name__ if not isinstance(frames, list) else 'an empty list'}; "
            "pass a transforms.json of NeRF-synthetic or nerfstudio."
        )
    return data


def split_lists(path: Path, data: dict[str, Any]) -> dict[str, list[int]]:
    """Which frames train_filenames, val_filenames and test_filenames of nerfstudio name; {} without such lists."""
    given = {split: data[f"{split}_filenames"] for split in SPLITS if f"{split}_filenames" in data}
    if not given:
        return {}
    frames: dict[str, list[int]] = {}
    for index, entry in enumerate(data["frames"]):
        name = entry.get("file_path") if isinstance(entry, dict) else None
        for key in _keys(path.parent, name):
            frames.setdefault(key, []).append(index)
    found = {}
    for split, names in given.items():
        where = f"{NAME}: {path}: {split}_filenames"
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{where} must be a list of file_paths; got {short(names)}; fix it.")
        hits = [next((frames[k] for k in _keys(path.parent, n) if k in frames), []) for n in names]
        strange = [name for name, hit in zip(names, hits, strict=True) if not hit]
        if strange:
            raise ValueError(
                f"{where} must name frames by their file_path; {len(strange)} of {len(names)} "
                f"match none: {', '.join(map(short, strange[:3]))}; correct the names."
            )
        found[split] = sorted({index for hit in hits for index in hit})
    return found


def poses_of(path: Path, data: dict[str, Any], indices: list[int]) -> np.ndarray:
    """The camera-to-world matrices of the frames `indices`, float64 [N,4,4], each checked."""
    frames = data["frames"]
    values = []
    for index in indices:
        entry = frames[index]
        if not isinstance(entry, dict):
            problem = Problem(f"must be an object; got {type(entry).__name__}; write {{...}}.")
            raise at_frame(path, index, problem)
        value = entry.get("transform_matrix", data.get("transform_matrix"))
        if value is None:
            try:
                required(entry, "transform_matrix", "camera-to-world, 4 rows of 4 numbers")
            except Problem as problem:
                raise at_frame(path, index, problem) from None
        values.append(value)
    try:  # all at once: a million matrices take a second
        poses = np.array(values)
        if poses.ndim != 3 or poses.dtype.kind not in "fiu":
            raise ValueError
        poses = _square(poses.astype(np.float64))
    except (ValueError, TypeError, OverflowError):
        poses = np.stack([_pose(path, i, v) for i, v in zip(indices, values, strict=True)])
    for index in np.flatnonzero(bad_poses(poses))[:1]:
        problem = pose_problem(poses[index])
        raise at_frame(path, indices[index], _no_pose(problem or "is no pose"))
    return poses


def _pose(path: Path, index: int, value: Any) -> np.ndarray:
    matrix = None
    try:
        if _all_numbers(value):
            matrix = np.array(value, dtype=np.float64)
    except (ValueError, OverflowError):  # rows of several lengths, a number beyond float64
        matrix = None
    if matrix is None:
        text = f"transform_matrix must be 4 rows of 4 numbers; got {short(value)}; fix it."
        raise at_frame(path, index, Problem(text))
    if matrix.shape not in ((3, 4), (4, 4)):
        raise at_frame(path, index, _no_pose(f"has the shape {list(matrix.shape)}"))
    return _square(matrix[None])[0]


def _no_pose(what: str) -> Problem:
    return Problem(
        f"transform_matrix must be a camera-to-world pose; it {what}; fix or remove the frame."
    )


def _square(poses: np.ndarray) -> np.ndarray:
    """[N,3,4] or [N,4,4] as [N,4,4]."""
    if poses.shape[1:] == (3, 4):
        last = np.broadcast_to([[0.0, 0.0, 0.0, 1.0]], (len(poses), 1, 4))
        return np.concatenate([poses, last], axis=1)
    if poses.shape[1:] != (4, 4):
        raise ValueError
    return poses


def _all_numbers(value: Any) -> bool:
    """Whether these are rows of numbers; a file may nest deeper than Python recurses."""
    rows = value if isinstance(value, list) else [value]
    return all(
        isinstance(x, (int, float))
        for row in rows
        for x in (row if isinstance(row, list) else [row])
    )


def _keys(folder: Path, name: Any) -> list[str]:
    """What a frame's file goes by: its whole path, and that path without the suffix."""
    if not isinstance(name, str) or not name:
        return []
    whole = os.path.normpath(os.path.join(folder, name.replace("\\", "/")))
    stem, suffix = os.path.splitext(whole)
    return [whole] if suffix.lower() not in (".png", ".jpg", ".jpeg") else [whole, stem]


def file_text(settings: dict[str, Any], key: str) -> str:
    """The path that `key` holds, of which a file system could have a file."""
    text = settings[key]
    if not isinstance(text, str) or not text or "\0" in text:
        raise Problem(f"{key} must be the path of a file; got {short(text)}; write it as text.")
    text = text.replace("\\", "/")
    if text.rpartition("/")[2] in ("", ".", ".."):
        raise Problem(f"{key} must be the path of a file; got {short(text)}; name the file.")
    if len(text) > LONGEST_NAME or not text.isascii():  # else no part of it is too long
        longest = max(len(os.fsencode(part)) for part in text.split("/"))
        if longest > LONGEST_NAME:
            raise Problem(
                f"{key} must be the path of a file; got a name of {longest} bytes, and no file has more "
                f"than {LONGEST_NAME}: {short(text)}; correct it."
            )
    return text


def required(settings: dict[str, Any], key: str, what: str) -> Any:
    """The value of `key`, which must be there."""
    if key not in settings:
        found = [short(key) for key in sorted(settings)[:20]]
        raise Problem(f"must have '{key}' ({what}); found [{', '.join(found)}]; add it.")
    return settings[key]


def number(
    settings: dict[str, Any], key: str, low: float = -math.inf, high: float = math.inf
) -> float:
    """The value of `key` as a finite number, low <= value < high."""
    value = settings[key]
    try:
        whole = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError, OverflowError):
        whole = math.nan
    if not math.isfinite(whole):
        raise Problem(f"{key} must be a finite number; got {short(value)}; fix the file.")
    if not low <= whole < high:
        raise Problem(f"{key} must be at least {low:g} and below {high:g}; got {value!r}; fix it.")
    return whole


def at_frame(path: Path, index: int, problem: Exception) -> Exception:
    """The problem with the file and the frame before it."""
    kind = FileNotFoundError if isinstance(problem, FileNotFoundError) else ValueError
    return kind(f"{NAME}: {path}: frame {index}: {problem}")


def short(value: Any, length: int = 120) -> str:
    """The value as a message shows it: a path without quotes, anything else as Python writes it."""
    text = str(value) if isinstance(value, Path) else _written(value)
    return text if len(text) <= length else f"{text[:length]}..."


def _written(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"a huge {type(value).__name__}"
