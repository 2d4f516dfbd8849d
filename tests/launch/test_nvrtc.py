"""Every kernel file compiles for every architecture that PyTorch supports, without a GPU: NVRTC needs no driver."""

import re

import pytest

from glrast.launch import cuda, source

# Turing, A100, A10 and RTX 30, RTX 40 and L4, H100, B200, RTX 50.
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
STEMS = sorted(path.stem for path in source.folder("kernels").glob("*.cu"))


@pytest.fixture(scope="module")
def nvrtc():
    try:
        from cupy.cuda import nvrtc as module

        module.getVersion()
    except Exception as error:  # no CuPy, or no libnvrtc beside it
        pytest.skip(
            f"NVRTC is not here (pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12): {type(error).__name__}"
        )
    return module


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("stem", STEMS)
def test_a_kernel_file_compiles_and_holds_its_kernels(nvrtc, stem, architecture):
    if architecture not in nvrtc.getSupportedArchs():
        pytest.skip(f"this NVRTC does not know sm_{architecture}")
    cubin, log = compiled(nvrtc, source.text(f"{stem}.cu"), architecture)
    assert cubin, log
    for kernel in source.kernels(stem):
        assert kernel.encode() in cubin
    warnings = [
        line for line in log.splitlines() if "warning" in line and "never referenced" not in line
    ]
    assert not warnings, log


@pytest.mark.slow
def test_structs_are_as_large_as_python_packs_them(nvrtc):
    """The sizes that the CUDA compiler sees, against the numpy dtypes that CuPy passes by value."""
    for stem in STEMS:
        text = source.text(f"{stem}.cu")
        pairs = re.findall(r"^GLRAST_\w*KERNEL\((\w+), (\w+)", text, re.M)
        sizes = [(struct, source.kernels(stem)[kernel].dtype.itemsize) for kernel, struct in pairs]
        checks = [
            f'static_assert(sizeof({struct}) == {size}, "{struct}");' for struct, size in sizes
        ]
        cubin, log = compiled(nvrtc, "\n".join([text, *checks]), 90)
        assert cubin and checks, log


@pytest.mark.slow
def test_an_error_names_the_kernel_file_and_the_line(nvrtc):
    lines = source.text("interpolate.cu").split("\n")
    header = (source.folder("kernels") / "common.cuh").read_text().split("\n")
    at = next(i for i, line in enumerate(header) if line.startswith("struct Float4"))
    lines[lines.index(header[at])] = "struct Float4 { nonsense };"
    cubin, log = compiled(nvrtc, "\n".join(lines), 90)
    assert not cubin and f"kernels/common.cuh({at + 1}): error" in log


def compiled(nvrtc, text, architecture):
    """The cubin (empty where it does not compile) and what the compiler said."""
    program = nvrtc.createProgram(text, "glrast.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"-arch=sm_{architecture}", *cuda.OPTIONS))
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    except nvrtc.NVRTCError:
        return b"", nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)
