"""interop: what a mapped texture shows, how it is read in each case, and texture objects. CUDA's calls are a fake."""

import pytest
import torch

import glrast
from glrast.gl import interop, targets
from glrast.gl.host_copy import HostCopy
from glrast.raster import drawn
from tests.gl.drawing import draw
from tests.gl.fake_cudart import ELSEWHERE
from tests.scenes import ODD

VIEWS = ("cudaGraphicsResourceGetMappedMipmappedArray", "cudaGraphicsSubResourceGetMappedArray")
COPY, OBJECT = "cudaMemcpy3DAsync", "cudaCreateTextureObject"


# ---- what a mapped texture shows -------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("flat", [0, 1, 2])
def test_layers_are_read_on_the_device_whatever_shows_them(context, gl, runtime, flat, images):
    with gl.current():
        shared, gl.sharing = gl.sharing, HostCopy()
    wanted = draw(context, images)
    gl.close()
    gl.sharing = shared
    runtime.module.flat = flat
    for _ in range(2):
        assert torch.equal(draw(context, images), wanted)
    assert wanted.any() and gl.sharing.host is None
    copies = 2 * images if flat == 2 else 2
    assert runtime.module.calls.count(COPY) == copies


def test_one_layer_that_shows_flat_alone_is_copied_and_several_take_host_memory(
    context, gl, runtime
):
    runtime.module.flat = 3
    assert draw(context, images=1).any() and gl.sharing.host is None
    with pytest.warns(
        RuntimeWarning, match=r"texture of 2 x 17 x 33 shows otherwise: level 0: .*\(0, 17, 33\)"
    ):
        assert draw(context, images=2).any()


@pytest.mark.parametrize("flat", [0, 1, 2])
def test_what_served_is_remembered_of_each_texture(context, scene, runtime, flat):
    runtime.module.flat = flat
    draw(context, scene=scene)
    runtime.module.calls.clear()
    draw(context, scene=scene)
    asked = [name for name in runtime.module.calls if name in VIEWS]
    assert asked == ([VIEWS[1]] * 2 if flat == 2 else [VIEWS[0]])
    assert "cudaArrayGetInfo" not in runtime.module.calls


@pytest.mark.parametrize("name", [VIEWS[0], "cudaGetMipmappedArrayLevel", "cudaArrayGetInfo"])
def test_a_view_that_is_refused_is_passed_over(context, gl, scene, runtime, name):
    runtime.module.fail = (name, 1)
    assert draw(context, scene=scene).any() and gl.sharing.host is None
    assert runtime.module.calls.count(COPY) == 2  # flat layers


@pytest.mark.parametrize("flat, read", [(1, OBJECT), (2, COPY)])
def test_a_kernel_gets_a_texture_object_or_what_was_copied(context, gl, scene, runtime, flat, read):
    wanted = draw(context, scene=scene)
    runtime.module.flat = flat
    target = next(thing for key, thing in gl.objects.items() if key[0] == "target")
    gl.sharing.resources[id(target)].view = None
    runtime.module.calls.clear()
    out = torch.zeros_like(wanted)
    with gl.current(), gl.sharing.drawn(target, out) as texture:
        assert bool(texture) == (read == OBJECT)
        assert torch.equal(out, wanted) == (read == COPY)
    assert read in runtime.module.calls and gl.sharing.host is None


# ---- memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", ["Target", "_made"])
def test_memory_that_pytorch_keeps_unused_is_given_back_once(
    context, gl, scene, runtime, monkeypatch, short
):
    from glrast.gl import buffers

    module = targets if short == "Target" else buffers
    real, left = getattr(module, short), [1]

    def make(*arguments):
        if left[0]:
            left[0] -= 1
            raise RuntimeError("glrast: OpenGL reports GL_OUT_OF_MEMORY making something")
        return real(*arguments)

    monkeypatch.setattr(module, short, make)
    assert draw(context, scene=scene).any() and runtime.made_room == 1
    gl.close()
    left[0] = 2
    with pytest.raises(RuntimeError, match="GL_OUT_OF_MEMORY"):
        draw(context, scene=scene)
    assert runtime.made_room == 2
    left[0] = 0
    assert draw(context, scene=scene).any()


def test_other_errors_and_memory_of_the_cpu_are_not_tried_again():
    tried = []

    def make(text):
        tried.append(text)
        raise RuntimeError(text)

    for text in ("GL_OUT_OF_MEMORY", "GL_INVALID_VALUE"):
        with pytest.raises(RuntimeError, match=text):
            interop.with_room(HostCopy(), lambda: make(text))  # noqa: B023
    assert len(tried) == 2


# ---- texture objects and captures ------------------------------------------------------------------------


def use(gl, runtime, target):
    with gl.current(), gl.sharing.drawn(target, torch.empty(2, *ODD)) as texture:
        return texture


def test_a_texture_object_lives_until_its_work_is_done(context, gl, scene, runtime):
    draw(context, scene=scene)
    target = next(thing for key, thing in gl.objects.items() if key[0] == "target")
    assert use(gl, runtime, target) and len(runtime.module.textures) == 1
    assert len(gl.sharing.retired) == 1
    for event in runtime.events:
        event.passed = True
    with gl.current():
        gl.sharing.to_opengl()
    use(gl, runtime, target)
    assert len(gl.sharing.retired) == 1  # the first is gone, the second's event has not passed
    runtime.events[-1].passed = False
    gl.close()
    assert runtime.events[-1].waited and not gl.sharing.retired


def test_an_exception_in_the_kernels_launch_leaves_it_usable(context, gl, scene, runtime):
    wanted = draw(context, scene=scene)
    target = next(thing for key, thing in gl.objects.items() if key[0] == "target")
    with gl.current():
        gl.sharing.to_opengl()
    with pytest.raises(ZeroDivisionError):
        with gl.current(), gl.sharing.drawn(target, torch.empty(0)):
            1 / 0  # noqa: B018
    assert torch.equal(draw(context, scene=scene), wanted)
    assert gl.sharing.host is None


def test_a_context_that_is_closed_destroys_its_texture_objects_on_their_device(
    context, gl, scene, runtime
):
    draw(context, scene=scene)
    target = next(thing for key, thing in gl.objects.items() if key[0] == "target")
    assert use(gl, runtime, target) and runtime.module.device == ELSEWHERE
    gl.close()  # the fake asserts the device
    assert not runtime.module.textures


@pytest.mark.parametrize("before", [False, True], ids=["at first", "later"])
def test_a_graph_capture_is_refused_by_name_and_changes_nothing(
    context, gl, scene, runtime, before, monkeypatch
):
    pos, tri, _ = scene
    peeler = glrast.DepthPeeler(context, pos, tri, ODD)
    draw(context, scene=scene) if before else None
    objects, calls = dict(gl.objects), len(runtime.module.calls)
    runtime.module.capturing = True
    monkeypatch.setattr(drawn, "is_capturing", lambda device: runtime.module.capturing)
    with pytest.raises(
        RuntimeError, match=r"^glrast.rasterize: .* outside of a CUDA graph.* captu"
    ):
        glrast.rasterize(context, pos, tri, ODD)
    with peeler, pytest.raises(RuntimeError, match=r"^glrast.DepthPeeler\S*: .* outside of a CUDA"):
        peeler.rasterize_next_layer()
    runtime.module.capturing = False
    assert len(runtime.module.calls) == calls and gl.objects == objects
    assert draw(context, scene=scene).any() and gl.sharing.host is None
