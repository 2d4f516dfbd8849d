"""Kernels that were compiled when the package was built: which file holds those of a kernel file for one kind of GPU.

`tools/cubins.py` makes them; a wheel brings them, a checkout has none. The name holds a hash of the kernel text and of
the options, so that a changed kernel finds no file and is compiled by NVRTC.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from . import source

FOLDER = Path(__file__).resolve().parent.parent / "cubins"
# Turing, A100, A10 and RTX 30, RTX 40 and L4, H100, B200, RTX 50. A cubin runs on its own capability and on later ones
# of the same first digit, less well than what is compiled for them: those are left to NVRTC.
CAPABILITIES = ("75", "80", "86", "89", "90", "100", "120")
# What CuPy gives NVRTC beside our options and the architecture: what is compiled here is what it would compile.
OF_CUPY = ("-ftz=true", "--device-as-default-execution-space")
_HASH_DIGITS = 16


def name(stem: str, options: tuple[str, ...], capability: str) -> str:
    """The file of all kernels of STEM.cu, compiled with these options for GPUs of that capability, as '90'."""
    return f"{stem}-{_hash(stem, options)}-sm_{capability}.cubin"


def found(stem: str, options: tuple[str, ...], capability: str) -> Path | None:
    """That file; None where the package has none of this text, these options or that capability."""
    if capability not in CAPABILITIES:
        return None
    file = FOLDER / name(stem, options, capability)
    return file if file.is_file() else None


@cache
def _hash(stem: str, options: tuple[str, ...]) -> str:
    said = "\0".join((source.text(stem), *options, *OF_CUPY))
    return hashlib.sha256(said.encode()).hexdigest()[:_HASH_DIGITS]
