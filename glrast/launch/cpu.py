"""Kernels on the CPU: the host library, which is the kernel text compiled by the C++ compiler."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from . import source

_LIBRARY, _AVX2 = "libglrast_host.so", "libglrast_host_avx2.so"
_NAMED = "GLRAST_HOST_LIBRARY"
_STALE = "the library is older than the kernels; build it again (pip install -e .)"


def run(stem: str, kernel: str, arguments: dict[str, source.Argument]) -> None:
    """Run KERNEL of kernels/STEM.cu over arguments["width"] x arguments["rows"] elements; returns when done."""
    function, layout = kernel_function(stem, kernel)
    function(layout.pack(arguments, source.CPU), torch.get_num_threads())


@cache
def kernel_function(stem: str, kernel: str):
    """The host library's function and the layout of its arguments."""
    layout = source.kernels(stem)[kernel]
    library = host_library()
    size = _symbol(library, f"{kernel}_sizeof")
    size.restype = ctypes.c_int64
    if not size() == layout.format.size == layout.dtype.itemsize:
        raise RuntimeError(
            f"glrast: the host library takes {size()} bytes of arguments for {kernel}, "
            f"kernels/{source.stems()[stem]} declares {layout.format.size}: {_STALE}"
        )
    function = _symbol(library, kernel)
    function.argtypes = [ctypes.c_char_p, ctypes.c_int]
    function.restype = None
    return function, layout


@cache
def host_library() -> ctypes.CDLL:
    """The loaded host library, that for AVX2 where the processor has it; RuntimeError says where it was looked for.

    Both give the same bits; AVX2's kernels take about a tenth less time (rasterize_resolve a quarter).
    """
    places = _places()
    for place in places:
        if place.is_file():
            library = _loaded(place)
            faster = place.with_name(_AVX2)
            has_avx2 = _symbol(library, "glrast_has_avx2")()
            if has_avx2 and faster.is_file() and not os.environ.get(_NAMED):
                library = _loaded(faster)
            _symbol(library, "glrast_use_openmp")(_openmp_of_torch())
            return library
    raise RuntimeError(
        "glrast: the host library is missing; looked for "
        + ", ".join(map(str, places))
        + ". It is built when the package is installed (a C++17 compiler is needed): pip install . in the checkout"
    )


def _loaded(place: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(place))
    except OSError as error:
        raise RuntimeError(
            f"glrast: the host library {place} cannot be loaded ({error}); build it again (pip install -e .)"
        ) from error


def _symbol(library: ctypes.CDLL, name: str):
    """The function `name`; RuntimeError where the library is of another time."""
    try:
        return getattr(library, name)
    except AttributeError:
        raise RuntimeError(
            f"glrast: the host library {library._name} has no {name}: {_STALE}"
        ) from None


def _openmp_of_torch() -> ctypes.c_void_p | None:
    """The address of GOMP_parallel in the OpenMP library that this PyTorch uses, if that is GNU's.

    Sharing its threads matters: on two cores, whole iterations with PyTorch operators between ours took 1.1 times
    (1024 x 1024) and twice (512 x 512) as long with a pool of our own beside PyTorch's spinning one. Where PyTorch's
    are told to sleep at once, those of our own pool, which look for work a moment longer, answer sooner.
    """
    if os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":
        return None
    for library in sorted(Path(torch.__file__).parent.joinpath("lib").glob("libgomp*.so*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(library)).GOMP_parallel, ctypes.c_void_p)
        except (OSError, AttributeError):
            continue
    return None


def _places() -> list[Path]:
    named = os.environ.get(_NAMED)  # a build of one's own: with sanitizers, say
    if named:
        return [Path(named)]
    places = [Path(__file__).resolve().parent / _LIBRARY]
    try:  # an editable install keeps the library in site-packages, away from this file
        places.append(
            Path(str(metadata.distribution("glrast").locate_file(f"glrast/launch/{_LIBRARY}")))
        )
    except metadata.PackageNotFoundError:
        pass
    return places


def keep_freed_memory(limit_bytes: int = 1 << 30) -> bool:
    """Let glibc keep up to `limit_bytes` of freed memory instead of returning it to the system page by page.

    llvmpipe frees and takes megabytes a frame, and so does PyTorch for images: on two cores the page faults were
    a quarter of a frame (draw of 81,920 triangles at 1024 x 1024: 23 ms before, 17 ms after) and most of it for
    images beyond 32 MiB (a whole iteration at 4096 x 4096: 649 ms before, 238 ms after, its peak 1.8 and 2.8 GB).
    Called once, when the first software context is made. GLRAST_KEEP_FREED_MEMORY=0 leaves the allocator as it is.
    """
    if os.environ.get("GLRAST_KEEP_FREED_MEMORY", "1") == "0":
        return False
    function = _symbol(host_library(), "glrast_keep_freed_memory")
    function.argtypes = [ctypes.c_int64]
    return bool(function(limit_bytes))
