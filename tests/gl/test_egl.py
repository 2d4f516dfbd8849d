"""egl: the machine's devices, and contexts that are made current with care."""

import ctypes
import subprocess
import sys
import threading

import pytest

from glrast.gl import egl
from glrast.gl.functions import Functions

_OPENGL_ES_API = 0x30A0


@pytest.fixture
def pair():
    """Two contexts on the first device that gives one."""
    made = [egl.Context(first_usable()) for _ in range(2)]
    yield made
    for context in made:
        context.release()


def test_devices_are_listed_in_order_and_software_is_no_cuda_device():
    found = egl.devices()
    assert found and [d.index for d in found] == list(range(len(found)))
    assert found == egl.devices()
    for device in found:
        assert device.handle and not (device.software and device.cuda_index is not None)


def test_a_context_is_opengl_4_5_and_gone_after_the_with(pair):
    with pair[0] as context:
        assert current() == context.handle
        major, minor = (
            Functions(context.load_opengl_function).get_integer(code) for code in (0x821B, 0x821C)
        )
        assert (major, minor) >= (4, 5)
    assert not current()


def test_the_context_that_was_current_before_is_current_again_also_after_an_exception(pair):
    foreign, own = pair
    with foreign:
        with own:
            assert current() == own.handle
        assert current() == foreign.handle
        with pytest.raises(ZeroDivisionError), own:
            1 / 0  # noqa: B018
        assert current() == foreign.handle
    assert not current()


def test_a_foreign_context_gets_its_surface_back(pair):
    foreign, own = pair
    library, display = egl._library(), foreign.display
    surface = pbuffer(display)
    assert library.eglMakeCurrent(display, surface, surface, foreign.handle)
    with own:
        assert not library.eglGetCurrentSurface(egl._DRAW)
    for which in (egl._DRAW, egl._READ):
        assert library.eglGetCurrentSurface(which) == surface
    assert current() == foreign.handle
    library.eglMakeCurrent(display, None, None, None)


def test_the_api_that_was_bound_before_is_bound_again(pair):
    library = egl._library()
    before = library.eglQueryAPI()
    library.eglBindAPI(_OPENGL_ES_API)
    try:
        with pair[0]:
            assert library.eglQueryAPI() == egl._OPENGL_API
        assert library.eglQueryAPI() == _OPENGL_ES_API
    finally:
        library.eglBindAPI(before)


def test_a_context_that_is_current_elsewhere_is_refused_not_ignored(pair):
    context, caught = pair[0], []

    def enter():
        try:
            with context:
                caught.append(None)
        except egl.EGLError as error:
            caught.append(error)

    with context:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(10)
    assert (
        "glrast: eglMakeCurrent failed: EGL_BAD_ACCESS: the context is current in another thread"
        in str(caught[0])
    )
    assert "(0x3002)" in str(caught[0])
    with context:  # and it is as good as before
        assert current() == context.handle


def test_release_may_be_called_twice():
    context = egl.Context(first_usable())
    context.release()
    context.release()
    assert context.handle is None


def test_a_missing_libegl_names_the_package(monkeypatch):
    def missing(name, *_, **__):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(
        egl.EGLError, match="libEGL.so.1 cannot be loaded .*apt-get install libegl1"
    ):
        egl._library.__wrapped__()


def test_a_missing_extension_is_named(monkeypatch):
    with pytest.raises(
        egl.EGLError, match="glrast: this libEGL has no eglMakeCoffeeEXT; glrast needs EGL 1.5"
    ):
        egl._extension(
            "eglMakeCoffeeEXT" if not glvnd_invents_functions() else "makeCoffee", ctypes.c_uint
        )


def test_an_error_code_is_explained(monkeypatch):
    class Failing:
        def eglGetError(self):
            return 0x3001

    monkeypatch.setattr(egl, "_library", Failing)
    message = str(egl._fail("eglInitialize"))
    assert (
        message.startswith("glrast: eglInitialize failed: EGL_NOT_INITIALIZED: ")
        and "(0x3001)" in message
    )


def first_usable():
    """Software first: its contexts cost nothing on a machine with a GPU."""
    failures = []
    for device in sorted(egl.devices(), key=lambda d: not d.software):
        try:
            egl.Context(device).release()
            return device
        except egl.EGLError as error:
            failures.append(str(error))
    raise AssertionError(failures)


def current():
    return egl._library().eglGetCurrentContext()


def glvnd_invents_functions():
    """libglvnd hands out a stub for any name that begins with egl."""
    return bool(egl._library().eglGetProcAddress(b"eglMakeCoffeeEXT"))


def pbuffer(display):
    """A 4 x 4 off-screen surface, as other libraries have one."""
    library = egl._library()
    library.eglBindAPI(egl._OPENGL_API)
    wanted = (ctypes.c_int * 5)(0x3033, 0x0001, 0x3040, 0x0008, 0x3038)  # pbuffer, OpenGL
    config, count = ctypes.c_void_p(), ctypes.c_int()
    found = library.eglChooseConfig(
        ctypes.c_void_p(display), wanted, ctypes.byref(config), 1, ctypes.byref(count)
    )
    if not found or not count.value:
        pytest.skip("EGL offers no config with a pbuffer here")
    library.eglCreatePbufferSurface.restype = ctypes.c_void_p
    size = (ctypes.c_int * 5)(0x3057, 4, 0x3056, 4, 0x3038)  # width, height
    return library.eglCreatePbufferSurface(ctypes.c_void_p(display), config, size)


@pytest.mark.slow
@pytest.mark.parametrize("again", ["", "initialize(context.display, None, None)"])
def test_a_display_that_another_library_ends_is_an_error_that_says_so(again):
    """It may have begun it anew, for a renderer that it still has: the display is there, our context is not."""
    script = f"""
import ctypes
import subprocess
import sys
from glrast.gl import egl
device = egl.devices()[0]
context = egl.Context(device)
terminate, initialize = egl._library().eglTerminate, egl._library().eglInitialize
terminate.argtypes, initialize.argtypes = [ctypes.c_void_p], [ctypes.c_void_p] * 3
assert terminate(context.display)
{again}
try:
    context.__enter__()
except egl.EGLError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)  # fmt: skip
    error = "EGL_BAD_CONTEXT" if again else "EGL_BAD_DISPLAY"
    assert f"glrast: eglMakeCurrent failed: {error}" in done.stdout, done.stderr
    assert "eglTerminate" in done.stdout and "before glrast.Context" in done.stdout
