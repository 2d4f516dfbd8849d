"""cpu: the host library, its threads, and what is said when it is missing or old."""

import ctypes.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import glrast
from glrast.launch import cpu, launch_scatter, source
from tests import scenes
from tests.ops.compare import random, torch_threads

LARGE = (260, 515)  # four private gradient buffers


@pytest.fixture(params=["PyTorch's threads", "threads of its own"])
def library(request, monkeypatch):
    """The host library, with either kind of threads."""
    library = cpu.host_library()
    usual = cpu._openmp_of_torch()
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    shared = cpu._openmp_of_torch()
    if request.param == "PyTorch's threads" and shared is None:
        pytest.skip("this PyTorch does not use GNU's OpenMP")
    library.glrast_use_openmp(shared if request.param == "PyTorch's threads" else None)
    yield library
    library.glrast_use_openmp(usual)


def test_threads_that_sleep_at_once_are_left_to_pytorch(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert cpu._openmp_of_torch() is None


# ---- threads ---------------------------------------------------------------------------------------------


def test_any_number_of_threads_gives_bit_identical_gradients(library):
    wanted = None
    for threads in (1, 2, 3, 5, 8, 16, 2):
        with torch_threads(threads):
            found = gradients(LARGE)
        wanted = wanted or found
        assert all(torch.equal(f, w) for f, w in zip(found, wanted))


def test_many_images_are_shared_out_the_same_way(library):
    results = []
    for threads in (1, 2, 5):
        with torch_threads(threads):
            results.append(gradients((101, 99), images=7))
    for other in results[1:]:
        assert all(torch.equal(f, w) for f, w in zip(other, results[0]))


def test_python_threads_that_call_at_once_get_the_same_bits(library):
    wanted = gradients(LARGE)
    with ThreadPoolExecutor(4) as threads:
        for job in [threads.submit(gradients, LARGE) for _ in range(12)]:
            assert all(torch.equal(f, w) for f, w in zip(job.result(timeout=600), wanted))


def test_the_partition_depends_on_sizes_alone_and_spare_memory_is_bounded(monkeypatch):
    """What launch_scatter hands to the kernel, for sizes from tiny to absurd."""
    from glrast import launch as module

    seen = []
    monkeypatch.setattr(
        module, "launch", lambda stem, kernel, device, **arguments: seen.append(arguments)
    )
    for width, rows, shape, slots in [
        (33, 17, (3, 4), 1), (1024, 1024, (40962, 4), 1), (1024, 8 * 1024, (8, 2562, 4), 8),
        (64, 64, (500_000, 4), 1), (4096, 4096, (1_000_000, 16), 1), (1, 1, (1, 1), 1),
    ]:  # fmt: skip
        for threads in (1, 8):
            with torch_threads(threads):
                launch_scatter("s", "k", shape, slots, torch.device("cpu"), width=width, rows=rows)
        one, other = seen[-2:]
        size = one["grad"].numel()
        assert one["pieces"] == other["pieces"] and 1 <= one["pieces"] <= module._MOST_PIECES
        most_spare = min(
            module._SPARE_ELEMENTS_PER_ELEMENT * width * rows, module._SPARE_BYTES // 4
        )
        spare = 0 if one["spare"] is None else one["spare"].numel()
        assert spare == (one["pieces"] - 1) * size <= most_spare
        assert one["slot_size"] * slots == size


@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (2, 0, 4)])
def test_the_gradient_of_nothing_is_nothing(shape):
    grad = launch_scatter("s", "k", shape, 1, torch.device("cpu"), width=5, rows=5)
    assert grad.shape == shape


FORK = """
import os, sys, torch, glrast
from glrast.launch import cpu
from tests import scenes
torch.set_num_threads(3)
if {own}:
    cpu.host_library().glrast_use_openmp(None)
pos, tri, attr = scenes.closed_mesh(1)
rast, rast_db = glrast.rasterize(glrast.Context("cpu"), pos, tri, (200, 300))
out, _ = glrast.interpolate(attr, rast, tri)  # the threads are awake
wanted = out.numpy().tobytes()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        for _ in range(3):
            same = glrast.interpolate(attr, rast, tri)[0].numpy().tobytes() == wanted
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if glrast.interpolate(attr, rast, tri)[0].numpy().tobytes() == wanted else 3)
        os._exit(0 if same and os.waitpid(grandchild, 0)[1] == 0 else 1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
print(codes, glrast.interpolate(attr, rast, tri)[0].numpy().tobytes() == wanted)
"""


@pytest.mark.slow  # a fresh Python
@pytest.mark.parametrize("own", [False, True])
def test_a_forked_child_that_only_interpolates_works(own):
    assert run(FORK.format(own=own)) == "[0, 0, 0] True\n"


# ---- finding the library ---------------------------------------------------------------------------------


def test_a_library_of_ones_own_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GLRAST_HOST_LIBRARY", str(tmp_path / "mine.so"))
    assert cpu._places() == [tmp_path / "mine.so"]


@pytest.fixture
def named_library(monkeypatch):
    """Lets the kernels of another library be called; afterwards those of before."""

    def name(place: Path) -> None:
        monkeypatch.setenv("GLRAST_HOST_LIBRARY", str(place))
        cpu.host_library.cache_clear()
        cpu.kernel_function.cache_clear()

    yield name
    monkeypatch.undo()
    cpu.host_library.cache_clear()
    cpu.kernel_function.cache_clear()


def everything(scene, height: int, width: int) -> list[torch.Tensor]:
    """Images and gradients of every operation that has kernels for the CPU."""
    pos = scene.pos.clone().requires_grad_()
    color = random(scene.pos.shape[-2], 3, seed=1).requires_grad_()
    texture = random(1, 16, 16, 3, seed=2).requires_grad_()
    ctx = glrast.Context("cpu")
    rast, rast_db = glrast.rasterize(ctx, pos, scene.tri, (height, width))
    image, image_da = glrast.interpolate(color, rast, scene.tri, rast_db, diff_attrs=[0, 1])
    looked_up = glrast.texture(texture, image[..., :2].contiguous(), image_da)
    out = glrast.antialias(image + looked_up, rast, pos, scene.tri)
    grads = torch.autograd.grad((out * random(*out.shape, seed=3)).sum(), (pos, color, texture))
    return [rast.detach(), rast_db.detach(), out.detach(), *grads]


@pytest.mark.parametrize("width", [1, 3, 7, 8, 9, 33])
def test_every_instruction_set_gives_the_same_bits(named_library, width):
    here = Path(cpu.host_library()._name)
    names = ["libglrast_host.so", "libglrast_host_avx2.so"]
    built = [here.with_name(name) for name in names if here.with_name(name).is_file()]
    if here.name != names[1]:
        pytest.skip("this processor, or this build, has no AVX2")
    scene = scenes.closed_mesh(2)
    results = []
    for place in built:
        named_library(place)
        assert Path(cpu.host_library()._name) == place
        results.append(everything(scene, 17, width))
    assert len(results) == 2 and bool((results[0][0][..., 3] > 0).any())
    for first, second in zip(*results, strict=True):
        assert first.numpy().tobytes() == second.numpy().tobytes()


def test_a_missing_library_says_where_it_was_looked_for_and_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("GLRAST_HOST_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(RuntimeError) as caught:
        cpu.host_library.__wrapped__()
    assert str(caught.value) == (
        f"glrast: the host library is missing; looked for {tmp_path}/none.so. It is built when the package is "
        "installed (a C++17 compiler is needed): pip install . in the checkout"
    )


def test_a_file_that_is_no_library_is_named(monkeypatch, tmp_path):
    (tmp_path / "text.so").write_text("not a library")
    monkeypatch.setenv("GLRAST_HOST_LIBRARY", str(tmp_path / "text.so"))
    with pytest.raises(
        RuntimeError, match="glrast: the host library .*text.so cannot be loaded .*build it again"
    ):
        cpu.host_library.__wrapped__()


def test_a_library_older_than_the_kernels_is_refused(monkeypatch):
    layout = source._arguments(
        "    int width;\n    int64 rows;\n    int newer_than_the_library;\n    float* p;\n"
    )
    monkeypatch.setattr(source, "kernels", lambda stem: {"interpolate_forward": layout})
    wanted = (
        "glrast: the host library takes 96 bytes of arguments for interpolate_forward, kernels/interpolate.cu declares "
        "32: the library is older than the kernels; build it again (pip install -e .)"
    )
    with pytest.raises(RuntimeError) as caught:
        cpu.kernel_function.__wrapped__("interpolate", "interpolate_forward")
    size = cpu.host_library().interpolate_forward_sizeof()
    assert str(caught.value) == wanted.replace("96", str(size))


def test_a_library_without_the_kernel_is_refused(monkeypatch):
    monkeypatch.setattr(
        source,
        "kernels",
        lambda stem: {"interpolate_of_tomorrow": source._arguments("    int width;\n")},
    )
    with pytest.raises(
        RuntimeError,
        match="has no interpolate_of_tomorrow_sizeof: the library is older than the kernels; build it",
    ):
        cpu.kernel_function.__wrapped__("interpolate", "interpolate_of_tomorrow")


def test_any_other_library_is_refused(monkeypatch):
    monkeypatch.setenv("GLRAST_HOST_LIBRARY", ctypes.util.find_library("c") or "libc.so.6")
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    with pytest.raises(RuntimeError, match="the library is older than the kernels; build it again"):
        cpu.host_library.__wrapped__()


def test_freed_memory_is_kept_unless_the_environment_says_no(monkeypatch):
    monkeypatch.setenv("GLRAST_KEEP_FREED_MEMORY", "0")
    assert cpu.keep_freed_memory() is False
    monkeypatch.delenv("GLRAST_KEEP_FREED_MEMORY")
    assert cpu.keep_freed_memory() in (
        True,
        False,
    )  # False: another allocator than glibc's, as under sanitizers


# ---- helpers ---------------------------------------------------------------------------------------------


def gradients(resolution, images=1):
    """What all three operations send back, through their scatter kernels."""
    pos, tri, attr = scenes.closed_mesh(2, images=images)
    pos.requires_grad_(), attr.requires_grad_()
    rast, rast_db = glrast.rasterize(glrast.Context("cpu"), pos, tri, resolution)
    color, color_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    image = glrast.antialias(color, rast, pos, tri)
    loss = (image * random(*image.shape)).sum() + (color_da * random(*color_da.shape)).sum()
    return torch.autograd.grad(loss, (pos, attr))


def run(script):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
