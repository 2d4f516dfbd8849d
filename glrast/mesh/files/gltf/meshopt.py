"""EXT_meshopt_compression and KHR_meshopt_compression: bufferViews unpacked, from the extensions' appendices.

Written here since the decoders on PyPI are new bindings that few use, and the formats are short. `TRIANGLES` and
`INDICES` are read number by number: a million triangles take a few seconds.
"""

from __future__ import annotations

import numpy as np

from .meshopt_filters import FILTERS
from .meshopt_indices import sequence, triangles
from .tree import Broken, Tree

NAMES = ("EXT_meshopt_compression", "KHR_meshopt_compression")
_GROUP = 16  # elements
_TAILS = {0xA0: 32, 0xA1: 24}  # the first byte says the version; the tail's least length


def extension_of(view: Tree) -> Tree | None:
    """The extension's object where the bufferView is compressed."""
    found = [view.extension(name) for name in NAMES]
    return next((extension for extension in found if extension is not None), None)


def unpack(content: memoryview, extension: Tree) -> memoryview:
    """The bytes of the bufferView."""
    count, stride = extension.whole("count"), extension.whole("byteStride")
    mode, name = extension.text("mode", ""), extension.text("filter", "NONE")
    data = bytes(content)
    try:
        if mode == "ATTRIBUTES":
            if not 0 < stride <= 256 or stride % 4:
                raise Broken(
                    f"{extension.place('byteStride')} must be 4, 8, ... 256; it is {stride}"
                )
            values = _attributes(data, count, stride)
        elif mode in ("TRIANGLES", "INDICES"):
            if stride not in (2, 4) or name != "NONE":
                raise Broken(f"{extension.where} must have byteStride 2 or 4 and no filter")
            index = triangles(data, count) if mode == "TRIANGLES" else sequence(data, count)
            return memoryview(index.astype("<u2" if stride == 2 else "<u4").tobytes())
        else:
            raise Broken(
                f"{extension.place('mode')} must be ATTRIBUTES, TRIANGLES or INDICES; it is {mode!r}"
            )
    except IndexError:
        raise Broken(f"{extension.where} ends before its {count} elements") from None
    if name == "NONE":
        return memoryview(values.tobytes())
    if name not in FILTERS:
        raise Broken(
            f"{extension.place('filter')} must be one of {', '.join(FILTERS)}; it is {name!r}"
        )
    strides, decode = FILTERS[name]
    if stride not in strides:
        raise Broken(f"{extension.place('byteStride')} is {stride}, which {name} does not allow")
    return memoryview(decode(values).tobytes())


def _attributes(data: bytes, count: int, stride: int) -> np.ndarray:
    """uint8 [count,stride]: blocks of elements, byte by byte, as differences from the element before."""
    version = data[0]
    if version not in _TAILS:
        raise Broken(f"a meshopt stream must begin with 0xa0 or 0xa1; it begins with {version:#x}")
    modes = stride // 4 if version == 0xA1 else 0
    tail = len(data) - max(stride + modes, _TAILS[version])
    first = len(data) - stride - modes
    channels = data[first + stride :] or bytes(stride // 4)
    block = min(8192 // stride & ~15, 256)
    # the headers alone take this: a count that cannot be meant reserves no memory
    least = -(-count // block) * (modes or stride)
    if tail < 1 or least > len(data):
        raise IndexError
    last = np.frombuffer(data, np.uint8, stride, first)
    values = np.empty((count, stride), np.uint8)
    at = 1
    for start in range(0, count, block):
        size = min(block, count - start)
        planes, at = _block(data, at, tail, size, stride, bool(modes))
        values[start : start + size] = _summed(planes, last, channels)
        last = values[start + size - 1]
    if at != tail:
        raise Broken(f"a meshopt stream has {tail - at} bytes too many")
    return values


def _block(
    data: bytes, at: int, end: int, size: int, stride: int, controlled: bool
) -> tuple[np.ndarray, int]:
    """(differences [stride,size], a row for each byte of an element; where the block ends)."""
    groups = -(-size // _GROUP)
    control = bytes(stride // 4)
    if controlled:
        control, at = data[at : at + stride // 4], at + stride // 4
    planes = np.zeros((stride, groups * _GROUP), np.uint8)
    for k in range(stride):
        mode = control[k // 4] >> 2 * (k % 4) & 3
        if controlled and mode == 2:
            continue
        if controlled and mode == 3:
            row = np.frombuffer(data[at : min(at + size, end)], np.uint8)
            planes[k, :size] = _whole(row, size)
            at += size
            continue
        widths = ((0, 1, 2, 4) if mode == 0 else (1, 2, 4, 8)) if controlled else (0, 2, 4, 8)
        header, at = data[at : at + -(-groups // 4)], at + -(-groups // 4)
        for group in range(groups):
            bits = widths[header[group // 4] >> 2 * (group % 4) & 3]
            if bits:
                row = planes[k, group * _GROUP : (group + 1) * _GROUP]
                at = _deltas(data, at, end, bits, row)
    if at > end:
        raise IndexError
    return planes[:, :size], at


def _deltas(data: bytes, at: int, end: int, bits: int, row: np.ndarray) -> int:
    """Fills 16 values of `bits` each; one with all bits set stands, whole, behind them."""
    size = 2 * bits
    packed = _whole(np.frombuffer(data[at : min(at + size, end)], np.uint8), size)
    at += size
    if bits == 8:
        row[:] = packed
        return at
    shifts = np.arange(0, 8, bits) if bits == 1 else np.arange(8 - bits, -1, -bits)
    row[:] = (packed[:, None] >> shifts & (1 << bits) - 1).reshape(-1)
    far = np.flatnonzero(row == (1 << bits) - 1)
    row[far] = _whole(np.frombuffer(data[at : min(at + len(far), end)], np.uint8), len(far))
    return at + len(far)


def _summed(planes: np.ndarray, last: np.ndarray, channels: bytes) -> np.ndarray:
    """uint8 [size,stride] from differences [stride,size]; four bytes in a row are a channel."""
    size = planes.shape[1]
    values = np.empty((size, len(last)), np.uint8)
    for channel, mode in enumerate(channels):
        part = slice(4 * channel, 4 * channel + 4)
        delta = np.ascontiguousarray(planes[part].T)
        before = np.ascontiguousarray(last[part])
        if mode & 15 == 2:
            wide = delta.view("<u4")[:, 0]
            turn = np.uint32(mode >> 4)  # the packer turned bits to the left
            wide = wide >> turn | wide << (np.uint32(32) - turn & np.uint32(31))
            found = np.bitwise_xor.accumulate(np.concatenate([before.view("<u4"), wide]))[1:]
        elif mode in (0, 1):
            kind = np.dtype("u1" if mode == 0 else "<u2")
            wide = delta.view(kind)
            wide = np.where(wide & 1, ~(wide >> 1), wide >> 1).astype(kind)
            start = before.view(kind)
            found = (start + np.cumsum(wide, axis=0, dtype=kind)).astype(kind)
        else:
            raise Broken(f"a meshopt stream has a channel of mode {mode:#x}")
        values[:, part] = np.ascontiguousarray(found).view(np.uint8).reshape(size, 4)
    return values


def _whole(row: np.ndarray, size: int) -> np.ndarray:
    if len(row) < size:
        raise IndexError
    return row
