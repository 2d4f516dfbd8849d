"""One OpenGL context per device and process, current only inside a call and only under its lock."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager

import moderngl
import torch

from ..launch.cpu import keep_freed_memory
from . import egl, fork, interop
from .functions import Functions

_LIMITS = {"size": 0x0D33, "layers": 0x88FF, "framebuffer_layers": 0x9317}
_LARGEST_PLAIN = 1 << 13  # pixels on a side


class DeviceContext:
    """The OpenGL side of one torch device: EGL context, moderngl's view of it, limits, and what others cache on it."""

    def __init__(self, device: torch.device, opened: egl.Context, handle: int):
        self.device, self.egl, self.handle = device, opened, handle
        self.lock = threading.RLock()
        self._depth = 0
        self.objects: dict = {}  # programs, targets, buffers: made by their own modules, kept here, freed by close()
        self.abandoned: deque[Callable[[], None]] = (
            deque()
        )  # what frees things whose owners are gone
        with self.egl:
            self.gl = Functions(self.egl.load_opengl_function)
            self.moderngl = moderngl.create_context(context=self.egl, require=450)  # pyright: ignore[reportArgumentType]
            self.renderer = str(self.moderngl.info["GL_RENDERER"])
            self.version = str(self.moderngl.info["GL_VERSION"])
            self.extensions = frozenset(self.moderngl.extensions)
            self.limits = {name: self.gl.get_integer(code) for name, code in _LIMITS.items()}
        # Without it (older GPUs) layers are drawn one by one.
        self.layered_vertex = "GL_ARB_shader_viewport_layer_array" in self.extensions
        self.software = self.egl.device.software or "llvmpipe" in self.renderer
        # On a GPU the vertex stage removes triangles with a vertex that is not finite; to ask the positions whether
        # there is one would wait for them. llvmpipe takes checked indices: there the question costs less.
        self.culls_non_finite = not self.software
        # Larger images are drawn from pieces, whole or in tiles (tiles.py). A software driver could do without up to
        # its limit, but what an image shows shall not depend on that.
        self.largest_plain = _LARGEST_PLAIN if self.software else self.limits["size"]
        self.writes_depth = False  # the workaround that self_test.py may switch on
        with self.current():
            self.sharing = interop.sharing(device, self.software, self.renderer)
        logging.getLogger("glrast").info("%s: OpenGL %s on %s", device, self.version, self.renderer)
        if self.software:
            keep_freed_memory()

    @contextmanager
    def current(self):
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
            for thing in list(self.objects.values()):
                thing.release()
            self.objects.clear()


def address(tensor: torch.Tensor) -> ctypes.c_void_p:
    """A CPU tensor's memory as GL takes it."""
    return ctypes.c_void_p(tensor.data_ptr())
