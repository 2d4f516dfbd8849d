"""The pictures of a data set, read in several threads, straightened, on one canvas: frames become views."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ..camera.frames import Drafts, Frame
from ..camera.origin import choose_origin
from ..camera.planes import guess_planes
from .framing import holding, planes_of_masks
from .images import read_image, reduced, wholly
from .picture_file import has_alpha
from .straight import straightened
from .views import Views

# What pictures may take while they are decoded, all threads together: Pillow has 4 bytes a pixel, a mask 1.
DECODING_BYTES = 1 << 30
BYTES_PER_PIXEL, BYTES_PER_PIXEL_BENT = 6, 48
# Where cameras alone tell nothing of the scene's size: the masks will.
ANY_PLANES = (0.01, 100.0)
# A side of the picture counts as covered by the object from this share on.
COVERED = 0.9


def load_views(
    drafts: list[Drafts], resolution: int, invert_masks: bool, need_masks: bool = True
) -> list[Views]:
    """The views of several files, in the coordinates of one origin, which the cameras of all of them choose.

    Pictures of several sizes lie on one canvas, each in its lower left corner, and those of bent lenses are
    straightened: `Views.known` says what there is of each. Without `need_masks` a picture may have none.
    """
    origin = choose_origin(
        torch.cat([draft.centres for draft in drafts]), torch.cat([d.backward for d in drafts])
    )
    loaded = [_views(draft, resolution, invert_masks, need_masks, origin) for draft in drafts]
    first = loaded[0]
    met = planes_of_masks(first.rgba[..., 3], first.world_to_camera, first.projection)
    if met is None:
        return loaded
    for views in loaded:
        views.projection.copy_(holding(views.world_to_camera, views.projection, *met))
    return loaded


def _views(
    draft: Drafts,
    resolution: int,
    invert: bool,
    need_masks: bool,
    origin: tuple[float, float, float],
) -> Views:
    shift = torch.tensor(origin, dtype=torch.float64)
    frames = draft.frames(
        *(guess_planes(draft.centres - shift, draft.backward) or ANY_PLANES), shift
    )
    if need_masks:
        _refuse_without_masks(draft.path, frames)
    pictures = _pictures(frames, resolution, invert, need_masks)
    rgba, known, shares = on_canvas(pictures)
    if need_masks and all(
        bool((picture[..., 3] == 255)[there].all()) for picture, there in pictures
    ):
        raise ValueError(
            f"glrast fit: the images of {draft.path} are opaque in every pixel, so their alpha says "
            "nothing of the object. Cut the object out, or name a mask_path for each frame."
        )
    if need_masks:
        _warn_of_inverted(draft.path, [picture[..., 3] > 127 for picture, _ in pictures], invert)
    cameras = [frame.camera for frame in frames]
    return Views(
        rgba=rgba,
        world_to_camera=torch.stack([camera.world_to_camera for camera in cameras]).double(),
        projection=within(torch.stack([c.projection for c in cameras]).double(), shares),
        names=[frame.image.name for frame in frames],
        origin=origin,
        known=known,
    )


def on_canvas(pictures: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor | None, Tensor]:
    """Pictures [h,w,4] with what is known of them [h,w] on one canvas, in its lower left corner.

    Returns:
        uint8 [N,H,W,4]; bool [N,H,W], None where all is known; each picture's share of the canvas's width and height,
        float64 [N,2].
    """
    sizes = torch.tensor([picture.shape[:2] for picture, _ in pictures])
    height, width = sizes.amax(0).tolist()
    whole = all(bool(there.all()) for _, there in pictures) and len(sizes.unique(dim=0)) == 1
    shares = sizes.flip(1).double() / torch.tensor([width, height], dtype=torch.float64)
    if whole:
        return torch.stack([picture for picture, _ in pictures]), None, shares
    rgba = torch.zeros(len(pictures), height, width, 4, dtype=torch.uint8)
    known = torch.zeros(len(pictures), height, width, dtype=torch.bool)
    for n, (picture, there) in enumerate(pictures):
        h, w = there.shape
        rgba[n, :h, :w], known[n, :h, :w] = picture, there
    return rgba, known, shares


def within(projection: Tensor, shares: Tensor) -> Tensor:
    """The projections [N,4,4] of pictures that have these shares [N,2] of a canvas's width and height, in its lower
    left corner: of the whole canvas."""
    if bool((shares == 1).all()):
        return projection
    out = projection.clone()
    # (x/w + 1) / 2 is where a point lies in the width: x' = share (x + w) - w
    for axis in (0, 1):
        share = shares[:, axis, None]
        out[:, axis] = share * (projection[:, axis] + projection[:, 3]) - projection[:, 3]
    return out


def _pictures(
    frames: list[Frame], resolution: int, invert: bool, need_masks: bool
) -> list[tuple[Tensor, Tensor]]:
    """The pictures and what is known of each [h,w], or one error that counts all that could not be read."""
    largest = max(height * width for height, width in (f.camera.resolution for f in frames))
    bent = any(frame.distortion for frame in frames)
    budget = DECODING_BYTES // ((BYTES_PER_PIXEL_BENT if bent else BYTES_PER_PIXEL) * largest)
    workers = min(os.cpu_count() or 1, max(1, budget))

    def read(frame: Frame) -> tuple[Tensor, Tensor] | Exception:
        try:
            return _picture(frame, resolution, invert, need_masks)
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
    return [result for result in results if not isinstance(result, Exception)]


def _picture(frame: Frame, resolution: int, invert: bool, need_mask: bool) -> tuple[Tensor, Tensor]:
    bent = frame.distortion is not None
    # twice as fine before it is straightened: a pixel between pixels is then one of four that are averaged
    longest = 2 * resolution if bent else resolution
    picture = read_image(frame.image, frame.mask, longest, frame.orientation, invert, need_mask)
    if frame.distortion is None:
        return picture, torch.ones(picture.shape[:2], dtype=torch.bool)
    straight, known = straightened(picture, frame.camera.projection, frame.distortion)
    return reduced(straight[None], resolution)[0], wholly(known[None], resolution)[0]


def _refuse_without_masks(path: Path, frames: list[Frame]) -> None:
    """One error where no picture has a mask or an alpha; a single one without is told when it is read."""
    if any(frame.mask or has_alpha(frame.image) for frame in frames):
        return
    place = frames[0].image.parent.parent / "masks"
    raise ValueError(
        f"glrast fit: {path}: none of the {len(frames)} pictures has a mask: no mask_path, no file such as "
        f"{place / frames[0].image.with_suffix('.png').name}, no alpha channel. The object cannot be told from the "
        f"background. Put a mask for each picture into {place} (white on the object; any segmentation program makes "
        "them), or save the pictures as RGBA. glrast data shows what else was understood."
    )


def _warn_of_inverted(path: Path, masks: list[Tensor], inverted: bool) -> None:
    """A word where most masks [H,W] have the object all along the border of the picture."""
    count = sum(
        all(float(side.float().mean()) >= COVERED for side in (on[0], on[-1], on[:, 0], on[:, -1]))
        for on in masks
    )
    if 2 * count > len(masks):
        todo = "leave out --invert-masks" if inverted else "try --invert-masks"
        warnings.warn(
            f"glrast fit: in {count} of {len(masks)} masks of {path} the object covers all four borders of the "
            f"picture: they look inverted (black on the object); {todo}.",
            stacklevel=2,
        )
