"""context: one per device and process, current only inside a call, freed by close, refused after fork."""

import ctypes
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import glrast
from glrast.gl import egl
from glrast.gl.functions import Functions
from tests import scenes
from tests.scenes import ODD


def test_limits_and_names_are_those_of_the_driver(gl):
    assert gl.limits.size >= 16384 and gl.limits.layers >= 2048  # what OpenGL 4.5 promises
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


def test_a_context_that_stayed_bound_would_keep_other_threads_from_drawing(gl):
    """Which is why it is released after every call: only the thread that bound it could do so."""
    with gl.egl, ThreadPoolExecutor(1) as other:
        with pytest.raises(egl.EGLError, match="EGL_BAD_ACCESS: the context is current in another"):
            other.submit(gl.egl.__enter__).result()


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


def run(script):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
