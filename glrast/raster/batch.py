"""What is drawn: triangles in one of three forms, each with its upload, vertex format and draw commands.

The forms have the same methods, which draw.py calls in this order: `upload` writes the buffers, `draws` says which
triangles of which image, `commands` puts that into OpenGL's words, `bind` and `format` say how shaders/rasterize.vert
reads the buffers. `defines` are those of its shader; kind "id" or "full" is the program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import moderngl
import numpy as np
import numpy.typing as npt
import torch

from ..gl.buffers import buffer
from ..gl.context import DeviceContext

# Triangles of a block of Corners: two threads share a mesh of several, and each block is a draw command more
# (with 2048, 81,920 triangles at 1024 x 1024 took up to 2 ms longer).
BLOCK = 1 << 13
SIDES = {"none": 0, "back": 1, "front": -1}  # `cull` as the kernels take it
_SMALL_UPLOAD = 1 << 18  # bytes that are written whole: a call for each block would take longer
_CORNER_OF_A_PIECE = ("2i 1i 2i 3f 2f", "place", "number", "first", "depth_slopes", "depth_range")

Integers = npt.NDArray[np.integer[Any]]
Buffers = tuple[moderngl.Buffer, ...]
# What a vertex array is made of: (buffer, format, attribute, ...), and the buffer of indices where there is one.
Format = tuple[list[tuple[Any, ...]], moderngl.Buffer | None]
Viewport = tuple[int, int, int, int]  # x, y, width, height in the target's pixels


@dataclass(frozen=True)
class Draws:
    """Draw commands, before they are put into OpenGL's words: each draws some triangles of one image."""

    image: Integers  # int [D]: of the chunk, so the layer of its target
    first: Integers  # int [D]: the first triangle
    count: Integers  # int [D]

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Indexed:
    """Vertices, and triangles that name them by numbers which are safe to draw."""

    pos: torch.Tensor  # float32 [N,V,4] or [V,4]
    indices: torch.Tensor  # int32 [S,T,3]: index sets
    images: Integers  # int64 [N,4]: index set, first vertex, first triangle, number of triangles
    cull: str  # "none", "back", "front"
    defines: ClassVar[tuple[str, ...]] = ()
    finite: ClassVar[bool] = False  # no vertex is NaN or infinite

    def __len__(self) -> int:
        return len(self.images)

    def parts(self, most: int) -> list[Indexed]:
        return [self]

    def viewport(self, height: int, width: int) -> Viewport:
        return 0, 0, width, height

    def upload(self, context: DeviceContext) -> Buffers:
        """Positions; indices only where the buffer holds others."""
        pos = buffer(context, "pos", self.pos.numel() * 4)
        indices = buffer(context, "indices", self.indices.numel() * 4)
        context.sharing.write(pos, self.pos)
        uploaded = context.sharing.uploaded
        if uploaded.found(self.indices) is not indices:
            context.sharing.write(indices, self.indices, again=False)
            uploaded.remember(self.indices, indices)
        return pos, indices

    def draws(self, chunk: slice) -> Draws:
        images = self.images[chunk]
        return Draws(np.arange(len(images)), images[:, 2], images[:, 3])

    def commands(self, chunk: slice, draws: Draws, kind: str) -> tuple[Integers, Integers]:
        images = self.images[chunk][draws.image]
        first_vertex = images[:, 1]
        before = self.indices.shape[1] * images[:, 0]  # triangles of the index sets before
        first, row = 3 * (before + draws.first), np.arange(len(draws))
        if kind == "id":  # count, instances, first index, base vertex, base instance
            told = _columns(np.int32, draws.image, draws.first, first_vertex)
            return _columns(np.uint32, 3 * draws.count, 1, first, first_vertex, row), told
        told = _columns(np.int32, draws.image, before, first_vertex)
        return _without_indices(first, draws.count), told

    def bind(self, buffers: Buffers, kind: str) -> None:
        """What the shader reads by itself: `full` pulls positions by hand."""
        if kind == "full":
            for binding, held in enumerate(buffers):
                held.bind_to_storage_buffer(binding)

    def format(
        self, made: moderngl.Program, buffers: Buffers, told: moderngl.Buffer, kind: str
    ) -> Format:
        content = _of_draw(made, told)
        if kind == "full":
            return content, None
        pos, indices = buffers
        return [(pos, "4f", "pos"), *content], indices


@dataclass(frozen=True)
class Corners:
    """Triangles chosen for each image, one after the other: CPU tensors for a software driver."""

    corners: torch.Tensor  # float32 [K,3,5]: clip position, bits of the triangle's index
    places: Integers  # int64 [N]: where an image's begin
    counts: Integers  # int32 [N,B]: of every BLOCK of its places the first so many are to be drawn
    cull: str
    defines: ClassVar[tuple[str, ...]] = ("CORNERS",)
    finite: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.places)

    def parts(self, most: int) -> list[Corners]:
        return [self]

    def viewport(self, height: int, width: int) -> Viewport:
        return 0, 0, width, height

    def upload(self, context: DeviceContext) -> Buffers:
        """Each block's own triangles to their place; what lies between them is not drawn."""
        corners = self.corners.numpy()
        held = buffer(context, "pos", corners.nbytes)
        if corners.nbytes <= _SMALL_UPLOAD:
            held.write(corners)
            return (held,)
        size, draws = corners[0].nbytes, self.draws(slice(None))
        for first, count in zip(draws.first.tolist(), draws.count.tolist()):
            held.write(corners[first : first + count], offset=size * first)
        return (held,)

    def draws(self, chunk: slice) -> Draws:
        """One for each block that has triangles; of single blocks all."""
        places, counts = self.places[chunk], self.counts[chunk]
        if counts.shape[1] == 1:  # few triangles: an empty draw costs less than looking for it
            return Draws(np.arange(len(places)), places, counts[:, 0])
        image, block = np.nonzero(counts)
        return Draws(image, places[image] + BLOCK * block, counts[image, block])

    def commands(self, chunk: slice, draws: Draws, kind: str) -> tuple[Integers, Integers]:
        told = _columns(np.int32, draws.image, 0, 0)
        return _without_indices(3 * draws.first, draws.count), told

    def bind(self, buffers: Buffers, kind: str) -> None: ...

    def format(
        self, made: moderngl.Program, buffers: Buffers, told: moderngl.Buffer, kind: str
    ) -> Format:
        corners = (buffers[0], "4f 1i", "pos", "number")
        return [corners, *_of_draw(made, told)], None


@dataclass(frozen=True)
class Window:
    """The part of an image that a target shows."""

    origin: tuple[int, int]  # the image's pixel (x, y) at the target's lower left
    centre: tuple[int, int]  # and at the middle of the viewport
    viewport: Viewport


@dataclass(frozen=True)
class Pieces:
    """Parts of triangles that OpenGL need neither clip nor round, for large images (kernels/rasterize/place.cuh)."""

    pieces: torch.Tensor  # int32 [K,3,10]: corners, one after the other
    images: Integers  # int64 [N,2]: first piece, number of pieces
    window: Window
    cull: ClassVar[str] = "none"  # those that face the wrong way were left out
    defines: ClassVar[tuple[str, ...]] = ("CORNERS", "PLACED")
    finite: ClassVar[bool] = True

    def __len__(self) -> int:
        return len(self.images)

    def parts(self, most: int) -> list[Pieces]:
        """What is uploaded and drawn at once, of no more than `most` pieces each."""
        K = len(self.pieces)
        if K <= most:
            return [self]
        first, end = self.images[:, 0], self.images.sum(1)
        parts: list[Pieces] = []
        for begin in range(0, K, most):
            last = begin + most
            low, high = first.clip(begin, last), end.clip(begin, last)
            images = np.column_stack([low - begin, high - low])
            parts.append(replace(self, pieces=self.pieces[begin:last], images=images))
        return parts

    def viewport(self, height: int, width: int) -> Viewport:
        return self.window.viewport

    def upload(self, context: DeviceContext) -> Buffers:
        held = buffer(context, "pos", self.pieces.numel() * 4)
        context.sharing.write(held, self.pieces)
        return (held,)

    def draws(self, chunk: slice) -> Draws:
        images = self.images[chunk]
        return Draws(np.arange(len(images)), images[:, 0], images[:, 1])

    def commands(self, chunk: slice, draws: Draws, kind: str) -> tuple[Integers, Integers]:
        told = _columns(np.int32, draws.image, 0, 0, *self.window.origin, *self.window.centre)
        return _without_indices(3 * draws.first, draws.count), told

    def bind(self, buffers: Buffers, kind: str) -> None: ...

    def format(
        self, made: moderngl.Program, buffers: Buffers, told: moderngl.Buffer, kind: str
    ) -> Format:
        used = "draw" in made
        of_draw = ("3i 4i/i", "draw", "window") if used else ("12x 4i/i", "window")
        return [(buffers[0], *_CORNER_OF_A_PIECE), (told, *of_draw)], None


Batch = Indexed | Corners | Pieces


def shared(array: Integers) -> torch.Tensor:
    """The array's memory as a tensor."""
    return torch.from_numpy(array)  # pyright: ignore[reportUnknownMemberType]  its stub lacks the type of the elements


def _columns(dtype: type[np.integer[Any]], *columns: Integers | int) -> Integers:
    """[D,...]: the columns side by side; the first is no number."""
    first = columns[0]
    assert isinstance(first, np.ndarray)
    out = np.empty((len(first), len(columns)), dtype)
    for number, column in enumerate(columns):
        out[:, number] = column
    return out


def _without_indices(first: Integers, count: Integers) -> Integers:
    """Count, instances, first vertex, base instance; moderngl steps five words with indices and without."""
    return _columns(np.uint32, 3 * count, 1, first, np.arange(len(count)), 0)


def _of_draw(made: moderngl.Program, told: moderngl.Buffer) -> list[tuple[Any, ...]]:
    """What the vertex stage is told of each draw command, where it uses any of it."""
    return [(told, "3i4/i", "draw")] if "draw" in made else []
