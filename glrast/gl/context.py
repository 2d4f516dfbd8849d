"""One OpenGL context per device and process, current only inside a call and only under its lock."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import moderngl
import torch

from ..core.per_tensor import PerTensor
from ..launch.cpu import keep_freed_memory
from . import egl, fork, interop
from .functions import Functions
from .limits import limits


class DeviceContext:
    """The OpenGL side of one torch device: EGL context, moderngl's view of it, limits, and what others cache on it."""

    def __init__(self, device: torch.device, opened: egl.Context, handle: int):
        self.device, self.egl, self.handle = device, opened, handle
        self.lock = threading.RLock()
        self._depth = 0
        # programs, targets, buffers: made by their own modules, kept here, freed by close()
        self.objects: dict[tuple[object, ...], Any] = {}
        # index sets that OpenGL may draw, of the triangles that they were checked from (raster/plan.py)
        self.checked = PerTensor[torch.Tensor](most=1)
        self.abandoned: deque[Callable[[], None]] = deque()  # frees things whose owners are gone
        with self.egl:
            self.gl = Functions(self.egl.load_opengl_function)
            self.moderngl = moderngl.create_context(context=self.egl, require=450)  # pyright: ignore[reportArgumentType]
            self.renderer = str(self.moderngl.info["GL_RENDERER"])
            self.version = str(self.moderngl.info["GL_VERSION"])
            self.extensions = frozenset(self.moderngl.extensions)
            self.software = self.egl.device.software or "llvmpipe" in self.renderer
            self.limits = limits(self.gl, self.extensions, self.software)
        with self.current():
            self.sharing = interop.sharing(device, self.software, self.renderer)
        free_bytes = self.sharing.free_bytes()
        if free_bytes is not None:
            self.limits.share(free_bytes)
        logging.getLogger("glrast").info("%s: OpenGL %s on %s", device, self.version, self.renderer)
        if self.software:
            keep_freed_memory()

    @contextmanager
    def current(self) -> Generator[DeviceContext, None, None]:
        """Make the context current in this thread; put back what was current before. Nests."""
        fork.refuse()
        with self.lock:
            if self._depth:
                yield self
                return
            with self.egl:
                self._depth += 1
                try:
                    while self.abandoned:
                        self.abandoned.popleft()()
                    yield self
                finally:
                    self._depth -= 1

    def close(self) -> None:
        """Free every GL object that was made on this context; the next call makes what it needs again."""
        with self.current():
            self.sharing.close()
            self.checked.forget()
            for thing in list(self.objects.values()):
                thing.release()
            self.objects.clear()


def address(tensor: torch.Tensor) -> ctypes.c_void_p:
    """A CPU tensor's memory as GL takes it."""
    return ctypes.c_void_p(tensor.data_ptr())
