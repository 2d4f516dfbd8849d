"""The layers of a peeled image stay on the OpenGL side: the next one is compared with the one drawn last."""

from __future__ import annotations

import weakref
from functools import partial

from ..gl import targets
from ..gl.context import DeviceContext
from ..gl.targets import Target

# Depth 2 in an empty pixel, where shaders/rasterize.frag puts the depth: nothing lies behind that.
_TWO = 0x40000000
_EMPTY = {targets.RG32UI: (0, _TWO, 0, 0), targets.RGBA32F: (0, 0, _TWO, 0)}


class Peeled:
    """For each chunk of images the target of the layer drawn last, and one target of each size for the next."""

    IDS = targets.RG32UI  # what the `id` program writes: id and depth

    def __init__(self, context: DeviceContext):
        self.context = context
        self.last: dict[int, Target] = {}  # by the chunk's first image
        self.spare: dict[int, Target] = {}  # by the number of texture layers
        # A peeler that is dropped without its `with` ending: whoever uses the context next gives its targets back.
        # Not the garbage collector, which may come in the middle of a call to OpenGL.
        give_back = partial(_give_back, context, self.last, self.spare)
        self._abandoned = weakref.finalize(self, context.abandoned.append, give_back)
        self._abandoned.atexit = False

    def turn(
        self, begin: int, format: targets.Format, height: int, width: int, images: int
    ) -> tuple[Target, tuple[str, ...]]:
        """The cleared target for the chunk that begins at image `begin`, and the defines of the program to draw with;
        its last layer is bound to be read."""
        target = self.spare.pop(images, None)
        if target is None:
            target = targets.take(self.context, format, height, width, images)
        last = self.last.get(begin)
        self.last[begin] = target
        target.clear(_EMPTY[format])
        if last is None:
            return target, ("PEEL",)
        last.bind_to_read()
        self.spare[images] = last
        return target, ("PEEL", "BEHIND")

    def close(self) -> None:
        """Give all targets back to the context's cache."""
        self._abandoned.detach()
        with self.context.current():
            _give_back(self.context, self.last, self.spare)


def _give_back(context: DeviceContext, *held: dict[int, Target]) -> None:
    for these in held:
        for target in these.values():
            targets.keep(context, target)
        these.clear()
