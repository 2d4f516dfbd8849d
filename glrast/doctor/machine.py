"""The machine: versions of everything that takes part, and surroundings that are known to get in the way."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import torch

import glrast

from .finding import Finding

_PACKAGES = ("numpy", "moderngl", "cupy", "cuda-bindings")
_NVIDIA_VERSION = Path("/proc/driver/nvidia/version")


def versions() -> list[Finding]:
    """glrast, Python, PyTorch, the packages it calls, the operating system, NVIDIA's driver."""
    facts = {
        "glrast": glrast.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _installed(name) for name in _PACKAGES},
        "os": _os_name(),
        "kernel": platform.release(),
        "nvidia driver": nvidia_driver(),
    }
    shown = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    missing = [name for name, value in facts.items() if value is None]
    text = f"{shown}; not here: {', '.join(missing)}" if missing else shown
    return [Finding("Versions", text, facts=facts)]


def nvidia_driver(version_file: Path = _NVIDIA_VERSION) -> str | None:
    """The loaded NVIDIA kernel driver's version, or None where there is no NVIDIA GPU."""
    try:
        found = re.search(r"\b(\d{3}\.[\d.]+)\b", version_file.read_text())
    except OSError:
        return None
    return found[1] if found else "unknown"


def cuda_device(device: torch.device) -> list[Finding]:
    """Does PyTorch have the asked device, and is it one that draws?"""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cpu":
        return []
    if (device.index or 0) >= count:
        text = f"{device} was asked for, but PyTorch {torch.__version__} finds {count} CUDA devices"
        remedy = "use --device cpu, or install a CUDA build of PyTorch and NVIDIA's driver"
        return [Finding("Machine", text, "fault", remedy)]
    name = torch.cuda.get_device_name(device)
    if "MIG" in name:
        text = f"{device} is {name}: a MIG slice of an A100 or H100 has no OpenGL"
        return [Finding("Machine", text, "note", "ask for a whole GPU, or use --device cpu")]
    return [Finding("Machine", f"{device} is {name}")]


def container(has_nvidia: bool, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Capabilities that were not given to the container: without `graphics` it has CUDA and no OpenGL."""
    given = environ.get("NVIDIA_DRIVER_CAPABILITIES")
    if not has_nvidia or given is None or {"graphics", "all"} & set(given.split(",")):
        return []
    text = f"NVIDIA_DRIVER_CAPABILITIES={given} leaves OpenGL's libraries out of this container"
    remedy = "start it with -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility"
    return [Finding("Machine", text, "note", remedy)]


def wsl(kernel_release: str | None = None) -> list[Finding]:
    """Windows' Linux has no interop of CUDA and OpenGL."""
    release = platform.release() if kernel_release is None else kernel_release
    if "microsoft" not in release.lower():
        return []
    text = "this is WSL: OpenGL's images reach CUDA through host memory, correct but slower"
    return [Finding("Machine", text, "note")]


def render_nodes(folder: Path = Path("/dev/dri")) -> list[Finding]:
    """GPU device files that this user may not open."""
    closed = [p for p in sorted(folder.glob("renderD*")) if not os.access(p, os.R_OK | os.W_OK)]
    if not closed:
        return []
    text = f"this user may not open {', '.join(map(str, closed))}"
    remedy = "add the user to the groups video and render; container: pass --device /dev/dri"
    return [Finding("Machine", text, "note", remedy)]


def _installed(package: str) -> str | None:
    names = [package] if package != "cupy" else ["cupy-cuda13x", "cupy-cuda12x", "cupy"]
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.platform()
