"""The OpenGL contexts of this process, one for each torch device: opened once, kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from ..core import switch
from . import fork
from .context import DeviceContext
from .egl_device import open_context

_contexts: dict[torch.device, DeviceContext] = {}
_by_handle: list[DeviceContext] = []
_lock = threading.Lock()


def for_device(device: torch.device, test: Callable[[DeviceContext], None]) -> DeviceContext:
    """The context of `device`, made at the first call (about 100 ms); a GPU's is tried by `test` then."""
    fork.refuse()
    with _lock:
        if device not in _contexts:
            made = DeviceContext(device, open_context(device), handle=len(_by_handle))
            _by_handle.append(made)
            if not made.software:
                test(made)
            _contexts[device] = made
        return _contexts[device]


def by_handle(handle: int) -> DeviceContext:
    """The context that operations name by number: custom operators take no Python objects."""
    if handle >= len(_by_handle):
        raise RuntimeError(
            f"glrast: there is no OpenGL context number {handle} in this process; a program that was exported in "
            "another one needs a glrast.Context of the same device to be made first"
        )
    return _by_handle[handle]


@switch.listen
def poll(on: bool) -> None:
    """Whether every call to OpenGL is followed by asking for its error, on all contexts: see glrast.debug."""
    for opened in _by_handle:
        opened.gl.poll(on)
