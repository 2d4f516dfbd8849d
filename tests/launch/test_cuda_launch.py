"""cuda: how kernels are launched and compiled through CuPy, how often, and what errors say. CuPy is that of
tests/executor."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from glrast.launch import cuda, source
from tests import scenes
from tests.executor import compile_kernels
from tests.executor.operations import CASES, antialiased
from tests.ops.compare import on

CUDA_1 = torch.device("cuda", 1)
MOST_LAUNCHES = 4


def compiled(test):
    """A C++ compiler runs for a second or two per kernel file."""
    missing = pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here")
    return pytest.mark.slow(missing(test))


@compiled
@pytest.mark.parametrize("current, entered", [(0, [1, 1]), (1, [])])
def test_a_launch_enters_its_device_where_another_is_current(
    emulate, monkeypatch, current, entered
):
    """And it goes to PyTorch's current stream of that device."""
    monkeypatch.setattr(cuda, "stream_number", {CUDA_1: 77}.get)
    nothing = np.zeros(1, source.kernels("transform")["transform_points"].dtype)
    nothing["width"] = nothing["H"] = 1  # and no rows
    with emulate() as cupy:
        cupy.current = current
        for _ in range(2):
            cuda._start("transform", "transform_points", CUDA_1, 1, nothing, cuda._grid(1, 1))
        assert cupy.current == current
    assert cupy.entered == entered and cupy.streams == [77, 77]
    assert cupy.launched == ["transform_points"] * 2


@compiled
def test_pytorchs_default_stream_is_named_and_not_left_to_cupy(emulate, monkeypatch):
    """CuPy's own default is another one where CUPY_CUDA_PER_THREAD_DEFAULT_STREAM is set."""
    monkeypatch.setattr(cuda, "stream_number", {CUDA_1: 0}.get)
    nothing = np.zeros(1, source.kernels("transform")["transform_points"].dtype)
    nothing["width"] = nothing["H"] = 1
    with emulate() as cupy:
        cuda._start("transform", "transform_points", CUDA_1, 1, nothing, cuda._grid(1, 1))
    assert cupy.streams == [0]


def test_where_cupy_has_a_stream_for_each_thread_it_launches_on_the_one_that_is_named():
    pytest.importorskip("cupy", exc_type=ImportError, reason="CuPy is not installed")
    program = """
import cupy
from cupy.cuda.function import Function
from cupy_backends.cuda.api import driver
from cupy_backends.cuda.stream import get_default_stream_ptr
asked = []
class Named:
    @property
    def ptr(self):
        asked.append(1)
        raise ZeroDivisionError
try:
    Function.__new__(Function)((1, 1, 1), (1, 1, 1), (), stream=Named())
except ZeroDivisionError:
    pass
# the driver's launch under its plain name, whose stream 0 is PyTorch's: not that of a thread, cuLaunchKernel_ptsz
text = open(driver.__file__, "rb").read()
print(get_default_stream_ptr(), asked, b"LaunchKernel" in text, b"_ptsz" in text)
"""
    environment = os.environ | {"CUPY_CUDA_PER_THREAD_DEFAULT_STREAM": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.stdout.split() == ["2", "[1]", "True", "False"], done.stderr  # 2: of each thread


def test_cupys_launch_takes_a_stream_and_asks_for_its_handle_alone():
    pytest.importorskip("cupy", exc_type=ImportError, reason="CuPy is not installed")
    from cupy.cuda.function import Function

    class Asked:
        @property
        def ptr(self):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Function.__new__(Function)((1, 1, 1), (1, 1, 1), (), stream=Asked())


@compiled
@pytest.mark.parametrize("case", ["rasterize", "interpolate 3", "antialias", "texture linear 1"])
def test_launches_stay_few(context, emulate, case):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    with emulate() as cupy:
        CASES[case](context)
        stem = case.split(" ")[0]
        own = [name for name in cupy.launched if name.startswith(stem)]
    backward = [name for name in own if "backward" in name]
    forward = len(own) - len(backward)
    # a zeroed gradient and a copy of the positions are launches too; the backward passes of rasterize are two
    assert forward + 1 <= MOST_LAUNCHES and len(backward) + 1 <= MOST_LAUNCHES


@compiled
def test_a_file_is_compiled_once_for_all_its_kernels(context, emulate):
    with emulate() as cupy:
        antialiased(context)
        antialiased(context)
    assert len(set(cupy.launched)) == 7 and len(cupy.compiled) == 2  # antialias, rasterize


def test_nothing_is_launched_for_no_elements(emulate):
    with emulate() as cupy:
        arguments = dict(width=0, rows=3)
        cuda.run("rasterize", "rasterize_resolve", arguments, torch.device("cpu"))
    assert not cupy.launched


@compiled
def test_an_error_names_the_kernel_file_and_shows_the_line(emulate, monkeypatch):
    broken = source.text("rasterize").replace("#define GLRAST_DEGENERATE 1e-6f", "nonsense;")
    monkeypatch.setattr(source, "text", lambda stem: broken)
    lines = (source.folder("kernels") / "rasterize/view.cuh").read_text().splitlines()
    number = lines.index("#define GLRAST_DEGENERATE 1e-6f") + 1
    with (
        emulate(),
        pytest.raises(
            RuntimeError,
            match=rf"glrast: kernels/rasterize/view.cuh:{number} does not compile: #define",
        ),
    ):
        arguments = dict.fromkeys(source.kernels("rasterize")["rasterize_prepare"].fields, 0)
        arguments.update(width=1, H=1, rows=1, tri=None, pos=None, out=None)
        cuda.run("rasterize", "rasterize_prepare", arguments, torch.device("cpu"))


def test_missing_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"CuPy, which is not installed: pip install 'glrast\["):
        cuda._cupy.__wrapped__()


def test_a_cupy_that_does_not_import_says_why(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text(
        "raise ImportError('Failed to import CuPy.') from OSError('libnvrtc.so.12: cannot open')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(RuntimeError, match=r"CuPy, which does not import \(libnvrtc.so.12: cannot"):
        cuda._cupy.__wrapped__()


@pytest.mark.parametrize("version, extra", [("12.8", "cuda12"), ("13.0", "cuda13"), (None, "cuda")])
def test_the_extra_is_that_of_pytorchs_cuda(monkeypatch, version, extra):
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=rf"pip install 'glrast\[{extra}\]'$"):
        cuda._cupy.__wrapped__()


class DynamicLibNotFoundError(RuntimeError):
    """Named as that of CuPy 14."""


@pytest.mark.parametrize(
    "error",
    [DynamicLibNotFoundError('Failure finding "nvrtc"\nmore'),
     RuntimeError("CuPy failed to load libnvrtc.so.12: OSError: no such file")],
)  # fmt: skip
@pytest.mark.parametrize("version, package", [("12.4", "nvrtc-cu12"), ("13.0", "nvrtc")])
def test_a_missing_nvrtc_says_what_to_install(emulate, monkeypatch, error, version, package):
    monkeypatch.setattr(torch.version, "cuda", version)
    with emulate() as cupy:
        monkeypatch.setattr(cupy, "RawModule", lambda **_: (_ for _ in ()).throw(error))
        first = str(error).splitlines()[0]
        with pytest.raises(RuntimeError) as found:
            cuda._function("transform", "transform_points", 0, "")
    assert str(found.value).startswith("glrast: the kernels of CUDA tensors are compiled by NVRTC")
    assert first in str(found.value)
    assert str(found.value).endswith(f"pip install nvidia-cuda-{package}")


def test_structs_travel_by_value_in_numpys_form():
    layout = source.arguments("record.cuh", "ReduceArgs")
    values = dict.fromkeys(layout.fields, None) | dict(count=5, size=2**40)
    packed = cuda._packed(layout, values, torch.device("cpu"))
    assert packed.shape == (1,) and packed["count"] == 5 and packed["size"] == 2**40
    assert packed.itemsize == layout.format.size and packed.flags.aligned
