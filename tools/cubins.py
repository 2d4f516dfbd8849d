"""Compile the kernels for every kind of GPU, into the package: `make wheel`, or `python tools/cubins.py`.

Needs NVRTC (pip install 'nvidia-cuda-nvrtc-cu12>=12.8,<12.9') and no GPU. 12.8 is the oldest that knows sm_120; what
it makes loads under every driver of CUDA 12 that knows the GPU, and under later ones. Files that are there already
stay; those of other kernel texts are removed. A minute or two on two cores.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # no installed glrast is needed

from glrast.launch import cubins, cuda, source  # noqa: E402

_PACKAGES = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")
_LIBRARIES = ("libnvrtc.so.12", "libnvrtc.so.13")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=cubins.FOLDER)
    parser.add_argument("--stems", nargs="+", default=sorted(source.stems()))
    parser.add_argument("--capabilities", nargs="+", default=list(cubins.CAPABILITIES))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = {
        cubins.name(stem, options, capability): (stem, options, capability)
        for stem in args.stems
        for options in forms(stem)
        for capability in args.capabilities
    }
    for file in args.out.glob("*.cubin"):
        if file.name not in every_name():
            file.unlink()
    missing = {n: w for n, w in wanted.items() if not (args.out / n).is_file()}
    start = time.monotonic()
    with ProcessPoolExecutor() as pool:
        running = {pool.submit(compile, *what): n for n, what in missing.items()}
        for done in as_completed(running):
            write(args.out / running[done], done.result())
    size = sum((args.out / n).stat().st_size for n in wanted)
    took = time.monotonic() - start
    print(
        f"{len(wanted)} cubins, {size / 1e6:.1f} MB in {args.out}; {len(missing)} made, {took:.0f} s"
    )
    return 0


def forms(stem: str) -> list[tuple[str, ...]]:
    """The options that a kernel file is compiled with: plain, and where it adds, for deterministic sums."""
    adds = set(source.kernels(stem)) & set(cuda.ADDS)
    return [cuda.OPTIONS, (*cuda.OPTIONS, cuda.RECORD)] if adds else [cuda.OPTIONS]


def every_name() -> set[str]:
    """Of all files that this text of the kernels has."""
    return {
        cubins.name(stem, options, capability)
        for stem in source.stems()
        for options in forms(stem)
        for capability in cubins.CAPABILITIES
    }


def compile(stem: str, options: Iterable[str], capability: str) -> bytes:
    """The cubin; RuntimeError with NVRTC's words where there is none."""
    words = (*options, *cubins.OF_CUPY, f"-arch=sm_{capability}")
    made, said = compiled(library(), source.text(stem), words)
    if not made:
        raise RuntimeError(f"{stem} for sm_{capability}: {said}")
    return made


def library() -> ctypes.CDLL:
    """pip's NVRTC, else the system's."""
    for package in _PACKAGES:
        try:
            files = importlib.metadata.distribution(package).files or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name in _LIBRARIES:
                return ctypes.CDLL(str(file.locate()))
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise SystemExit("cubins: no NVRTC here: pip install 'nvidia-cuda-nvrtc-cu12>=12.8,<12.9'")


def compiled(nvrtc: ctypes.CDLL, text: str, options: Iterable[str]) -> tuple[bytes, str]:
    """(cubin, empty where it does not compile; what the compiler said)."""
    program, words = ctypes.c_void_p(), [word.encode() for word in options]
    made = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), text.encode(), b"glrast.cu", 0, None, None
    )
    if made:
        raise RuntimeError(f"nvrtcCreateProgram: error {made}")
    try:
        given = (ctypes.c_char_p * len(words))(*words)
        failed = nvrtc.nvrtcCompileProgram(program, len(words), given)
        cubin = b"" if failed else _said(nvrtc, program, "CUBIN")
        return cubin, _said(nvrtc, program, "ProgramLog").rstrip(b"\0").decode()
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _said(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    held = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, held)
    return held.raw


def write(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    making = file.with_suffix(".making")
    making.write_bytes(content)
    making.replace(file)


if __name__ == "__main__":
    raise SystemExit(main())
