"""`import glrast` needs neither OpenGL nor CUDA; what is missing is named when it is first used."""

import subprocess
import sys

import pytest
import torch

# Anything that would load OpenGL, EGL, CUDA or a fitting library at import fails the import.
BLOCKED = """
import ctypes, sys, importlib.abc
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
sys.meta_path.insert(0, Blocked())
real = ctypes.CDLL.__init__
def guarded(self, name, *arguments, **keywords):
    if name and any(word in str(name) for word in ("EGL", "libGL", "libcuda", "glrast_host")):
        raise OSError(f"{{name}}: cannot open shared object file (blocked)")
    real(self, name, *arguments, **keywords)
import torch  # its own libraries are its own affair
if {guard}:
    ctypes.CDLL.__init__ = guarded
"""
EVERYTHING = {
    "moderngl",
    "glcontext",
    "cupy",
    "cuda",
    "PIL",
    "imageio",
    "matplotlib",
    "rich",
    "scipy",
    "mitsuba",
    "drjit",
}

pytestmark = pytest.mark.slow  # each test is a fresh Python


def test_import_touches_neither_opengl_nor_cuda_nor_the_fitting_libraries_nor_the_compiler():
    script = """
import glrast
loaded = [m for m in sys.modules if m.split(".")[0] in ("moderngl", "cupy", "glcontext")]
print(loaded, glrast.__version__ != "", all(hasattr(glrast, name) for name in glrast.__all__))
print(glrast.clip.perspective.__name__)
print(torch.cuda.is_initialized(), "glrast.gl.context" in sys.modules, "glrast.launch.cuda" in sys.modules)
print("torch._dynamo" in sys.modules)
"""
    assert run(script, EVERYTHING) == "[] True True\nperspective\nFalse False False\nFalse\n"


def test_every_command_is_there_in_a_base_installation():
    script = """
import argparse, importlib
from glrast.cli.main import COMMANDS
for name in COMMANDS:
    importlib.import_module(f"glrast.cli.{name}").add_arguments(argparse.ArgumentParser())
print(len(COMMANDS))
"""
    assert int(run(script, EVERYTHING - {"moderngl", "glcontext"}, guard=False)) == 7


def test_wrong_arguments_are_told_without_opengl():
    script = """
import glrast
for use in (lambda: glrast.Context("cpu", buffers="no"), lambda: glrast.rasterize(None, None, None, None),
            lambda: glrast.interpolate(None, None, None)):
    try:
        use()
    except (TypeError, ValueError) as error:
        print(error)
"""
    lines = run(script, EVERYTHING).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "glrast.Context",
        "glrast.rasterize",
        "glrast.interpolate",
    ]


def test_a_missing_libegl_is_named_when_a_context_is_made():
    lines = run(USE, EVERYTHING - {"moderngl"}).splitlines()
    assert lines[0].startswith("EGLError glrast: libEGL.so.1 cannot be loaded")
    assert "apt-get install libegl1" in lines[0]


def test_a_missing_moderngl_is_named_when_a_context_is_made():
    lines = run(USE, {"moderngl"}, guard=False).splitlines()
    assert "moderngl" in lines[0] and lines[0].startswith(
        ("ModuleNotFoundError", "RuntimeError", "ImportError")
    )


def test_a_missing_host_library_is_named_when_a_kernel_is_used():
    script = """
import glrast
from glrast.launch import cpu
cpu._places = lambda: [cpu.Path("/nowhere/libglrast_host.so")]
try:
    glrast.interpolate(torch.zeros(3, 1), torch.zeros(1, 2, 2, 4), torch.zeros(1, 3, dtype=torch.int32))
except RuntimeError as error:
    print(error)
"""
    said = run(script, EVERYTHING)
    assert said.startswith(
        "glrast: the host library is missing; looked for /nowhere/libglrast_host.so. It is built when"
    )


def test_a_missing_cupy_is_named_when_cuda_is_used():
    script = """
from glrast.launch import cuda
try:
    cuda._cupy()
except RuntimeError as error:
    print(error)
"""
    built_for = torch.version.cuda  # None: a CPU build
    extra = f"cuda{built_for.split('.')[0]}" if built_for else "cuda"
    wanted = (
        f"glrast: CUDA tensors need CuPy, which is not installed: pip install 'glrast[{extra}]'"
    )
    assert run(script, {"cupy"}).startswith(wanted)


def test_interpolate_and_antialias_on_the_cpu_need_no_opengl():
    script = """
import glrast
rast = torch.zeros(1, 4, 4, 4)
rast[0, 1, 1] = torch.tensor([0.25, 0.25, 0.0, 1.0])
tri = torch.tensor([[0, 1, 2]])
color, _ = glrast.interpolate(torch.eye(3), rast, tri)
print(glrast.antialias(color, rast, torch.ones(3, 4), tri)[0, 1, 1].tolist())
"""
    allowed = BLOCKED.replace(', "glrast_host"', "")
    assert run(script, EVERYTHING, allowed) == "[0.25, 0.25, 0.5]\n"


USE = """
import glrast
try:
    glrast.Context("cpu")
except Exception as error:
    print(type(error).__name__, error)
"""


def run(script, blocked, prelude=BLOCKED, guard=True):
    """What a fresh Python prints, with modules (and, guarded, graphics libraries) that cannot be loaded."""
    code = prelude.format(blocked=sorted(blocked), guard=guard) + script
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
