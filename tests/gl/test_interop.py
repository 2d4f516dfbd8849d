"""interop: register once, one map and one unmap a call, back to OpenGL before it is used, deleted or given up.

CUDA's calls are a fake that keeps CUDA's rules over the real OpenGL context (fake_cudart.py).
"""

import re
import warnings

import pytest
import torch

import glrast
from glrast.gl import cudart, host_copy, interop, registry
from glrast.gl.host_copy import HostCopy
from glrast.gl.interop import Registered
from glrast.raster import draw as drawing
from tests import scenes
from tests.gl.fake_cudart import ELSEWHERE, Error, Fake, FakeRuntime
from tests.ops.compare import on
from tests.scenes import ODD

MAP, UNMAP = "cudaGraphicsMapResources", "cudaGraphicsUnmapResources"
IMAGE, BUFFER = "cudaGraphicsGLRegisterImage", "cudaGraphicsGLRegisterBuffer"
UNREGISTER = "cudaGraphicsUnregisterResource"


@pytest.fixture
def runtime(gl, device, monkeypatch):
    """The context shared through the fake; drawing while something is mapped is an error."""
    if device.type != "cpu":
        pytest.skip("the fake moves CPU tensors")
    gl.close()
    fake = FakeRuntime(gl)
    monkeypatch.setattr(gl.limits, "culls_non_finite", True)
    monkeypatch.setattr(gl, "sharing", Registered(fake))
    monkeypatch.setattr(host_copy, "_said", set())
    submit = drawing.submit

    def draws(*arguments):
        assert not fake.module.mapped(), "OpenGL drew from what is mapped"
        submit(*arguments)

    monkeypatch.setattr(drawing, "submit", draws)
    yield fake
    fake.module.fail = None
    gl.close()
    assert not fake.module.registered and not fake.module.textures
    assert fake.module.device == ELSEWHERE, "the thread's current device was changed"


@pytest.fixture
def calls(runtime):
    """What the last call of `draw` asked of CUDA."""
    return lambda: [name for name in runtime.module.calls if name != "cudaSetDevice"]


def draw(context, images=2, size=ODD, scene=None):
    """triangle ids [N,H,W], read by copying the array: no kernel takes part."""
    from glrast.raster.plan import drawable

    pos, tri, _ = scene or on(context, scenes.closed_mesh(1, images=images))
    gl = registry.by_handle(context.handle)
    batch = drawable(gl, pos, tri, None, *size, "none")
    return drawing.draw(gl, batch, context.program, *size, pos.device)


@pytest.fixture
def scene(context):
    return on(context, scenes.closed_mesh(1, images=2))


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


# ---- texture objects -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("flat", [1, 2])
def test_an_array_that_is_one_layer_is_looked_for_in_the_other_view(
    context, gl, scene, runtime, flat
):
    runtime.module.flat = flat
    if flat == 1:
        assert draw(context, scene=scene).any() and gl.sharing.host is None
        return
    with pytest.warns(RuntimeWarning, match="has 0 layers, not 2"):
        assert draw(context, scene=scene).any()


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
    context, gl, scene, runtime, before
):
    pos, tri, _ = scene
    peeler = glrast.DepthPeeler(context, pos, tri, ODD)
    draw(context, scene=scene) if before else None
    objects, calls = dict(gl.objects), len(runtime.module.calls)
    runtime.module.capturing = True
    with pytest.raises(
        RuntimeError, match=r"^glrast.rasterize: .* outside of a CUDA graph.* captu"
    ):
        glrast.rasterize(context, pos, tri, ODD)
    with peeler, pytest.raises(RuntimeError, match=r"^glrast.DepthPeeler\S*: .* outside of a CUDA"):
        peeler.rasterize_next_layer()
    runtime.module.capturing = False
    assert len(runtime.module.calls) == calls and gl.objects == objects
    assert draw(context, scene=scene).any() and gl.sharing.host is None


# ---- failures --------------------------------------------------------------------------------------------

STEPS = {
    BUFFER: 2, IMAGE: 1, MAP: 3, "cudaGraphicsResourceGetMappedPointer": 2, "cudaMemcpyAsync": 2,
    "cudaGraphicsSubResourceGetMappedArray": 1, "cudaArrayGetInfo": 1, "cudaMemcpy3DAsync": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "name, nth", [(n, i + 1) for n, most in STEPS.items() for i in range(most)]
)
def test_a_call_that_fails_gives_way_to_host_memory_and_says_so_once(
    context, gl, scene, runtime, name, nth
):
    runtime.module.fail = (name, nth)
    with pytest.warns(RuntimeWarning, match=rf"host memory.*{name}: cudaErrorUnknown \(999\)"):
        found = draw(context, scene=scene)
    assert not runtime.module.registered
    count = len(runtime.module.calls)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(draw(context, scene=scene), found)
    assert len(runtime.module.calls) == count
    gl.close()
    gl.sharing = HostCopy()
    assert torch.equal(draw(context, scene=scene), found)


def test_an_unmap_that_fails_is_raised_and_the_next_call_is_right(context, gl, scene, runtime):
    runtime.module.fail = (UNMAP, 1)
    with (
        pytest.warns(RuntimeWarning, match="host memory"),
        pytest.raises(RuntimeError, match=f"{UNMAP}: cudaErrorUnknown"),
    ):
        draw(context, scene=scene)
    found = draw(context, scene=scene)
    gl.sharing = HostCopy()
    assert torch.equal(draw(context, scene=scene), found) and found.any()


@pytest.mark.parametrize("name", [BUFFER, IMAGE])
def test_a_null_handle_is_not_taken_for_success(context, gl, scene, runtime, name):
    runtime.module.null = name
    with pytest.warns(RuntimeWarning, match="null handle; cuda-bindings is too old"):
        assert draw(context, scene=scene).any()
    runtime.module.registered.clear()  # the fake did register them


def test_a_driver_that_has_died_does_not_hide_the_first_error(context, gl, scene, runtime):
    draw(context, scene=scene)
    real = runtime.call
    runtime.call = lambda name, *a: (
        (_ for _ in ()).throw(cudart.CudaError(f"{name}: dead"))
        if name in (MAP, UNMAP, UNREGISTER)
        else real(name, *a)
    )
    with (
        pytest.warns(RuntimeWarning, match=f"{UNMAP}: dead"),
        pytest.raises(RuntimeError, match="dead"),
    ):
        draw(context, scene=scene)
    runtime.call = real
    runtime.module.registered.clear()


# ---- which way -------------------------------------------------------------------------------------------


class Context:
    renderer, software, uploaded = "NVIDIA Pretend", False, None


@pytest.fixture
def choose(gl, monkeypatch):
    monkeypatch.setattr(host_copy, "_said", set())

    def choose(devices=(0,), software=False, index=0, error=None):
        made = FakeRuntime(gl, index, devices)
        if error:
            made.module.fail = ("cudaGLGetDevices", 1)
        monkeypatch.setattr(cudart, "load", lambda device: made)
        with gl.current():
            found = interop.sharing(torch.device("cuda", index), software, Context.renderer)
            assert interop.cuda_devices(torch.device("cuda", index)) == list(devices)
        assert made.module.device == ELSEWHERE, "the thread's current device was changed"
        return found

    return choose


def test_the_gpu_that_opengl_renders_on_is_shared_with(choose):
    assert isinstance(choose(), Registered)
    assert isinstance(choose(devices=(2, 1), index=1), Registered)


@pytest.mark.parametrize(
    "how, reason",
    [
        (dict(software=True), r"OpenGL runs on the CPU \(NVIDIA Pretend\)"),
        (dict(devices=(1,)), r"renders on CUDA device \[1\]"),
        (dict(devices=()), r"renders on CUDA device \[\]"),
        (dict(error=True), r"cudaGLGetDevices: cudaErrorUnknown \(999\)"),
    ],
)
def test_otherwise_host_memory_serves_and_the_reason_is_said_once(choose, how, reason):
    with pytest.warns(RuntimeWarning, match=reason):
        assert isinstance(choose(**how), HostCopy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert re.search(reason, choose(**how).reason)


def test_without_cuda_bindings_host_memory_serves(choose, monkeypatch):
    choose()
    monkeypatch.setattr(
        cudart, "load", lambda device: (_ for _ in ()).throw(ImportError("no module"))
    )
    with pytest.warns(RuntimeWarning, match=r"cuda-bindings is not installed \(pip install"):
        assert isinstance(
            interop.sharing(torch.device("cuda", 0), Context.software, Context.renderer), HostCopy
        )
    assert interop.cuda_devices(torch.device("cuda", 0)) is None


def test_cpu_tensors_ask_nobody(gl):
    assert isinstance(interop.sharing(torch.device("cpu"), gl.software, gl.renderer), HostCopy)


def test_a_missing_driver_is_an_error_of_the_call(gl):
    runtime = FakeRuntime(gl)
    runtime.module = type("Module", (), {"cudaSetDevice": lambda self, i: 1 / 0})()
    with pytest.raises(ZeroDivisionError):
        runtime.use_device()
    runtime.module = type(
        "Module", (), {"cudaSetDevice": lambda self, i: exec("raise RuntimeError('no libcuda')")}
    )()
    with pytest.raises(cudart.CudaError, match="cudaSetDevice: no libcuda"):
        runtime.use_device()


# ---- the fake is like the real one -----------------------------------------------------------------------


def test_every_call_of_the_fake_takes_what_the_real_one_takes():
    real = pytest.importorskip(
        "cuda.bindings.runtime", reason="cuda-bindings is not installed (pip install cuda-bindings)"
    )
    import inspect

    names = [n for n, f in vars(Fake).items() if n.startswith("cuda") and inspect.isfunction(f)]
    assert len(names) > 12
    for name in names:
        signature = getattr(real, name).__doc__.strip().split("\n")[0]
        wanted = len(re.sub(r"\[.*?\]", "", signature).split(","))
        found = len(inspect.signature(getattr(Fake, name)).parameters) - 1
        assert found == wanted, signature


def test_the_real_structures_have_the_members_that_are_set():
    real = pytest.importorskip(
        "cuda.bindings.runtime", reason="cuda-bindings is not installed (pip install cuda-bindings)"
    )
    runtime = cudart.Runtime(real, torch.device("cuda", 0))
    made = []
    runtime.call = lambda name, *arguments: made.append((name, arguments)) or 5
    runtime.texture(real.cudaArray_t(init_value=9))
    runtime.copy_array(real.cudaArray_t(init_value=9), torch.zeros(2, 3, 5, 4), 4, 0)
    (_, (resource, reading, view)), (_, (parameters, stream)) = made
    assert int(resource.res.array.array) == 9 and view is None and stream == 0
    assert reading.normalizedCoords == 0 and int(reading.filterMode) == 0
    assert (parameters.extent.width, parameters.extent.height, parameters.extent.depth) == (5, 3, 2)
    assert parameters.dstPtr.pitch == 80 and int(parameters.srcArray) == 9
    assert int(Error(0)) == 0
