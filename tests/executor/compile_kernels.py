"""A kernel's text in CUDA's form becomes a shared library of the CPU: words.h before it, the executor beside it."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
FOLDER = Path(tempfile.gettempdir()) / f"glrast-executor-{os.getuid()}"

ORDERS = ("first", "last", "random")
SCHEDULES = ("together", "apart", "scattered")


@dataclass(frozen=True)
class Settings:
    """What CUDA leaves open, and what is looked for.

    order: which lane, warp and block goes first; `random` and `scattered` by `seed`.
    schedule: who meets at __activemask: all who can, nobody, some by chance.
    fused, flush: arithmetic as NVRTC and CuPy compile it, a * b + c in one rounding and denormals as zero; the flush is
        the processor's and holds for float64 too, where a GPU keeps denormals.
    sanitizer: "", "address" (that and undefined behaviour; Python needs the compiler's runtime, see check.py), "watch"
        (races, memory that no argument holds, shared memory that nobody wrote).
    architecture: __CUDA_ARCH__.
    portable: fibres by ucontext, as on a processor for which the switch is not written.
    """

    order: str = "first"
    schedule: str = "together"
    seed: int = 0
    fused: bool = False
    flush: bool = False
    sanitizer: str = ""
    architecture: int = 900
    portable: bool = False

    @classmethod
    def of(cls, words: str) -> "Settings":
        """order=random,seed=3,fused=1"""
        given = dict(word.split("=") for word in words.split(",") if word)
        kinds = {field.name: type(field.default) for field in fields(cls)}
        return cls(
            **{name: v if kinds[name] is str else kinds[name](int(v)) for name, v in given.items()}
        )


class CompileException(Exception):
    """Named as CuPy's."""


def has_fused() -> bool:
    """Whether this processor multiplies and adds in one rounding."""
    if platform.machine() != "x86_64":
        return True
    return " fma " in Path("/proc/cpuinfo").read_text()


def library(text: str, options: tuple[str, ...], settings: Settings) -> tuple[Path, list[str]]:
    """The shared library of one text, kept by what it was made from, and the kernels that it has."""
    defines = [option for option in options if option.startswith("-D")]
    flags = _flags(settings)
    parts = [text, *options, *flags, *(path.read_text() for path in _sources())]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    made = FOLDER / f"{key}.so"
    with _turn(key):
        if not made.exists():
            names = _kernels(text, defines, flags)
            whole = "\n".join(['#include "words.h"', text, "", *(f"EXECUTE({n})" for n in names)])
            _compile(whole, [*defines, *flags], made, _core(settings.sanitizer, settings.portable))
            made.with_suffix(".names").write_text(" ".join(names))
    return made, made.with_suffix(".names").read_text().split()


def where(library_path: Path, address: int) -> str:
    """The kernel's line of an instruction, and the lines that it was inlined into."""
    command = ["addr2line", "-i", "-e", library_path, hex(address - 1)]  # that before the return
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    found = [re.sub(r" \(.*\)", "", line) for line in lines]
    own = [line[line.index("kernels/") :] for line in found if "kernels/" in line]
    return " in ".join(own) or hex(address)


def _flags(settings: Settings) -> list[str]:
    flags = [f"-D__CUDA_ARCH__={settings.architecture}"]
    if settings.fused:
        # GCC contracts where it is told to spend time on it
        flags += [
            "-ffp-contract=fast",
            "-fexpensive-optimizations",
            *(["-mfma"] if platform.machine() == "x86_64" else []),
        ]
    else:
        flags += ["-ffp-contract=off"]
    if settings.portable:
        flags += ["-DEXECUTOR_UCONTEXT"]
    if settings.sanitizer == "address":
        flags += _ADDRESS
    if settings.sanitizer == "watch":
        flags += ["-fsanitize=thread", "-g1", "-gdwarf-4"]
    return flags


_ADDRESS = [
    "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all", "-g1", "-gdwarf-4",
    "-fno-omit-frame-pointer", "-fsanitize-sections=executor_shared",
]  # fmt: skip
_PLAIN = ["-std=c++17", "-O1", "-w", "-fPIC", "-fno-math-errno", f"-I{HERE}"]


def _sources() -> list[Path]:
    return sorted([*HERE.glob("*.h"), *HERE.glob("*.cpp")])


@cache
def _core(sanitizer: str, portable: bool) -> list[Path]:
    """The executor's own objects. The watch is not watched itself."""
    flags = {"": [], "address": _ADDRESS, "watch": ["-DEXECUTOR_WATCH"]}[sanitizer]
    flags = [*flags, *(["-DEXECUTOR_UCONTEXT"] if portable else [])]
    objects = []
    for path in HERE.glob("*.cpp"):
        if path.stem == "watch" and sanitizer != "watch":
            continue
        parts = [*flags, *(source.read_text() for source in _sources())]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        made = FOLDER / f"{path.stem}-{key}.o"
        if not made.exists():
            _run([*_PLAIN, "-O2", *flags, "-c", path, "-o"], made)
        objects.append(made)
    return objects


def _turn(key: str):
    """Two processes do not compile the same at once."""
    FOLDER.mkdir(exist_ok=True)
    lock = (FOLDER / f"{key}.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock  # closing it lets the next go on


def _kernels(text: str, defines: list[str], flags: list[str]) -> list[str]:
    """The names of the __global__ functions that the preprocessor leaves."""
    command = [
        COMPILER,
        *_PLAIN,
        *defines,
        *flags,
        "-D__global__=a_kernel_begins",
        "-include",
        "words.h",
    ]
    done = subprocess.run(
        [*command, "-E", "-P", "-xc++", "-"], input=text, capture_output=True, text=True
    )
    return re.findall(r"\ba_kernel_begins\s+(?:static\s+)?void\s+(\w+)\s*\(", done.stdout)


def _compile(text: str, flags: list[str], made: Path, objects: list[Path]) -> None:
    file = made.with_suffix(".cpp")
    file.write_text(text)
    compiled = made.with_suffix(".o")
    _run([*_PLAIN, *flags, "-c", file, "-o"], compiled)
    linked = [flag for flag in flags if flag.startswith("-fsanitize=address")]
    _run(["-shared", *linked, compiled, *objects, "-o"], made)
    compiled.unlink()


def _run(arguments: list, made: Path) -> None:
    making = made.with_suffix(f".{os.getpid()}{made.suffix}")
    done = subprocess.run([COMPILER, *arguments, making], capture_output=True, text=True)
    if done.returncode:
        raise CompileException(re.sub(r":(\d+):\d+: error", r"(\1): error", done.stderr))
    making.replace(made)
