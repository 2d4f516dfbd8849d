"""Material libraries of obj files: base colour, opacity, their pictures and the pictures' options.

What is shown is the product of Kd and map_Kd, as the format says, and Kd is taken as sRGB, as three.js takes it: a Kd
of .5 looks like a texel of 128. `Kd 0 0 0` beside a map_Kd would hide the picture: programs that ignore Kd there write
it, so it counts as white, with a warning. `-s` and `-o` place the picture at uv * s + o, as in three.js. `-clamp on`
repeats the picture's edge. Ka, Ks, Ke, Tf, illum and all other maps are no base colour and are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .lines import joined_lines, name_text, plain_text, show
from .paths import is_file, named_file, without_comment

# Options of a map and how many words follow each; -s, -o and -t take one to three numbers.
OPTIONS = {
    "-s": 3, "-o": 3, "-t": 3, "-mm": 2, "-clamp": 1, "-type": 1, "-imfchan": 1,
    # how a picture is filtered, or of maps that are no colour: nothing to do
    "-blendu": 1, "-blendv": 1, "-bm": 1, "-boost": 1, "-cc": 1, "-texres": 1,
}  # fmt: skip
ABOVE_ONE = 1e-3  # the digits of an exporter


@dataclass
class Picture:
    """What a map_ line says."""

    path: Path
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False
    base: float = 0.0
    gain: float = 1.0
    channel: str = ""  # r g b m l z


@dataclass
class Entry:
    """What follows a newmtl; looked at when a face uses it."""

    name: str
    path: Path
    lines: dict[str, tuple[int, str]] = field(
        default_factory=dict
    )  # key -> line, rest; the last holds

    def color(self) -> tuple[float, float, float]:
        """Kd, sRGB 0..1; white without one."""
        numbers = self._numbers("kd", "1 1 1")
        if len(numbers) == 1:  # green and blue are red's
            numbers *= 3
        if len(numbers) != 3 or not all(0 <= x <= 1 + ABOVE_ONE for x in numbers):
            self._refuse("kd", "Kd must be a number or three, red, green, blue, in 0..1")
        r, g, b = (min(x, 1.0) for x in numbers)
        return r, g, b

    def opacity(self) -> float:
        """d, or 1 - Tr where there is none."""
        key = "d" if "d" in self.lines or "tr" not in self.lines else "tr"
        numbers = self._numbers(key, "1")
        if len(numbers) != 1 or not 0 <= numbers[0] <= 1 + ABOVE_ONE:
            self._refuse(
                key, f"{key.capitalize() if key == 'tr' else key} must be a number in 0..1"
            )
        d = min(numbers[0], 1.0)
        return 1 - d if key == "tr" else d

    def picture(self, key: str, folder: Path) -> Picture | None:
        """The picture of map_kd or map_d, wherever it lies: beside this file or in `folder`, the obj's."""
        rest = self.lines.get(key, (0, ""))[1]
        if not rest:
            return None
        folders = [self.path.parent, folder]
        whole = named_file(folders, without_comment(rest))
        if is_file(whole):  # its name may look like an option
            return Picture(whole)
        options, name = self._options(key, rest)
        if not name:
            self._refuse(key, "the map must name a picture")
        picture = Picture(named_file(folders, without_comment(name)))
        for option, words in options.items():
            self._apply(picture, key, option, words)
        return picture

    def _options(self, key: str, rest: str) -> tuple[dict[str, list[str]], str]:
        found: dict[str, list[str]] = {}
        while rest.startswith("-"):
            option, rest = _cut(rest)
            if option.lower() not in OPTIONS:
                self._refuse(key, f"the map's options must be {' '.join(OPTIONS)}, then a name")
            words = found.setdefault(option.lower(), [])
            words.clear()
            while rest and len(words) < OPTIONS[option.lower()]:
                word, after = _cut(rest)
                if words and OPTIONS[option.lower()] == 3 and not _is_number(word):
                    break
                words.append(word)
                rest = after
        return found, rest

    def _apply(self, picture: Picture, key: str, option: str, words: list[str]) -> None:
        if option in ("-s", "-o", "-t", "-mm"):
            if not words or not all(_is_number(word) for word in words):
                self._refuse(key, f"{option} must be followed by finite numbers")
            numbers = [float(word) for word in words]
            if option == "-t" and any(numbers):
                self._refuse(key, "turbulence (-t) is not supported: bake it into the picture")
            if option == "-s":
                picture.scale = (numbers[0], [*numbers, 1.0][1])
            elif option == "-o":
                picture.offset = (numbers[0], [*numbers, 0.0][1])
            elif option == "-mm":
                if len(numbers) != 2:
                    self._refuse(key, "-mm must be followed by base and gain")
                picture.base, picture.gain = numbers
        elif option == "-clamp":
            picture.clamp = self._one_of(key, option, words, ("on", "off")) == "on"
        elif option == "-imfchan":
            picture.channel = self._one_of(key, option, words, tuple("rgbmlz"))
        elif option == "-type":
            self._refuse(key, "-type (a sphere or cube around the scene) is not supported")

    def _one_of(self, key: str, option: str, words: list[str], known: tuple[str, ...]) -> str:
        word = words[0].lower() if words else ""
        if word not in known:
            self._refuse(key, f"{option} must be followed by {' or '.join(known)}")
        return word

    def _numbers(self, key: str, default: str) -> list[float]:
        words = self.lines.get(key, (0, default))[1].partition("#")[0].split()
        if words and words[0].lower() == "spectral":
            self._refuse(key, "a spectral file is not supported: give red, green, blue")
        if words and words[0].lower() == "xyz":
            self._refuse(key, "CIE xyz is not supported: give red, green, blue")
        if words and words[0] == "-halo":
            self._refuse(key, "-halo (opacity by angle) is not supported: give a number")
        if not all(_is_number(word) for word in words):
            self._refuse(key, "the line must hold finite numbers")
        return [float(word) for word in words]

    def _refuse(self, key: str, wrong: str) -> NoReturn:
        line, rest = self.lines[key]
        raise ValueError(
            f"glrast.clip.load_mesh: {self.path}:{line}: {wrong}; got {show(rest.encode())} after "
            f"{key} of material {self.name!r}; fix the line or export the mesh again."
        )


def read_library(path: Path) -> dict[str, Entry]:
    """The materials of an mtl file by name; of two with one name the last."""
    entries: dict[str, Entry] = {}
    entry = None
    text = joined_lines(plain_text(path.read_bytes()))
    for number, line in enumerate(text.split(b"\n"), start=1):
        words = line.split(None, 1)
        if not words or words[0].startswith(b"#"):
            continue
        key = words[0].lower().decode(errors="replace")
        rest = name_text(words[1].strip(b" \t\v\f")) if len(words) > 1 else ""
        if key == "newmtl":
            entry = entries[one_blank(rest)] = Entry(rest, path)
        elif entry is not None:
            entry.lines[key] = (number, rest)
    return entries


def find_entry(entries: dict[str, Entry], name: str) -> Entry | None:
    """The material that `usemtl name` means; comments may follow the name there and in the library."""
    for spelled in map(one_blank, without_comment(name)):
        if spelled in entries:
            return entries[spelled]
    for known, entry in entries.items():
        if set(without_comment(known)[1:]) & set(without_comment(one_blank(name))):
            return entry
    return None


def one_blank(name: str) -> str:
    """The name with one blank where several stand, for comparison."""
    return " ".join(name.split())


def _cut(rest: str) -> tuple[str, str]:
    """The first word, and what follows without the blanks between."""
    words = rest.split(None, 1)
    return words[0], words[1] if len(words) > 1 else ""


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False
