"""Draw a batch of meshes into layered targets: a few buffers, one submission per chunk of layers."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace

import moderngl
import numpy as np
import torch

from ..gl import targets
from ..gl.context import DeviceContext
from ..gl.program import program
from .batch import BLOCK, Batch, Window
from .peeled import Peeled

_DEPTH_TEST, _LESS = 0x0B71, 0x0201
_CLIP_DISTANCE0 = 0x3000
_CULL_FACE, _FACES = 0x0B44, {"none": 0x0405, "back": 0x0405, "front": 0x0404}
_FRAMEBUFFER = 0x8D40
_CHUNK_BYTES = 512 << 20  # GL memory of one chunk of layers, colour and depth
_SMALLEST_BUFFER, _LARGEST_ROUNDED = 1 << 16, 1 << 30
_MOST_PIECES = 1 << 22  # in a buffer, 480 MiB
_SMALL_UPLOAD = 1 << 18  # bytes that are written whole: a call for each block would take longer
# llvmpipe transforms vertices in the calling thread and rasterizes in others, but only what was flushed: in pieces
# the two overlap (81,920 triangles at 1024 x 1024 on two cores: 23.7 ms in one piece, 13.7 ms in eight).
_SOFTWARE_TRIANGLES = 1 << 13
# How shaders/rasterize.vert takes the corner of a piece.
_PLACED_CORNER = ("2i 1i 2i 3f 2f", "place", "number", "first", "depth_slopes", "depth_range")

# resolve(first image, last image, their part of what draw returns, texture object to read it from or 0 if it is there)
Resolve = Callable[[int, int, torch.Tensor, int], None]


def draw(
    context: DeviceContext, batch: Batch, kind: str, height: int, width: int, device: torch.device,
    resolve: Resolve | None = None, window: Window | None = None, peeled: Peeled | None = None,
) -> torch.Tensor:  # fmt: skip
    """Rasterize: int32 [N,H,W] triangle id + 1 (kind "id") or float32 [N,H,W,4] (u, v, 0, id) (kind "full").

    With `resolve` it is filled by that, called once per chunk of images: on a GPU it reads OpenGL's texture itself.
    window: the part of the image that is drawn, for a batch of placed pieces (see tiles.py).
    With `peeled`: the surfaces behind those of the call before with the same `peeled`, and their depth, 0 to 1 and 2
    in empty pixels: int32 [N,H,W,2] (triangle id + 1, the bits of the depth) or float32 [N,H,W,4] (u, v, depth, id).
    """
    format = targets.RGBA32F if kind == "full" else targets.R32UI if peeled is None else peeled.IDS
    N = len(batch.images)
    shape = (N, height, width) if format[4] == 1 else (N, height, width, format[4])
    out = torch.empty(shape, dtype=format[3], device=device)
    with context.current():
        gl = context.gl
        gl.glEnable(_DEPTH_TEST)
        (gl.glDisable if batch.cull == "none" else gl.glEnable)(_CULL_FACE)
        gl.glCullFace(_FACES[batch.cull])
        culls_non_finite = context.culls_non_finite and not batch.placed
        (gl.glEnable if culls_non_finite else gl.glDisable)(_CLIP_DISTANCE0)
        gl.glDepthFunc(_LESS)  # at equal depth the triangle drawn first stays: the lower index wins
        parts = _parts(batch)
        uploaded, buffers = parts[0], _upload(context, parts[0], kind)
        gl.step("after writing pos and tri to their buffers")
        step = _layers_per_chunk(context, format, height, width)
        for begin in range(0, N, step):
            images = batch.images[begin : begin + step]
            blocks = None if batch.blocks is None else batch.blocks[begin : begin + step]
            context.sharing.to_opengl()
            if peeled is None:
                target = targets.target(context, format, height, width, len(images))
                target.clear()
                defines = ()
            else:
                target, defines = peeled.turn(begin, format, height, width, len(images))
            if window:
                gl.glViewport(*window.viewport)
            T = 0 if batch.indices is None else batch.indices.shape[1]
            for part in parts:
                if part is not uploaded:
                    uploaded, buffers = part, _upload(context, part, kind)
                    context.sharing.to_opengl()
                of_part = part.images[begin : begin + step]
                _submit(context, target, buffers, of_part, blocks, T, kind, defines, window)
            chunk = out if len(images) == N else out[begin : begin + step]
            if resolve is None:
                context.sharing.read(target, chunk)
                continue
            with context.sharing.drawn(target, chunk) as texture:
                resolve(begin, begin + len(images), chunk, texture)
        if context.software:
            gl.check(f"after drawing {N} images of {height} x {width}")
    return out


def _parts(batch: Batch) -> list[Batch]:
    """What is uploaded and drawn at once: the batch, unless its pieces are more than a buffer takes."""
    K = len(batch.pos)
    if not batch.placed or K <= _MOST_PIECES:
        return [batch]
    first, end = batch.images[:, 2], batch.images[:, 2] + batch.images[:, 3]
    parts = []
    for begin in range(0, K, _MOST_PIECES):
        last = begin + _MOST_PIECES
        images = batch.images.copy()
        images[:, 2] = first.clip(begin, last) - begin
        images[:, 3] = end.clip(begin, last) - first.clip(begin, last)
        parts.append(replace(batch, pos=batch.pos[begin:last], images=images))
    return parts


def _layers_per_chunk(context: DeviceContext, format: tuple, height: int, width: int) -> int:
    layers = min(context.limits["layers"], context.limits["framebuffer_layers"])
    return max(1, min(layers, _CHUNK_BYTES // (height * width * 4 * (format[4] + 1))))


def _upload(
    context: DeviceContext, batch: Batch, kind: str
) -> tuple[moderngl.Buffer, moderngl.Buffer | None]:
    pos = _buffer(context, "pos", batch.pos.numel() * 4)
    if batch.placed:
        context.sharing.write(pos, batch.pos)
        return pos, None
    if batch.indices is None:
        _upload_corners(pos, batch)
        return pos, None
    indices = _buffer(context, "indices", batch.indices.numel() * 4)
    context.sharing.write(pos, batch.pos)
    held, tensor = context.sharing.uploaded
    if held is not indices or tensor() is not batch.indices:
        context.sharing.write(indices, batch.indices, again=False)
        context.sharing.uploaded = indices, weakref.ref(batch.indices)
    return pos, indices


def _upload_corners(buffer: moderngl.Buffer, batch: Batch) -> None:
    """Each block's own triangles to their place; what lies between them is not drawn."""
    corners = batch.pos.numpy()
    if batch.blocks is None or corners.nbytes <= _SMALL_UPLOAD:
        buffer.write(corners)
        return
    size = corners[0].nbytes
    images, _ = _in_blocks(batch.images, batch.blocks)
    for place, count in images[:, 2:].tolist():
        buffer.write(corners[place : place + count], offset=size * place)


def _buffer(context: DeviceContext, name: str, size: int) -> moderngl.Buffer:
    """A cached buffer of at least `size` bytes; it grows to the next power of two, up to 1 GiB."""
    key = ("buffer", name)
    found = context.objects.get(key)
    if found is None or found.size < size:
        capacity = max(_SMALLEST_BUFFER, 1 << (size - 1).bit_length())
        capacity = capacity if capacity <= _LARGEST_ROUNDED else size
        for stale in [k for k in context.objects if k == key or k[0] == "array"]:
            gone = context.objects.pop(stale)
            context.sharing.forget(gone)
            gone.release()
        found = context.moderngl.buffer(reserve=capacity, dynamic=True)
        try:
            context.gl.check(f"making the buffer '{name}' of {capacity} bytes: draw less at once")
        except RuntimeError:
            found.release()
            raise
        context.objects[key] = found
    return found


def _submit(
    context,
    target,
    buffers,
    images: np.ndarray,
    blocks,
    T: int,
    kind: str,
    defines: tuple[str, ...],
    window: Window | None,
) -> None:
    """Draw all images of one chunk: one indirect submission, or on a software driver one per few thousand triangles."""
    layer = np.arange(len(images))
    if blocks is not None:
        images, layer = _in_blocks(images, blocks)
        if not len(images):
            return
    elif context.software and images[:, 3].max() > _SOFTWARE_TRIANGLES:
        images, layer = _in_pieces(images, layer, _SOFTWARE_TRIANGLES)
    indexed = kind == "id" and buffers[1] is not None
    commands, draws = _commands(images, layer, T, indexed, window)
    if window:
        defines = ("PLACED", *defines)
    draws_buffer = _buffer(context, "draws", draws.nbytes)
    commands_buffer = _buffer(context, "commands", commands.nbytes)
    draws_buffer.write(draws)
    commands_buffer.write(commands)
    context.gl.step("after writing the draw commands")
    if buffers[1] is None:
        defines = ("CORNERS", *defines)
    array = _vertex_array(context, kind, defines, buffers[0], buffers[1], draws_buffer)
    context.gl.step("after making the program and its vertex array")
    for begin, end in _submissions(context, layer, images[:, 3]):
        if not context.layered_vertex:
            target.bind_layer(int(layer[begin]))
        array.render_indirect(commands_buffer, count=end - begin, first=begin)
        context.gl.step(f"after glMultiDrawArrays/ElementsIndirect of draws {begin} to {end - 1}")
        if context.software and end < len(layer):  # reading flushes the rest
            context.gl.glFlush()


def _commands(
    images: np.ndarray, layer: np.ndarray, T: int, indexed: bool, window: Window | None
) -> tuple[np.ndarray, np.ndarray]:
    """The draw commands uint32 [D,5], and int32 [D,3] or [D,7], what the vertex stage is told of each."""
    index_set, first_vertex, first_triangle, count = images.T
    commands = np.zeros((len(images), 5), np.uint32)
    draws = np.empty((len(images), 7 if window else 3), np.int32)
    first, row = 3 * (index_set * T + first_triangle), np.arange(len(images))
    commands[:, 0], commands[:, 1], commands[:, 2] = 3 * count, 1, first
    draws[:, 0], draws[:, 2] = layer, first_vertex
    if indexed:  # count, instances, first index, base vertex, base instance
        commands[:, 3], commands[:, 4], draws[:, 1] = first_vertex, row, first_triangle
    else:  # count, instances, first vertex, base instance; moderngl steps five words in both cases
        commands[:, 3], draws[:, 1] = row, index_set * T
    if window:
        draws[:, 3:] = window.origin + window.centre
    return commands, draws


def _in_pieces(images: np.ndarray, layer: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The same draws with no more than `most` triangles each, in the same order."""
    pieces = np.maximum(1, -(-images[:, 3] // most))
    row = np.repeat(np.arange(len(images)), pieces)
    offset = most * (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces))
    out = images[row]
    out[:, 2] += offset
    out[:, 3] = np.minimum(out[:, 3] - offset, most)
    return out, layer[row]


def _in_blocks(images: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A draw for each block that has triangles left, in the same order; of single blocks all."""
    if blocks.shape[1] == 1:  # few triangles: an empty draw costs less than looking for it
        out = images.copy()
        out[:, 3] = blocks[:, 0]
        return out, np.arange(len(images))
    layer, block = np.nonzero(blocks)
    out = images[layer]
    out[:, 2] += BLOCK * block
    out[:, 3] = blocks[layer, block]
    return out, layer


def _submissions(context, layer: np.ndarray, count: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of commands that are submitted together."""
    if not context.layered_vertex:
        return [(i, i + 1) for i in range(len(layer))]
    if not context.software or len(layer) == 1:
        return [(0, len(layer))]
    group = np.cumsum(count) // _SOFTWARE_TRIANGLES
    ends = np.append(np.flatnonzero(np.diff(group)) + 1, len(group))
    return list(zip([0, *ends[:-1].tolist()], ends.tolist()))


def _vertex_array(
    context: DeviceContext, kind: str, defines: tuple[str, ...], pos, indices, draws
) -> moderngl.VertexArray:
    if kind == "full":
        defines = ("FULL", *defines)
    if context.layered_vertex:
        defines += ("LAYERED_VERTEX",)
    if context.culls_non_finite and "PLACED" not in defines:
        defines += ("CULL_NON_FINITE",)
    if context.writes_depth:
        defines += ("WRITE_DEPTH",)
    if kind == "full" and indices is not None:
        pos.bind_to_storage_buffer(0)
        indices.bind_to_storage_buffer(1)
    key = ("array", *defines)
    if key not in context.objects:
        made = program(context, "rasterize", *defines)
        used = made.get("draw", None) is not None
        content = [(draws, "3i4/i", "draw")] if used else []
        if "PLACED" in defines:
            of_draw = (
                (draws, "3i 4i/i", "draw", "window") if used else (draws, "12x 4i/i", "window")
            )
            array = context.moderngl.vertex_array(made, [(pos, *_PLACED_CORNER), of_draw])
        elif indices is None:
            corners = (pos, "4f 1i", "pos", "number")
            array = context.moderngl.vertex_array(made, [corners, *content])
        elif kind == "id":
            array = context.moderngl.vertex_array(
                made, [(pos, "4f", "pos"), *content], index_buffer=indices
            )
        else:
            array = context.moderngl.vertex_array(made, content)
        context.objects[key] = array
    return context.objects[key]
