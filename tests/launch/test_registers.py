"""What a kernel takes of a GPU: registers, and stack, which is slow memory. docs/speed.md has the table, read here.

NVRTC writes both into the compiled code; another version of it may take a few registers more or fewer.
"""

import re
import struct
from pathlib import Path

import pytest

from glrast.launch import source
from tests.launch.test_nvrtc import compiled, nvrtc

__all__ = ["nvrtc"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "speed.md"
ROW = re.compile(r"\| `(\w+)` \| (\d+) \| (\d+) \|")
ARCHITECTURE = 90
SLACK = 8  # registers: they come in eights
MOST = 128  # beyond, fewer than half of a multiprocessor's threads are at work
# float64, and the outline of faces that are cut; two kernels would look up, and add to, everything twice
MORE = {"nearest_faces_backward": 168}


@pytest.fixture(scope="module")
def table():
    return {name: (int(r), int(stack)) for name, r, stack in ROW.findall(PAGE.read_text())}


def test_the_table_has_every_kernel(table):
    assert set(table) == {kernel for stem in source.stems() for kernel in source.kernels(stem)}


@pytest.mark.slow
@pytest.mark.parametrize("stem", sorted(source.stems()))
def test_kernels_take_the_registers_and_the_stack_of_the_table(nvrtc, table, stem):
    cubin, log = compiled(nvrtc, source.text(stem), ARCHITECTURE)
    found = resources(cubin)
    assert found, log
    for kernel in source.kernels(stem):
        registers, stack = found[kernel]
        expected, most_stack = table[kernel]
        assert registers <= min(expected + SLACK, MORE.get(kernel, MOST)), (
            f"{kernel} takes {registers} registers"
        )
        assert stack <= most_stack, f"{kernel} has {stack} bytes of stack"


def test_a_made_up_file_is_read():
    """Two symbols, one with 40 registers, the other with 16 bytes of stack and 12 registers."""
    info = b"".join(struct.pack("<BBHII", 4, *row) for row in (
        (REGISTERS, 8, 1, 40), (STACK, 8, 2, 16), (REGISTERS, 8, 2, 12)
    ))  # fmt: skip
    names = b"\0one\0two\0"
    symbols = b"".join(struct.pack("<IBBHQQ", at, 0, 0, 0, 0, 0) for at in (0, 1, 5))
    assert resources(elf({".strtab": names, ".symtab": symbols, ".nv.info": info})) == {
        "one": (40, 0),
        "two": (12, 16),
    }


# ---- reading compiled code -------------------------------------------------------------------------------

REGISTERS, STACK = 0x2F, 0x11  # EIATTR_REGCOUNT, EIATTR_FRAME_SIZE: (symbol, number)
SECTION, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ")


def resources(cubin: bytes) -> dict[str, tuple[int, int]]:
    """Registers and bytes of stack by kernel, of an ELF file's section .nv.info."""
    (begin,) = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    sections = [SECTION.unpack_from(cubin, begin + i * size) for i in range(count)]
    by_name = {text(cubin, sections[names][4] + s[0]): s for s in sections}
    table = by_name[".symtab"]
    strings = sections[table[6]][4]
    symbols = [
        text(cubin, strings + SYMBOL.unpack_from(cubin, table[4] + i * SYMBOL.size)[0])
        for i in range(table[5] // SYMBOL.size)
    ]
    found: dict[str, dict[int, int]] = {}
    at, length = by_name[".nv.info"][4:6]
    end = at + length
    while at < end:
        form, attribute, bytes = struct.unpack_from("<BBH", cubin, at)
        if form == 4 and attribute in (REGISTERS, STACK):
            symbol, number = struct.unpack_from("<II", cubin, at + 4)
            found.setdefault(symbols[symbol], {})[attribute] = number
        at += 4 + (bytes if form == 4 else 0)
    return {k: (v[REGISTERS], v.get(STACK, 0)) for k, v in found.items() if REGISTERS in v}


def text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def elf(contents: dict[str, bytes]) -> bytes:
    """A file of these sections, .symtab naming its strings by .strtab."""
    names = ["", *contents, ".shstrtab"]
    strings = b"\0".join(name.encode() for name in names) + b"\0"
    parts = [b"", *contents.values(), strings]
    body, rows, at = b"", [], 64
    for name, part in zip(names, parts):
        place = strings.index(name.encode() + b"\0") if name else 0
        link = names.index(".strtab") if name == ".symtab" else 0
        rows.append(SECTION.pack(place, 0, 0, 0, at, len(part), link, 0, 0, 0))
        body, at = body + part, at + len(part)
    head = bytearray(64)
    struct.pack_into("<Q", head, 0x28, at)
    struct.pack_into("<HHH", head, 0x3A, SECTION.size, len(rows), len(rows) - 1)
    return bytes(head) + body + b"".join(rows)
