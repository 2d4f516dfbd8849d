"""Every kernel file compiles for every architecture that PyTorch supports, without a GPU: NVRTC needs no driver.

NVRTC is given what CuPy gives it: our options and its own. One that refuses an option given twice is among those asked
(`old`), and where CuPy is installed its own compile function.
"""

import ctypes
import importlib.metadata
import re

import pytest

from glrast.launch import cuda, source

# Turing and RTX 50: the oldest and the newest. test_registers.py compiles for an H100 (sm_90), the first with vector
# atomics; `make wheel` for all.
ARCHITECTURES = (75, 120)
# The recording form differs in record.cuh alone: one will do.
RECORDING = (75,)
STEMS = sorted(source.stems())
# What CuPy adds (cupy/cuda/compiler.py), each under all the names that NVRTC knows.
CUPYS = {
    "-ftz=true": ("--ftz", "-ftz"),
    "--device-as-default-execution-space": ("-default-device",),
    "-arch=sm_75": ("--gpu-architecture", "--gpu-name"),
}
OLD = (12, 8)  # the last that refuses an option given twice; PyTorch 2.8 to 2.10 bring it
SCATTER = [stem for stem in STEMS if set(source.kernels(stem)) & set(cuda.ADDS)]


@pytest.fixture(scope="module")
def nvrtc():
    try:
        from cuda.bindings import nvrtc as module

        module.nvrtcVersion()
    except Exception as error:  # not installed, or no libnvrtc
        pytest.skip(
            "NVRTC is not here (pip install cuda-bindings nvidia-cuda-nvrtc-cu12): "
            f"{type(error).__name__}"
        )
    return module


def test_cupy_gives_no_option_a_second_time():
    names = [name for given, others in CUPYS.items() for name in (given.partition("=")[0], *others)]
    for ours in (*cuda.OPTIONS, cuda.RECORD):
        assert ours.partition("=")[0] not in names
    assert len(set(cuda.OPTIONS)) == len(cuda.OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), (cuda.RECORD,)], ids=["atomics", "recording"])
def test_an_nvrtc_that_refuses_doubled_options_compiles(old, options):
    cubin, log = old(source.text("transform"), *as_cupy_gives(75, *options))
    assert cubin and not warnings(log), log
    _, log = old(source.text("transform"), *as_cupy_gives(75, "-default-device"))
    assert "defined more than once" in log  # it is one of those


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), (cuda.RECORD,)], ids=["atomics", "recording"])
def test_cupys_own_compiler_takes_our_options(options, monkeypatch):
    pytest.importorskip(
        "cupy", exc_type=ImportError, reason="CuPy is not installed (pip install cupy-cuda12x)"
    )
    from cupy.cuda import compiler

    monkeypatch.setattr(  # what it would ask a driver
        compiler, "_get_arch_for_options_for_nvrtc", lambda arch: (f"-arch=sm_{arch}", "cubin")
    )
    given = (*cuda.OPTIONS, *options, "-ftz=true")  # as _compile_with_cache_cuda hands them on
    try:
        cubin, _ = compiler.compile_using_nvrtc(source.text("transform"), given, arch="75")
    except Exception as error:
        if type(error).__name__ != "DynamicLibNotFoundError":
            raise
        pytest.skip("CuPy finds no NVRTC (pip install nvidia-cuda-nvrtc-cu12)")
    assert b"transform" in cubin


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("stem", STEMS)
def test_a_kernel_file_compiles_and_holds_its_kernels(nvrtc, stem, architecture):
    cubin, log = compiled(nvrtc, source.text(stem), architecture)
    assert cubin, log
    for kernel in source.kernels(stem):
        assert kernel.encode() in cubin
    assert not warnings(log), log


@pytest.mark.slow
@pytest.mark.parametrize("architecture", RECORDING)
@pytest.mark.parametrize("stem", SCATTER)
def test_the_form_that_writes_its_adds_down_compiles_too(nvrtc, stem, architecture):
    cubin, log = compiled(nvrtc, source.text(stem), architecture, cuda.RECORD)
    assert cubin and b"glrast_reduce" in cubin, log
    assert not warnings(log), log


@pytest.mark.slow
@pytest.mark.parametrize("stem", STEMS)
def test_members_lie_where_python_packs_them(nvrtc, stem):
    """Sizes and offsets that the CUDA compiler sees, against the numpy dtypes that CuPy passes by value."""
    text = source.text(stem)
    found = re.findall(source.KERNEL, text, re.M)
    layouts = {struct: source.kernels(stem)[kernel].dtype for _, kernel, struct in found}
    for struct in ("RecordArgs", "ReduceArgs"):
        layouts[struct] = source.arguments("record.cuh", struct).dtype
    layouts["GridArgs"] = source.arguments("device.cuh", "GridArgs").dtype
    checks = [placed(struct, dtype) for struct, dtype in layouts.items()]
    only_looking = cuda.RECORD, "--fdevice-syntax-only"  # the tests above generate the code
    _, log = compiled(nvrtc, "\n".join([text, *checks]), 90, *only_looking)
    assert "error" not in log, log
    wrong = checks[0].replace("->width)) == 0", "->width)) == 4")
    _, log = compiled(nvrtc, "\n".join([text, wrong]), 90, *only_looking)
    assert "static assertion failed" in log


@pytest.mark.slow
def test_an_error_names_the_kernel_file_and_the_line(nvrtc):
    lines = source.text("interpolate").split("\n")
    header = (source.folder("kernels") / "common.cuh").read_text().split("\n")
    at = next(i for i, line in enumerate(header) if line.startswith("struct Float4"))
    lines[lines.index(header[at])] = "struct Float4 { nonsense };"
    cubin, log = compiled(nvrtc, "\n".join(lines), 90)
    assert not cubin and f"kernels/common.cuh({at + 1}): error" in log
    message = cuda._explain("interpolate", log)
    assert message.startswith(f"glrast: kernels/common.cuh:{at + 1} does not compile: struct Float")


def as_cupy_gives(architecture, *options):
    others = [word for word in CUPYS if not word.startswith("-arch")]
    return [*cuda.OPTIONS, *options, *others, f"-arch=sm_{architecture}"]


@pytest.fixture(scope="module")
def old():
    """Compile with an NVRTC of OLD or before: old(text, *options) -> (cubin, log).

    By its own library: cuda-bindings may find a newer one beside it.
    """
    package = "nvidia-cuda-nvrtc-cu12"
    try:
        found = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"an NVRTC before 12.9 is not here (pip install '{package}<12.9')")
    if tuple(map(int, found.version.split(".")[:2])) > OLD:
        pytest.skip(f"an NVRTC before 12.9 is not here (pip install '{package}<12.9')")
    (file,) = [f for f in found.files or () if f.name == "libnvrtc.so.12"]
    library = ctypes.CDLL(str(file.locate()))

    def said(program, what):
        size = ctypes.c_size_t()
        assert getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)) == 0
        held = ctypes.create_string_buffer(size.value)
        assert getattr(library, f"nvrtcGet{what}")(program, held) == 0
        return held.raw

    def compile(text, *options):
        program = ctypes.c_void_p()
        words = (ctypes.c_char_p * len(options))(*(word.encode() for word in options))
        made = library.nvrtcCreateProgram(
            ctypes.byref(program), text.encode(), b"glrast.cu", 0, None, None
        )
        assert made == 0
        failed = library.nvrtcCompileProgram(program, len(options), words)
        return b"" if failed else said(program, "CUBIN"), said(program, "ProgramLog").decode()

    return compile


def placed(struct, dtype):
    """static_asserts of the struct's size and of every member's offset."""
    checks = [f'static_assert(sizeof({struct}) == {dtype.itemsize}, "{struct}");']
    for name in dtype.names:
        offset = dtype.fields[name][1]
        where = f"__INTADDR__(&((({struct}*)0)->{name}))"  # the front end's own word for offsetof
        checks.append(f'static_assert({where} == {offset}, "{struct}.{name}");')
    return "\n".join(checks)


def warnings(log):
    return [
        line for line in log.splitlines() if "warning" in line and "never referenced" not in line
    ]


def compiled(nvrtc, text, architecture, *options):
    """The cubin (empty where it does not compile) and what the compiler said."""
    words = as_cupy_gives(architecture, *options)
    error, program = nvrtc.nvrtcCreateProgram(text.encode(), b"glrast.cu", 0, [], [])
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS
    try:
        encoded = [word.encode() for word in words]
        (done,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
        # one more than asked: b" " alone is an object that all of Python shares, and NVRTC writes to it
        log = b" " * (nvrtc.nvrtcGetProgramLogSize(program)[1] + 1)
        nvrtc.nvrtcGetProgramLog(program, log)
        if done != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            return b"", log[:-1].decode()
        size = nvrtc.nvrtcGetCUBINSize(program)[1]
        cubin = b" " * (size + 1)
        nvrtc.nvrtcGetCUBIN(program, cubin) if size else None
        return cubin[:size], log[:-1].decode()
    finally:
        nvrtc.nvrtcDestroyProgram(program)
