"""interop: register once, one map and one unmap a call, back to OpenGL before it is used, deleted or given up.

CUDA's calls are a fake that keeps CUDA's rules over the real OpenGL context (fake_cudart.py).
"""

import ctypes
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch

import glrast
from glrast.gl.host_copy import HostCopy
from glrast.raster import draw as drawing
from glrast.raster.plan import drawable
from tests import scenes
from tests.gl.drawing import draw
from tests.ops.compare import on
from tests.scenes import ODD

MAP, UNMAP = "cudaGraphicsMapResources", "cudaGraphicsUnmapResources"
IMAGE, BUFFER = "cudaGraphicsGLRegisterImage", "cudaGraphicsGLRegisterBuffer"
UNREGISTER = "cudaGraphicsUnregisterResource"


def test_the_image_is_the_one_that_host_memory_brings(context, gl, scene, runtime):
    shared = draw(context, scene=scene)
    gl.close()
    gl.sharing = HostCopy()
    assert torch.equal(shared, draw(context, scene=scene)) and shared.any()


def test_a_call_like_the_one_before_maps_once_and_unmaps_once(context, scene, runtime, calls):
    draw(context, scene=scene)
    first = calls()
    assert first.count(IMAGE) == 1 and first.count(BUFFER) == 2
    for _ in range(3):
        runtime.module.calls.clear()
        draw(context, scene=scene)
        again = [name for name in calls() if "Map" in name or "Register" in name or "map" in name]
        assert [n for n in again if n in (MAP, UNMAP, IMAGE, BUFFER)] == [UNMAP, MAP]


def test_everything_happens_on_the_current_stream_and_follows_the_one_before(
    context, scene, runtime
):
    draw(context, scene=scene)
    runtime.current = 8
    draw(context, scene=scene)
    assert runtime.waits == [(8, 7)]
    assert set(runtime.module.stream_of_calls[-2:]) == {8}
    draw(context, scene=scene)
    assert len(runtime.waits) == 1


def test_what_a_stream_copies_is_held_for_it(context, scene, runtime):
    """Index sets are made on the stream of one call and may be freed there while another's still copies them."""
    for stream in (7, 8):
        runtime.current = stream
        pos, tri, color = scene
        draw(context, scene=(pos, tri.clone(), color))
    assert runtime.held == runtime.module.copied and {s for s, _ in runtime.held} == {7, 8}


def test_changed_triangles_are_written_and_changed_positions_show(context, gl, scene, runtime):
    pos, tri, color = scene
    for moved, triangles in ((pos, tri), (pos * 0.5, tri), (pos, tri[:40].contiguous())):
        shared = draw(context, scene=(moved, triangles, color))
        keep, gl.sharing = gl.sharing, HostCopy()
        # host memory may not write what CUDA has mapped
        with gl.current():
            keep.to_opengl()
        gl.sharing.uploaded.forget()
        assert torch.equal(shared, draw(context, scene=(moved, triangles, color)))
        gl.sharing = keep


def test_storage_that_grows_is_registered_again_after_the_old_is_unregistered(
    context, gl, runtime, calls
):
    for images, size in ((1, ODD), (3, (40, 50)), (2, ODD)):
        many = on(context, scenes.closed_mesh(4, images=images))
        assert draw(context, size=size, scene=many).any()
    assert calls().count(BUFFER) > 2 and calls().count(UNREGISTER) == calls().count(BUFFER) - 2
    assert calls().count(IMAGE) == 3


def test_targets_that_make_room_are_unregistered_before_they_go(
    context, gl, scene, runtime, monkeypatch
):

    monkeypatch.setattr(gl.limits, "kept_bytes", 1)
    for size in (ODD, (20, 20), (30, 30)):
        draw(context, size=size, scene=scene)
    images = [r for r in runtime.module.registered.values() if r.kind == "image"]
    assert len(images) == 1


def test_chunks_are_mapped_one_after_the_other(context, gl, scene, runtime, monkeypatch):
    wanted = draw(context, scene=scene)
    gl.close()
    monkeypatch.setattr(gl.limits, "layers", 1)
    assert torch.equal(draw(context, scene=scene), wanted)


# ---- several chunks --------------------------------------------------------------------------------------


@pytest.fixture
def chunks(gl, runtime, monkeypatch):
    """chunks(images, at once) -> what `draw` resolved, and what was mapped when OpenGL drew and when a kernel read: for
    each the target's texture and those mapped."""

    made = cache(lambda context, images: on(context, scenes.closed_mesh(1, images=images)))

    def chunks(context, images, at_once):
        pos, tri, _ = made(context, images)
        monkeypatch.setattr(gl.limits, "layers", at_once)
        drew, read = [], []
        submit, drawn = drawing.submit, gl.sharing.drawn

        def mapped(kind):
            return sorted(r.name for r in runtime.module.mapped() if r.kind == kind)

        def submits(context, target, *arguments):
            drew.append((target.color, mapped("image")))
            submit(context, target, *arguments)

        @contextmanager
        def reads(target, out, last=True):
            with drawn(target, out, last) as texture:
                read.append((target.color, mapped("image"), len(mapped("buffer"))))
                yield texture

        monkeypatch.setattr(drawing, "submit", submits)
        monkeypatch.setattr(gl.sharing, "drawn", reads)
        out = []

        def resolve(first, last, found, texture):
            array = runtime.module.textures[texture][1]  # emulated: host memory
            held = np.ctypeslib.as_array((ctypes.c_byte * found.nbytes).from_address(array.data))
            out.append(torch.from_numpy(held.copy()).view(found.dtype).view(found.shape))

        batch = drawable(gl, pos, tri, None, *ODD, "none")
        drawing.draw(gl, batch, context.program, *ODD, pos.device, resolve)
        return torch.cat(out), drew, read

    return chunks


@pytest.mark.parametrize("images, at_once", [(4, 1), (7, 2), (6, 2), (3, 2)])
def test_the_next_chunk_is_drawn_while_a_kernel_may_read_the_last(
    context, gl, runtime, chunks, images, at_once
):
    wanted = draw(context, images)
    gl.close()
    for _ in range(2):
        found, drew, read = chunks(context, images, at_once)
        assert torch.equal(found, wanted)
    for before, (target, mapped) in zip(read, drew[1:]):
        assert target != before[0] and mapped == [before[0]]  # it stays CUDA's
    for target, mapped, _ in read:
        assert mapped == [target]  # the one before went back before this one's kernel
    buffers = [count for *_, count in read]
    assert buffers[-1] > 0 and not any(buffers[:-1])  # the next call's inputs, once at the end
    sizes = [
        k[4] for k in gl.objects if k[0] == "target"
    ]  # two of one size at most, and the last's
    assert sorted(sizes) == {4: [1, 1], 7: [1, 2, 2], 6: [2, 2], 3: [1, 2]}[images]


def test_a_call_of_chunks_maps_and_unmaps_once_for_each(context, gl, runtime, chunks, calls):
    chunks(context, 4, 1)
    runtime.module.calls.clear()
    chunks(context, 4, 1)
    assert calls().count(MAP) == 4 and calls().count(UNMAP) == 4
    assert not calls().count(IMAGE) and not calls().count(UNREGISTER)


def test_a_call_like_the_one_before_asks_cuda_for_eight_things_and_the_device_once(
    context, gl, runtime, chunks
):
    """A texture object is made anew: CUDA promises nothing of one whose texture OpenGL had meanwhile."""
    for _ in range(3):
        runtime.module.calls.clear()
        chunks(context, 2, 2)
        for event in runtime.events:
            event.passed = True
    made = "cudaCreateTextureObject", "cudaDestroyTextureObject"
    level = "cudaGraphicsResourceGetMappedMipmappedArray", "cudaGetMipmappedArrayLevel"
    write = "cudaGraphicsResourceGetMappedPointer", "cudaMemcpyAsync"
    assert runtime.module.calls == ["cudaSetDevice", *write, UNMAP, MAP, *level, *made]


def test_what_describes_an_array_is_kept_while_it_comes_again(runtime, monkeypatch):
    made = []

    class Described(runtime.module.cudaResourceDesc):
        def __init__(self):
            super().__init__()
            made.append(self)

    monkeypatch.setattr(runtime.module, "cudaResourceDesc", Described)
    for array in (64, 64, 128, 64, *range(1000, 1100)):
        resource, reading = runtime._described(array)
        assert resource.res.array.array == array and reading.normalizedCoords == 0
    assert len(made) == 102 and len(runtime._descriptors) <= 64


def test_targets_of_which_two_are_not_kept_are_not_taken_in_turn(
    context, gl, runtime, chunks, monkeypatch
):
    monkeypatch.setattr(gl.limits, "kept_bytes", 1)
    _, drew, _ = chunks(context, 4, 1)
    assert len({target for target, _ in drew}) == 1 and not any(mapped for _, mapped in drew)
    assert len([k for k in gl.objects if k[0] == "target"]) == 1


@pytest.mark.parametrize("images", [2, 6])
def test_peeling_in_chunks_unregisters_each_target_before_it_goes(
    context, gl, runtime, monkeypatch, images
):
    """The cache holds two targets of a size; a peeler of several chunks gives back more."""
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=images))

    def layers():
        with glrast.DepthPeeler(context, pos, tri, (20, 20)) as peeler:
            return [peeler.rasterize_next_layer()[0] for _ in range(3)]

    with gl.current():
        runtime_of, gl.sharing = gl.sharing, HostCopy()
    wanted = layers()
    gl.close()
    gl.sharing = runtime_of
    monkeypatch.setattr(gl.limits, "chunk_bytes", 1)
    for found, want in zip(layers(), wanted, strict=True):
        assert torch.equal(found, want)
    assert (wanted[1][..., 3] > 0).any() and gl.sharing.host is None
    shown = [r for r in runtime.module.registered.values() if r.kind == "image"]
    assert 1 <= len(shown) <= 2


def test_close_gives_all_back_and_the_next_call_begins_anew(context, gl, scene, runtime):
    wanted = draw(context, scene=scene)
    gl.close()
    assert not runtime.module.registered
    gl.close()
    assert torch.equal(draw(context, scene=scene), wanted)
