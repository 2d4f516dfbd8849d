"""The buffers of a context: one of each name, which grows and is kept."""

from __future__ import annotations

import moderngl

from .context import DeviceContext
from .interop import with_room

_SMALLEST, _LARGEST_ROUNDED = 1 << 16, 1 << 30


def buffer(context: DeviceContext, name: str, size: int) -> moderngl.Buffer:
    """The cached buffer of at least `size` bytes; it grows to the next power of two, up to 1 GiB.

    Vertex arrays that were made of a smaller one are freed with it. The context must be current.
    """
    key = ("buffer", name)
    with context.lock:
        found = context.objects.get(key)
        if found is None or found.size < size:
            for stale in [k for k in context.objects if k == key or k[0] == "array"]:
                gone = context.objects.pop(stale)
                context.sharing.forget(gone)
                gone.release()
            made = with_room(context.sharing, lambda: _made(context, name, size))
            found = context.objects[key] = made
    return found


def _made(context: DeviceContext, name: str, size: int) -> moderngl.Buffer:
    capacity = max(_SMALLEST, 1 << (size - 1).bit_length())
    capacity = capacity if capacity <= _LARGEST_ROUNDED else size
    made = context.moderngl.buffer(reserve=capacity, dynamic=True)
    try:
        context.gl.check(f"making the buffer '{name}' of {capacity} bytes: draw less at once")
    except RuntimeError:
        made.release()
        raise
    return made
