"""EGL through ctypes: the devices of this machine, and OpenGL contexts that are made current with care.

glcontext can create such a context, but ignores whether making it current succeeded (use from a second thread
silently draws zeros), cannot say which CUDA device it belongs to, leaves no context where another library's was
current, and needs libGL. These are the calls that matter here, so they stand here, checked.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import scope

_EXTENSIONS, _VENDOR = 0x3055, 0x3053
_PLATFORM_DEVICE = 0x313F
_OPENGL_API = 0x30A2
_CUDA_DEVICE_NV = 0x323A
_DRAW, _READ = 0x3059, 0x305A
# major 4, minor 5, core profile, end
_CONTEXT_ATTRIBUTES = (*(0x3098, 4), *(0x30FB, 5), *(0x30FD, 1), 0x3038)

_ENDED = (
    "another library of this process has ended the display of the device, which all share (eglTerminate; VTK, PyVista "
    "and pyrender do it when they close a renderer): close theirs after the last use of glrast, or before "
    "glrast.Context"
)
_ERRORS = {
    0x3001: "EGL_NOT_INITIALIZED: the driver's libraries are not there (container: "
    "NVIDIA_DRIVER_CAPABILITIES must hold graphics; Mesa: install libegl-mesa0 libgl1-mesa-dri)",
    0x3002: "EGL_BAD_ACCESS: the context is current in another thread, or this user may not open /dev/dri",
    0x3003: "EGL_BAD_ALLOC: out of memory",
    0x3004: "EGL_BAD_ATTRIBUTE: the driver has no OpenGL 4.5 core profile",
    0x3005: "EGL_BAD_CONFIG",
    0x3006: f"EGL_BAD_CONTEXT: {_ENDED}",
    0x3008: f"EGL_BAD_DISPLAY: {_ENDED}",
    0x3009: "EGL_BAD_MATCH: the driver has no OpenGL 4.5 core profile",
}


class EGLError(RuntimeError):
    """An EGL call failed; the message says which, and what usually helps."""


@dataclass(frozen=True)
class Device:
    """One EGL device: its place in EGL's order, its handle, and the CUDA device it is (None: not an NVIDIA one)."""

    index: int
    handle: int
    cuda_index: int | None
    software: bool


@cache
def _library() -> ctypes.CDLL:
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise EGLError(
            f"glrast: libEGL.so.1 cannot be loaded ({error}); install it: apt-get install libegl1 "
            "(and libegl-mesa0 libgl1-mesa-dri to render on the CPU)"
        ) from error
    for name, result, arguments in (
        ("eglGetProcAddress", ctypes.c_void_p, [ctypes.c_char_p]),
        ("eglInitialize", ctypes.c_uint, [ctypes.c_void_p] * 3),
        ("eglQueryString", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
        ("eglBindAPI", ctypes.c_uint, [ctypes.c_uint]),
        ("eglQueryAPI", ctypes.c_uint, []),
        ("eglCreateContext", ctypes.c_void_p, [ctypes.c_void_p] * 4),
        ("eglDestroyContext", ctypes.c_uint, [ctypes.c_void_p] * 2),
        ("eglMakeCurrent", ctypes.c_uint, [ctypes.c_void_p] * 4),
        ("eglGetCurrentContext", ctypes.c_void_p, []),
        ("eglGetCurrentDisplay", ctypes.c_void_p, []),
        ("eglGetCurrentSurface", ctypes.c_void_p, [ctypes.c_int]),
        ("eglGetError", ctypes.c_int, []),
    ):
        function = getattr(egl, name)
        function.restype, function.argtypes = result, arguments
    return egl


def _extension(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    address = _library().eglGetProcAddress(name.encode())
    if not address:
        raise EGLError(
            f"glrast: this libEGL has no {name}; glrast needs EGL 1.5 with EGL_EXT_device_base (glvnd)"
        )
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def _fail(call: str) -> EGLError:
    code = _library().eglGetError()
    return EGLError(
        f"glrast: {call} failed: {_ERRORS.get(code, 'see the EGL documentation')} (0x{code:04x})"
    )


def devices() -> list[Device]:
    """The machine's EGL devices in EGL's order (which is not CUDA's); Mesa's software device, if any, included."""
    query = _extension(
        "eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p
    )
    count = ctypes.c_int(0)
    if not query(0, None, ctypes.byref(count)):
        raise _fail("eglQueryDevicesEXT")
    handles = (ctypes.c_void_p * max(count.value, 1))()
    if count.value and not query(count.value, handles, ctypes.byref(count)):
        raise _fail("eglQueryDevicesEXT")
    return [_describe(i, handles[i]) for i in range(count.value)]


def _describe(index: int, handle: int) -> Device:
    attribute = _extension(
        "eglQueryDeviceAttribEXT",
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_ssize_t),
    )
    string = _extension("eglQueryDeviceStringEXT", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    cuda = ctypes.c_ssize_t(-1)
    is_cuda = attribute(handle, _CUDA_DEVICE_NV, ctypes.byref(cuda)) and cuda.value >= 0
    if not is_cuda:
        _library().eglGetError()  # Mesa's device answers EGL_FALSE; the error is ours to clear
    extensions = (string(handle, _EXTENSIONS) or b"").decode().split()
    return Device(
        index, handle, cuda.value if is_cuda else None, "EGL_MESA_device_software" in extensions
    )


class Context:
    """A surfaceless OpenGL 4.5 core context on one EGL device. `with context:` makes it current and puts back
    whatever was current before. moderngl takes it as its context object."""

    def __init__(self, device: Device):
        egl = _library()
        display_of = _extension(
            "eglGetPlatformDisplayEXT",
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        self.device = device
        self.process = os.getpid()
        self.display = display_of(_PLATFORM_DEVICE, device.handle, None)
        scope.keep_drivers_local()  # the vendor's library is here by now, and its driver is not
        if not self.display or not egl.eglInitialize(self.display, None, None):
            raise _fail(f"eglInitialize on EGL device {device.index}")
        scope.set_apart()
        previous_api = egl.eglQueryAPI()
        if not egl.eglBindAPI(_OPENGL_API):
            raise _fail("eglBindAPI(EGL_OPENGL_API)")
        try:
            attributes = (ctypes.c_int * len(_CONTEXT_ATTRIBUTES))(*_CONTEXT_ATTRIBUTES)
            self.handle = egl.eglCreateContext(self.display, None, None, attributes)
            if not self.handle:
                raise _fail(f"eglCreateContext on EGL device {device.index}")
        finally:
            egl.eglBindAPI(previous_api)
        self._previous: tuple[Any, ...] = ()

    def vendor(self) -> str:
        return (_library().eglQueryString(self.display, _VENDOR) or b"").decode()

    def __enter__(self) -> Context:
        egl = _library()
        previous = (
            egl.eglQueryAPI(),
            egl.eglGetCurrentDisplay(),
            egl.eglGetCurrentSurface(_DRAW),
            egl.eglGetCurrentSurface(_READ),
            egl.eglGetCurrentContext(),
        )
        egl.eglBindAPI(_OPENGL_API)
        if not egl.eglMakeCurrent(self.display, None, None, self.handle):
            error = _fail("eglMakeCurrent")
            egl.eglBindAPI(previous[0])
            raise error
        self._previous = previous
        return self

    def __exit__(self, *_: object) -> None:
        egl = _library()
        api, display, draw, read, handle = self._previous
        egl.eglMakeCurrent(self.display, None, None, None)
        egl.eglBindAPI(api)
        if handle:
            egl.eglMakeCurrent(display, draw, read, handle)

    def load_opengl_function(self, name: str) -> int:
        return _library().eglGetProcAddress(name.encode()) or 0

    load = load_opengl_function

    def release(self) -> None:
        if self.handle:
            _library().eglDestroyContext(self.display, self.handle)
            self.handle = None
