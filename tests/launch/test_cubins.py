"""cubins: what was compiled when the package was built is loaded, and nothing else: by text, options and capability.

CuPy is a stub or an emulator's. NVRTC needs no GPU: where it is, files are made and looked into.
"""

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glrast.launch import cubins, cuda, source
from tests.executor import compile_kernels, fake_cupy
from tests.executor.operations import interpolated
from tests.launch.test_nvrtc import nvrtc
from tests.ops.compare import relative_error

__all__ = ["nvrtc"]

ROOT = Path(__file__).resolve().parents[2]
OF_DETERMINISTIC = (*cuda.OPTIONS, cuda.RECORD)


class CUDADriverError(RuntimeError):
    """Named as CuPy's."""


class Stub:
    """What glrast.launch.cuda asks of CuPy to get a function. `refuse`: the driver loads no file."""

    def __init__(self):
        self.loaded: list[str] = []
        self.compiled: list[tuple] = []
        self.refuse = False

    def RawModule(self, *, code=None, path=None, options=()):
        assert (code is None) != (path is None)
        return Module(self, path, options)


class Module:
    def __init__(self, cupy, path, options):
        self.cupy, self.path, self.options = cupy, path, options

    def compile(self):
        if self.path is None:
            self.cupy.compiled.append(self.options)
        elif self.cupy.refuse:
            raise CUDADriverError("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image\nmore")
        else:
            self.cupy.loaded.append(Path(self.path).name)

    def get_function(self, name):
        self.compile() if self.path is None else None
        return name


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The package's cubins: none, for a GPU of capability 9.0."""
    monkeypatch.setattr(cubins, "FOLDER", tmp_path)
    monkeypatch.setattr(cuda, "_capability", lambda index: "90")
    cuda._function.cache_clear(), cuda._module.cache_clear()
    yield tmp_path
    cuda._function.cache_clear(), cuda._module.cache_clear()


@pytest.fixture
def stub(folder, monkeypatch):
    made = Stub()
    monkeypatch.setattr(cuda, "_cupy", lambda: made)
    return made


def bring(folder, stem, options=cuda.OPTIONS, capability="90"):
    (folder / cubins.name(stem, options, capability)).write_bytes(b"ELF")


def test_what_the_package_brings_is_loaded_and_nothing_compiled(stub, folder):
    bring(folder, "transform")
    for kernel in ("transform_points", "transform_points_backward"):
        assert cuda._function("transform", kernel, 0, "") == kernel
    assert stub.loaded == [cubins.name("transform", cuda.OPTIONS, "90")] and not stub.compiled


def test_the_form_for_deterministic_sums_is_a_file_of_its_own(stub, folder):
    bring(folder, "rasterize")
    cuda._function("rasterize", "rasterize_backward", 0, cuda.RECORD)
    assert not stub.loaded and stub.compiled == [OF_DETERMINISTIC]
    bring(folder, "rasterize", OF_DETERMINISTIC)
    cuda._module.cache_clear()
    cuda._function("rasterize", "glrast_reduce", 0, cuda.RECORD)
    assert len(stub.loaded) == 1 and len(stub.compiled) == 1


def test_another_text_is_compiled(stub, folder, monkeypatch):
    bring(folder, "transform")
    changed = source.text("transform") + "\n// changed"
    cubins._hash.cache_clear()
    monkeypatch.setattr(source, "text", lambda stem: changed)
    cuda._function("transform", "transform_points", 0, "")
    assert not stub.loaded and stub.compiled == [cuda.OPTIONS]
    cubins._hash.cache_clear()


@pytest.mark.parametrize("options", [("-std=c++20",), (), OF_DETERMINISTIC], ids=str)
def test_other_options_have_another_file(options):
    assert cubins.name("transform", options, "90") != cubins.name("transform", cuda.OPTIONS, "90")


@pytest.mark.parametrize("capability", ["", "70", "87", "103", "999"])
def test_a_gpu_that_is_not_listed_is_compiled_for(stub, folder, monkeypatch, capability):
    bring(folder, "transform")
    bring(folder, "transform", capability=capability)  # even so
    monkeypatch.setattr(cuda, "_capability", lambda index: capability)
    cuda._function("transform", "transform_points", 0, "")
    assert not stub.loaded and stub.compiled == [cuda.OPTIONS]


def test_what_the_driver_does_not_load_is_compiled_and_said_once(stub, folder, caplog):
    bring(folder, "transform")
    stub.refuse = True
    for kernel in ("transform_points", "transform_points_backward"):
        assert cuda._function("transform", kernel, 0, "") == kernel
    assert stub.compiled == [cuda.OPTIONS] * 2  # of the stub, once for each function
    (record,) = caplog.records
    assert "does not load transform-" in record.getMessage()
    assert "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image): NVRTC" in record.getMessage()


def test_without_a_gpu_there_is_no_capability(monkeypatch):
    assert cuda._capability(None) == ""  # of an emulated one
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", {1: (12, 0)}.get)
    assert cuda._capability(1) == "120"


class Shipping(Stub):
    """A path is what the emulator makes of the same text."""

    def RawModule(self, *, code=None, path=None, options=()):
        assert path is not None, "compiled at the first call"
        stem = Path(path).name.split("-")[0]
        self.loaded.append(stem)
        made = fake_cupy.Cupy().RawModule(code=source.text(stem), options=options)
        made.compile = lambda: None
        return made


@pytest.mark.slow  # a C++ compiler runs for a second or two per kernel file
@pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here")
def test_the_first_call_of_an_operation_takes_no_compiler(context, emulate, folder, monkeypatch):
    wanted = interpolated(context)
    for stem in ("rasterize", "interpolate"):
        bring(folder, stem)
    with emulate() as cupy, monkeypatch.context() as patched:
        shipped = Shipping()
        for name in ("cuda", "getDevice", "Device", "runtime"):
            setattr(shipped, name, getattr(cupy, name))
        patched.setattr(cuda, "_cupy", lambda: shipped)
        found = interpolated(context)
    assert shipped.loaded == ["rasterize", "interpolate"] and not cupy.compiled
    for f, w in zip(found, wanted, strict=True):
        assert relative_error(f, w) < 1e-5


# ---- making them -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool():
    place = ROOT / "tools" / "cubins.py"
    if not place.is_file():
        pytest.skip("tools/ is the checkout's")
    spec = importlib.util.spec_from_file_location("cubins_tool", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_has_its_forms(tool):
    recorded = [stem for stem in source.stems() if len(tool.forms(stem)) == 2]
    adding = {k for stem in recorded for k in source.kernels(stem)} & set(cuda.ADDS)
    assert adding == set(cuda.ADDS) and tool.forms("transform") == [cuda.OPTIONS]
    assert len(tool.every_name()) == 7 * (len(source.stems()) + len(recorded))


@pytest.mark.slow  # NVRTC and processes
def test_a_made_file_is_for_its_gpu_and_stale_ones_go(nvrtc, tool, tmp_path):
    stale = tmp_path / "transform-0123456789abcdef-sm_90.cubin"
    stale.write_bytes(b"")
    words = ["--out", tmp_path, "--stems", "transform", "--capabilities", "75", "90"]

    def made():
        command = [sys.executable, ROOT / "tools" / "cubins.py", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    said = made()
    assert said.startswith("2 cubins") and "2 made" in said and not stale.exists()
    for capability in (75, 90):
        file = tmp_path / cubins.name("transform", cuda.OPTIONS, str(capability))
        content = file.read_bytes()
        (flags,) = struct.unpack_from("<I", content, 0x30)  # e_flags: the architecture
        assert content[:4] == b"\x7fELF" and capability in (flags & 0xFF, flags >> 8 & 0xFF)
        assert all(kernel.encode() in content for kernel in source.kernels("transform"))
    assert "0 made" in made()


def test_a_text_that_does_not_compile_says_why(nvrtc, tool, monkeypatch):
    monkeypatch.setattr(source, "text", lambda stem: "nonsense;")
    with pytest.raises(RuntimeError, match="transform for sm_90: (.|\n)*error"):
        tool.compile("transform", cuda.OPTIONS, "90")
