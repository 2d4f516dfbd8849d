"""interop: calls that fail, which way is taken and why, and whether the fake is like the real cuda-bindings."""

import re
import warnings

import pytest
import torch

from glrast.gl import cudart, host_copy, interop
from glrast.gl.host_copy import HostCopy
from glrast.gl.interop import Registered
from tests.gl.drawing import draw
from tests.gl.fake_cudart import ELSEWHERE, Error, Fake, FakeRuntime

MAP, UNMAP = "cudaGraphicsMapResources", "cudaGraphicsUnmapResources"
IMAGE, BUFFER = "cudaGraphicsGLRegisterImage", "cudaGraphicsGLRegisterBuffer"
UNREGISTER = "cudaGraphicsUnregisterResource"

STEPS = {
    BUFFER: 2, IMAGE: 1, MAP: 3, "cudaGraphicsResourceGetMappedPointer": 2, "cudaMemcpyAsync": 2,
    "cudaMemcpy3DAsync": 1,
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


REAL = ("cudaResourceDesc", "cudaTextureDesc", "cudaMemcpy3DParms", "cudaPitchedPtr", "cudaExtent",
        "cudaGLDeviceList", "cudaGraphicsRegisterFlags", "cudaResourceType", "cudaTextureAddressMode",
        "cudaTextureFilterMode", "cudaTextureReadMode", "cudaMemcpyKind")  # fmt: skip


@pytest.mark.parametrize("flat", [1, 2])
def test_real_structures_and_enumerations_go_the_whole_way(context, gl, scene, runtime, flat):
    real = pytest.importorskip(
        "cuda.bindings.runtime", reason="cuda-bindings is not installed (pip install cuda-bindings)"
    )
    wanted = draw(context, scene=scene)
    for name in REAL:
        setattr(runtime.module, name, getattr(real, name))
    runtime.module.flat = flat
    gl.close()
    assert torch.equal(draw(context, scene=scene), wanted)
    target = next(thing for key, thing in gl.objects.items() if key[0] == "target")
    with gl.current(), gl.sharing.drawn(target, torch.zeros_like(wanted)) as texture:
        assert bool(texture) == (flat == 1)
    assert gl.sharing.host is None


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
