"""A CuPy without a GPU: `RawModule` compiles a kernel's text for the CPU (compile_kernels.py) and runs it in warps.

It takes CPU tensors' addresses where CuPy takes a GPU's, and counts what is launched. `pytest --emulate-cuda` runs all
tests of CPU tensors that way, through the launch code of a GPU.
"""

import contextlib
import ctypes
import re
import threading
from pathlib import Path

import numpy as np
import torch

from glrast.launch import cpu, cuda, source
from tests.executor import compile_kernels
from tests.executor.compile_kernels import CompileException, Settings

__all__ = ["CompileException", "Cupy", "ExecutorError", "Settings", "instead_of_the_host_library"]

# What CuPy gives NVRTC beside our options, under each of its names.
OF_CUPY = ("-ftz=true", "--device-as-default-execution-space", "-default-device", "-arch=sm_75")


@contextlib.contextmanager
def instead_of_the_host_library(patch, settings: Settings = Settings()):  # noqa: B008, frozen
    """The operations on CPU tensors run CUDA's form of the kernels; yields the fake CuPy. `patch`: a MonkeyPatch."""
    cupy = Cupy(settings)
    pack = source.Arguments.pack

    def run(stem: str, kernel: str, arguments: dict) -> None:
        if kernel in cuda.ADDS and arguments["grad"] is not None:
            arguments["grad"].zero_()  # which the caller does on a GPU
        cuda.run(stem, kernel, arguments, torch.device("cpu"))

    def packed(self, values, device=None):
        cupy.tensors |= {n: v for n, v in values.items() if isinstance(v, torch.Tensor)}
        return pack(self, values, device)

    with patch.context() as patched:
        patched.setattr(cpu, "run", run)
        patched.setattr(source.Arguments, "pack", packed)
        patched.setattr(cuda, "_cupy", lambda: cupy)
        cuda._function.cache_clear(), cuda._module.cache_clear()
        yield cupy
    cuda._function.cache_clear(), cuda._module.cache_clear()


class ExecutorError(Exception):
    """What a kernel did that CUDA does not allow."""


class Cupy:
    """What glrast.launch.cuda uses of the module `cupy`.

    `streams` are those that were launched on, `entered` the devices that were made current for a launch; `tensors` are
    the arguments of the launch that is being made.
    """

    def __init__(self, settings: Settings = Settings()):  # noqa: B008
        self.settings = settings
        self.launched: list[str] = []
        self.compiled: list[tuple] = []
        self.streams: list[int] = []
        self.entered: list[int] = []
        self.tensors: dict[str, torch.Tensor] = {}
        self.cuda = self.runtime = self
        self.current: int | None = None  # device; that of CPU tensors has no number
        self.turn = threading.Lock()  # the executor's grid is one for all

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
        return Module(self, code, options)


class _Range(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_void_p), ("bytes", ctypes.c_int64), ("name", ctypes.c_char_p)]


class _Request(ctypes.Structure):
    """executor.h"""

    _fields_ = [
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3),
        ("order", ctypes.c_int), ("schedule", ctypes.c_int), ("flush", ctypes.c_int),
        ("seed", ctypes.c_uint64),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("ranges", ctypes.POINTER(_Range)), ("range_count", ctypes.c_int64),
    ]  # fmt: skip


class Module:
    """One text, compiled. `kernels` are the names that it has."""

    def __init__(self, cupy: Cupy, code: str, options: tuple = ()):
        self.cupy = cupy
        self.path, self.kernels = compile_kernels.library(code, options, cupy.settings)
        self.library = ctypes.CDLL(str(self.path))

    def get_function(self, name: str):
        made_on = self.cupy.current

        def start(grid, block, structs, *, stream) -> None:
            assert self.cupy.current == made_on, "loaded on another device"
            # CuPy passes an array by value if it holds one element
            assert all(isinstance(struct, np.ndarray) and struct.size == 1 for struct in structs)
            with self.cupy.turn:
                self.cupy.launched.append(name)
                self.cupy.streams.append(stream.ptr)
                tensors, self.cupy.tensors = self.cupy.tensors, {}
                self.launch(name, grid, block, structs, tensors, self.cupy.settings)

        return start

    def launch(self, name: str, grid, block, structs, tensors, settings: Settings) -> None:
        """Run it to its end; `tensors` by name are the memory that it may touch."""
        assert name in self.kernels, f"{name} is none of {self.kernels}"
        function = getattr(self.library, f"execute_{name}")
        function.argtypes, function.restype = [ctypes.POINTER(_Request)], ctypes.c_char_p
        error = function(request(settings, grid, block, structs, tensors))
        if error:
            raise ExecutorError(with_lines(error.decode(), self.path))


def request(settings: Settings, grid, block, structs, tensors) -> _Request:
    """A launch as executor.h takes it; what it points to lives as long as it does."""
    addresses = (ctypes.c_void_p * len(structs))(*(struct.ctypes.data for struct in structs))
    held = [(t.data_ptr(), t.numel() * t.element_size(), n.encode()) for n, t in tensors.items()]
    ranges = (_Range * len(held))(*held)
    asked = _Request(
        grid, block, compile_kernels.ORDERS.index(settings.order), compile_kernels.SCHEDULES.index(settings.schedule),
        settings.flush, settings.seed, addresses, ranges, len(held),
    )  # fmt: skip
    asked.keep = structs, tensors
    return asked


def with_lines(message: str, path: Path) -> str:
    """Instructions, as watch.cpp names them, become lines of the kernel."""
    return re.sub(
        r"@0x([0-9a-f]+)", lambda found: compile_kernels.where(path, int(found[1], 16)), message
    )
