"""A CuPy without a GPU: `RawModule` compiles the CUDA form of a kernel file for the CPU (emulator.h) and runs it there.

It takes CPU tensors' addresses where CuPy takes a GPU's, and counts what is launched. `pytest --emulate-cuda` runs all
tests of CPU tensors that way, through the launch code of a GPU.
"""

import contextlib
import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch

from glrast.launch import cpu, cuda, source

# What CuPy gives NVRTC beside our options, under each of its names.
OF_CUPY = ("-ftz=true", "--device-as-default-execution-space", "-default-device", "-arch=sm_75")
HERE = Path(__file__).resolve().parent
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
_FOLDER = Path(tempfile.gettempdir()) / "glrast-emulated"


@contextlib.contextmanager
def instead_of_the_host_library(patch, reverse: bool = False):
    """The operations on CPU tensors run CUDA's form of the kernels; yields the fake CuPy. `patch`: a MonkeyPatch."""
    cupy = Cupy(reverse)

    def run(stem: str, kernel: str, arguments: dict) -> None:
        if kernel in cuda.ADDS:
            arguments["grad"].zero_()  # which the caller does on a GPU
        cuda.run(stem, kernel, arguments, torch.device("cpu"))

    with patch.context() as patched:
        patched.setattr(cpu, "run", run)
        patched.setattr(cuda, "_cupy", lambda: cupy)
        cuda._function.cache_clear(), cuda._module.cache_clear()
        yield cupy
    cuda._function.cache_clear(), cuda._module.cache_clear()


class CompileException(Exception):
    """Named as CuPy's."""


class Cupy:
    """What glrast.launch.cuda uses of the module `cupy`. `reverse`: threads run last first.

    `streams` are those that were launched on, `entered` the devices that were made current for a launch.
    """

    def __init__(self, reverse: bool = False):
        self.reverse = reverse
        self.launched: list[str] = []
        self.compiled: list[tuple] = []
        self.streams: list[int] = []
        self.entered: list[int] = []
        self.cuda = self.runtime = self
        self.current: int | None = None  # device; that of CPU tensors has no number
        self.turn = threading.Lock()  # the emulator's grid is one for all

    def getDevice(self):
        return self.current

    @contextlib.contextmanager
    def Device(self, index):
        before, self.current = self.current, index
        self.entered.append(index)
        try:
            yield
        finally:
            self.current = before

    def RawModule(self, *, code: str, options: tuple):
        given = [option.partition("=")[0] for option in (*options, *OF_CUPY)]
        assert len(set(given)) == len(given), f"an option is given twice: {given}"
        self.compiled.append(options)
        return _Module(self, code, options)


class _Module:
    def __init__(self, cupy: Cupy, code: str, options: tuple):
        self.cupy = cupy
        self.library = ctypes.CDLL(str(_build(code, options)))

    def get_function(self, name: str):
        function = getattr(self.library, f"emulate_{name}")
        function.argtypes = [ctypes.c_longlong, ctypes.c_longlong, ctypes.c_void_p]

        made_on = self.cupy.current

        def start(grid, block, structs, *, stream) -> None:
            assert self.cupy.current == made_on, "loaded on another device"
            assert block == (32, 4, 1) and grid[1:] == (1, 1)
            # CuPy passes an array by value if it holds one element
            assert all(isinstance(struct, np.ndarray) and struct.size == 1 for struct in structs)
            addresses = (ctypes.c_void_p * len(structs))(*(s.ctypes.data for s in structs))
            with self.cupy.turn:
                self.cupy.launched.append(name)
                self.cupy.streams.append(stream.ptr)
                function(grid[0], self.cupy.reverse, addresses)

        return start


def _build(code: str, options: tuple) -> Path:
    """The shared library of one text, kept by what it was made from."""
    defines = [option for option in options if option.startswith("-D")]
    second = ", EMULATED_ARGUMENT(1, RecordArgs)" if defines else ""
    lines = []
    for kind, name, struct in re.findall(source.KERNEL, code, re.M):
        record = "" if kind == "KERNEL" else second
        lines.append(f"EMULATE({name}, EMULATED_ARGUMENT(0, {struct}){record})")
    if defines:
        lines.append("EMULATE(glrast_reduce, EMULATED_ARGUMENT(0, ReduceArgs))")
    text = "\n".join(['#include "emulator.h"', code, *lines])
    key = hashlib.sha256(
        (text + (HERE / "emulator.h").read_text() + " ".join(options)).encode()
    ).hexdigest()[:24]
    library = _FOLDER / f"{key}.so"
    if library.exists():
        return library
    _FOLDER.mkdir(exist_ok=True)
    file = _FOLDER / f"{key}.cpp"
    file.write_text(text)
    making = library.with_suffix(".making")
    command = [COMPILER, "-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off"]
    done = subprocess.run(
        [*command, f"-I{HERE}", *defines, file, "-o", making], capture_output=True, text=True
    )
    if done.returncode:
        raise CompileException(re.sub(r":(\d+):\d+: error", r"(\1): error", done.stderr))
    making.replace(library)
    return library
