"""The header of a ply file: its elements, their properties, its comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .lines import name_text, show

TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "long": "i8", "ulong": "u8", "half": "f2",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "int64": "i8", "uint64": "u8", "float16": "f2", "float32": "f4", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
MOST = 1 << 40  # rows of an element: no file has so many


@dataclass
class Property:
    """One value a row, or a list of them whose length comes first."""

    name: str
    type: str  # of NumPy, without byte order
    count: str | None = None  # the type of a list's length


@dataclass
class Element:
    """A table."""

    name: str
    rows: int
    properties: list[Property] = field(default_factory=list)


@dataclass
class Header:
    """What stands before the tables."""

    order: str  # "" for text, else "<" or ">"
    elements: list[Element]
    textures: list[str]  # of the comments TextureFile
    size: int  # bytes


def read_header(content: bytes) -> Header:
    """The header. Raises ValueError with what is wrong."""
    if not content:
        raise ValueError("it is empty")
    if not re.match(rb"ply[ \t]*[\r\n]", content):
        raise ValueError(f"it begins with {content[:4]!r}, not with b'ply'")
    end = re.search(rb"(?:^|[\r\n])[ \t]*end_header[ \t]*(\r\n|\n|\r|$)", content)
    if end is None:
        raise ValueError(f"its header has no end within {len(content)} bytes")
    # where \r ends the lines, a \n after the last of them is the body's first byte
    lone = re.match(rb"ply[ \t]*\r(?!\n)", content) is not None
    size = end.end() - (lone and end[1] == b"\r\n")
    order, elements, textures = None, [], []
    for line in re.split(rb"\r\n|\n|\r", content[: end.start()])[1:]:
        words = line.split()
        if not words or words[0] == b"obj_info":
            continue
        if words[0] == b"comment":
            found = re.match(rb"\s*comment\s+TextureFile\s+(.*\S)", line, re.IGNORECASE)
            if found:
                textures.append(name_text(found[1]))
        elif words[0] == b"format":
            order = _order(words)
        elif words[0] == b"element":
            elements.append(_element(words))
        elif words[0] == b"property":
            if not elements:
                raise ValueError("its header has a property before an element")
            elements[-1].properties.append(_property(words, elements[-1]))
        elif elements:  # before the first it can only be a comment; Blender 2.47 forgot the word
            raise ValueError(f"its header has a line {show(line)}")
    if order is None:
        raise ValueError("its header has no format")
    names = [element.name for element in elements]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it has two elements {name}")
    return Header(order, elements, textures, size)


def _order(words: list[bytes]) -> str:
    text = [word.decode(errors="replace") for word in words[1:]]
    if not text or text[0] not in ORDERS or text[1:] not in ([], ["1.0"]):
        raise ValueError(
            f"its format is {' '.join(text)[:60]!r}, not one of {', '.join(ORDERS)}, version 1.0"
        )
    return ORDERS[text[0]]


def _element(words: list[bytes]) -> Element:
    if len(words) != 3 or not re.fullmatch(rb"\d{1,18}", words[2]):
        raise ValueError(
            f"its header has {show(b' '.join(words))}; an element has a name and a count, 0 or more"
        )
    if int(words[2]) > MOST:
        raise ValueError(f"its header has {show(b' '.join(words))}; no file holds so many")
    return Element(words[1].decode(errors="replace"), int(words[2]))


def _property(words: list[bytes], element: Element) -> Property:
    text = [word.decode(errors="replace") for word in words]
    is_list = len(text) > 1 and text[1] == "list"
    if len(text) != (5 if is_list else 3):
        raise ValueError(
            f"its header has {show(b' '.join(words))}; a property has types and a name"
        )
    types = text[2:4] if is_list else text[1:2]
    for given in types:
        if given.lower() not in TYPES:
            raise ValueError(
                f"its property {text[-1]} of {element.name} is of type {given[:40]!r}, which ply does not know"
            )
    if any(known.name == text[-1] for known in element.properties):
        raise ValueError(f"its element {element.name} has two properties {text[-1]}")
    count = TYPES[types[0].lower()] if is_list else None
    if count and count[0] == "f":
        raise ValueError(f"its list {text[-1]} has a length of type {types[0]}; lengths are whole")
    return Property(text[-1], TYPES[types[-1].lower()], count)
