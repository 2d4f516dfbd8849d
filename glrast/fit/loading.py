"""The pictures of a data set, read in several threads and brought to one size: frames become views."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ..camera.frames import Drafts, Frame
from ..camera.image_file import SUFFIXES
from ..camera.origin import choose_origin
from ..camera.planes import guess_planes
from .framing import holding, planes_of_masks
from .images import read_image
from .views import Views

# What pictures may take while they are decoded, all threads together: Pillow has 4 bytes a pixel, a mask 1.
DECODING_BYTES = 1 << 30
BYTES_PER_PIXEL = 6
# Where cameras alone tell nothing of the scene's size: the masks will.
ANY_PLANES = (0.01, 100.0)
# A side of the picture counts as covered by the object from this share on.
COVERED = 0.9


def load_views(drafts: list[Drafts], resolution: int, invert_masks: bool) -> list[Views]:
    """The views of several files, in the coordinates of one origin, which the cameras of all of them choose."""
    origin = choose_origin(
        torch.cat([draft.centres for draft in drafts]), torch.cat([d.backward for d in drafts])
    )
    loaded = [_views(draft, resolution, invert_masks, origin) for draft in drafts]
    first = loaded[0]
    met = planes_of_masks(first.rgba[..., 3], first.world_to_camera, first.projection)
    if met is None:
        return loaded
    for views in loaded:
        views.projection.copy_(holding(views.world_to_camera, views.projection, *met))
    return loaded


def mask_beside(image: str) -> str | None:
    """masks/NAME.png beside the folder of the image, the place that capture tools use; NAME.jpg.png is COLMAP's."""
    path = Path(image)
    folder = path.parent.parent / "masks"
    names = [*(path.stem + suffix for suffix in SUFFIXES), f"{path.name}.png"]
    return next((str(folder / name) for name in names if (folder / name).is_file()), None)


def _views(
    draft: Drafts, resolution: int, invert: bool, origin: tuple[float, float, float]
) -> Views:
    shift = torch.tensor(origin, dtype=torch.float64)
    frames = draft.frames(
        *(guess_planes(draft.centres - shift, draft.backward) or ANY_PLANES), shift
    )
    pictures = _pictures(frames, resolution, invert)
    for frame, picture in zip(frames, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise ValueError(
                f"glrast fit: all images of {draft.path} must have one size; {frames[0].image} has "
                f"{_size(pictures[0])} and {frame.image} has {_size(picture)} (after reduction to "
                f"--resolution {resolution}). Crop or scale them to one size."
            )
    rgba = torch.stack(pictures)
    if bool((rgba[..., 3] == 255).all()):
        raise ValueError(
            f"glrast fit: the images of {draft.path} are opaque in every pixel, so their alpha says "
            "nothing of the object. Cut the object out, or name a mask_path for each frame."
        )
    _warn_of_inverted(draft.path, rgba[..., 3] > 127, invert)
    cameras = [frame.camera for frame in frames]
    return Views(
        rgba=rgba,
        world_to_camera=torch.stack([camera.world_to_camera for camera in cameras]).double(),
        projection=torch.stack([camera.projection for camera in cameras]).double(),
        names=[frame.image.name for frame in frames],
        origin=origin,
    )


def _pictures(frames: list[Frame], resolution: int, invert: bool) -> list[Tensor]:
    """The pictures, or one error that counts all that could not be read."""
    largest = max(height * width for height, width in (f.camera.resolution for f in frames))
    workers = min(os.cpu_count() or 1, max(1, DECODING_BYTES // (BYTES_PER_PIXEL * largest)))

    def read(frame: Frame) -> Tensor | Exception:
        try:
            return read_image(frame.image, frame.mask, resolution, frame.orientation, invert)
        except (ValueError, FileNotFoundError) as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(read, frames))
    failed = [(f, e) for f, e in zip(frames, results, strict=True) if isinstance(e, Exception)]
    if failed:
        error = failed[0][1]
        others = ", ".join(frame.image.name for frame, _ in failed[1:4])
        more = f" ({len(failed)} of {len(frames)} pictures have an error; the others: {others}"
        text = f"{more}{', ...' if len(failed) > 4 else ''})" if others else ""
        raise type(error)(f"{error}{text}") from error
    return [picture for picture in results if isinstance(picture, Tensor)]


def _warn_of_inverted(path: Path, on: Tensor, inverted: bool) -> None:
    """A word where most masks [N,H,W] have the object all along the border of the picture."""
    sides = (on[:, 0], on[:, -1], on[:, :, 0], on[:, :, -1])
    all_along = torch.stack([side.float().mean(dim=1) >= COVERED for side in sides]).all(dim=0)
    count = int(all_along.sum())
    if 2 * count > len(on):
        todo = "leave out --invert-masks" if inverted else "try --invert-masks"
        warnings.warn(
            f"glrast fit: in {count} of {len(on)} masks of {path} the object covers all four borders of the picture: "
            f"they look inverted (black on the object); {todo}.",
            stacklevel=2,
        )


def _size(picture: Tensor) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
