"""Whose symbols are whose: Mesa's driver, its LLVM, and the other libraries of the process that carry an LLVM.

Up to Mesa 24.0 libEGL_mesa opens its driver with RTLD_GLOBAL, which makes every symbol of the driver and of what it
needs, libLLVM among them, visible to each library that is loaded later. Triton's libtriton.so has an LLVM of another
version inside, and exports its 65,000 symbols: loaded after the driver, it takes 11,700 of them from Mesa's libLLVM
instead (LD_DEBUG=bindings shows it; that their versions differ does not keep them apart, for libtriton asks for none).
The process dies. torch.optim and torch.compile import Triton.

The cure is that the driver stays local: nothing that anybody loads later can take a symbol from it, whatever it is,
whichever came first. kernels/driver_scope.cpp does it, before the first display is opened. What was weighed instead:
to load libtriton.so first helps Triton alone and costs 0.5 GB of address space where nobody needs it; RTLD_DEEPBIND
for Mesa breaks under a preloaded malloc (jemalloc, tcmalloc) and is refused under the address sanitizer; a namespace
of its own (dlmopen) has a second libc, whose thread-local data Python's threads never set up; and a driver folder of
our own (LIBGL_DRIVERS_PATH) must guess where the true one is.

Where another library has opened the driver before glrast did, it is global for good: see `set_apart`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
from pathlib import Path

_log = logging.getLogger("glrast")


class _Found(ctypes.Structure):  # what dladdr says: Dl_info
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


def keep_drivers_local() -> int:
    """Let the EGL libraries that are loaded by now open drivers without RTLD_GLOBAL; how many references to dlopen
    that took (0: none was found, as with a Mesa that is linked to its driver and needs none of this)."""
    from ..launch import cpu

    try:
        return cpu.host_library().glrast_keep_drivers_local()
    except (RuntimeError, AttributeError) as error:  # whoever needs that library says so better
        _log.info("drivers may become global: %s", error)
        return 0


def global_llvm() -> str | None:
    """The file whose LLVM every library that is loaded from now on sees; None where there is none."""
    return _file_of("_ZN4llvm11LLVMContextC1Ev")  # llvm::LLVMContext(), which nothing does without


def set_apart() -> bool:
    """Where an LLVM is global already, load Triton's library so that it prefers its own symbols; True if that was done.

    It is not imported: when PyTorch imports it, the library is there, bound. Under another malloc than the C library's
    that cannot be: what one allocator gave would go back to the other.
    """
    llvm = global_llvm()
    library = triton_library() if llvm else None
    if library is None or _is_loaded(library):
        return False
    if not _malloc_is_libcs():
        _log.warning("%s is global: import triton before whatever opened it, or it may crash", llvm)
        return False
    try:
        ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
    except (
        OSError,
        AttributeError,
    ) as error:  # a broken Triton fails when it is imported, as it would have
        _log.info("%s was not loaded: %s", library, error)
        return False
    _log.info("loaded %s with symbols of its own: %s is global", library, llvm)
    return True


def triton_library() -> Path | None:
    """Triton's libtriton.so, found without importing it."""
    try:
        spec = importlib.util.find_spec("triton")
    except (ImportError, ValueError):  # something half there
        return None
    folders = (spec.submodule_search_locations if spec else None) or []
    found = [file for folder in folders for file in sorted(Path(folder).glob("_C/libtriton*.so"))]
    return found[0] if found else None


def _malloc_is_libcs() -> bool:
    from ..launch import cpu

    try:
        return bool(cpu.host_library().glrast_malloc_is_libcs())
    except (RuntimeError, AttributeError):
        return False


def _file_of(symbol: str) -> str | None:
    """The file that gives the process's global `symbol`."""
    process, found = ctypes.CDLL(None), _Found()
    if not hasattr(process, symbol):
        return None
    address = ctypes.cast(getattr(process, symbol), ctypes.c_void_p)
    process.dladdr.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Found)]
    process.dladdr(address, ctypes.byref(found))
    return os.fsdecode(found.file or b"an unknown file")


def _is_loaded(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), mode=os.RTLD_LAZY | os.RTLD_NOLOAD)
    except (OSError, AttributeError):
        return False
    return True
