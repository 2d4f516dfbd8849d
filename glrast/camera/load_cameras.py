"""Cameras from transforms.json, as NeRF-synthetic (Blender) and nerfstudio write it.

Both hold camera-to-world matrices in OpenGL's camera axes. NeRF-synthetic gives one horizontal
field of view and image paths without ".png"; nerfstudio gives focal lengths and the principal
point in pixels, for the file or for each frame, pixel centres at + 1/2.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from .frames import Frame, read_frames
from .origin import checked_origin, warn_of_lost_digits
from .transforms_json import NAME, SPLITS, read_json, split_lists


def load_cameras(
    path: str | Path,
    near: float | None = None,
    far: float | None = None,
    resolution: tuple[int, int] | None = None,
    need_images: bool = True,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    missing: str = "error",
    split: str | None = None,
) -> list[Frame]:
    """The frames of a transforms.json, in the order of the file.

    Args:
        path: the json file; image paths in it are relative to its folder.
        near, far: planes in world units. By default a guess from the cameras, see `glrast.camera.planes.guess_planes`:
            good where they look at one thing. With a mesh at hand take
            `camera.with_planes(*planes_around(camera, mesh.pos, mesh.tri))`.
        resolution: (height, width) for frames of which neither w and h nor an image tells it.
        need_images: False where only the cameras matter: a missing image is then no error.
        origin: x, y, z of the world's point that becomes (0,0,0); subtracted in float64, before anything becomes
            float32. `mesh.origin` for a mesh from `load_mesh`.
        missing: "error", or "skip" for leaving out, with a warning, frames whose image or mask is not there.
        split: "train", "val" or "test" for the frames that nerfstudio's train_filenames ... name; None: all.
    Returns: list of `Frame`; `camera.resolution` is the size of the image file where there is
        one (after the turn by its EXIF orientation if w and h say so), `camera.name` its stem.
    Raises: FileNotFoundError for a missing file, or one that counts all missing images and masks.
        ValueError for everything else; both name the file, the frame, the key and what to do.
    Note: lens distortion (k1, k2, p1, ... not 0) and fisheye models are refused, not ignored (glrast fit undoes
        them when it loads pictures). A warning says so
        where cameras stand at coordinates that float32 cannot hold.
    """
    path = Path(path)
    if missing not in ("error", "skip") or split not in (None, *SPLITS):
        raise ValueError(
            f"{NAME}: missing must be 'error' or 'skip' and split None, {', '.join(map(repr, SPLITS))}; "
            f"got missing={missing!r}, split={split!r}."
        )
    shift = checked_origin(origin)
    data = read_json(path)
    chosen = range(len(data["frames"]))
    if split is not None:
        lists = split_lists(path, data)
        if not lists.get(split):
            raise ValueError(
                f"{NAME}: {path}: split={split!r} needs {split}_filenames with a name; found "
                f"{', '.join(f'{s}_filenames ({len(x)})' for s, x in lists.items()) or 'no such list'}; "
                "pass split=None."
            )
        chosen = lists[split]
    drafts = read_frames(path, data, chosen, resolution, need_images, missing)
    if drafts.skipped:
        warnings.warn(f"{NAME}: {path}: {drafts.skipped}", stacklevel=2)
    warn_of_lost_digits(path, drafts.centres - shift, drafts.backward)
    return drafts.frames(near, far, shift)
