"""A machine as it is found, made fit for the check: wheels and OpenGL's loader unpacked, the host library built where
glrast is not installed. Without a network, git or root; without a compiler where a host library is brought along."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST_LIBRARY = "GLRAST_HOST_LIBRARY"
_OPTIONS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-pthread", "-w")
_DRIVER = Path("/proc/driver/nvidia/version")
_LIBRARY_FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib")
_VENDOR_FOLDERS = (Path("/etc/glvnd/egl_vendor.d"), Path("/usr/share/glvnd/egl_vendor.d"))
_VENDOR = '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}'

Say = Callable[[str], None]


def prepared(
    wheels: Path | None, packages: Path | None, scratch: Path, seconds: float, say: Say
) -> dict[str, str]:
    """The environment of all steps, within so many seconds. What cannot be had is said, and missed by the steps."""
    end = time.monotonic() + seconds
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    paths = [str(ROOT)]
    if wheels:
        paths.append(str(scratch / "site"))
        words = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", paths[-1]]
        _run([sys.executable, *words, *map(str, sorted(wheels.glob("*.whl")))], end, say)
    if packages:
        _unpack(packages, scratch / "packages", environment, end, say)
    environment["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    if not _has_host_library(environment, end, say):
        library = build_host_library(scratch, end, say)
        if library:
            environment[HOST_LIBRARY] = str(library)
    return environment


def _unpack(packages: Path, to: Path, environment: dict[str, str], end: float, say: Say) -> None:
    """Debian's packages of libEGL and the like, which a bare image lacks; and a file that leads to NVIDIA's driver."""
    to.mkdir(parents=True)
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(to)], end, say)
    folders = [str(to / name) for name in _LIBRARY_FOLDERS if (to / name).is_dir()]
    before = environment.get("LD_LIBRARY_PATH")
    environment["LD_LIBRARY_PATH"] = os.pathsep.join([*folders, *([before] if before else [])])
    if _DRIVER.exists() and not any(
        list(folder.glob("*nvidia*.json")) for folder in _VENDOR_FOLDERS
    ):
        (to / "10_nvidia.json").write_text(_VENDOR)
        environment.setdefault("__EGL_VENDOR_LIBRARY_FILENAMES", str(to / "10_nvidia.json"))


def _has_host_library(environment: dict[str, str], end: float, say: Say) -> bool:
    probe = [sys.executable, "-c", "from glrast.launch.cpu import host_library as h; h()"]
    return _run(probe, end, lambda text: None, environment)


def build_host_library(scratch: Path, end: float, say: Say) -> Path | None:
    """All files compiled side by side, then linked; None where there is no compiler, or no time."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        say(f"no C++ compiler and no host library: bring one along and name it by {HOST_LIBRARY}")
        return None
    kernels = ROOT / "kernels"
    sources = [kernels / "host.cpp", kernels / "driver_scope.cpp", *sorted(kernels.rglob("*.cu"))]
    jobs = {}
    for source in sources:
        made = scratch / f"{source.stem}.o"
        words = [compiler, *_OPTIONS, f"-I{kernels}", "-c", "-xc++", str(source), "-o", str(made)]
        jobs[made] = subprocess.Popen(
            words, cwd=ROOT, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        )
    for made, job in jobs.items():
        try:
            said, _ = job.communicate(timeout=max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            for other in jobs.values():
                other.kill()
            say("the host library: no time to compile it")
            return None
        if job.returncode:
            say(f"the host library: {made.stem} does not compile:\n{said[-2000:]}")
    library = scratch / "libglrast_host.so"
    linked = [
        compiler,
        "-shared",
        "-pthread",
        "-static-libstdc++",
        *map(str, jobs),
        "-ldl",
        "-o",
        str(library),
    ]
    return library if _run(linked, end, say) else None


def _run(
    command: list[str], end: float, say: Say, environment: dict[str, str] | None = None
) -> bool:
    left = end - time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=max(left, 0.1),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"{Path(command[0]).name}: {error}")
        return False
    if done.returncode:
        say(f"{' '.join(command[:6])}: {done.stderr[-2000:]}")
    return not done.returncode


# ---- what it is ------------------------------------------------------------------------------------------


def facts(commit: str | None) -> dict[str, str]:
    """What the numbers depend on, as far as it can be told without PyTorch; the first rung tells the rest."""
    found = {
        "glrast": commit or _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    found["processors"] = str(os.cpu_count())
    if _DRIVER.exists():
        driver = re.search(r"\b(\d{3}\.[\d.]+)\b", _DRIVER.read_text())
        found["driver"] = driver[1] if driver else "unknown"
    return found


def _commit() -> str:
    """By git; else by the file COMMIT, which a copy without git may have."""
    try:
        asked = ["git", "describe", "--always", "--dirty"]
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=20)
        if done.returncode == 0:
            return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        pass  # no git here
    file = ROOT / "COMMIT"
    return file.read_text().strip() if file.is_file() else "unknown (name it: --commit)"
