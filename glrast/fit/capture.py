"""What DATASET is: the cameras of a folder or file in one of the conventions, and which frames to judge by.

transforms_train.json      NeRF-synthetic, judged by transforms_test.json or else transforms_val.json
transforms.json, any json  nerfstudio and instant-ngp
sparse/0 ...               a COLMAP model, binary or text, its pictures in images/
NAME_par.txt               Middlebury's list of K, R, t
cameras/NAME.txt           K, R, t or P for each picture
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..camera.colmap.models import ColmapModel
from ..camera.colmap.read import (
    PICTURES,
    find_model,
    is_model,
    picture_folder,
    read_drafts,
    read_model,
)
from ..camera.frames import Drafts, read_frames
from ..camera.text_cameras import middlebury_file, pictures_with_files, read_files, read_list
from ..camera.transforms_json import read_json, split_lists
from .mask_place import MaskPlaces


@dataclass(frozen=True)
class Capture:
    """The frames of a data set, their pictures not read yet.

    kind: the convention, in words. drafts: of the file to learn from and, where there is one, of that to be judged by.
    learn, judge: indices of frames of the first file, where it says which; judge is empty where nothing does.
    said: of how that was chosen. model: of COLMAP.
    """

    kind: str
    root: Path
    drafts: list[Drafts]
    learn: list[int]
    judge: list[int] = field(default_factory=list)
    said: str = ""
    model: ColmapModel | None = None


def open_capture(dataset: str | Path, skip_missing: bool = False) -> Capture:
    """What the folder or file `dataset` holds.

    Raises: FileNotFoundError, ValueError: a message that names the file, what was expected, what was found, what to do.
    """
    path = Path(dataset)
    missing = "skip" if skip_missing else "error"
    if path.is_file() and path.suffix == ".json" and path.name != "transforms_train.json":
        return _transforms(path.parent, [path], missing)
    if path.is_file() and path.name.endswith("par.txt"):
        return _listed(path, missing)
    root = path.parent if path.is_file() else path
    train, whole = root / "transforms_train.json", root / "transforms.json"
    if train.is_file():
        judges = (root / name for name in ("transforms_test.json", "transforms_val.json"))
        return _transforms(root, [train, *[p for p in judges if p.is_file()][:1]], missing)
    if whole.is_file():
        return _transforms(root, [whole], missing)
    model = find_model(root)
    if model is not None:
        return _colmap(root, model, missing)
    par = middlebury_file(root)
    if par is not None:
        return _listed(par, missing)
    pictures = pictures_with_files(root, PICTURES) if root.is_dir() else {}
    if pictures:
        drafts = read_files(pictures, missing, MaskPlaces(root))
        return Capture(
            "a text file of K, R, t or P for each picture", root, [drafts], drafts.indices
        )
    raise FileNotFoundError(_nothing(path))


def _transforms(root: Path, paths: list[Path], missing: str) -> Capture:
    contents = [read_json(path) for path in paths]
    whole = paths[0].name != "transforms_train.json"
    lists = split_lists(paths[0], contents[0]) if whole else {}
    everything = range(len(contents[0]["frames"]))
    learn, judge, said = _by_lists(paths[0], lists, len(everything))
    used = [sorted({*learn, *judge}) if lists else everything]
    used += [range(len(content["frames"])) for content in contents[1:]]
    drafts = _read_all(zip(paths, contents, used, strict=True), missing, MaskPlaces(root))
    kind = f"nerfstudio ({paths[0].name})" if whole else f"NeRF-synthetic ({paths[0].name})"
    return Capture(kind, root, drafts, learn, judge, said)


def _colmap(root: Path, folder: Path, missing: str) -> Capture:
    model = read_model(folder)
    pictures = picture_folder(model, root)
    # where the argument was the model's own folder, masks lie beside the pictures
    top = root if not is_model(root) else pictures.parent
    drafts = read_drafts(model, pictures, missing, MaskPlaces(top))
    kind = f"COLMAP ({model.images_file}, pictures in {pictures})"
    return Capture(kind, top, [drafts], drafts.indices, model=model)


def _listed(path: Path, missing: str) -> Capture:
    drafts = read_list(path, missing, MaskPlaces(path.parent))
    return Capture(f"Middlebury ({path.name})", path.parent, [drafts], drafts.indices)


def _by_lists(
    path: Path, lists: dict[str, list[int]], total: int
) -> tuple[list[int], list[int], str]:
    """(indices to learn from, to be judged by, what to say of it) from nerfstudio's lists, where there are any."""
    if not lists:
        return list(range(total)), [], ""
    judge, name = lists.get("test"), "test_filenames"
    if not judge:
        judge, name = lists.get("val") or [], "val_filenames"
    listed = {index for indices in lists.values() for index in indices}
    learn = lists.get("train")
    if learn is None:
        learn = [index for index in range(total) if index not in listed]
    elif len(listed) < total:
        name += f"; {total - len(listed)} of {total} frames are in no list and left out"
    if not learn:
        raise ValueError(
            f"glrast fit: {path}: train_filenames must name at least one frame; found none. List the pictures to "
            "learn from."
        )
    both = len({*learn} & {*judge})
    if both:
        name += f"; {both} of {len(judge)} are learnt from too"
    return learn, judge, name if judge else name.partition("; ")[2]


def _read_all(
    files: Iterable[tuple[Path, Any, Sequence[int]]], missing: str, find_mask: MaskPlaces
) -> list[Drafts]:
    """The frames of all files; what is missing from several of them is one error."""
    drafts, absent = [], []
    for path, content, indices in files:
        try:
            drafts.append(
                read_frames(
                    path, content, indices, missing=missing, find_mask=find_mask, straighten=True
                )
            )
        except FileNotFoundError as error:
            absent.append(str(error))
    if absent:
        raise FileNotFoundError("\n".join(absent))
    return drafts


def _nothing(path: Path) -> str:
    wanted = (
        "glrast fit: DATASET must be the word demo, a transforms.json, or a folder with transforms_train.json or "
        "transforms.json, a COLMAP model (sparse/0), NAME_par.txt, or cameras/NAME.txt for each picture"
    )
    if not path.is_dir():
        return f"{wanted}; {path} is {'another file' if path.is_file() else 'no folder'}."
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    found = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
    pictures = (
        " Pictures without cameras: docs/fitting.md has the commands that find them." * _some(path)
    )
    return f"{wanted}; {path} has none of them but {found}.{pictures}"


def _some(folder: Path) -> bool:
    """Whether there are pictures in it, or in images/."""
    return any(
        entry.suffix.lower() in (".jpg", ".jpeg", ".png", ".heic")
        for here in (folder, folder / "images")
        if here.is_dir()
        for entry in here.iterdir()
    )
