"""A glTF file's JSON, asked for what it must hold: a wrong type, sign or length is named with its place."""

from __future__ import annotations

import math
from typing import Any


class Broken(ValueError):
    """What is wrong, and where: `read` puts the file's name before it and the remedy behind."""


class Refused(ValueError):
    """A whole sentence about the file, remedy included: `read` puts the file's name before it."""


class Tree:
    """A JSON object and where it stands, e.g. `meshes[2].primitives[0]`; `index` in its array."""

    def __init__(self, value: Any, where: str, index: int = -1) -> None:
        if not isinstance(value, dict):
            raise Broken(f"{where or 'its JSON'} must be an object; it is {shown(value)}")
        self.value: dict[str, Any] = value
        self.where = where
        self.index = index

    def place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def has(self, key: str) -> bool:
        return key in self.value

    def child(self, key: str) -> Tree | None:
        return Tree(self.value[key], self.place(key)) if key in self.value else None

    def children(self, key: str) -> list[Tree]:
        rows = self._list(key)
        return [Tree(x, f"{self.place(key)}[{i}]", i) for i, x in enumerate(rows)]

    def extension(self, name: str) -> Tree | None:
        extensions = self.child("extensions")
        return None if extensions is None else extensions.child(name)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number of 0 or more; without a default it must be there."""
        if key not in self.value:
            if default is None:
                raise Broken(f"{self.place(key)} is missing")
            return default
        return _whole(self.value[key], self.place(key))

    def number(self, key: str, default: float) -> float:
        return _number(self.value[key], self.place(key)) if key in self.value else default

    def numbers(self, key: str, count: int, default: tuple[float, ...]) -> tuple[float, ...]:
        """`count` finite numbers."""
        if key not in self.value:
            return default
        row = self._list(key)
        if len(row) != count:
            raise Broken(f"{self.place(key)} must be {count} numbers; it is {shown(row)}")
        return tuple(_number(x, f"{self.place(key)}[{i}]") for i, x in enumerate(row))

    def free_numbers(self, key: str) -> list[float]:
        """Finite numbers, as many as there are."""
        return [_number(x, f"{self.place(key)}[{i}]") for i, x in enumerate(self._list(key))]

    def wholes(self, key: str) -> list[int]:
        return [_whole(x, f"{self.place(key)}[{i}]") for i, x in enumerate(self._list(key))]

    def text(self, key: str, default: str) -> str:
        return self._of(key, str, "a text", default)

    def texts(self, key: str) -> list[str]:
        row = self._list(key)
        if not all(isinstance(x, str) for x in row):
            raise Broken(f"{self.place(key)} must hold texts; it is {shown(row)}")
        return row

    def flag(self, key: str, default: bool) -> bool:
        return self._of(key, bool, "true or false", default)

    def _list(self, key: str) -> list[Any]:
        return self._of(key, list, "an array", [])

    def _of(self, key: str, kind: type, words: str, default: Any) -> Any:
        value = self.value.get(key, default)
        if not isinstance(value, kind):
            raise Broken(f"{self.place(key)} must be {words}; it is {shown(value)}")
        return value


def shown(value: Any) -> str:
    """A JSON value for a message, short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if value is None:
        return "null"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _number(value: Any, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise Broken(f"{where} must be a finite number; it is {shown(value)}")


def _whole(value: Any, where: str) -> int:
    if isinstance(value, float) and value.is_integer():  # 3.0 is a whole number of JSON
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Broken(f"{where} must be a whole number, 0 or more; it is {shown(value)}")
