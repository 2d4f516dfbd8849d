"""Draw a batch into layered targets: a few buffers, and one submission per chunk of images (several: software.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import moderngl
import torch

from ..gl import targets
from ..gl.buffers import buffer
from ..gl.context import DeviceContext
from ..gl.program import program
from . import software
from .batch import Batch, Buffers
from .peeled import Peeled

_DEPTH_TEST, _LESS = 0x0B71, 0x0201
_CLIP_DISTANCE0 = 0x3000
_CULL_FACE, _FACES = 0x0B44, {"none": 0x0405, "back": 0x0405, "front": 0x0404}

# resolve(first image, last image, their part of what draw returns, texture object to read it from or 0 if it is there)
Resolve = Callable[[int, int, torch.Tensor, int], None]
_Make = Callable[..., moderngl.VertexArray]


def draw(
    context: DeviceContext, batch: Batch, kind: str, height: int, width: int, device: torch.device,
    resolve: Resolve | None = None, peeled: Peeled | None = None,
) -> torch.Tensor:  # fmt: skip
    """Rasterize: int32 [N,H,W] triangle id + 1 (kind "id") or float32 [N,H,W,4] (u, v, 0, id) (kind "full").

    With `resolve` it is filled by that, called once per chunk of images: on a GPU it reads OpenGL's texture itself.
    With `peeled`: the surfaces behind those of the call before with the same `peeled`, and their depth, 0 to 1 and 2
    in empty pixels: int32 [N,H,W,2] (triangle id + 1, the bits of the depth) or float32 [N,H,W,4] (u, v, depth, id).
    """
    format = targets.RGBA32F if kind == "full" else targets.R32UI if peeled is None else peeled.IDS
    N = len(batch)
    shape = (N, height, width) if format.channels == 1 else (N, height, width, format.channels)
    out = torch.empty(shape, dtype=format.dtype, device=device)
    with context.current(), context.sharing.call():
        defines = _defines(context, batch, kind)
        _set_up(context, batch, height, width, "CULL_NON_FINITE" in defines)
        parts = batch.parts(context.limits.buffer_pieces)
        uploaded, buffers = parts[0], parts[0].upload(context)
        context.gl.step("after writing pos and tri to their buffers")
        step, target = context.limits.images_at_once(height, width, format.channels), None
        in_turn = peeled is None and step < N and context.sharing.in_turn
        in_turn = in_turn and context.limits.keeps_two(height, width, format.channels, step)
        for begin in range(0, N, step):
            chunk, last = slice(begin, min(begin + step, N)), begin + step >= N
            images = chunk.stop - begin
            before = target if in_turn else None  # a kernel may be reading it
            context.sharing.to_opengl(but=before)
            target, of_layer = _target(
                context, peeled, begin, format, height, width, images, before
            )
            for part in parts:
                if part is not uploaded:
                    uploaded, buffers = part, part.upload(context)
                    context.sharing.to_opengl()
                submit(context, target, part, buffers, chunk, kind, (*defines, *of_layer))
            found = out if images == N else out[chunk]
            if resolve is None:
                context.sharing.read(target, found, last)
                continue
            with context.sharing.drawn(target, found, last) as texture:
                resolve(begin, chunk.stop, found, texture)
        if context.software:  # asking a GPU would wait for it
            context.gl.check(f"after drawing {N} images of {height} x {width}")
    return out


def _defines(context: DeviceContext, batch: Batch, kind: str) -> tuple[str, ...]:
    """Of the program, as far as they do not depend on the layer that is peeled."""
    limits = context.limits
    chosen = {
        "FULL": kind == "full",
        "LAYERED_VERTEX": limits.layered_vertex,
        "CULL_NON_FINITE": limits.culls_non_finite and not batch.finite,
        "WRITE_DEPTH": limits.writes_depth,
    }
    return (*batch.defines, *(name for name, on in chosen.items() if on))


def _set_up(context: DeviceContext, batch: Batch, height: int, width: int, clips: bool) -> None:
    gl = context.gl
    gl.glViewport(*batch.viewport(height, width))
    gl.glEnable(_DEPTH_TEST)
    (gl.glDisable if batch.cull == "none" else gl.glEnable)(_CULL_FACE)
    gl.glCullFace(_FACES[batch.cull])
    (gl.glEnable if clips else gl.glDisable)(_CLIP_DISTANCE0)
    gl.glDepthFunc(_LESS)  # at equal depth the triangle drawn first stays: the lower index wins


def _target(
    context: DeviceContext, peeled: Peeled | None, begin: int, format: targets.Format,
    height: int, width: int, images: int, before: targets.Target | None,
) -> tuple[targets.Target, tuple[str, ...]]:  # fmt: skip
    """A cleared target for the chunk that begins at image `begin`, other than the one `before`, and the defines to draw
    into it with."""
    if peeled is not None:
        return peeled.turn(begin, format, height, width, images)
    target = targets.target(context, format, height, width, images, but=before)
    target.clear()
    return target, ()


def submit(
    context: DeviceContext, target: targets.Target, batch: Batch, buffers: Buffers, chunk: slice, kind: str,
    defines: tuple[str, ...],
) -> None:  # fmt: skip
    """Draw the images of one chunk."""
    planned = software.plan(batch, chunk, context.limits)
    if not planned.together:
        return
    commands, told = batch.commands(chunk, planned.draws, kind)
    told_buffer = buffer(context, "draws", told.nbytes)
    commands_buffer = buffer(context, "commands", commands.nbytes)
    told_buffer.write(told)
    commands_buffer.write(commands)
    context.gl.step("after writing the draw commands")
    array = _vertex_array(context, batch, buffers, told_buffer, kind, defines)
    batch.bind(buffers, kind)
    context.gl.step("after making the program and its vertex array")
    last = planned.together[-1]
    for begin, end in planned.together:
        if not context.limits.layered_vertex:
            target.bind_layer(int(planned.draws.image[begin]))
        array.render_indirect(commands_buffer, count=end - begin, first=begin)
        context.gl.step(f"after glMultiDrawArrays/ElementsIndirect of draws {begin} to {end - 1}")
        if planned.flush and end < last[1]:
            context.gl.glFlush()


def _vertex_array(
    context: DeviceContext, batch: Batch, buffers: Buffers, told: moderngl.Buffer, kind: str,
    defines: tuple[str, ...],
) -> moderngl.VertexArray:  # fmt: skip
    """The cached one of this program; `buffer` frees it when one of its buffers goes."""
    key = ("array", *defines)
    found = context.objects.get(key)
    if found is None:
        made = program(context, "rasterize", *defines)
        content, indices = batch.format(made, buffers, told, kind)
        make = cast(_Make, context.moderngl.vertex_array)  # pyright: ignore[reportUnknownMemberType]  its stub has *args
        found = context.objects[key] = make(made, content, index_buffer=indices)
    return found
