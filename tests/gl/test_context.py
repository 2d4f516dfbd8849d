"""context: one per device and process, current only inside a call, freed by close, refused after fork."""

import ctypes
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import glrast
from glrast.gl import context as module
from glrast.gl import egl
from glrast.gl.functions import Functions
from tests import scenes
from tests.scenes import ODD


def test_every_context_of_a_device_shares_one_opengl_context(device, gl):
    made = [glrast.Context(device) for _ in range(3)]
    assert {c.handle for c in made} == {gl.handle}
    assert module.for_device(device) is gl and module.by_handle(gl.handle) is gl


def test_limits_and_names_are_those_of_the_driver(gl):
    assert gl.limits["size"] >= 16384 and gl.limits["layers"] >= 2048  # what OpenGL 4.5 promises
    assert gl.renderer and gl.version[0] == "4" and gl.extensions


def test_nothing_is_current_outside_a_call(device, gl):
    draw(glrast.Context(device))
    assert not egl._library().eglGetCurrentContext()


def test_a_foreign_context_is_put_back_and_its_state_untouched(device, gl):
    foreign = egl.Context(gl.egl.device)
    with foreign:
        theirs = Functions(foreign.load_opengl_function)
        theirs.glViewport(1, 2, 3, 4)
        wanted = draw(glrast.Context(device))
        assert egl._library().eglGetCurrentContext() == foreign.handle
        viewport = (ctypes.c_int * 4)()
        theirs.glGetIntegerv(0x0BA2, viewport)
        assert list(viewport) == [1, 2, 3, 4] and theirs.glGetError() == 0
    foreign.release()
    assert torch.equal(wanted, draw(glrast.Context(device)))


def test_entering_twice_makes_current_once_and_an_exception_leaves_nothing_current(gl):
    with pytest.raises(ZeroDivisionError):
        with gl.current(), gl.current():
            assert egl._library().eglGetCurrentContext() == gl.egl.handle
            1 / 0  # noqa: B018
    assert not egl._library().eglGetCurrentContext()
    with gl.current():
        assert gl.gl.glGetError() == 0


def test_threads_take_turns(gl):
    inside = []

    def visit(i):
        with gl.current():
            inside.append(i)
            assert egl._library().eglGetCurrentContext() == gl.egl.handle
            assert inside == [i]  # nobody else
            inside.pop()
        return not egl._library().eglGetCurrentContext()

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(visit, range(200)))


@pytest.mark.slow  # a fresh Python
def test_threads_that_ask_for_the_first_time_together_share_one(gl):
    script = """
import threading, glrast
barrier, handles = threading.Barrier(4), []
def make():
    barrier.wait()
    handles.append(glrast.Context("cpu").handle)
threads = [threading.Thread(target=make) for _ in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
print(handles)
"""
    assert run(script).split() == ["[0,", "0,", "0,", "0]"]


def test_close_frees_what_was_made_and_the_next_call_makes_it_again(device, gl):
    context = glrast.Context(device)
    wanted = draw(context)
    textures = [t.color for k, t in gl.objects.items() if k[0] == "target"]
    buffers = [b.glo for k, b in gl.objects.items() if k[0] == "buffer"]
    assert textures and buffers and alive(gl, "glIsTexture", textures) == len(textures)
    context.close()
    assert not gl.objects
    assert alive(gl, "glIsTexture", textures) == 0 and alive(gl, "glIsBuffer", buffers) == 0
    context.close()  # twice is fine
    assert torch.equal(draw(context), wanted)


def test_a_context_says_what_it_is(device):
    shown = repr(glrast.Context(device, buffers="full"))
    assert shown == f"glrast.Context(device='{device}', buffers='full')"
    assert repr(glrast.RasterizeGLContext(device=device)).startswith(
        "glrast.RasterizeGLContext(device="
    )


def test_auto_takes_a_program_that_exists(device):
    assert glrast.Context(device).program in ("id", "full")


# ---- fork ------------------------------------------------------------------------------------------------

FORK = """
import os, sys, glrast, torch
from tests import scenes
pos, tri, attr = scenes.one_triangle(1)
context = glrast.Context("cpu")
glrast.rasterize(context, pos, tri, (8, 8))
{warm}
child = os.fork()
if child == 0:
    said = []
    for use in (lambda: glrast.rasterize(context, pos, tri, (8, 8)), lambda: glrast.Context("cpu"), context.close):
        try:
            use()
            said.append("no error")
        except RuntimeError as error:
            said.append(str(error))
    print("\\n".join(said), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("parent", int(glrast.rasterize(context, pos, tri, (8, 8))[0][..., 3].sum()))
"""


@pytest.mark.slow  # a fresh Python
def test_a_forked_child_is_refused_with_the_remedy_and_the_parent_goes_on():
    lines = run(FORK.format(warm="parent = os.getpid()")).splitlines()
    assert len(lines) == 4 and lines[3].startswith("parent ") and lines[3] != "parent 0"
    for line in lines[:3]:
        assert line.startswith("glrast: OpenGL was initialised in process ")
        assert "OpenGL contexts do not survive fork" in line
        assert (
            "multiprocessing.get_context('spawn') (DataLoader: multiprocessing_context='spawn')"
            in line
        )


@pytest.mark.slow  # a fresh Python
def test_a_child_forked_before_the_first_context_may_make_its_own():
    script = """
import os, glrast
from tests import scenes
pos, tri, attr = scenes.one_triangle(1)
if os.fork() == 0:
    rast, _ = glrast.rasterize(glrast.Context("cpu"), pos, tri, (8, 8))
    print("child", bool(rast.any()), flush=True)
    os._exit(0)
print("exit", os.waitpid(-1, 0)[1])
"""
    assert run(script).split() == ["child", "True", "exit", "0"]


# ---- which device ----------------------------------------------------------------------------------------


def test_no_device_and_devices_that_all_fail_are_told(monkeypatch):
    monkeypatch.setattr(module, "_initialised_in", module._initialised_in)
    monkeypatch.setattr(egl, "devices", lambda: [])
    with pytest.raises(
        egl.EGLError, match="EGL lists no device; its vendor files are missing .*apt-get install"
    ):
        module._open(torch.device("cpu"))

    def refuse(device):
        raise egl.EGLError(f"glrast: refused {device.index}")

    monkeypatch.setattr(egl, "devices", lambda: [fake(0), fake(1)])
    monkeypatch.setattr(egl, "Context", refuse)
    with pytest.raises(egl.EGLError) as caught:
        module._open(torch.device("cpu"))
    message = str(caught.value)
    assert message.startswith(
        "glrast: no EGL device gives an OpenGL 4.5 context for cpu:\n  EGL device "
    )
    assert (
        "EGL device 0: glrast: refused 0" in message
        and "EGL device 1: glrast: refused 1" in message
    )


@pytest.mark.parametrize(
    "visible, device, order",
    [("", "cpu", [3, 0, 1, 2]), ("", "cuda:0", [1, 0, 2, 3]), ("", "cuda:1", [0, 1, 2, 3]),
     ("1", "cuda:0", [0, 1, 2, 3]), ("1,0", "cuda:1", [1, 0, 2, 3]), ("GPU-abc", "cuda:0", [1, 0, 2, 3])],
)  # fmt: skip
def test_a_cuda_device_goes_to_its_own_gpu_and_the_cpu_to_software(
    monkeypatch, visible, device, order
):
    # EGL's order is not CUDA's: device 0 is CUDA 1, device 1 is CUDA 0, 2 another vendor's, 3 software
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = [fake(0, cuda=1), fake(1, cuda=0), fake(2), fake(3, software=True)]
    chosen = sorted(found, key=lambda d: module._preference(d, torch.device(device)))
    assert [d.index for d in chosen] == order


# ---- which GPU -------------------------------------------------------------------------------------------


class Opened:
    """An egl.Context of a machine that is made up."""

    alive = []

    def __init__(self, device):
        if device.index == 9:
            raise egl.EGLError("broken")
        self.device = device
        Opened.alive.append(self)

    def __enter__(self):
        Opened.now = self.device.index

    def __exit__(self, *_): ...

    def release(self):
        Opened.alive.remove(self)


@pytest.fixture
def machine(monkeypatch):
    """EGL's devices, and what CUDA says of each: its devices, or None where there is nobody to ask."""

    def machine(devices, cuda):
        monkeypatch.setattr(Opened, "alive", [])
        monkeypatch.setattr(module.egl, "devices", lambda: devices)
        monkeypatch.setattr(module.egl, "Context", Opened)
        monkeypatch.setattr(
            module.interop, "cuda_devices", lambda device: cuda and cuda[Opened.now]
        )

    return machine


@pytest.mark.parametrize("visible, index, chosen", [("", 0, 1), ("", 1, 0), ("1,0", 0, 0),
                         ("GPU-1234", 0, 0), ("GPU-1234,GPU-5678", 1, 1)])  # fmt: skip
def test_cuda_confirms_which_egl_device_is_its_own(machine, monkeypatch, visible, index, chosen):
    # EGL lists CUDA 1 first; with CUDA_VISIBLE_DEVICES the numbers that CUDA gives are those of what is visible
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    swapped = visible not in ("",)
    machine(
        [fake(0, cuda=1), fake(1, cuda=0), fake(2, software=True)],
        [[0], [1], []] if swapped else [[1], [0], []],
    )
    opened = module._open(torch.device("cuda", index))
    assert opened.device.index == chosen and Opened.alive == [opened]


def test_two_gpus_in_one_process_get_a_context_each(machine):
    machine([fake(0, cuda=1), fake(1, cuda=0)], [[1], [0]])
    opened = [module._open(torch.device("cuda", index)) for index in (0, 1)]
    assert [o.device.index for o in opened] == [1, 0]


def test_without_a_match_the_best_device_draws_and_the_others_are_released(machine):
    machine([fake(0, software=True), fake(1), fake(9)], [[], []])
    opened = module._open(torch.device("cuda", 0))
    assert opened.device.index == 1 and Opened.alive == [opened]


def test_without_cuda_to_ask_egls_number_decides(machine, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine([fake(0, cuda=1), fake(1, cuda=0)], None)
    assert module._open(torch.device("cuda", 1)).device.index == 0


# ---- helpers ---------------------------------------------------------------------------------------------


def draw(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(2))
    return glrast.rasterize(context, pos, tri, ODD)[0]


def alive(gl, function, names):
    """How many of the names still are objects."""
    with gl.current():
        address = gl.egl.load_opengl_function(function)
        is_object = ctypes.CFUNCTYPE(ctypes.c_ubyte, ctypes.c_uint)(address)
        return sum(bool(is_object(name)) for name in names)


def fake(index, cuda=None, software=False):
    return egl.Device(index=index, handle=1000 + index, cuda_index=cuda, software=software)


def run(script):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
