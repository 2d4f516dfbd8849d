"""Posed pictures of one object, from whatever convention their cameras are in."""

from dataclasses import dataclass
from pathlib import Path

from .capture import Capture, open_capture
from .loading import load_views
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
    dataset: str | Path,
    resolution: int,
    skip_missing: bool = False,
    invert_masks: bool = False,
    need_masks: bool = True,
) -> Dataset:
    """The data set in a folder or file, pictures straightened, reduced to `resolution` on the longer side.

    capture.py says which conventions there are. transforms_train.json holds out transforms_test.json, or else
    transforms_val.json; the train_filenames, val_filenames and test_filenames of a transforms.json (nerfstudio) are
    obeyed: it learns from train only (without such a list: from what is in no other), is judged by test, or else val;
    frames in no list are left out. Where nothing is said each eighth frame is held out.

    The mask of a picture is its mask_path, else a file in masks/ and the like (mask_place.py), else its alpha; masks.py
    says which kinds are understood.

    Args:
        skip_missing: leave out frames whose picture or mask_path is not there, instead of refusing them.
        invert_masks: masks (or alpha) are black on the object.
        need_masks: refuse pictures without a mask; else the object is everywhere in them.
    Raises:
        FileNotFoundError, ValueError: a message that names the file, what was expected and what
            to do.
    """
    return load_capture(open_capture(dataset, skip_missing), resolution, invert_masks, need_masks)


def load_capture(
    capture: Capture, resolution: int, invert_masks: bool = False, need_masks: bool = True
) -> Dataset:
    """The pictures of a capture; arguments and errors as of `load_dataset`."""
    drafts, notes = capture.drafts, [capture.said, *(draft.skipped for draft in capture.drafts)]
    views = load_views(drafts, resolution, invert_masks, need_masks)
    if len(views) == 2:
        return Dataset(views[0], views[1], _said(drafts[1].path.name, notes))
    kept = drafts[0].indices
    train, test = (
        [n for n, index in enumerate(kept) if index in set(chosen)]
        for chosen in (capture.learn, capture.judge)
    )
    if not capture.judge:
        return _hold_out(views[0].pick(train), notes)
    for chosen, name in ((train, "train"), (test, "test")):
        if not chosen:
            raise FileNotFoundError(
                f"glrast fit: {drafts[0].path}: no frame to {name} with is left; {drafts[0].skipped}; add the files."
            )
    return Dataset(views[0].pick(train), views[0].pick(test), _said("", notes))


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
