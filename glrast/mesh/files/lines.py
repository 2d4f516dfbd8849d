"""Text as lines of tokens, looked at as arrays of bytes: a million lines must not be a million calls.

Bytes, not str: a blank, tab, vertical tab and form feed are white space here and nothing else is, so a name keeps
its no-break space and a number written in other digits is refused.
"""

from __future__ import annotations

import codecs
import re
import warnings

import numpy as np

BLANKS = b" \t\v\f"
_IS_SPACE = np.zeros(256, dtype=bool)
_IS_SPACE[list(BLANKS + b"\n")] = True
_LINE_END = 10


def plain_text(content: bytes) -> bytes:
    """UTF-8 without a byte order mark, each line ended by one \\n, from what text editors of all systems write."""
    for mark, coding in (
        (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does, so it is looked for first
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            content = content.decode(coding, errors="replace").encode("utf-8", errors="replace")
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content if content.endswith(b"\n") or not content else content + b"\n"


def joined_lines(text: bytes) -> bytes:
    """Lines that end in a backslash made one with the next; empty lines keep the others' numbers.

    A comment is not continued: one that ends in a folder's name would swallow the line below it.
    """
    if b"\\\n" not in text:
        return text
    lines, held, owed = [], b"", 0
    for line in text.split(b"\n"):
        line = held + line
        held = b""
        if line.endswith(b"\\") and not line.lstrip(BLANKS).startswith(b"#"):
            held, owed = line[:-1] + b" ", owed + 1
            continue
        lines += [line] + [b""] * owed
        owed = 0
    return b"\n".join(lines + ([held] if held else [])) + (b"\n" if held else b"")


def name_text(name: bytes) -> str:
    """A name as text: UTF-8, or what Western editors wrote before it."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def line_starts(text: bytes) -> np.ndarray:
    """int64 [L], where each line begins; the text ends in \\n."""
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _LINE_END)
    return np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends


def token_starts(text: bytes) -> np.ndarray:
    """int64 [tokens], where each begins."""
    space = _IS_SPACE[np.frombuffer(text, dtype=np.uint8)]
    begins = ~space
    begins[1:] &= space[:-1]
    return np.flatnonzero(begins)


def tokens_per_line(text: bytes) -> np.ndarray:
    """int64 [L]; the text ends in \\n."""
    at = token_starts(text)
    return np.diff(np.searchsorted(at, line_starts(text)), append=len(at))


def marks_per_token(text: bytes, mark: bytes) -> np.ndarray:
    """int64 [tokens], how often the byte `mark`, which is no white space, stands in each."""
    marks = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == mark[0])
    return np.diff(np.searchsorted(marks, token_starts(text)), append=len(marks))


def numbers(text: bytes, count: int, dtype: type) -> np.ndarray | None:
    """The numbers of `text` [count], between white space; None where it holds others, or something else.

    NumPy reads "1-2" as two numbers and stops where there is none, so the count tells all.
    """
    if not count:
        return np.zeros(0, dtype=dtype) if not text.strip() else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what is no number
            found = np.fromstring(text, dtype=dtype, sep=" ")
    except ValueError:
        return None
    return found if len(found) == count else None


def without_comments(text: bytes) -> bytes:
    """All from a # to the end of its line taken away."""
    return re.sub(rb"#[^\n]*", b"", text) if b"#" in text else text


def is_space(code: np.ndarray) -> np.ndarray:
    """bool, of bytes as uint8."""
    return _IS_SPACE[code]


def first_bad_number(tokens: list[bytes]) -> tuple[int, str]:
    """Which token is no number (-1 if all are), and what is wrong with it."""
    for i, token in enumerate(tokens):
        try:
            wrong = b"_" in token  # Python's digit groups
            float(token)
        except ValueError:
            wrong = True
        if wrong:
            return i, f"could not convert string to float: {show(token)}"
    return -1, ""


def show(token: bytes) -> str:
    """A piece of a broken file, short enough for a message."""
    text = token.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 60 else text[:57] + "...")
