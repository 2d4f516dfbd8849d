"""Kernel text: where it lies, its includes pasted in, and the argument structs it declares."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch

# C type in an Args struct -> (struct format, numpy dtype). Pointers travel as 64-bit addresses.
_FORMATS = {
    "int": ("i", "i4"), "int64": ("q", "i8"), "float": ("f", "f4"), "double": ("d", "f8"), "*": ("P", "u8"),
}  # fmt: skip
# A kernel by its macro: kind, name, argument struct.
KERNEL = r"^GLRAST_(KERNEL|SCATTER|BINNED)\((\w+), (\w+)\)"
# What a pointer of a C type points to.
_POINTED = {
    "int": torch.int32, "int64": torch.int64, "float": torch.float32, "double": torch.float64, "char": torch.int8,
}  # fmt: skip


@cache
def folder(name: str) -> Path:
    """The folder `kernels` or `shaders`: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise RuntimeError(
        f"glrast: the folder {name}/ is neither in {package} nor beside it; the installation is incomplete: "
        "reinstall glrast"
    )


@cache
def stems() -> dict[str, str]:
    """Where every kernel file lies below kernels/, by its stem: antialias is visibility/antialias.cu."""
    root = folder("kernels")
    return {path.stem: path.relative_to(root).as_posix() for path in sorted(root.rglob("*.cu"))}


@cache
def text(stem: str) -> str:
    """The kernel file STEM.cu as one text: `#include "..."` pasted once, from kernels/ on; `#line` keeps the real file
    and line in messages."""
    return _paste(stems()[stem], set())


def _paste(file_name: str, seen: set[str]) -> str:
    seen.add(file_name)
    lines = [f'#line 1 "kernels/{file_name}"']
    for number, line in enumerate((folder("kernels") / file_name).read_text().splitlines(), 1):
        include = re.match(r'#include "([^"]+\.cuh)"', line)
        if not include:
            lines.append("" if line.startswith("#pragma once") else line)
        elif include[1] in seen:
            lines.append("")
        else:
            lines += [_paste(include[1], seen), f'#line {number + 1} "kernels/{file_name}"']
    return "\n".join(lines)


_NO_MEMORY = "glrast: '{}' must be a tensor with memory; got a {} without (fake or meta); this cannot be traced"

_MISREAD = "glrast: '{}' must be of {} for its kernel; got {}"


@dataclass(frozen=True)
class Arguments:
    """One kernel's argument struct, as its text declares it."""

    fields: tuple[str, ...]
    values: itemgetter  # of the fields, from a dict
    pointers: tuple[tuple[int, torch.dtype], ...]  # which fields are addresses, and of what
    format: struct.Struct
    dtype: np.dtype

    def check(self, values: dict) -> None:
        """RuntimeError for a tensor of another type than the kernel reads."""
        for i, dtype in self.pointers:
            tensor = values[self.fields[i]]
            if tensor is not None and tensor.dtype is not dtype:
                raise RuntimeError(_MISREAD.format(self.fields[i], dtype, tensor.dtype))

    def pack(self, values: dict) -> bytes:
        """The struct's bytes; tensors become their addresses, None a null pointer."""
        out = list(self.values(values))
        for i, _ in self.pointers:
            tensor = out[i]
            out[i] = 0 if tensor is None else tensor.data_ptr()
            if not out[i] and tensor is not None and tensor.numel():
                raise RuntimeError(_NO_MEMORY.format(self.fields[i], type(tensor).__name__))
        try:
            return self.format.pack(*out)
        except struct.error:
            addresses = {i for i, _ in self.pointers}
            numbers = [(i, x) for i, x in enumerate(out) if i not in addresses]
            large = [f"{self.fields[i]} = {x}" for i, x in numbers if abs(x) >= 2**31]
            raise ValueError(
                f"glrast: an extent is beyond what kernels count to, 2^31: {', '.join(large)}"
            ) from None


@cache
def kernels(stem: str) -> dict[str, Arguments]:
    """The kernels that STEM.cu and what it includes define, with their arguments."""
    source = text(stem)
    shared = dict(re.findall(r"^#define (\w+_MEMBERS) ((?:.*\\\n)*.*)", source, re.M))
    structs = {
        name: _arguments(re.sub(r"\b\w+_MEMBERS\b", lambda word: shared[word[0]], body))
        for name, body in re.findall(r"struct (\w+Args) \{(.*?)\n\};", source, re.S)
    }
    found = re.findall(KERNEL, source, re.M)
    return {kernel: structs[arguments] for _, kernel, arguments in found}


@cache
def arguments(file_name: str, struct_name: str) -> Arguments:
    """One struct that kernels/FILE declares."""
    source = (folder("kernels") / file_name).read_text()
    found = re.search(rf"struct {struct_name} \{{(.*?)\n\}};", source, re.S)
    assert found, f"kernels/{file_name} declares no {struct_name}"
    return _arguments(found[1])


def _arguments(body: str) -> Arguments:
    fields = re.findall(
        r"(?:^|;)\s*(?:const\s+)?(int64|int|float|double|char)(\s*\*)?\s+(\w+)(?=;)",
        re.sub(r"//.*|\\\n", "", body),
        re.M,
    )
    kinds = ["*" if pointer else kind for kind, pointer, _ in fields]
    names = tuple(name for _, _, name in fields)
    # "@" aligns each member as the C compiler does; "0P" pads the end to a pointer's alignment.
    layout = struct.Struct("@" + "".join(_FORMATS[kind][0] for kind in kinds) + "0P")
    dtype = np.dtype([(name, _FORMATS[kind][1]) for name, kind in zip(names, kinds)], align=True)
    pointers = tuple((i, _POINTED[kind]) for i, (kind, star, _) in enumerate(fields) if star)
    return Arguments(names, itemgetter(*names), pointers, layout, dtype)
