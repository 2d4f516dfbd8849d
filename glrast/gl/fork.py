"""OpenGL contexts do not survive fork: which process has touched EGL, and a refusal in its children."""

from __future__ import annotations

import os

_process: int | None = None  # that first touched EGL


def remember() -> None:
    """This process touches EGL now."""
    global _process
    _process = os.getpid()


def refuse() -> None:
    """RuntimeError in a process that was forked from the one that touched EGL."""
    if _process is not None and _process != os.getpid():
        raise RuntimeError(
            f"glrast: OpenGL was initialised in process {_process} and this process was forked from it; "
            "OpenGL contexts do not survive fork. Start workers with "
            "multiprocessing.get_context('spawn') (DataLoader: multiprocessing_context='spawn')"
        )
