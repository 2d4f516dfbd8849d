"""`python -m glrast.shim SCRIPT ARGS` and `python -m glrast.shim -m MODULE ARGS`: as python itself runs them."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

_NAMES = str(Path(__file__).resolve().parent / "names")
_USAGE = """usage: python -m glrast.shim [--device cpu] SCRIPT [ARGS...]
       python -m glrast.shim [--device cpu] -m MODULE [ARGS...]

Runs a program that imports nvdiffrast on glrast, without changing it.
--device cpu: one that has 'cuda' written into its code runs on the CPU, all of it."""


def main(words: list[str]) -> int:
    """Runs the program; returns only if it ends without an exception. Its exit code is this process's."""
    if words[:1] in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    on_cpu = words[:2] == ["--device", "cpu"] or words[:1] == ["--device=cpu"]
    words = words[(2 if words[0] == "--device" else 1) if on_cpu else 0 :]
    module = words[:1] == ["-m"]
    if len(words) < 1 + module or (not module and words[0].startswith("-")):
        print(_USAGE, file=sys.stderr)
        return 2
    target = words[module]
    if not module and not Path(target).exists():
        print(f"python -m glrast.shim: no such file: {target}", file=sys.stderr)
        return 2
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_NAMES, inherited]))
    # `python -m` has put the working directory in front: right for a module, a script has its own folder there.
    sys.path[0] = os.getcwd() if module else str(Path(target).resolve().parent)
    sys.path.insert(0, _NAMES)
    sys.argv = words[module:]
    if on_cpu:
        _put_cuda_on_cpu()
    if module:
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(target, run_name="__main__")
    return 0


def _put_cuda_on_cpu() -> None:
    """In this process, and in those that it starts once they import nvdiffrast."""
    os.environ["GLRAST_SHIM_DEVICE"] = "cpu"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a GPU that is there would be asked for all the same
    from .cuda_on_cpu import put_cuda_on_cpu

    put_cuda_on_cpu()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
