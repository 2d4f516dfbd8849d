"""The lines of an obj file as arrays: numbers in float64, corners as indices from 0, names with the line they are on.

All lines of a kind are converted at once, since a million calls of split() take longer than all the rest. Where that
fails, the first wrong line is looked for and named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from .lines import (
    first_bad_number,
    is_space,
    joined_lines,
    line_starts,
    marks_per_token,
    name_text,
    numbers,
    plain_text,
    show,
    tokens_per_line,
    without_comments,
)

ROWS = {b"v": 3, b"vt": 1, b"vn": 3}  # the fewest numbers of a line
# Lines without a triangle in them: names, smoothing, display; points and polylines have no area.
IGNORED = frozenset(
    b"o g s mg l p usemap maplib bevel c_interp d_interp lod shadow_obj trace_obj vp".split()
)
# Free-form curves and surfaces; their points may be the mesh's too.
FREE_FORM = frozenset(
    b"cstype deg bmat step curv curv2 surf parm trim hole scrv sp end con ctech stech "
    b"bsp bzp cdc cdp res".split()
)


@dataclass
class Table:
    """The numbers of all lines of one kind."""

    values: np.ndarray  # float64 [numbers]
    widths: np.ndarray  # int64 [lines]
    lines: np.ndarray  # int64 [lines], the number of each in the file, from 0

    def column(self, first: int, width: int, fill: float = 0.0) -> np.ndarray:
        """float64 [lines, width], the numbers of each line from `first` on."""
        if not len(self.widths):
            return np.zeros((0, width))
        if (self.widths == self.widths[0]).all() and self.widths[0] >= first + width:
            return self.values.reshape(len(self.widths), -1)[:, first : first + width]
        at = (np.cumsum(self.widths) - self.widths)[:, None] + first + np.arange(width)
        there = first + np.arange(width) < self.widths[:, None]
        return np.where(there, self.values[np.where(there, at, 0)], fill)


@dataclass
class ObjLines:
    """What a file says."""

    path: Path
    text: bytes
    starts: np.ndarray  # int64 [L], where each line of text begins
    rows: dict[bytes, Table] = field(default_factory=dict)
    # int64 [C,3]: v, vt, vn of each corner, from 0; -1 for none
    corners: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    # int64 [F]: how many corners each face has, and its line
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    face_lines: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    libraries: list[tuple[int, str]] = field(default_factory=list)  # (line, what follows mtllib)
    materials: list[tuple[int, str]] = field(default_factory=list)  # (line, what follows usemtl)
    free_form: str = ""  # the first line of it
    unknown: str = ""  # the first line that is none of an obj file
    unknown_count: int = 0

    def line(self, number: int) -> bytes:
        """The text of one line, counted from 0."""
        start = int(self.starts[number])
        return self.text[start : self.text.index(b"\n", start)]

    def refuse(self, line: int, wrong: str) -> NoReturn:
        """Raise, naming the line and what stands there."""
        raise ValueError(
            f"glrast.clip.load_mesh: {self.path}:{line + 1}: {wrong}; "
            f"got {show(self.line(line).strip())}; fix the line or export the mesh again."
        )


def read_lines(path: Path) -> ObjLines:
    """The file's lines."""
    text = joined_lines(plain_text(path.read_bytes()))
    starts, kinds, text = _kinds(text)
    found = ObjLines(path, text, starts)
    for key, least in ROWS.items():
        found.rows[key] = _table(found, key, np.flatnonzero(kinds == _CODES[key]), least)
    _faces(found, np.flatnonzero(kinds == _CODES[b"f"]))
    for line in np.flatnonzero(kinds == _OTHER).tolist():
        _other(found, line)
    return found


_CODES = {b"v": 1, b"vt": 2, b"vn": 3, b"f": 4}
_OTHER = 5


def _kinds(text: bytes) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Where each line begins, its kind (0: blank or a comment), and the text without blanks before its lines."""
    starts = line_starts(text)
    code = np.frombuffer(text + b"\n\n\n", dtype=np.uint8)
    if len(starts) and (is_space(code[starts]) & (code[starts] != 10)).any():
        text = b"\n".join(line.lstrip(b" \t\v\f") for line in text.split(b"\n"))
        return _kinds(text)
    one, two, three = code[starts], code[starts + 1], code[starts + 2]
    kinds = np.full(len(starts), _OTHER, dtype=np.uint8)
    kinds[(one == 10) | (one == ord("#"))] = 0
    kinds[(one == ord("v")) & is_space(two)] = _CODES[b"v"]
    kinds[(one == ord("v")) & (two == ord("t")) & is_space(three)] = _CODES[b"vt"]
    kinds[(one == ord("v")) & (two == ord("n")) & is_space(three)] = _CODES[b"vn"]
    # fo is how the first version of the format called a face
    kinds[(one == ord("f")) & (is_space(two) | ((two == ord("o")) & is_space(three)))] = 4
    return starts, kinds, text


def _of_lines(found: ObjLines, lines: np.ndarray) -> bytes:
    """The text of these lines, comments away."""
    lengths = np.diff(found.starts, append=len(found.text))
    chosen = np.zeros(len(lengths), dtype=bool)
    chosen[lines] = True
    if chosen.all():
        return without_comments(found.text)
    mask = np.repeat(chosen, lengths)
    return without_comments(np.frombuffer(found.text, dtype=np.uint8)[mask].tobytes())


def _without_keys(text: bytes) -> tuple[bytes, np.ndarray]:
    """Lines without their first tokens, of two letters at most, and how many others each has."""
    widths = tokens_per_line(text) - 1
    code = np.frombuffer(text, dtype=np.uint8).copy()
    starts = line_starts(text)
    code[starts] = ord(" ")
    second = code[starts + 1]
    code[starts + 1] = np.where(is_space(second), second, ord(" "))
    return code.tobytes(), widths


def _table(found: ObjLines, key: bytes, lines: np.ndarray, least: int) -> Table:
    if not len(lines):
        return Table(np.zeros(0), np.zeros(0, dtype=np.int64), lines)
    text, widths = _without_keys(_of_lines(found, lines))
    values = numbers(text, int(widths.sum()), float)
    if values is None:
        tokens = text.split()
        at, words = first_bad_number(tokens)
        if at >= 0:
            found.refuse(int(lines[np.searchsorted(np.cumsum(widths), at, side="right")]), words)
        values = np.array(list(map(float, tokens)))
    short = np.flatnonzero(widths < least)
    if len(short):
        found.refuse(int(lines[short[0]]), _TOO_FEW[key])
    return Table(values, widths, lines)


_TOO_FEW = {
    b"v": "v and vn must have three numbers or more",
    b"vn": "v and vn must have three numbers or more",
    b"vt": "vt must have a number or two",
}


def _faces(found: ObjLines, lines: np.ndarray) -> None:
    found.face_lines = lines
    if not len(lines):
        return
    text, found.counts = _without_keys(_of_lines(found, lines))
    short = np.flatnonzero(found.counts < 3)
    if len(short):
        got = found.counts[short[0]]
        found.refuse(int(lines[short[0]]), f"a face must have 3 corners or more; got {got}")
    owner = np.repeat(lines, found.counts)
    given = _given(found, text, owner)
    for column, key in enumerate(ROWS):
        index, rows = given[:, column], found.rows[key].lines
        before = np.searchsorted(rows, owner) if (index < 0).any() else 0
        at = np.where(index > 0, index - 1, np.where(index < 0, before + index, -1))
        bad = (at >= len(rows)) | ((at < 0) & (index != 0))
        if bad.any():
            found.refuse(int(owner[bad.argmax()]), _out_of_range(key, len(rows)))
        given[:, column] = at
    found.corners = given


def _given(found: ObjLines, text: bytes, owner: np.ndarray) -> np.ndarray:
    """int64 [C,3], the numbers as they stand in the file, 0 for none."""
    slashes = marks_per_token(text, b"/")
    n = int(slashes[0])
    if n <= 2 and (slashes == n).all():
        gaps = text.count(b"//") if n == 2 else 0
        plain = (text.replace(b"//", b"/0/") if gaps else text).replace(b"/", b" ")
        values = numbers(plain, (n + 1) * len(owner), np.int64)
        if values is not None and np.count_nonzero(values == 0) == gaps:  # no 0 but those put in
            return np.pad(values.reshape(-1, n + 1), ((0, 0), (0, 2 - n)))
    tokens = text.split()
    distinct: dict[bytes, int] = {}
    which = [distinct.setdefault(token, len(distinct)) for token in tokens]
    rows = []
    for token in distinct:
        try:
            rows.append(_corner(found, token))
        except ValueError as error:
            found.refuse(int(owner[tokens.index(token)]), str(error))
    return np.array(rows, dtype=np.int64)[which]


def _corner(found: ObjLines, token: bytes) -> tuple[int, int, int]:
    """The numbers of "7", "7/8", "7//9" or "7/8/9", 0 for none."""
    parts = token.split(b"/")
    if len(parts) > 3:
        raise ValueError(f"a corner must be v/vt/vn; got {show(token)}")
    numbers = []
    for key, part in zip(ROWS, [*parts, b"", b""]):
        if (part or key == b"v") and not re.fullmatch(rb"[+-]?\d{1,18}", part):
            raise ValueError(f"invalid literal for int: {show(part)}")
        number = int(part or b"0")
        if abs(number) > len(found.rows[key].lines) or (number == 0 and part):
            raise ValueError(_out_of_range(key, len(found.rows[key].lines)))
        numbers.append(number)
    return numbers[0], numbers[1], numbers[2]


def _out_of_range(key: bytes, rows: int) -> str:
    return f"{key.decode()} index must be from 1 to {rows}"


def _other(found: ObjLines, line: int) -> None:
    """A line with a name, or one that is left out."""
    text = found.line(line)
    words = text.split(None, 1)
    key, rest = words[0], name_text(words[1].strip()) if len(words) > 1 else ""
    if key == b"mtllib":
        found.libraries.append((line, rest))
    elif key == b"usemtl":
        found.materials.append((line, rest))
    elif key in FREE_FORM:
        if key in (b"curv", b"surf", b"bsp", b"bzp", b"cdc", b"cdp"):
            found.free_form = found.free_form or f"line {line + 1} is {show(text)}"
    elif key not in IGNORED:
        found.unknown_count += 1
        found.unknown = found.unknown or f"line {line + 1} is {show(text)}"
