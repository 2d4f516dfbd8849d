"""A glTF file as it lies on the disk: the JSON, the binary chunk of a glb, and what URIs lead to."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from .tree import Broken, Refused, Tree

_HEADER = struct.Struct("<4sIII4s")  # magic, version, length; length and kind of the first chunk
_CHUNK = struct.Struct("<I4s")


class Document:
    """A file's JSON and its buffers, each read when it is first asked for.

    `notes` collects what the reader should know of a file that loads all the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        content = path.read_bytes()
        self.size = len(content)
        text, self.binary = _chunks(content, path.suffix.lower() == ".gltf")
        self.root = Tree(_parsed(text), "")
        version = self.root.child("asset")
        if version is None or not version.text("version", "").startswith("2."):
            found = None if version is None else version.value.get("version")
            raise Broken(f"its asset.version must be 2.0; it is {found!r}")
        least = version.text("minVersion", "2.0")
        if least != "2.0":
            raise Refused(f"must be readable as glTF 2.0; it wants {least!r}; export it as 2.0.")
        self._items: dict[str, list[Tree]] = {}
        self._buffers: dict[int, memoryview] = {}

    def items(self, key: str) -> list[Tree]:
        """The objects of a top array, e.g. `nodes`."""
        if key not in self._items:
            self._items[key] = self.root.children(key)
        return self._items[key]

    def pick(self, key: str, index: int, where: str) -> Tree:
        items = self.items(key)
        if index >= len(items):
            raise Broken(f"{where} is {index}, but it has {len(items)} {key}")
        return items[index]

    def refer(self, tree: Tree, name: str, key: str) -> Tree | None:
        """What `tree`'s property `name` means in the top array `key`; None where it is missing."""
        return self.pick(key, tree.whole(name), tree.place(name)) if tree.has(name) else None

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def weight(self) -> int:
        """The bytes of this file and of the buffers beside it, as they are, not as they say."""
        weight = self.size
        for buffer in self.items("buffers"):
            if buffer.has("uri") and not buffer.text("uri", "").startswith("data:"):
                weight += min(buffer.whole("byteLength"), self.file_of(buffer).stat().st_size)
        return weight

    def slice(self, view: Tree) -> memoryview:
        """The bytes that a bufferView, or an extension made like one, means."""
        buffer = self.refer(view, "buffer", "buffers")
        if buffer is None:
            raise Broken(f"{view.place('buffer')} is missing")
        content = self._buffer(buffer)
        start, size = view.whole("byteOffset", 0), view.whole("byteLength")
        if start + size > len(content):
            raise Broken(
                f"{view.where} ends at byte {start + size} of {buffer.where}, which has {len(content)}"
            )
        return content[start : start + size]

    def _buffer(self, buffer: Tree) -> memoryview:
        if buffer.index in self._buffers:
            return self._buffers[buffer.index]
        size = buffer.whole("byteLength")
        if buffer.has("uri"):
            content = self.fetch(buffer, size)
        elif buffer.index == 0 and self.binary is not None:
            content = self.binary
        else:
            raise Broken(f"{buffer.where} has neither a uri nor a binary chunk")
        if len(content) < size:
            raise Broken(f"{buffer.where} has {len(content)} of {size} bytes")
        self._buffers[buffer.index] = memoryview(content)[:size]
        return self._buffers[buffer.index]

    def fetch(self, owner: Tree, size: int | None = None) -> bytes | memoryview:
        """What `owner.uri` leads to, `size` bytes at most."""
        uri = owner.text("uri", "")
        if uri.startswith("data:"):
            return _data_uri(uri, owner.place("uri"))
        file = self.file_of(owner)
        with file.open("rb") as stream:
            # a wrong size must not reserve memory: no more than there is
            return stream.read(
                file.stat().st_size if size is None else min(size, file.stat().st_size)
            )

    def file_of(self, owner: Tree) -> Path:
        """The file that `owner.uri` names, beside this one: percent-encoded or not, \\ or /."""
        uri = owner.text("uri", "")
        if "://" in uri:
            raise Refused(
                f"must name files beside it; {owner.place('uri')} is {uri[:60]!r}; "
                "fetch it and name the copy."
            )
        for name in dict.fromkeys((uri, unquote(uri), unquote(uri).replace("\\", "/"))):
            file = self.path.parent / name
            try:
                if name and file.is_file():
                    return file
            except (OSError, ValueError):  # longer than a name may be; a zero byte
                continue
        missing = f"{owner.place('uri')} is {uri[:200]!r}, and there is no such file beside it"
        raise FileNotFoundError(missing)


def _chunks(content: bytes, plain: bool) -> tuple[bytes | memoryview, memoryview | None]:
    """(JSON text, binary chunk); `plain`: the file may be JSON from its first byte on."""
    size = len(content)
    if size == 0:
        raise Broken("it is empty")
    if plain and content[:4] != b"glTF":
        return content, None
    if content[:4] != b"glTF"[:size]:
        raise Broken(f"it begins with {content[:4]!r}, not with b'glTF'")
    if size < _HEADER.size:
        raise Broken(f"it ends after {size} bytes, within its header")
    _, version, length, json_length, json_kind = _HEADER.unpack_from(content)
    if version != 2:
        raise Broken(f"it is glTF of version {version}, not 2")
    if size < length:
        raise Broken(f"it ends after {size} of {length} bytes")
    if json_kind != b"JSON" or json_length > size - _HEADER.size:
        raise Broken("its first chunk is not JSON")
    whole = memoryview(content)
    at = _HEADER.size + json_length
    text = whole[_HEADER.size : at]
    if at + _CHUNK.size > length:
        return text, None
    chunk_length, kind = _CHUNK.unpack_from(content, at)
    if kind != b"BIN\0":  # a chunk of an extension: whatever it is, it is none of glTF's
        return text, None
    at += _CHUNK.size
    if chunk_length > size - at:
        raise Broken(f"its binary chunk has {size - at} of {chunk_length} bytes")
    return text, whole[at : at + chunk_length]


def _parsed(text: bytes | memoryview) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number of JSON")

    try:
        # some writers fill the chunk up with zeros instead of blanks
        words = bytes(text).rstrip(b"\0").decode("utf-8-sig")
        return json.loads(words, parse_constant=refuse)
    except ValueError as error:
        raise Broken(f"its JSON cannot be read ({str(error)[:120]})") from None
    except RecursionError:
        raise Broken("its JSON cannot be read (it is nested too deep)") from None


def _data_uri(uri: str, where: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise Broken(f"{where} is a data URI without a comma")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote(body), validate=False)
    except (binascii.Error, ValueError) as error:
        raise Broken(f"{where} is no base64 ({error})") from None
