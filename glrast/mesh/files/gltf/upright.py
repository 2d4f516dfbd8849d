"""glTF's y points up. A mesh whose up is another direction gets a node that turns it; reading takes that back.

So other programs show the mesh upright, and `load_mesh` gives what was saved, in its own coordinates: the cameras of
the data set that it was fitted to still fit. The node says in its extras which direction it turned up. Where another
program has turned it once more, or into its vertices, what the file says now holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_AXES = {
    "x": (1, 0, 0),
    "y": (0, 1, 0),
    "z": (0, 0, 1),
    "-x": (-1, 0, 0),
    "-y": (0, -1, 0),
    "-z": (0, 0, -1),
}


def turn_up(up: str | Sequence[float]) -> np.ndarray:
    """[3,3], the smallest turn that takes `up` to y; without rounding where `up` is an axis."""
    given = _AXES.get(up.lower()) if isinstance(up, str) else up
    try:
        x, y, z = (float(value) for value in given or ())
        length = math.sqrt(x * x + y * y + z * z)
    except (TypeError, ValueError):
        x = y = z = length = 0.0
    if not 0 < length < math.inf:
        raise ValueError(
            f"glrast.clip.save_mesh: up must be one of {', '.join(_AXES)} or three numbers that are not all 0; "
            f"got {up!r}; say which axis of the mesh points up."
        )
    x, y, z = x / length, y / length, z / length
    if y == -1:
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues around (x,y,z) x (0,1,0) = (-z,0,x), with cos = y
    k = np.array([[0, -x, 0], [x, 0, z], [0, -z, 0]])
    return np.eye(3) + k + k @ k / (1 + y)


def note(up: str | Sequence[float] | None) -> dict[str, Any]:
    """The extras of a node that turns `up` to y."""
    return {"glrast": {"up": up.lower() if isinstance(up, str) else [float(x) for x in up or ()]}}


def taken_back(matrix: np.ndarray, extras: Any) -> np.ndarray:
    """A node's matrix [4,4] without the turn that its extras tell of, if that is what still stands in it."""
    ours = extras.get("glrast") if isinstance(extras, dict) else None
    up = ours.get("up") if isinstance(ours, dict) else None
    if not isinstance(up, (str, list)):
        return matrix
    try:
        turn = turn_up(up)
    except ValueError:
        return matrix
    if not np.array_equal(matrix[:3, :3], turn):
        return matrix
    back = np.eye(4)
    back[:3] = turn.T @ matrix[:3]
    back[:3, :3] = np.eye(3)
    return back
