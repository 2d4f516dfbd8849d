"""What the head of a picture's file tells: its size, and the EXIF orientation that a viewer would turn it by.

COLMAP and most trainers read the pixels as they are stored; viewers, and some capture tools, turn them by the
EXIF orientation. Poses and lens belong to one of the two, and the file says so by its w and h.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from .transforms_json import Problem

SUFFIXES = (".png", ".jpg", ".jpeg")  # tried in this order where file_path has none
ASPECT_TOLERANCE = 0.01  # a downscaled image rounds its size; more than 1 % is another image
QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


@dataclass(frozen=True)
class Head:
    """Size (height, width) as stored, and the EXIF orientation, 1 where there is none."""

    size: tuple[int, int]
    orientation: int

    @property
    def turned(self) -> tuple[int, int]:
        """The size after the turn."""
        height, width = self.size
        return (width, height) if self.orientation in QUARTER_TURNS else (height, width)


class Folder:
    """The files below a folder. What each of its folders holds is asked once: a million frames may name a file."""

    def __init__(self, folder: str):
        self.folder = folder
        self._names: dict[str, set[str]] = {}

    def find(self, text: str) -> tuple[str, bool]:
        """The image that `text` names, perhaps without its suffix, and whether it is there."""
        exact = os.path.join(self.folder, text)
        parent, name = os.path.split(exact)
        if parent not in self._names:
            try:
                self._names[parent] = set(os.listdir(parent))
            except OSError:
                self._names[parent] = set()
        names = self._names[parent]
        for suffix in ("", *SUFFIXES):
            if name + suffix in names and os.path.isfile(exact + suffix):
                return exact + suffix, True
        return exact if os.path.splitext(name)[1] else exact + SUFFIXES[0], False


def read_head(path: str, key: str = "file_path") -> Head:
    """Size and orientation of an image file; its pixels are not read."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "glrast.clip.load_cameras: reading image files needs Pillow; "
            "it is not installed; pip install glrast[fit]."
        ) from None
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Pillow turns a TIFF by itself; elsewhere only `info` is free of decoding the pixels
            told = image.format != "TIFF" and "exif" in image.info
            orientation = image.getexif().get(0x0112, 1) if told else 1
    except Exception as error:  # Pillow raises what its plugins raise
        raise Problem(
            f"{key} must be an image; {path}: {error}; replace the file or remove the frame."
        ) from None
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return Head((height, width), int(orientation) if known else 1)


def same_aspect(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two (height, width) may be the same picture at two scales."""
    return abs(math.log((a[1] / a[0]) / (b[1] / b[0]))) <= ASPECT_TOLERANCE


def turn(head: Head, witness: tuple[int, int] | None) -> tuple[int, bool]:
    """(The orientation to turn the pixels by, whether that is a guess).

    Args:
        witness: the (height, width) that the camera file states, or else the mask's: as stored or turned.
    """
    if head.orientation == 1:
        return 1, False
    if head.size == head.turned or witness is None:
        return 1, True
    if same_aspect(witness, head.size):
        return 1, False
    return (head.orientation, False) if same_aspect(witness, head.turned) else (1, True)
