"""Layered render targets: one texture layer per image, drawn in one submission."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

import torch

from .context import DeviceContext, address
from .interop import with_room

_TEXTURE_2D_ARRAY = 0x8C1A
_FRAMEBUFFER, _COLOR_ATTACHMENT0, _DEPTH_ATTACHMENT, _COMPLETE = 0x8D40, 0x8CE0, 0x8D00, 0x8CD5
_COLOR, _DEPTH = 0x1800, 0x1801
_DEPTH32F = 0x8CAC
_MIN_FILTER, _MAG_FILTER, _NEAREST = 0x2801, 0x2800, 0x2600
_PACK_ALIGNMENT = 0x0D05
_BEHIND_ALL = ctypes.byref(ctypes.c_float(2.0))  # floating-point depth is not clamped when cleared

_BYTES_PER_CHANNEL = 4


class Format(NamedTuple):
    """Of the colour texture, and of the tensor that it is read into."""

    internal: int
    pixel: int
    type: int
    dtype: torch.dtype
    channels: int


# GL_UNSIGNED_INT read into int32: ids stay below 2^31
R32UI = Format(0x8236, 0x8D94, 0x1405, torch.int32, 1)
RG32UI = Format(0x823C, 0x8228, 0x1405, torch.int32, 2)
RGBA32F = Format(0x8814, 0x1908, 0x1406, torch.float32, 4)


class Target:
    """A colour texture of `format` and a depth texture, both with `layers` layers, and their framebuffer."""

    def __init__(
        self, context: DeviceContext, format: Format, height: int, width: int, layers: int
    ):
        self.gl = gl = context.gl
        self.format, self.height, self.width, self.layers = format, height, width, layers
        self.channels = format.channels
        self.bytes = height * width * layers * _BYTES_PER_CHANNEL * (format.channels + 1)
        self.color = gl.create("glCreateTextures", _TEXTURE_2D_ARRAY)
        self.depth = gl.create("glCreateTextures", _TEXTURE_2D_ARRAY)
        self.framebuffer = gl.create("glCreateFramebuffers")
        self.single = 0  # made by bind_layer
        gl.check("before making a render target")
        gl.glTextureStorage3D(self.color, 1, format.internal, width, height, layers)
        gl.glTextureStorage3D(self.depth, 1, _DEPTH32F, width, height, layers)
        for filter in (_MIN_FILTER, _MAG_FILTER):  # shaders cannot read integers with any other
            gl.glTextureParameteri(self.color, filter, _NEAREST)
        gl.glNamedFramebufferTexture(self.framebuffer, _COLOR_ATTACHMENT0, self.color, 0)
        gl.glNamedFramebufferTexture(self.framebuffer, _DEPTH_ATTACHMENT, self.depth, 0)
        try:
            gl.check(
                f"making a render target of {layers} x {height} x {width} pixels ({self.bytes >> 20} MiB)"
            )
            self._check_complete(self.framebuffer)
        except RuntimeError:
            self.release()
            raise

    def _check_complete(self, framebuffer: int) -> None:
        status = self.gl.glCheckNamedFramebufferStatus(framebuffer, _FRAMEBUFFER)
        if status != _COMPLETE:
            raise RuntimeError(
                f"glrast: the render target is incomplete (OpenGL status {status:#x}); see `glrast doctor`"
            )

    def clear(self, bits: tuple[int, int, int, int] = (0, 0, 0, 0)) -> None:
        """Every pixel 0 (or `bits`), every depth behind the far plane, which itself is visible (z = w, depth 1)."""
        gl = self.gl
        gl.glBindFramebuffer(_FRAMEBUFFER, self.framebuffer)
        whole = not self.format.dtype.is_floating_point
        clear = gl.glClearNamedFramebufferuiv if whole else gl.glClearNamedFramebufferfv
        clear(self.framebuffer, _COLOR, 0, _words(bits))
        gl.glClearNamedFramebufferfv(self.framebuffer, _DEPTH, 0, _BEHIND_ALL)

    def bind_layer(self, layer: int) -> None:
        """Draw into one layer: the way of drivers whose vertex stage cannot choose the layer."""
        if not self.single:
            self.single = self.gl.create("glCreateFramebuffers")
        self.gl.glNamedFramebufferTextureLayer(
            self.single, _COLOR_ATTACHMENT0, self.color, 0, layer
        )
        self.gl.glNamedFramebufferTextureLayer(self.single, _DEPTH_ATTACHMENT, self.depth, 0, layer)
        self.gl.glBindFramebuffer(_FRAMEBUFFER, self.single)

    def bind_to_read(self) -> None:
        """Let shaders read the colour (texture unit 0); the target must not be drawn into then."""
        self.gl.glBindTextureUnit(0, self.color)

    def read(self, out: torch.Tensor) -> None:
        """Copy all layers into `out`, a contiguous CPU tensor [layers,H,W] or [layers,H,W,4]. Waits for the GPU."""
        self.gl.glPixelStorei(_PACK_ALIGNMENT, 1)
        pixel, type = self.format.pixel, self.format.type
        # The size is an int in OpenGL; a chunk that would not fit is never made (see limits.py).
        self.gl.glGetTextureImage(self.color, 0, pixel, type, out.numel() * 4, address(out))

    def release(self) -> None:
        for framebuffer in filter(None, (self.framebuffer, self.single)):
            self.gl.delete("glDeleteFramebuffers", framebuffer)
        self.gl.delete("glDeleteTextures", self.color)
        self.gl.delete("glDeleteTextures", self.depth)


@cache
def _words(bits: tuple[int, ...]) -> ctypes.Array[ctypes.c_uint]:
    return (ctypes.c_uint * len(bits))(*bits)


def target(
    context: DeviceContext, format: Format, height: int, width: int, layers: int, but: Target | None = None
) -> Target:  # fmt: skip
    """The cached target of this size, which is not `but`; the context must be current. The least recently used are
    freed first."""
    key = ("target", format, height, width, layers)
    with context.lock:
        if but is not None and context.objects.get(key) is but:
            key = (*key, "second")
        found = context.objects.pop(key, None)
        if found is None:
            make = take if but is None else _made
            found = make(context, format, height, width, layers)
            keep(context, found)
        else:
            context.objects[key] = found  # last in the order of use
    return found


def take(context: DeviceContext, format: Format, height: int, width: int, layers: int) -> Target:
    """A target that nobody else gets until `keep` or `release`; the context must be current."""
    key = ("target", format, height, width, layers)
    with context.lock:
        found = context.objects.pop((*key, "second"), None) or context.objects.pop(key, None)
        return found or _made(context, format, height, width, layers)


def _made(context: DeviceContext, format: Format, height: int, width: int, layers: int) -> Target:
    return with_room(context.sharing, lambda: Target(context, format, height, width, layers))


def keep(context: DeviceContext, found: Target) -> None:
    """Put a target into the cache, which holds two of a size: peeling takes two."""
    key = ("target", found.format, found.height, found.width, found.layers)
    with context.lock:
        if key in context.objects:
            key = (*key, "second")
        if key in context.objects:
            drop(context, found)
            return
        others = [k for k in context.objects if k[0] == "target"]
        kept: int = found.bytes + sum(context.objects[k].bytes for k in others)
        for other in others:  # dictionaries keep insertion order: oldest use first
            if kept <= context.limits.kept_bytes:
                break
            gone: Target = context.objects.pop(other)
            kept -= gone.bytes
            drop(context, gone)
        context.objects[key] = found


def drop(context: DeviceContext, target: Target) -> None:
    """Free a target that is in no cache: CUDA, which may know it, lets go of it first."""
    context.sharing.forget(target)
    target.release()
