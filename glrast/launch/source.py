"""Kernel text: where it lies, its includes pasted in, and the argument structs it declares."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, cast

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


CPU = -1  # the number of its device, as Tensor.get_device() says it

# What a member of an argument struct may be given as; bytes: an array, from `by_value`.
Argument = torch.Tensor | float | bytes | None


@lru_cache(maxsize=512)
def by_value(kind: str, length: int, numbers: tuple[int, ...]) -> bytes:
    """The member `KIND name[LENGTH]` of an argument struct: these numbers, and zeros; nothing on a device."""
    if len(numbers) > length:
        raise ValueError(f"glrast: {len(numbers)} numbers do not fit an array of {length}")
    return struct.pack(f"{length}{_FORMATS[kind][0]}", *numbers, *(0,) * (length - len(numbers)))


@dataclass(frozen=True)
class Arguments:
    """One kernel's argument struct, as its text declares it."""

    fields: tuple[str, ...]
    values: itemgetter[Any]  # of the fields, from a dict
    pointers: tuple[tuple[int, torch.dtype], ...]  # which fields are addresses, and of what
    rows: tuple[
        str, ...
    ]  # floats that are read, on a GPU by 16 bytes: they must begin at a multiple of that
    arrays: tuple[tuple[int, int], ...]  # which fields are arrays, and of how many bytes
    format: struct.Struct
    dtype: np.dtype[Any]
    kernel: str = "a kernel"  # whose, as messages say it

    def pack(self, values: Mapping[str, Argument], device: int | None = None) -> bytes:
        """The struct's bytes; tensors become their addresses, None a null pointer.

        Args:
            device: where tensors must be, the number of a GPU, or CPU; None: nobody looks at them.

        Raises:
            TypeError: a member is missing or unknown. RuntimeError: a tensor that the kernel would misread: of another
                type, not contiguous, on another device, without memory. ValueError: a number is too large.
        """
        try:
            out: list[Any] = list(self.values(values))
        except KeyError:
            self._refuse_names(values)
        if len(out) != len(values):
            self._refuse_names(values)
        try:
            for i, dtype in self.pointers:  # for every kernel that runs: one look at each tensor
                tensor = out[i]
                if tensor is None:
                    out[i] = 0
                elif device is None or (
                    tensor.dtype is dtype
                    and tensor.is_contiguous()
                    and tensor.get_device() == device
                ):
                    out[i] = address = tensor.data_ptr()
                    if not address and tensor.numel():
                        found = f"a {type(tensor).__name__} without (fake or meta); this cannot be traced"
                        self._refuse(i, "a tensor with memory", found)
                else:
                    self._refuse_tensor(i, tensor, dtype, device)
        except AttributeError:
            self._refuse_others(values)
        for i, size in self.arrays:
            given = out[i]
            if not isinstance(given, bytes) or len(given) != size:
                self._refuse(i, f"{size} bytes (by_value)", repr(given))
        try:
            return self.format.pack(*out)
        except (struct.error, OverflowError):
            self._refuse_numbers(out)

    def _refuse(self, member: int, expected: str, found: str) -> NoReturn:
        raise RuntimeError(
            f"glrast: {self.kernel}: '{self.fields[member]}' must be {expected}; got {found}"
        )

    def _refuse_others(self, values: Mapping[str, Argument]) -> NoReturn:
        """Something else was given for a tensor."""
        for i, _ in self.pointers:
            given = values[self.fields[i]]
            if given is not None and not isinstance(given, torch.Tensor):
                self._refuse(i, "a tensor or None", repr(given))
        raise

    def _refuse_tensor(
        self, member: int, tensor: torch.Tensor, dtype: torch.dtype, device: int
    ) -> NoReturn:
        if tensor.dtype is not dtype:
            self._refuse(member, f"of {dtype}", f"{tensor.dtype}")
        if not tensor.is_contiguous():
            strides = f"strides {list(tensor.stride())} for {list(tensor.shape)}"
            self._refuse(member, "contiguous", strides)
        where = "the CPU" if device == CPU else f"cuda:{device}"
        self._refuse(member, f"on {where}", f"{tensor.device}")

    def _refuse_names(self, values: Mapping[str, Argument]) -> NoReturn:
        missing = [name for name in self.fields if name not in values]
        unknown = [name for name in values if name not in self.fields]
        parts = [("misses", missing), ("does not know", unknown)]
        said = " and ".join(
            f"{verb} {', '.join(map(repr, names))}" for verb, names in parts if names
        )
        raise TypeError(f"glrast: {self.kernel}: its argument struct {said}; it has {self.fields}")

    def _refuse_numbers(self, out: list[Any]) -> NoReturn:
        """Something among the packed members is no number of its C type."""
        addresses = {i for i, _ in (*self.pointers, *self.arrays)}
        numbers = [i for i in range(len(out)) if i not in addresses]
        for i in numbers:
            kinds = (float, int) if self.dtype[i].kind == "f" else (int, np.integer, torch.Tensor)
            if not isinstance(out[i], kinds):
                self._refuse(i, f"a number of {self.dtype[i]}", repr(out[i]))
        large = [f"{self.fields[i]} = {out[i]}" for i in numbers if abs(out[i]) >= 2**31]
        raise ValueError(
            f"glrast: {self.kernel}: an extent is beyond what kernels count to, 2^31: {', '.join(large)}"
        ) from None


@cache
def kernels(stem: str) -> dict[str, Arguments]:
    """The kernels that STEM.cu and what it includes define, with their arguments."""
    source = text(stem)
    shared = dict(re.findall(r"^#define (\w+_MEMBERS) ((?:.*\\\n)*.*)", source, re.M))
    lengths = dict(re.findall(r"^#define (GLRAST_\w+) (\d+)\b", source, re.M))
    structs = {
        name: _arguments(re.sub(r"\b\w+_MEMBERS\b", lambda word: shared[word[0]], body), lengths)
        for name, body in re.findall(r"struct (\w+Args) \{(.*?)\n\};", source, re.S)
    }
    found: list[tuple[str, str, str]] = re.findall(KERNEL, source, re.M)
    file = stems().get(stem, f"{stem}.cu")
    return {
        kernel: replace(structs[arguments], kernel=f"{kernel} (kernels/{file})")
        for _, kernel, arguments in found
    }


@cache
def arguments(file_name: str, struct_name: str) -> Arguments:
    """One struct that kernels/FILE declares."""
    source = (folder("kernels") / file_name).read_text()
    found = re.search(rf"struct {struct_name} \{{(.*?)\n\}};", source, re.S)
    assert found, f"kernels/{file_name} declares no {struct_name}"
    return replace(_arguments(found[1]), kernel=f"{struct_name} (kernels/{file_name})")


def _arguments(body: str, lengths: Mapping[str, str] = MappingProxyType({})) -> Arguments:
    """`lengths`: of arrays, by the name of the macro that says it."""
    fields: list[tuple[str, str, str, str, str]] = re.findall(
        r"(?:^|;)\s*(const\s+)?(int64|int|float|double|char)(\s*\*)?\s+(\w+)(?:\[(\w+)\])?(?=;)",
        re.sub(r"//.*|\\\n", "", body),
        re.M,
    )
    kinds = ["*" if pointer else kind for _, kind, pointer, _, _ in fields]
    names = tuple(name for _, _, _, name, _ in fields)
    counts = [int(lengths.get(count, count or 0)) for *_, count in fields]
    # "@" aligns each member as the C compiler does; "0P" pads the end to a pointer's alignment. Arrays are bytes.
    words = [
        f"0{_FORMATS[kind][0]}{_size(kind, count)}s" if count else _FORMATS[kind][0]
        for kind, count in zip(kinds, counts)
    ]
    layout = struct.Struct("@" + "".join(words) + "0P")
    types = [
        (_FORMATS[kind][1], (n,)) if n else _FORMATS[kind][1] for kind, n in zip(kinds, counts)
    ]
    dtype = np.dtype({"names": names, "formats": types}, align=True)
    pointers = tuple((i, _POINTED[kind]) for i, (_, kind, star, _, _) in enumerate(fields) if star)
    rows = tuple(
        name for const, kind, star, name, _ in fields if const and star and kind == "float"
    )
    arrays = tuple((i, _size(kinds[i], count)) for i, count in enumerate(counts) if count)
    values = cast("itemgetter[Any]", itemgetter(*names))
    return Arguments(names, values, pointers, rows, arrays, layout, dtype)


def _size(kind: str, count: int) -> int:
    return count * struct.calcsize(_FORMATS[kind][0])
