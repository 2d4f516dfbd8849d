"""Mitsuba itself: imported when it is first needed, in the variant that a tensor's device asks for.

Its CPU variant compiles kernels with the LLVM that Dr.Jit finds on the machine. With one that is too old the process is
aborted, in the middle of a kernel and without a Python error: so the version is asked for first.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
from collections.abc import Callable
from typing import Any

import torch

VARIANTS = {"cpu": "llvm_ad_rgb", "cuda": "cuda_ad_rgb"}
# Dr.Jit writes llvm.minimum and llvm.maximum. On x86-64 LLVM knows no instructions for them before 17 ("Cannot select:
# fminimum"; 15 and 16 were seen to abort, 19 and 22 to work); Dr.Jit itself refuses what lacks functions that it calls.
LEAST_LLVM = {"x86_64": 17, "AMD64": 17}
LLVM_REMEDY = (
    "apt-get install libllvm19 (Debian 12 and 13, Ubuntu 24.04), or set DRJIT_LIBLLVM_PATH to the file of a newer "
    "libLLVM before Python starts"
)
_PIP = "pip install 'glrast[mitsuba]'"


def missing(device: torch.device | str = "cpu") -> str:
    """Why `render` cannot work for tensors of a device here, and what to do about it; '' where it can.

    It imports Dr.Jit, Mitsuba's compiler, where that is installed, and opens its LLVM; no variant is set.

    Args:
        device: 'cpu' or 'cuda'.
    """
    kind = torch.device(device).type
    if kind not in VARIANTS:
        return f"Mitsuba has no variant for {kind} tensors: move them to the CPU or to CUDA"
    if importlib.util.find_spec("mitsuba") is None:
        return f"Mitsuba is not installed: {_PIP}"
    try:
        drjit = importlib.import_module("drjit")
    except ImportError as error:
        return f"Dr.Jit, Mitsuba's compiler, does not import ({error}): {_PIP}"
    if kind == "cuda":
        has = drjit.has_backend(drjit.JitBackend.CUDA)
        return "" if has else "Dr.Jit finds no CUDA driver that it can use: see `nvidia-smi`"
    return llvm_fault(llvm_version(drjit))


def llvm_version(drjit: Any) -> tuple[int, ...] | None:
    """Of the LLVM that Dr.Jit has opened or opens now; None where it finds none that has what it calls."""
    if not drjit.has_backend(drjit.JitBackend.LLVM):
        return None
    return tuple(drjit.detail.llvm_version())


def llvm_fault(version: tuple[int, ...] | None, machine: str | None = None) -> str:
    """What is wrong with an LLVM, and the remedy; '' where nothing is."""
    if version is None:
        return f"Dr.Jit, Mitsuba's compiler, finds no LLVM that it can use: {LLVM_REMEDY}"
    least = LEAST_LLVM.get(machine or platform.machine(), 0)
    if version[0] >= least:
        return ""
    found = ".".join(map(str, version))
    return (
        f"Dr.Jit, Mitsuba's compiler, has found LLVM {found}, which aborts the process on this processor; it needs "
        f"{least} or newer: {LLVM_REMEDY}"
    )


def load(
    function: str, device: torch.device, find: Callable[[torch.device], str] | None = None
) -> Any:
    """The module `mitsuba`, its variant set to that of the device unless it is already.

    Raises: RuntimeError where it cannot work here, or has been set to another variant: setting it again would change
        it under whoever did.
    """
    fault = (find or missing)(device)
    if fault:
        raise RuntimeError(f"glrast.{function}: {fault}")
    try:
        mitsuba = importlib.import_module("mitsuba")
    except ImportError as error:  # its Dr.Jit is of another version
        raise RuntimeError(
            f"glrast.{function}: Mitsuba does not import ({error}): {_PIP} --upgrade"
        ) from error
    wanted = VARIANTS[device.type]
    set_now = mitsuba.variant()
    if set_now is None:
        mitsuba.set_variant(wanted)
    elif set_now != wanted:
        raise RuntimeError(
            f"glrast.{function}: Mitsuba's variant must be {wanted} for {device.type} tensors; got {set_now}, which "
            f"another part of the program has set: call mitsuba.set_variant('{wanted}') before"
        )
    return mitsuba
