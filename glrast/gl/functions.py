"""The OpenGL functions that moderngl does not offer: layered depth, integer clears, multi-layer reads, errors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core import switch

_int, _uint, _size, _pointer = ctypes.c_int, ctypes.c_uint, ctypes.c_ssize_t, ctypes.c_void_p

_SIGNATURES = {
    "glGetError": (_uint,),
    "glGetIntegerv": (None, _uint, _pointer),
    "glCreateTextures": (None, _uint, _int, _pointer),
    "glTextureStorage3D": (None, _uint, _int, _uint, _int, _int, _int),
    "glTextureParameteri": (None, _uint, _uint, _int),
    "glBindTextureUnit": (None, _uint, _uint),
    "glGetTextureImage": (None, _uint, _int, _uint, _uint, _int, _pointer),
    "glDeleteTextures": (None, _int, _pointer),
    "glCreateFramebuffers": (None, _int, _pointer),
    "glNamedFramebufferTexture": (None, _uint, _uint, _uint, _int),
    "glNamedFramebufferTextureLayer": (None, _uint, _uint, _uint, _int, _int),
    "glCheckNamedFramebufferStatus": (_uint, _uint, _uint),
    "glClearNamedFramebufferuiv": (None, _uint, _uint, _int, _pointer),
    "glClearNamedFramebufferfv": (None, _uint, _uint, _int, _pointer),
    "glDeleteFramebuffers": (None, _int, _pointer),
    "glBindFramebuffer": (None, _uint, _uint),
    "glViewport": (None, _int, _int, _int, _int),
    "glEnable": (None, _uint),
    "glDisable": (None, _uint),
    "glCullFace": (None, _uint),
    "glDepthFunc": (None, _uint),
    "glPixelStorei": (None, _uint, _int),
    "glNamedBufferSubData": (None, _uint, _size, _size, _pointer),
    "glFlush": (None,),
}

_ERRORS = {
    0x0500: "GL_INVALID_ENUM",
    0x0501: "GL_INVALID_VALUE",
    0x0502: "GL_INVALID_OPERATION",
    0x0505: "GL_OUT_OF_MEMORY",
    0x0506: "GL_INVALID_FRAMEBUFFER_OPERATION",
    0x0507: "GL_CONTEXT_LOST",
}


class Functions:
    """`gl.glClearNamedFramebufferuiv(...)` and so on, bound to one context's addresses."""

    def __init__(self, load: Callable[[str], int | None]):
        self._plain: dict[str, Callable[..., Any]] = {}
        for name, (result, *arguments) in _SIGNATURES.items():
            address = load(name)
            if not address:
                raise RuntimeError(
                    f"glrast: the OpenGL driver has no {name}; glrast needs OpenGL 4.5"
                )
            self._plain[name] = ctypes.CFUNCTYPE(result, *arguments)(address)
        self.poll(switch.active)

    def names(self) -> tuple[str, ...]:
        return tuple(self._plain)

    def poll(self, on: bool) -> None:
        """Whether every function asks for an error after it, and `step` does: under glrast.debug."""
        for name, function in self._plain.items():
            setattr(self, name, self._polled(name, function) if on else function)
        self.glGetError = self._plain["glGetError"]
        self.step = self.check if on else _nothing

    def _polled(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            self.check(f"after {name}{_shown(arguments)}")
            return result

        return call

    if TYPE_CHECKING:  # the functions of _SIGNATURES

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def get_integer(self, code: int) -> int:
        value = _int(0)
        self.glGetIntegerv(code, ctypes.byref(value))
        return value.value

    def create(self, function: str, *arguments: Any) -> int:
        """The one name that glCreate...(*arguments, 1, &name) makes."""
        name = _uint(0)
        getattr(self, function)(*arguments, 1, ctypes.byref(name))
        return name.value

    def delete(self, function: str, name: int) -> None:
        getattr(self, function)(1, ctypes.byref(_uint(name)))

    def check(self, what: str) -> None:
        """RuntimeError naming `what` and the GL error, if one is pending. All pending errors are cleared."""
        code = self.glGetError()
        if not code:
            return
        while self.glGetError():
            pass
        raise RuntimeError(f"glrast: OpenGL reports {_ERRORS.get(code, hex(code))} {what}")


def _nothing(what: str) -> None:
    """`gl.step("after ...")` without debug."""


def _shown(arguments: tuple[Any, ...]) -> str:
    numbers = (str(a) if isinstance(a, (int, float)) else "..." for a in arguments)
    return f"({', '.join(numbers)})"
