"""Index streams of the meshopt extensions: triangles through queues of edges and vertices, and plain sequences."""

from __future__ import annotations

import numpy as np

from .tree import Broken

_WORD = 0xFFFFFFFF


class _Stream:
    """Numbers of 7 bits a byte, up to `end`."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end
        self.last = 0

    def byte(self) -> int:
        if self.at >= self.end:
            raise IndexError
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while shift < 35:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value & _WORD
            shift += 7
        raise Broken("a meshopt stream has a number of more than five bytes")

    def index(self) -> int:
        value = self.number()
        self.last = self.last + (~(value >> 1) if value & 1 else value >> 1) & _WORD
        return self.last


def sequence(data: bytes, count: int) -> np.ndarray:
    """uint32 [count]: each a step from the last one of its kind, of which there are two."""
    _check_head(data, 0xD1, count + 5)
    stream = _Stream(data, 1, len(data) - 4)
    last = [0, 0]
    values = np.empty(count, np.uint32)
    for i in range(count):
        value = stream.number()
        kind = value & 1
        last[kind] = last[kind] + (~(value >> 2) if value & 2 else value >> 2) & _WORD
        values[i] = last[kind]
    return _ended(values, stream)


def triangles(data: bytes, count: int) -> np.ndarray:
    """uint32 [count]: a byte says how a triangle hangs on the edges and vertices seen lately."""
    if count % 3:
        raise Broken(f"a meshopt stream of triangles must count threes; it counts {count}")
    T = count // 3
    _check_head(data, 0xE1, T + 17)
    table = data[-16:]
    stream = _Stream(data, 1 + T, len(data) - 16)
    edges: list[tuple[int, int]] = []  # all, the latest last: queues of 16 read no further back
    vertices: list[int] = []
    fresh = 0
    values = np.empty((T, 3), np.uint32)

    def corner(code: int) -> int:
        """0 is the next new vertex, 15 one written out, any other one seen lately."""
        nonlocal fresh
        if code == 0:
            fresh += 1
            return fresh - 1
        return stream.index() if code == 15 else vertices[-code]

    for i in range(T):
        code = data[1 + i]
        high, low = code >> 4, code & 15
        if high < 15:
            a, b = edges[-1 - high]
            if low in (13, 14):
                c = stream.last = stream.last + (1 if low == 14 else -1) & _WORD
            elif low in (0, 15):
                c = corner(low)
            else:
                c = vertices[-1 - low]
            edges += ((c, b), (a, c))
            if low == 0 or low > 12:
                vertices.append(c)
        else:
            more = table[low] if low < 14 else stream.byte()
            if low >= 14 and more == 0:
                fresh = 0
            z, w = more >> 4, more & 15
            if low < 14 and 15 in (z, w):
                raise Broken("a meshopt stream's table of vertices must hold no 0xf")
            a, b, c = corner(15 if low == 15 else 0), corner(z), corner(w)
            edges += ((b, a), (c, b), (a, c))
            vertices.append(a)
            vertices += [x for x, how in ((b, z), (c, w)) if how in (0, 15)]
        values[i] = a & _WORD, b, c
        if len(edges) > 4096:
            del edges[:-16], vertices[:-16]
    return _ended(values.reshape(-1), stream)


def _check_head(data: bytes, head: int, least: int) -> None:
    if data[0] != head:
        raise Broken(f"a meshopt stream must begin with {head:#x}; it begins with {data[0]:#x}")
    if len(data) < least:
        raise IndexError


def _ended(values: np.ndarray, stream: _Stream) -> np.ndarray:
    if stream.at != stream.end:
        raise Broken(f"a meshopt stream has {stream.end - stream.at} bytes too many")
    return values
