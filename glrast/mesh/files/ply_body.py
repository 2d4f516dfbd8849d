"""The tables of a ply file: a column for each property, in the machine's byte order."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .lines import first_bad_number, numbers, plain_text, tokens_per_line
from .ply_header import Element, Header, Property


@dataclass
class Lists:
    """A list for each row."""

    lengths: np.ndarray  # int64 [rows]
    values: np.ndarray  # all of them, one list after the other

    @property
    def starts(self) -> np.ndarray:
        """int64 [rows]"""
        return np.cumsum(self.lengths) - self.lengths


Column = np.ndarray | Lists
Tables = dict[str, dict[str, Column]]


def read_body(content: bytes, header: Header) -> tuple[Tables, int]:
    """The tables by element and property, and how many bytes or lines follow them.

    Raises ValueError with what is wrong. No more memory is taken than a few times the file's size.
    """
    if header.order == "":
        return _from_text(content[header.size :], header)
    return _from_bytes(content, header)


# --- text


def _from_text(body: bytes, header: Header) -> tuple[Tables, int]:
    text = re.sub(rb"(?m)^[ \t]*(?:comment|obj_info)\b[^\n]*$", b"", plain_text(body))
    widths = tokens_per_line(text) if text else np.zeros(0, dtype=np.int64)
    lines = np.flatnonzero(widths)  # those that are not blank
    widths = widths[lines]
    rows = sum(element.rows for element in header.elements if element.properties)
    total = int(widths.sum())
    if rows > len(widths):
        raise ValueError(_too_short(header, len(widths)))
    values = numbers(text, total, float)
    if values is None:
        tokens = text.split()
        at, words = first_bad_number(tokens)
        if at >= 0:
            row = int(np.searchsorted(np.cumsum(widths), at, side="right"))
            raise ValueError(f"line {lines[row] + 1} after its header: {words}")
        values = np.array(list(map(float, tokens)))
    tables: Tables = {}
    first = 0
    starts = np.cumsum(widths) - widths
    for element in header.elements:
        count = element.rows if element.properties else 0
        mine = slice(first, first + count)
        tables[element.name] = _table_of_text(element, values, starts[mine], widths[mine])
        first += count
    return tables, len(widths) - first


def _table_of_text(
    element: Element, values: np.ndarray, starts: np.ndarray, widths: np.ndarray
) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    at, ends = starts.copy(), starts + widths
    for prop in element.properties:
        _within(element, at, ends, starts, widths)
        here = values[at]
        at += 1
        if prop.count is None:
            columns[prop.name] = _typed(element, prop, prop.type, here)
            continue
        lengths = _typed(element, prop, prop.count, here).astype(np.int64)
        _no_negative(element, prop, lengths)
        _within(element, at + lengths - 1, ends, starts, widths)
        inside = values[_ranges(at, lengths)]
        columns[prop.name] = Lists(lengths, _typed(element, prop, prop.type, inside))
        at += lengths
    _within(element, at, ends, starts, widths, exactly=True)
    return columns


def _within(
    element: Element,
    at: np.ndarray,
    ends: np.ndarray,
    starts: np.ndarray,
    widths: np.ndarray,
    exactly: bool = False,
) -> None:
    """That each row has the numbers its properties ask for."""
    bad = at != ends if exactly else at >= ends
    if bad.any():
        row = int(bad.argmax())
        wanted = f"{at[row] - starts[row]}" if exactly else "more"
        raise ValueError(
            f"row {row} of its element {element.name} has {widths[row]} numbers; its properties want {wanted}"
        )


def _typed(element: Element, prop: Property, dtype: str, values: np.ndarray) -> np.ndarray:
    """The numbers as the header's type; one that does not fit is no such number."""
    if dtype[0] == "f":
        return values  # text has its own digits
    limits = np.iinfo(dtype)
    low, high = (limits.min, limits.max) if dtype[1] != "8" else (-(2.0**53), 2.0**53)
    bad = ~((values >= low) & (values <= high) & (values == np.round(values)))
    if bad.any():
        raise ValueError(
            f"its property {prop.name} of {element.name} holds {values[bad.argmax()]:g}, "
            f"which is no {np.dtype(dtype).name}"
        )
    return values.astype(dtype)


# --- binary


def _from_bytes(body: bytes, header: Header) -> tuple[Tables, int]:
    least = sum(e.rows * sum(_size(p) for p in e.properties) for e in header.elements)
    at = header.size
    if least > len(body) - at:
        raise ValueError(_too_short(header, len(body) - at, least))
    tables: Tables = {}
    for element in header.elements:
        read = _rows if any(p.count for p in element.properties) else _plain_rows
        tables[element.name], at = read(element, body, at, header.order)
    rest = body[at:]
    return tables, len(rest) if rest.strip(b"\0 \t\r\n") else 0


def _size(prop: Property) -> int:
    return int((prop.count or prop.type)[1])


def _plain_rows(
    element: Element, body: bytes, at: int, order: str
) -> tuple[dict[str, Column], int]:
    """Rows without lists are one array."""
    dtype = np.dtype([(p.name, order + p.type) for p in element.properties])
    end = at + element.rows * dtype.itemsize
    if end > len(body):
        raise ValueError(_ends_within(element, (len(body) - at) // max(dtype.itemsize, 1)))
    if not dtype.itemsize:
        return {}, at
    rows = np.frombuffer(body, dtype, element.rows, at)
    return {p.name: _native(rows[p.name]) for p in element.properties}, end


def _rows(element: Element, body: bytes, at: int, order: str) -> tuple[dict[str, Column], int]:
    """Rows with lists: one array if all are as long as the first, else row by row."""
    fields, names = [], []
    first = _walk(element, body, at, order, min(element.rows, 1))[1]
    for i, prop in enumerate(element.properties):
        if prop.count is None:
            fields.append((f"v{i}", order + prop.type))
        else:
            length = int(first[i][0]) if element.rows else 0
            fields += [(f"n{i}", order + prop.count), (f"v{i}", order + prop.type, (length,))]
            names.append((f"n{i}", length))
    dtype = np.dtype(fields)
    end = at + element.rows * dtype.itemsize
    if end <= len(body):
        rows = np.frombuffer(body, dtype, element.rows, at)
        if all((rows[name] == length).all() for name, length in names):
            found: dict[str, Column] = {}
            for i, prop in enumerate(element.properties):
                column = _native(rows[f"v{i}"])
                if prop.count is not None:
                    lengths = np.full(element.rows, column.shape[1], dtype=np.int64)
                    column = Lists(lengths, column.reshape(-1))
                found[prop.name] = column
            return found, end
    return _uneven_rows(element, body, at, order)


def _uneven_rows(
    element: Element, body: bytes, at: int, order: str
) -> tuple[dict[str, Column], int]:
    starts, lengths, end = _walk(element, body, at, order, element.rows)
    found: dict[str, Column] = {}
    for i, prop in enumerate(element.properties):
        size = int(prop.type[1])
        begin = np.array(starts[i], dtype=np.int64)
        n = np.array(lengths[i], dtype=np.int64)
        where = begin if prop.count is None else _ranges(begin, n, size)
        # a value may begin at any byte: a view that steps by one
        steps = max(len(body) - size + 1, 0)
        view = np.ndarray((steps,), order + prop.type, body, 0, (1,))
        values = _native(view[where])
        found[prop.name] = values if prop.count is None else Lists(n, values)
    return found, end


def _walk(
    element: Element, body: bytes, at: int, order: str, rows: int
) -> tuple[list[list[int]], list[list[int]], int]:
    """Where each property's values begin in each row, how many they are, and where the rows end."""
    starts: list[list[int]] = [[] for _ in element.properties]
    lengths: list[list[int]] = [[] for _ in element.properties]
    endian = "big" if order == ">" else "little"
    plan = [
        (
            starts[i],
            lengths[i],
            int(p.type[1]),
            int(p.count[1]) if p.count else 0,
            (p.count or "")[:1] == "i",
        )
        for i, p in enumerate(element.properties)
    ]
    for row in range(rows):
        for begins, counts, size, count_size, signed in plan:
            n = 1
            if count_size:
                n = int.from_bytes(body[at : at + count_size], endian, signed=signed)
                at += count_size
                if n < 0:
                    raise ValueError(
                        f"row {row} of its element {element.name} has a list of {n} values"
                    )
            begins.append(at)
            counts.append(n)
            at += n * size
        if at > len(body):
            raise ValueError(_ends_within(element, row))
    return starts, lengths, at


def _native(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))


# --- both


def _ranges(starts: np.ndarray, lengths: np.ndarray, step: int = 1) -> np.ndarray:
    """starts[i] + step * (0 .. lengths[i] - 1), one after the other."""
    total = int(lengths.sum())
    within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + step * within


def _no_negative(element: Element, prop: Property, lengths: np.ndarray) -> None:
    if (lengths < 0).any():
        row = int((lengths < 0).argmax())
        raise ValueError(
            f"row {row} of its element {element.name} has a list of {lengths[row]} values"
        )


def _ends_within(element: Element, row: int) -> str:
    return f"it ends within row {row} of the {element.rows} of its element {element.name}"


def _too_short(header: Header, found: int, least: int | None = None) -> str:
    if not found:
        return "it ends with its header"
    counts = ", ".join(f"{e.rows} x {e.name}" for e in header.elements)
    if least is None:
        return f"it has {found} rows after its header, which names {counts}"
    return f"it has {found} bytes after its header, which names {counts}: {least} or more"
