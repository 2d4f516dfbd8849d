"""Mesa's driver and other libraries with an LLVM in one process, in any order: glrast/gl/scope.py. Triton is the one
that everybody has; each order of steps is a fresh Python, and the signal that ends one is named."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glrast.gl import scope

pytestmark = pytest.mark.slow  # each test is a fresh Python

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed here"
)

STEPS = {
    "import": "import torch, glrast",
    "context": """
pos = torch.tensor([[[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]]], requires_grad=True)
tri = torch.tensor([[0, 1, 2]])
rast, _ = glrast.rasterize(glrast.Context("cpu"), pos, tri, (17, 33))
assert (rast[..., 3] == 1).all()
""",
    "backward": """
color, _ = glrast.interpolate(torch.eye(3), rast, tri)
color[..., 0].sum().backward()
assert pos.grad.abs().sum() > 0
""",
    "adam": "torch.optim.Adam([torch.zeros(3, requires_grad=True)])",
    "triton": "import triton._C.libtriton",
    "global llvm": "import ctypes; ctypes.CDLL('./libglobal.so', mode=ctypes.RTLD_GLOBAL)",
    "compile": "assert torch.compile(lambda x: x * 2 + 1)(torch.ones(3)).sum() == 9",
    # another library opens Mesa's driver by itself
    "other": """
import ctypes
egl, P = ctypes.CDLL("libEGL.so.1"), ctypes.c_void_p
egl.eglGetProcAddress.restype = P
def call(name, *types): return ctypes.CFUNCTYPE(*types)(egl.eglGetProcAddress(name))
devices, count = (P * 8)(), ctypes.c_int()
call(b"eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, P, P)(8, devices, ctypes.byref(count))
display = call(b"eglGetPlatformDisplayEXT", P, ctypes.c_uint, P, P)(0x313F, devices[count.value - 1], None)
egl.eglInitialize.argtypes = [P] * 3
assert egl.eglInitialize(display, None, None)
""",
    "no triton": "import sys; sys.modules['triton'] = None",
    "not imported": "import sys; assert 'triton' not in sys.modules",
    "is local": "from glrast.gl import scope; assert scope.global_llvm() is None, scope.global_llvm()",
    "is global": "from glrast.gl import scope; assert scope.global_llvm()",
}


@needs_triton
@pytest.mark.parametrize(
    "order",
    [
        "import, context, adam, backward",
        "import, context, triton, backward, compile",
        "import, compile, context, backward",
        "import, adam, context, backward",
        "triton, import, context, backward, adam",
        "import, context, other, triton, adam",  # the driver stays local when another opens it after glrast
    ],
)
def test_triton_and_opengl_share_a_process_in_any_order(order, tmp_path):
    run(f"{order}, is local", tmp_path)


@needs_triton
def test_triton_loaded_after_a_driver_that_another_made_global_survives_if_glrast_was_between(
    tmp_path,
):
    if ended("import, other, triton", tmp_path).returncode == 0:
        pytest.skip("this Mesa does not make its driver global")
    run("import, other, is global, context, triton, adam, backward", tmp_path)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_an_llvm_that_another_library_made_global_before_the_driver_came_does_not_reach_it(
    tmp_path,
):
    text = "#include <stdlib.h>\nvoid LLVMContextCreate() { abort(); }\nvoid _ZN4llvm11LLVMContextC1Ev() { abort(); }\n"
    (tmp_path / "global.c").write_text(text)
    command = [
        "cc",
        "-shared",
        "-fPIC",
        "-o",
        str(tmp_path / "libglobal.so"),
        str(tmp_path / "global.c"),
    ]
    subprocess.run(command, check=True)
    run("import, global llvm, is global, context, backward", tmp_path)


def test_the_driver_is_local_and_torch_works_where_there_is_no_triton(tmp_path):
    run("no triton, import, context, adam, backward, is local", tmp_path)
    run("no triton, import, other, context, adam, backward", tmp_path)


def test_a_broken_triton_does_no_harm_until_it_is_imported(tmp_path):
    (tmp_path / "triton" / "_C").mkdir(parents=True)
    (tmp_path / "triton" / "__init__.py").write_text("raise ImportError('broken')")
    (tmp_path / "triton" / "_C" / "libtriton.so").write_bytes(b"\x7fELF, or half of it")
    run("import, other, context, backward", tmp_path)


def test_importing_glrast_and_drawing_import_no_triton(tmp_path):
    run("import, not imported, context, backward, not imported", tmp_path)


def test_triton_is_found_without_its_import(monkeypatch, tmp_path):
    (tmp_path / "triton" / "_C").mkdir(parents=True)
    (tmp_path / "triton" / "__init__.py").write_text("raise ImportError('broken')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    importlib.invalidate_caches()
    assert scope.triton_library() is None
    library = tmp_path / "triton" / "_C" / "libtriton.so"
    library.touch()
    assert scope.triton_library() == library


def run(order, folder):
    done = ended(order, folder)
    if done.returncode < 0:
        pytest.fail(f"{order}: {signal.Signals(-done.returncode).name}\n{done.stderr[-2000:]}")
    assert done.returncode == 0, f"{order}:\n{done.stderr[-2000:]}"


def ended(order, folder: Path):
    """The process that took the steps of `order` in `folder`."""
    script = "\n".join(STEPS[step] for step in order.split(", "))
    (folder / "script.py").write_text(script)  # torch.compile reads it
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(folder.parent / "inductor")}  # of all these tests
    command = [sys.executable, str(folder / "script.py")]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
        timeout=600,
    )


PROGRAM = """
#include <dlfcn.h>
#include <stdlib.h>
void *(*volatile taken)(size_t) = malloc;  // a program that is not relocatable has a stub of this name then
%s
int main(int count, char **words) {
    free(taken(8));
    int (*asked)(void) = (int (*)(void))dlsym(dlopen(words[1], RTLD_NOW), "glrast_malloc_is_libcs");
    return asked();
}
"""
ANOTHER = """
#include <stddef.h>
static char memory[1 << 24]; static size_t used;
void *malloc(size_t n) { used += (n + 31) & ~(size_t)15; return memory + used - ((n + 15) & ~(size_t)15); }
void free(void *p) {}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) {
    char *out = malloc(n);
    for (size_t i = 0; p && i < n && (char *)p + i < memory + sizeof memory; ++i) out[i] = ((char *)p)[i];
    return out;
}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how Linux finds a function")
@pytest.mark.parametrize("kind", ["-no-pie", "-pie"])
def test_a_malloc_is_libcs_unless_it_is_preloaded_or_the_programs_own(kind, tmp_path):
    """Debian's Python is not relocatable: malloc seemed to be its own, and Mesa was not kept apart."""
    from glrast.launch import cpu

    def compiled(name, text, *words):
        (tmp_path / f"{name}.c").write_text(text)
        command = ["cc", f"{name}.c", "-w", "-o", name, *words]
        subprocess.run(command, cwd=tmp_path, check=True)
        return str(tmp_path / name)

    plain = compiled("plain", PROGRAM % "", kind, "-ldl", "-rdynamic")
    its_own = compiled("its_own", PROGRAM % ANOTHER, kind, "-ldl", "-rdynamic")
    another = compiled("another.so", ANOTHER, "-shared", "-fPIC")

    def answer(program, **environment):
        command = [program, cpu.host_library()._name]
        return subprocess.run(command, env=os.environ | environment, timeout=600).returncode

    assert answer(plain) == 1
    assert answer(plain, LD_PRELOAD=another) == 0
    assert answer(its_own) == 0
