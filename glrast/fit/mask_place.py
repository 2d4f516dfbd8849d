"""Where the mask of a picture lies, by the names that people and programs give folders and files.

    images/a.jpg   masks/a.png, mask/a.jpg.png, silhouettes/a_mask.png ...; images/cam1/a.jpg   masks/cam1/a.png
                   images/a_mask.png and images/masks/a.png beside or below the picture itself

Capital letters make no difference. A name with a word such as mask in it goes anywhere, the picture's own only into a
folder of masks.
"""

import os
from pathlib import Path

FOLDERS = (
    "masks", "mask", "silhouettes", "silhouette", "sil", "mattes", "matte", "alphas", "alpha", "segmentations",
    "segmentation", "seg", "object_masks", "object_mask", "foreground",
)  # fmt: skip
WORDS = ("mask", "silhouette", "sil", "matte", "alpha", "seg")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pgm")
ABOVE = 3  # folders between a picture and the one that has a folder of masks beside it


class MaskPlaces:
    """Finds masks of the pictures below the folder `root`; each folder is listed once."""

    def __init__(self, root: Path):
        self.root = os.path.abspath(root)
        self._listed: dict[str, dict[str, str]] = {}

    def __call__(self, image: str) -> str | None:
        """The mask of the picture at `image`; None where there is none."""
        image = os.path.abspath(image)
        folder, name = os.path.split(image)
        named, own = _names(name)
        for place in self._places(folder):
            found = self._one_of(place, own + named)
            if found:
                return found
        return self._one_of(folder, named)

    def _places(self, folder: str) -> list[str]:
        """The folders of masks for the pictures in `folder`, the nearest first."""
        places = self._mask_folders(folder, os.path.basename(folder))
        at, below = folder, ""
        for _ in range(ABOVE):
            if at == self.root or not at.startswith(self.root):
                break
            beside = self._mask_folders(os.path.dirname(at), os.path.basename(at))
            places += [os.path.join(place, below) for place in beside]
            below, at = os.path.join(os.path.basename(at), below), os.path.dirname(at)
        return places

    def _mask_folders(self, parent: str, pictures: str) -> list[str]:
        listed = self._list(parent)
        own = [f"{pictures.lower()}_{word}{s}" for word in WORDS[:2] for s in ("s", "")]
        return [os.path.join(parent, listed[n]) for n in (*FOLDERS, *own) if n in listed]

    def _one_of(self, folder: str, names: list[str]) -> str | None:
        listed = self._list(folder)
        for name in names:
            if name in listed and os.path.isfile(os.path.join(folder, listed[name])):
                return os.path.join(folder, listed[name])
        return None

    def _list(self, folder: str) -> dict[str, str]:
        """The names in a folder by their small letters."""
        if folder not in self._listed:
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                names = []
            self._listed[folder] = {name.lower(): name for name in names}
        return self._listed[folder]


def _names(picture: str) -> tuple[list[str], list[str]]:
    """(names with a word for mask, names after the picture alone), in small letters."""
    name = picture.lower()
    stem = os.path.splitext(name)[0]
    named = [
        form + suffix
        for word in WORDS
        for base in (stem, name)
        for form in (
            f"{base}_{word}",
            f"{base}.{word}",
            f"{base}-{word}",
            f"{word}_{base}",
            f"{word}-{base}",
        )
        for suffix in SUFFIXES
    ]
    own = [stem + suffix for suffix in SUFFIXES] + [name + suffix for suffix in SUFFIXES]
    return named, own
