"""One OpenGL context per device and process, current only inside a call and only under its lock."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager

import moderngl
import torch

from . import egl, interop
from .functions import Functions

_LIMITS = {"size": 0x0D33, "layers": 0x88FF, "framebuffer_layers": 0x9317}
_LARGEST_PLAIN = 1 << 13  # pixels on a side
_registry: dict[torch.device, DeviceContext] = {}
_by_handle: list[DeviceContext] = []
_registry_lock = threading.Lock()
_initialised_in: int | None = None  # the process that first touched EGL


class DeviceContext:
    """The OpenGL side of one torch device: EGL context, moderngl's view of it, limits, and what others cache on it."""

    def __init__(self, device: torch.device):
        self.device = device
        self.lock = threading.RLock()
        self._depth = 0
        self.egl = _open(device)
        self.uploaded: tuple = (
            None,
            lambda: None,
        )  # the index buffer; a weak reference to its tensor
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
            self.sharing = interop.sharing(device, self)
        self.handle = len(_by_handle)
        _by_handle.append(self)
        logging.getLogger("glrast").info("%s: OpenGL %s on %s", device, self.version, self.renderer)
        if self.software:
            from ..launch.cpu import keep_freed_memory

            keep_freed_memory()

    @contextmanager
    def current(self):
        """Make the context current in this thread; put back what was current before. Nests."""
        _refuse_after_fork()
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
            self.uploaded = (None, lambda: None)
            for thing in list(self.objects.values()):
                thing.release()
            self.objects.clear()


def for_device(device: torch.device) -> DeviceContext:
    """The context of `device`, made at the first call (about 100 ms)."""
    _refuse_after_fork()
    with _registry_lock:
        if device not in _registry:
            made = DeviceContext(device)
            if not made.software:
                from .self_test import check

                check(made)
            _registry[device] = made
        return _registry[device]


def by_handle(handle: int) -> DeviceContext:
    """The context that operations name by number: custom operators take no Python objects."""
    if handle >= len(_by_handle):
        raise RuntimeError(
            f"glrast: there is no OpenGL context number {handle} in this process; a program that was exported in "
            "another one needs a glrast.Context of the same device to be made first"
        )
    return _by_handle[handle]


def poll(on: bool) -> None:
    """Whether every call to OpenGL is followed by asking for its error, on all contexts: see glrast.debug."""
    for opened in _by_handle:
        opened.gl.poll(on)


def _refuse_after_fork() -> None:
    if _initialised_in is not None and _initialised_in != os.getpid():
        raise RuntimeError(
            f"glrast: OpenGL was initialised in process {_initialised_in} and this process was forked from it; "
            "OpenGL contexts do not survive fork. Start workers with "
            "multiprocessing.get_context('spawn') (DataLoader: multiprocessing_context='spawn')"
        )


def _open(device: torch.device) -> egl.Context:
    """A context on the EGL device that belongs to `device`: the same GPU for CUDA, any that works for the CPU."""
    global _initialised_in
    _initialised_in = os.getpid()
    found = egl.devices()
    if not found:
        raise egl.EGLError(
            "glrast: EGL lists no device; its vendor files are missing (/usr/share/glvnd/egl_vendor.d): "
            "apt-get install libegl-mesa0 libgl1-mesa-dri for the CPU; for an NVIDIA GPU see `glrast doctor`"
        )
    failures, spare = [], None
    for candidate in sorted(found, key=lambda d: _preference(d, device)):
        try:
            opened = egl.Context(candidate)
            if device.type == "cpu" or _renders_on(opened, device):
                if spare:
                    spare.release()
                return opened
        except egl.EGLError as error:
            failures.append(f"EGL device {candidate.index}: {error}")
            continue
        if spare is None:
            spare = opened  # not the GPU that was asked for; it still draws, and host memory carries the images
        else:
            opened.release()
    if spare:
        return spare
    raise egl.EGLError(
        f"glrast: no EGL device gives an OpenGL 4.5 context for {device}:\n  "
        + "\n  ".join(failures)
    )


def _renders_on(opened: egl.Context, device: torch.device) -> bool:
    """Does the context render on this CUDA device? CUDA knows; EGL's own number counts what CUDA_VISIBLE_DEVICES
    hides, and not in CUDA's order everywhere."""
    with opened:
        devices = interop.cuda_devices(device)
    if devices is None:  # no cuda-bindings to ask with
        return opened.device.cuda_index in (None, _cuda_ordinal(device))
    return device.index in devices


def _preference(candidate: egl.Device, device: torch.device) -> tuple:
    """CPU tensors go to the software device: results are the same on every machine. CUDA tensors go to their GPU."""
    if device.type == "cuda":
        return (candidate.cuda_index != _cuda_ordinal(device), candidate.software, candidate.index)
    return (not candidate.software, candidate.index)


def _cuda_ordinal(device: torch.device) -> int:
    """The driver's number of a torch device, which counts only what CUDA_VISIBLE_DEVICES lists."""
    visible = [
        v.strip() for v in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if v.strip()
    ]
    index = device.index or 0
    if index < len(visible) and visible[index].isdigit():
        return int(visible[index])
    return index


def address(tensor: torch.Tensor) -> ctypes.c_void_p:
    """A CPU tensor's memory as GL takes it."""
    return ctypes.c_void_p(tensor.data_ptr())
