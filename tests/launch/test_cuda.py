"""cuda: the operations with kernels in their CUDA form, run in warps on the CPU (tests/executor): same results, fixed
order on request. tests/executor/test_every_kernel.py has each kernel by itself.
"""

import re

import pytest
import torch

import glrast
from glrast.gl import interop
from glrast.launch import cuda, source
from tests.executor import compile_kernels
from tests.executor.operations import CASES, antialiased, rasterized
from tests.gl.fake_cudart import FakeRuntime
from tests.ops.compare import relative_error
from tests.scenes import ODD

# Both sides are float32 of the same text; lanes, order of sums and fused operations differ.
ROUNDING = 1e-5
STEMS = sorted(source.stems())
NOTHING_IS_SUMMED = {"transform", "texture, the coordinates' gradient alone"}

pytestmark = [
    pytest.mark.slow,  # a C++ compiler runs for a second or two per kernel file
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


# ---- each operation forward and backward -----------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_the_cuda_form_gives_what_the_cpu_form_gives(context, emulate, case):
    wanted = CASES[case](context)
    with emulate() as cupy:
        found = CASES[case](context)
    assert cupy.launched
    for f, w in zip(found, wanted, strict=True):
        assert (w.any() or not w.numel()) and f.shape == w.shape and relative_error(f, w) < ROUNDING


@pytest.mark.parametrize("case", CASES)
def test_after_use_deterministic_algorithms_the_order_of_threads_does_not_show(
    context, emulate, deterministic, case
):
    wanted = CASES[case](context)
    runs = []
    for order in ("first", "last"):
        with emulate(order=order) as cupy:
            runs.append(CASES[case](context))
        assert ("glrast_reduce" in cupy.launched) == (case not in NOTHING_IS_SUMMED)
    for one, other, want in zip(*runs, wanted, strict=True):
        assert torch.equal(one, other)
        assert relative_error(one, want) < ROUNDING


def test_otherwise_it_does_show(context, emulate):
    runs = []
    for order in ("first", "last"):
        with emulate(order=order):
            runs.append(rasterized(context)[2])
    assert not torch.equal(*runs)


def test_adds_beyond_the_memory_for_them_are_summed_in_parts(
    context, emulate, deterministic, monkeypatch
):
    wanted = antialiased(context)[2]
    monkeypatch.setattr(cuda, "_RECORD_BYTES", 8 * 12 * ODD[1] * 3)  # three rows
    with emulate() as cupy:
        found = antialiased(context)[2]
    assert cupy.launched.count("antialias_backward_pos") == -(-2 * ODD[0] // 3)
    assert relative_error(found, wanted) < ROUNDING


def test_too_few_places_for_an_elements_adds_are_not_silent(
    context, emulate, deterministic, monkeypatch
):
    monkeypatch.setitem(cuda.ADDS, "rasterize_backward", lambda a: 8)
    with emulate():
        assert rasterized(context)[2].isnan().any()


def test_every_kernel_that_adds_says_how_often():
    scatter = []
    for stem in STEMS:
        text = source.text(stem)
        found = re.findall(source.KERNEL, text, re.M)
        scatter += [kernel for kind, kernel, _ in found if kind != "KERNEL"]
    assert set(scatter) == set(cuda.ADDS)


# ---- reading what OpenGL drew where it lies ---------------------------------------------------------------


def test_the_whole_way_of_a_gpu_gives_the_same_image_and_gradient(
    context, gl, emulate, monkeypatch
):
    """Inputs copied into mapped buffers, the layered texture read by the kernel: fake calls, real bytes."""
    wanted = rasterized(context)
    gl.close()
    runtime = FakeRuntime(gl)
    monkeypatch.setattr(gl, "sharing", interop.Registered(runtime))
    monkeypatch.setattr(gl.limits, "culls_non_finite", True)
    read = runtime.module.calls.count
    with emulate():
        for _ in range(2):
            found = rasterized(context)
            for f, w in zip(found, wanted):
                assert relative_error(f, w) < ROUNDING
            assert torch.equal(found[0][..., 3], wanted[0][..., 3])
    assert read("cudaCreateTextureObject") == 2 and not read("cudaMemcpy3DAsync")
    assert gl.sharing.host is None
    gl.close()
    assert not runtime.module.registered and not runtime.module.textures


def test_a_large_image_goes_the_whole_way_of_a_gpu_in_tiles(gl, emulate, monkeypatch):
    monkeypatch.setattr(gl.limits, "largest_plain", 0)
    context = glrast.Context(gl.device)
    wanted = rasterized(context)
    monkeypatch.setattr(gl.limits, "size", 20)
    runtime = FakeRuntime(gl)
    monkeypatch.setattr(gl, "sharing", interop.Registered(runtime))
    monkeypatch.setattr(gl.limits, "culls_non_finite", True)
    with emulate():
        found = rasterized(context)
    for f, w in zip(found, wanted):
        assert relative_error(f, w) < ROUNDING
    assert torch.equal(found[0][..., 3], wanted[0][..., 3]) and (wanted[0][..., 3] > 0).any()
    assert runtime.module.calls.count("cudaMemcpy3DAsync") > 4 and gl.sharing.host is None
    gl.close()


# ---- sums in order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [1, 63, 64, 65, 4097, 40_000])
@pytest.mark.parametrize("places", [1, 7, 5000])
def test_sorted_adds_are_summed_whatever_their_lengths(emulate, entries, places):
    generator = torch.Generator().manual_seed(entries + places)
    # squared: a few places get most; the last two places are none
    at = (torch.rand(entries, generator=generator) ** 2 * (places + 2)).long()
    values = torch.randn(entries, generator=generator)
    wanted = torch.zeros(places + 2, dtype=torch.float64).index_add_(0, at, values.double())
    grad = torch.zeros(places)
    ordered, order = torch.sort(at, stable=True)
    with emulate():
        cuda._reduce("rasterize", ordered, values, order, grad, torch.device("cpu"))
    assert relative_error(grad, wanted[:places]) < ROUNDING
