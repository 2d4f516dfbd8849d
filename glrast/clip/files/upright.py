"""glTF's y points up. A mesh whose up is another axis of its own gets a node that turns it; reading takes that off.

So other programs show the mesh upright, and `load_mesh` gives back what was saved, in its own coordinates: cameras
of the data set that it was fitted to still fit. The node says in its extras that it is nothing but this turn. Where
another program has changed its matrix, what the file says now holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# The axis of the mesh that points up: (x, y, z) of the file. Turns, exact in any precision.
_TURNS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "x": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "y": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "z": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-x": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    "-y": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "-z": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
}
AXES = tuple(_TURNS)


def turn(up: str) -> np.ndarray:
    """float64 [3,3] from the mesh's coordinates to the file's, whose y is the mesh's `up`."""
    return np.array(_TURNS[up], dtype=np.float64)


def checked(up: str | None) -> str | None:
    """`up`, None where nothing is to be turned. Raises: ValueError."""
    if up is not None and (not isinstance(up, str) or up not in _TURNS):
        raise ValueError(
            f"glrast.clip.save_mesh: up must be None or one of {', '.join(AXES)}, the axis of the mesh that points up; "
            f"got {up!r}; leave it out where y does."
        )
    return None if up == "y" else up


def node_of(up: str, children: list[int]) -> dict[str, Any]:
    """The glTF node that turns `children` upright."""
    matrix = np.eye(4)
    matrix[:3, :3] = turn(up)
    return {
        "name": "upright",
        "children": children,
        "matrix": matrix.T.reshape(-1).tolist(),  # glTF has the columns one after another
        "extras": {"glrast": {"up": up}},
    }


def is_turn(node: dict[str, Any]) -> bool:
    """Whether a node is one of ours, still as we wrote it: then reading takes its matrix for the identity."""
    extras = node.get("extras")
    ours = extras.get("glrast") if isinstance(extras, dict) else None
    up = ours.get("up") if isinstance(ours, dict) else None
    matrix = node.get("matrix")
    if not isinstance(up, str) or up not in _TURNS or not isinstance(matrix, list):
        return False
    moved = any(name in node for name in ("rotation", "translation", "scale"))
    return not moved and matrix == node_of(up, [])["matrix"]
