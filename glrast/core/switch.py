"""debug, the switch: whether the operations look for what they otherwise draw nothing of, or go on with.

`ops/operator.py` asks `active` in every call and runs through `ops/guard.py` then; OpenGL is told (`listen`).
"""

from __future__ import annotations

from collections.abc import Callable

active = False


class debug:
    """Switch checks on or off, for good or inside a `with`; off at the start, and then it costs nothing.

    Under debug the operations raise where they otherwise draw nothing or go on, at the first offender:
        triangles that name a vertex outside [0,V), or have zero area; pixels of a rast that name no triangle;
        NaN and infinity in anything that goes into an operation or comes out, forward and backward;
        OpenGL errors, polled after every call to OpenGL, with the call named.

    Args:
        on: True or False. `with` puts back what was before.

    Raises: ValueError (indices, areas), FloatingPointError (not finite), RuntimeError (OpenGL); by the operations.

    Note: every check on a CUDA tensor waits for the GPU. A triangle seen exactly edge-on has an area and is no error.

    Example:
        with glrast.debug():
            rast, _ = glrast.rasterize(ctx, pos, tri, (256, 256))
        glrast.debug(True)  # from here on, until debug(False)
    """

    def __init__(self, on: bool = True):
        self.on = bool(on)
        _said.append(self)
        _switch()

    def __enter__(self) -> debug:
        return self

    def __exit__(self, *_) -> None:
        _said.remove(self)
        _switch()


# What was said and is not over, the last of which holds: a `with` in one thread ends nothing that another began.
_said: list[debug] = []


_listeners: list[Callable[[bool], None]] = []


def listen(to: Callable[[bool], None]) -> Callable[[bool], None]:
    """Call `to` with the new state after every change."""
    _listeners.append(to)
    return to


def _switch() -> None:
    global active
    state = active = bool(_said) and _said[-1].on
    for listener in _listeners:
        listener(state)
