"""NVIDIA's driver and its surroundings: what makes OpenGL fail or hang where CUDA works."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from .finding import Finding
from .symptoms import CAPABILITIES, OLDER_BINDINGS

_VERSION_FILE = Path("/proc/driver/nvidia/version")
_LIBRARY_FOLDERS = (
    Path("/usr/lib/x86_64-linux-gnu"),
    Path("/usr/lib/aarch64-linux-gnu"),
    Path("/usr/lib64"),
)
_VERSION = r"\d{3}\.\d[\d.]*"
# Eight processes that drew on one H200 hung in ReadPixels.
_MANY_PROCESSES = 8
_DRIVER_OF_CUDA_12, _DRIVER_OF_CUDA_13 = 525, 580
_GOOD_BINDINGS = "pip install 'cuda-bindings>=12.9.4,!=13.0.0,!=13.0.1,!=13.0.2'"


def driver(version_file: Path = _VERSION_FILE) -> str | None:
    """The loaded kernel driver's version, or None where there is no NVIDIA GPU."""
    try:
        found = re.search(r"\b(\d{3}\.[\d.]+)\b", version_file.read_text())
    except OSError:
        return None
    return found[1] if found else "unknown"


def cuda_device(device: torch.device, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Does PyTorch have the asked device, and is it one that draws?"""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cpu":
        return []
    if (device.index or 0) >= count:
        text = f"{device} was asked for, but PyTorch {torch.__version__} finds {count} CUDA devices"
        remedy = "use --device cpu, or install a CUDA build of PyTorch and NVIDIA's driver"
        return [Finding("Machine", text, "fault", remedy)]
    name = torch.cuda.get_device_name(device)
    if "MIG" in name or environ.get("CUDA_VISIBLE_DEVICES", "").startswith("MIG-"):
        text = f"{device} is {name}: a MIG slice of an A100 or H100 has no OpenGL"
        return [Finding("Machine", text, "note", "ask for a whole GPU, or use --device cpu")]
    return [Finding("Machine", f"{device} is {name}")]


def container(has_nvidia: bool, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Capabilities that were not given to the container: without `graphics` it has CUDA and no OpenGL."""
    given = environ.get("NVIDIA_DRIVER_CAPABILITIES")
    if not has_nvidia or given is None or {"graphics", "all"} & set(given.split(",")):
        return []
    text = f"NVIDIA_DRIVER_CAPABILITIES={given} leaves OpenGL's libraries out of this container"
    return [Finding("Machine", text, "note", CAPABILITIES)]


def egl_library(
    has_cuda: bool, version: str | None, load: Callable[[str], Any] = ctypes.CDLL
) -> list[Finding]:
    """A driver that was installed for computing alone: CUDA works and its EGL library is absent."""
    if not has_cuda and version is None:
        return []
    try:
        load("libEGL_nvidia.so.0")
    except OSError as error:
        number = (version or "<driver version>").split(".")[0]
        text = f"CUDA works, but NVIDIA's OpenGL does not load ({error})"
        remedy = (
            f"apt-get install libnvidia-gl-{number} (the kernel driver's version); {CAPABILITIES}"
        )
        return [Finding("EGL", text, "note", remedy)]
    return []


def mismatch(version: str | None, folders: Iterable[Path] = _LIBRARY_FOLDERS) -> list[Finding]:
    """Libraries of another version than the kernel's driver, as an upgrade without a restart leaves them."""
    if version is None or not re.fullmatch(_VERSION, version):
        return []
    files = [file for folder in folders for file in folder.glob("lib*nvidia*.so.*")]
    found = {m[1] for f in files if (m := re.search(rf"\.so\.({_VERSION})$", f.name))}
    if not found or version in found:
        return []
    text = f"the loaded NVIDIA driver is {version}, its libraries are {', '.join(sorted(found))}"
    remedy = (
        "restart the machine: the driver was upgraded, and the old kernel module is still loaded"
    )
    return [Finding("Machine", text, "note", remedy)]


def processes(has_nvidia: bool, proc: Path = Path("/proc")) -> list[Finding]:
    """Other processes that draw on NVIDIA GPUs; with many on one GPU, reading pixels was seen to hang."""
    if not has_nvidia:
        return []
    drawing = []
    for maps in proc.glob("[0-9]*/maps"):
        try:
            if "libnvidia-eglcore" in maps.read_text(errors="replace"):
                drawing.append(maps.parent.name)
        except OSError:  # another user's, or gone
            continue
    others = [pid for pid in drawing if pid != str(os.getpid())]
    if len(others) + 1 < _MANY_PROCESSES:
        return []
    text = f"{len(others)} other processes have NVIDIA's OpenGL open: so many on one GPU may hang"
    remedy = "run fewer at a time, or one GPU each (CUDA_VISIBLE_DEVICES)"
    return [Finding("Machine", text, "note", remedy, {"processes": sorted(map(int, others))})]


def kernels(device: torch.device, loaded: str | None = None) -> list[Finding]:
    """A driver that loads no code of CUDA 12, of which the package's kernels and every CuPy are."""
    loaded = driver() if loaded is None else loaded
    if device.type == "cpu" or loaded is None or not re.fullmatch(_VERSION, loaded):
        return []
    if _numbers(loaded) >= (_DRIVER_OF_CUDA_12,):
        return []
    text = f"the NVIDIA driver {loaded} loads no kernels of CUDA 12, which needs {_DRIVER_OF_CUDA_12} or newer"
    return [Finding("Kernels", text, "fault", "update the NVIDIA driver, or use --device cpu")]


def bindings(version: str | None = None, loaded: str | None = None) -> list[Finding]:
    """Versions of cuda-bindings that hand out null handles for graphics resources, or whose CUDA the driver refuses."""
    if version is None:
        try:
            version = metadata.version("cuda-bindings")
        except metadata.PackageNotFoundError:
            return []
    numbers = _numbers(version)
    if numbers < (12, 9, 4) or (13, 0, 0) <= numbers < (13, 0, 3):
        text = f"cuda-bindings {version} gives null handles for OpenGL's resources"
        return [Finding("Kernels", text, "note", _GOOD_BINDINGS)]
    if loaded is None:
        loaded = driver()
    if loaded is None or not re.fullmatch(_VERSION, loaded) or numbers < (13,):
        return []
    if _numbers(loaded) >= (_DRIVER_OF_CUDA_13,):
        return []
    text = (
        f"cuda-bindings {version} brings CUDA 13, which the NVIDIA driver {loaded} refuses "
        "(cudaErrorInsufficientDriver, 35): images go through host memory"
    )
    return [Finding("Kernels", text, "note", OLDER_BINDINGS)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])
