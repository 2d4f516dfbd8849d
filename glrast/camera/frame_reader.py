"""One frame of a transforms.json after the other: its files, its size, its lens."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .distortion import Distortion, read_distortion
from .image_file import Folder, read_head, same_aspect, turn
from .lens import KEYS, Lens, read_lens, refuse_distortion, stated_size
from .transforms_json import NAME, Problem, file_text, required


@dataclass(slots=True)
class FrameFiles:
    """A frame's picture, mask, (height, width), lens, the orientation to turn the picture by, how the lens bends."""

    image: str
    mask: str | None
    size: tuple[int, int]
    lens: Lens
    orientation: int
    distortion: Distortion | None = None


@dataclass(slots=True)
class Absent:
    """A frame whose picture, or else mask, is not there."""

    key: str
    file: str


class FrameReader:
    """Reads frame after frame of one file; what many frames share it reads once."""

    def __init__(
        self,
        path: Path,
        data: dict[str, Any],
        resolution: tuple[int, int] | None,
        need_images: bool,
        find_mask: Callable[[str], str | None] | None,
        straighten: bool = False,
    ):
        self.path, self.folder = path, Folder(str(path.parent))
        self.resolution, self.need_images = resolution, need_images
        self.shared = {key: value for key, value in data.items() if key != "frames"}
        self.find_mask = find_mask
        self.straighten = straighten
        self.known: dict[Any, tuple[Lens, Distortion | None]] = {}
        self.guessed: list[str] = []

    def read(self, entry: dict[str, Any]) -> FrameFiles | Absent:
        settings = self.shared | entry
        required(settings, "file_path", "the image's path")
        image, there = self.folder.find(file_text(settings, "file_path"))
        if self.need_images and not there:
            return Absent("file_path", image)
        mask, mask_there = None, True
        if settings.get("mask_path"):
            mask, mask_there = self.folder.find(file_text(settings, "mask_path"))
            if self.need_images and not mask_there:
                return Absent("mask_path", mask)
        elif self.find_mask:
            mask = self.find_mask(image)
        size, orientation, exif = self._size(
            settings, image if there else None, mask if mask_there else None
        )
        lens, distortion = self._lens(entry, settings, size or self.resolution)
        stated = (lens.height, lens.width)
        size = size or self.resolution or stated
        if not same_aspect(size, stated):
            raise Problem(
                f"w and h must have the aspect of the image; got {stated[1]} x {stated[0]} for "
                f"{size[1]} x {size[0]} pixels{exif}; write the w, h, cx, cy of the image as it is."
            )
        return FrameFiles(image, mask, size, lens, orientation, distortion)

    def _size(
        self, settings: dict[str, Any], image: str | None, mask: str | None
    ) -> tuple[tuple[int, int] | None, int, str]:
        """((height, width) of the picture, the orientation to turn it by, a word on EXIF for messages)."""
        if image is None:
            return None, 1, ""
        head = read_head(image)
        if head.orientation == 1:
            return head.size, 1, ""
        witness = stated_size(settings)
        if witness is None and mask is not None:
            witness = read_head(mask, "mask_path").turned
        orientation, guess = turn(head, witness)
        if guess:
            self.guessed.append(f"{os.path.basename(image)} ({head.orientation})")
        exif = f" (as stored; its EXIF orientation is {head.orientation})"
        return (head.size if orientation == 1 else head.turned), orientation, exif

    def _lens(
        self, entry: dict[str, Any], settings: dict[str, Any], size: tuple[int, int] | None
    ) -> tuple[Lens, Distortion | None]:
        own = not KEYS.isdisjoint(entry)
        key = (size, *(settings.get(name) for name in KEYS)) if own else size
        try:
            if key in self.known:
                return self.known[key]
        except TypeError:  # a list where a number belongs, which will be said
            return self._read_lens(settings, size)
        self.known[key] = found = self._read_lens(settings, size)
        return found

    def _read_lens(
        self, settings: dict[str, Any], size: tuple[int, int] | None
    ) -> tuple[Lens, Distortion | None]:
        if not self.straighten:
            refuse_distortion(settings)
        return read_lens(settings, size), read_distortion(settings)

    def warn_of_guesses(self) -> None:
        if self.guessed:
            some = ", ".join(self.guessed[:3]) + (", ..." if len(self.guessed) > 3 else "")
            warnings.warn(
                f"{NAME}: {self.path}: {len(self.guessed)} pictures have an EXIF orientation, and neither w and h nor "
                f"a mask tell whether the poses belong to the turned pictures: {some}. They are read as stored. "
                "If they look turned, write the pixels turned (exiftran -a, mogrify -auto-orient).",
                stacklevel=4,
            )
