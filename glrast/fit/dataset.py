"""Posed pictures of one object, from a folder in the NeRF-synthetic or nerfstudio convention."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..camera.frames import Drafts, read_frames
from ..camera.transforms_json import read_json, split_lists
from .loading import load_views, mask_beside
from .views import Views

# Where nothing says which frames to judge by, each eighth is kept for it, as in mip-NeRF 360.
HOLD_OUT_EVERY = 8


@dataclass(frozen=True)
class Dataset:
    """The views to learn from, the views to be judged by, and how the latter were chosen: with a word on frames that
    were left out."""

    train: Views
    test: Views
    held_out: str

    @property
    def origin(self) -> tuple[float, float, float]:
        """x, y, z in float64 of the world's point that the cameras, and so the fitted mesh, call (0,0,0)."""
        return self.train.origin


def load_dataset(
    folder: str | Path, resolution: int, skip_missing: bool = False, invert_masks: bool = False
) -> Dataset:
    """The data set in `folder`, pictures reduced to `resolution` on the longer side.

    Reads transforms_train.json and holds out transforms_test.json, or else transforms_val.json; without it
    transforms.json, whose train_filenames, val_filenames and test_filenames (nerfstudio) are obeyed: it learns from
    train only (without such a list: from what is in no other), is judged by test, or else val; frames in no list are
    left out. Where nothing is said each eighth frame is held out.

    The mask of a picture is its mask_path, else masks/NAME.png beside the folder of the pictures, else its alpha;
    fit/masks.py says which kinds are understood.

    Args:
        skip_missing: leave out frames whose picture or mask_path is not there, instead of refusing them.
        invert_masks: masks (or alpha) are black on the object.
    Raises:
        FileNotFoundError, ValueError: a message that names the file, what was expected and what
            to do.
    """
    paths = _files(Path(folder))
    contents = [read_json(path) for path in paths]
    lists = split_lists(paths[0], contents[0]) if paths[0].name == "transforms.json" else {}
    everything = range(len(contents[0]["frames"]))
    learn, judge, said = _by_lists(paths[0], lists, len(everything))
    used = [sorted({*learn, *judge}) if lists else everything]
    used += [range(len(content["frames"])) for content in contents[1:]]
    missing = "skip" if skip_missing else "error"
    drafts = _read_all(zip(paths, contents, used, strict=True), missing)
    notes = [said, *(draft.skipped for draft in drafts)]
    views = load_views(drafts, resolution, invert_masks)
    if len(views) == 2:
        return Dataset(views[0], views[1], _said(paths[1].name, notes))
    kept = drafts[0].indices
    train, test = (
        [n for n, index in enumerate(kept) if index in set(chosen)] for chosen in (learn, judge)
    )
    if not judge:
        return _hold_out(views[0].pick(train), notes)
    for chosen, name in ((train, "train"), (test, "test")):
        if not chosen:
            raise FileNotFoundError(
                f"glrast fit: {paths[0]}: no frame to {name} with is left; {drafts[0].skipped}; add the files."
            )
    return Dataset(views[0].pick(train), views[0].pick(test), _said("", notes))


def _files(folder: Path) -> list[Path]:
    """The transforms files: the one to learn from, and the one to be judged by if there is one."""
    train = folder / "transforms_train.json"
    if train.is_file():
        judges = (folder / name for name in ("transforms_test.json", "transforms_val.json"))
        return [train, *[path for path in judges if path.is_file()][:1]]
    whole = folder / "transforms.json"
    if whole.is_file():
        return [whole]
    raise FileNotFoundError(
        f"glrast fit: DATASET must be the word demo or a folder with transforms_train.json or "
        f"transforms.json; {folder} {'has neither' if folder.is_dir() else 'is no folder'}."
    )


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


def _read_all(files: Iterable[tuple[Path, Any, Sequence[int]]], missing: str) -> list[Drafts]:
    """The frames of all files; what is missing from several of them is one error."""
    drafts, absent = [], []
    for path, content, indices in files:
        try:
            drafts.append(
                read_frames(path, content, indices, missing=missing, find_mask=mask_beside)
            )
        except FileNotFoundError as error:
            absent.append(str(error))
    if absent:
        raise FileNotFoundError("\n".join(absent))
    return drafts


def _hold_out(views: Views, notes: list[str]) -> Dataset:
    index = range(len(views))
    # With so few views each one counts for the shape; the report then says that nothing was held.
    if len(views) < HOLD_OUT_EVERY // 2:
        few = "nothing: too few views, judged on the training views"
        return Dataset(views, views, _said(few, notes))
    test = views.pick([i for i in index if i % HOLD_OUT_EVERY == 0])
    train = views.pick([i for i in index if i % HOLD_OUT_EVERY != 0])
    return Dataset(train, test, _said(f"every {HOLD_OUT_EVERY}th frame", notes))


def _said(held_out: str, notes: list[str]) -> str:
    return "; ".join(text for text in (held_out, *notes) if text)
