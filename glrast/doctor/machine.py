"""The machine: versions of everything that takes part, and surroundings that are known to get in the way."""

from __future__ import annotations

import errno
import grp
import importlib
import os
import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import glrast

from . import nvidia
from .finding import Finding
from .symptoms import CONDA, GROUPS, HOST_COPY, explained

_PACKAGES = ("numpy", "moderngl", "cupy", "cuda-bindings")
_NEEDED_GLIBCXX = (
    b"GLIBCXX_3.4.30"  # of GCC 12, with which distributions of 2022 and later build Mesa
)
_FEW_CORES = 4


def versions() -> list[Finding]:
    """glrast, Python, PyTorch, the packages it calls, the operating system, NVIDIA's driver."""
    facts = {
        "glrast": glrast.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _installed(name) for name in _PACKAGES},
        "os": _os_name(),
        "kernel": platform.release(),
        "nvidia driver": nvidia.driver(),
    }
    shown = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    missing = [name for name, value in facts.items() if value is None]
    text = f"{shown}; not here: {', '.join(missing)}" if missing else shown
    return [Finding("Versions", text, facts=facts)]


def wsl(kernel_release: str | None = None) -> list[Finding]:
    """Windows' Linux has no interop of CUDA and OpenGL."""
    release = platform.release() if kernel_release is None else kernel_release
    if "microsoft" not in release.lower():
        return []
    text = "this is WSL: CUDA cannot share OpenGL's memory here (error 304)"
    return [Finding("Machine", text, "note", f"nothing to do; glrast will {HOST_COPY}")]


def render_nodes(
    folder: Path = Path("/dev/dri"), open_file: Callable[..., int] = os.open
) -> list[Finding]:
    """GPU device files that this user may not open: by their permissions, or by the container's cgroup."""
    closed, forbidden = [], False
    for path in sorted(folder.glob("renderD*")):
        try:
            os.close(open_file(path, os.O_RDWR))
        except OSError as error:
            closed.append(f"{path} (group {_group(path)}): {os.strerror(error.errno or 0)}")
            forbidden |= error.errno == errno.EPERM  # permissions say EACCES
    if not closed:
        return []
    remedy = (
        "container: its cgroup forbids the device; pass --device /dev/dri" if forbidden else GROUPS
    )
    return [Finding("Machine", f"this user may not open {', '.join(closed)}", "note", remedy)]


def moderngl(load: Callable[[str], Any] = importlib.import_module) -> list[Finding]:
    """moderngl imports without its extension, and fails at first use with a NameError: look at the extension."""
    try:
        for name in ("moderngl", "moderngl.mgl"):
            load(name)
    except Exception as error:  # ImportError, or whatever its loading raises
        return [explained(Finding("OpenGL", f"moderngl.mgl does not import: {error}", "fault"))]
    return []


def libstdcxx(maps: Path = Path("/proc/self/maps")) -> list[Finding]:
    """A libstdc++ that came with Python (conda) and is too old for the drivers, which get it all the same."""
    try:
        lines = maps.read_text().splitlines()
    except OSError:  # not Linux
        return []
    loaded = {line.split(maxsplit=5)[-1] for line in lines if "libstdc++.so" in line}
    old = [path for path in sorted(loaded) if _too_old(Path(path))]
    if not old:
        return []
    text = f"{old[0]} has no {_NEEDED_GLIBCXX.decode()}: drivers built with a newer compiler will not load"
    return [Finding("Machine", text, "note", CONDA)]


def _too_old(library: Path) -> bool:
    try:
        return _NEEDED_GLIBCXX not in library.read_bytes()
    except OSError:  # replaced since it was loaded ("... (deleted)"): nothing is left to look at
        return False


def spinning_threads(
    device: torch.device, environ: Mapping[str, str] = os.environ, cores: int | None = None
) -> list[Finding]:
    """PyTorch's idle OpenMP threads spin for milliseconds, and keep llvmpipe from a small machine's cores."""
    cores = cores or os.cpu_count() or 1
    passive = environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    if device.type != "cpu" or cores > _FEW_CORES or passive:
        return []
    text = f"PyTorch's idle threads spin on this machine's {cores} cores, which OpenGL needs too"
    return [Finding("Machine", text, "note", "set OMP_WAIT_POLICY=PASSIVE in the environment")]


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):  # gone, or a group without a name, as in containers
        return "unknown"


def _installed(package: str) -> str | None:
    names = [package] if package != "cupy" else ["cupy-cuda13x", "cupy-cuda12x", "cupy"]
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass  # one of several names; `versions` says what is missing under all of them
    return None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:  # no os-release file
        return platform.platform()
