"""What was understood of a data set, in words: format, cameras, sizes, masks, box, and what looks wrong, by name."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..camera.frame_reader import FrameFiles
from .box import Box, box_of_masks, box_of_points
from .capture import Capture
from .dataset import Dataset
from .picture_file import has_alpha
from .views import Views

# What is worth a word: fewer views, focal lengths or brightness farther from the median, two views closer.
FEW_VIEWS = 8
FOCAL_OFF, ASPECT_OFF, BRIGHTNESS_OFF = 0.15, 0.03, 0.5
SAME_PLACE = 1e-3  # of the cameras' spread, and of a radian
NAMED = 4
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class Overview:
    """lines: (what, words) for a table. wrong: what looks wrong, each a sentence. box: where the object is."""

    lines: list[tuple[str, str]]
    wrong: list[str]
    box: Box | None


def of_files(capture: Capture) -> list[tuple[str, str]]:
    """What the cameras' files say, before a picture is read."""
    files = [file for draft in capture.drafts for file in draft.files]
    sizes = Counter(f"{file.size[1]}x{file.size[0]}" for file in files)
    lenses = {(file.lens, file.distortion) for file in files}
    focal = sorted(file.lens.fx * file.size[1] / file.lens.width for file in files)
    bends = Counter(str(file.distortion or "none") for file in files)
    shown = (
        f"{focal[0]:.5g}"
        if focal[0] == focal[-1]
        else f"{focal[0]:.5g} to {focal[-1]:.5g}, median {_median(focal):.5g}"
    )
    wide = sorted(
        2 * torch.atan(torch.tensor(file.lens.width / 2 / file.lens.fx)).rad2deg().item()
        for file in files
    )
    return [
        ("format", capture.kind),
        (
            "pictures",
            f"{len(files)}: " + ", ".join(f"{n} of {size}" for size, n in sizes.most_common(NAMED)),
        ),
        (
            "cameras",
            f"{len(lenses)}: focal length {shown} pixels, {_median(wide):.3g} degrees wide",
        ),
        (
            "distortion",
            "; ".join(
                f"{text} ({n})" if len(bends) > 1 else text for text, n in bends.most_common(NAMED)
            ),
        ),
        ("masks", _masks(files)),
    ]


def of_views(capture: Capture, data: Dataset, masked: bool) -> Overview:
    """What the pictures say, and what of all looks wrong."""
    views = data.train
    box, wrong = None, _wrong_files(capture)
    if masked:
        box, doubts = box_of_masks(views)
        wrong += [doubts] if doubts else []
    elif capture.model is not None:
        shift = torch.tensor(data.origin, dtype=torch.float64).numpy()
        box = box_of_points(views, capture.model.points.xyz - shift)
    held = "" if data.test is views else f", {len(data.test)} test"
    lines = [("views", f"{len(views)} train{held} ({data.held_out})")]
    if masked:
        share = [
            float(_known(views, k, rgba[..., 3] > 127).float().mean())
            for k, rgba in enumerate(views.rgba)
        ]
        low, middle, high = 100 * min(share), 100 * _median(sorted(share)), 100 * max(share)
        lines.append(("object", f"{low:.2g} to {high:.2g} % of a picture, median {middle:.2g} %"))
    if any(data.origin):
        lines.append(("origin", f"{data.origin} is subtracted in float64"))
    if box:
        origin = data.origin
        ends = [
            f"{a} {lo + o:.4g} .. {hi + o:.4g}"
            for a, lo, hi, o in zip("xyz", box.low, box.high, origin, strict=True)
        ]
        lines.append(("box", f"{', '.join(ends)} ({box.said})"))
        lines.append(("baselines", _baselines(views, box)))
    elif not masked:
        wrong.append("no box: there are neither masks nor points that half of the views show")
    return Overview(lines, wrong + _wrong_views(views, box, masked), box)


def _masks(files: list[FrameFiles]) -> str:
    places = Counter(str(Path(file.mask).parent) for file in files if file.mask)
    alpha = sum(has_alpha(Path(file.image)) for file in files if not file.mask)
    parts = [f"{n} in {place}" for place, n in places.most_common(NAMED)]
    parts += [f"{alpha} in the pictures' alpha"] if alpha else []
    none = len(files) - alpha - sum(places.values())
    parts += [f"none for {none} pictures"] if none and parts else []
    return ", ".join(parts) or "none: glrast fit needs them, see docs/fitting.md"


def _wrong_files(capture: Capture) -> list[str]:
    wrong = [draft.skipped for draft in capture.drafts if draft.skipped]
    files = [file for draft in capture.drafts for file in draft.files]
    per_width = {
        file.image: file.lens.fx / max(file.lens.width, file.lens.height) for file in files
    }
    middle = _median(sorted(per_width.values()))
    far = [name for name, value in per_width.items() if abs(value / middle - 1) > FOCAL_OFF]
    if far and 3 * len(far) < len(files):  # else there are several lenses
        wrong.append(
            f"focal lengths of {_some(far)} are more than {FOCAL_OFF:.0%} off the median: one lens has one "
            "(colmap: --ImageReader.single_camera 1)"
        )
    oblong = [file.image for file in files if abs(file.lens.fx * file.lens.height * file.size[1] / (
        file.lens.fy * file.lens.width * file.size[0]) - 1) > ASPECT_OFF]  # fmt: skip
    if oblong:
        wrong.append(
            f"pixels of {_some(oblong)} are not square by more than {ASPECT_OFF:.0%}: fx and fy differ"
        )
    if capture.model is not None and files:
        wrong += _unregistered(capture, [Path(file.image) for file in files])
    return wrong


def _unregistered(capture: Capture, used: list[Path]) -> list[str]:
    folders = {path.parent for path in used}
    there = {p for folder in folders for p in folder.iterdir() if p.suffix.lower() in PICTURES}
    left = sorted(str(path) for path in there - set(used) if not path.stem.endswith("_mask"))
    return (
        [f"{len(left)} pictures beside them have no pose in the model: {_some(left)}"]
        if left
        else []
    )


def _wrong_views(views: Views, box: Box | None, masked: bool) -> list[str]:
    wrong = []
    if len(views) < FEW_VIEWS:
        wrong.append(f"{len(views)} views are few for a shape: a dozen or more serve it well")
    if masked:
        cut = [
            views.names[k]
            for k, rgba in enumerate(views.rgba)
            if _touches(views, k, rgba[..., 3] > 127)
        ]
        if cut:
            wrong.append(
                f"the object is cut by the border of {_some(cut)}: what is beyond is unknown"
            )
    bright = [_brightness(rgba) for rgba in views.rgba]
    middle = _median(sorted(bright))
    strange = [
        n
        for n, value in zip(views.names, bright, strict=True)
        if abs(value / max(middle, 1e-3) - 1) > BRIGHTNESS_OFF
    ]
    if strange and 3 * len(strange) < len(views):
        wrong.append(
            f"{_some(strange)} are darker or brighter than the others by more than {BRIGHTNESS_OFF:.0%}"
        )
    twins = _twins(views)
    if twins:
        wrong.append(f"the same pose stands for {_some(twins)}")
    if box is not None:
        away = [
            n
            for n, matrix in zip(views.names, views.world_to_clip, strict=True)
            if not _shows(matrix, box.centre)
        ]
        if away:
            wrong.append(f"the middle of the box lies outside of {_some(away)}")
    return wrong


def _baselines(views: Views, box: Box) -> str:
    eyes = torch.linalg.inv(views.world_to_camera)[:, :3, 3]
    away = eyes - box.centre
    distance = sorted(away.norm(dim=1).tolist())
    axis = torch.nn.functional.normalize(away, dim=1)
    cosine = (axis @ axis.T).clamp(-1, 1)
    angle = cosine.acos().rad2deg()
    nearest = (
        sorted((angle + 360 * torch.eye(len(views))).amin(1).tolist()) if len(views) > 1 else [0.0]
    )
    return (
        f"cameras {distance[0]:.3g} to {distance[-1]:.3g} from the middle of the box ({box.diagonal:.3g} across); "
        f"the nearest other view is {nearest[0]:.2g} to {nearest[-1]:.2g} degrees away, "
        f"the farthest {float(angle.max()):.3g}"
    )


def _known(views: Views, index: int, mask: Tensor) -> Tensor:
    return mask if views.known is None else mask[views.known[index]]


def _touches(views: Views, index: int, mask: Tensor) -> bool:
    """Whether the mask [H,W] reaches the border of what is known."""
    if views.known is None:
        return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
    unknown = torch.nn.functional.pad((~views.known[index]).float(), (1, 1, 1, 1), value=1.0)
    beside = torch.nn.functional.max_pool2d(unknown[None], 3, 1)[0] > 0
    return bool((mask & beside).any())


def _brightness(rgba: Tensor) -> float:
    return float(
        rgba[..., :3].sum(dtype=torch.float64)
        / 3
        / rgba[..., 3].sum(dtype=torch.float64).clamp_min(1)
    )


def _twins(views: Views) -> list[str]:
    pose = torch.linalg.inv(views.world_to_camera)
    spread = float((pose[:, :3, 3].amax(0) - pose[:, :3, 3].amin(0)).norm()) or 1.0
    apart = torch.cdist(pose[:, :3, 3] / spread, pose[:, :3, 3] / spread) < SAME_PLACE
    turned = torch.cdist(pose[:, :3, :3].flatten(1), pose[:, :3, :3].flatten(1)) < SAME_PLACE
    same = (apart & turned).triu(1)
    return [f"{views.names[i]} and {views.names[j]}" for i, j in same.nonzero().tolist()]


def _shows(matrix: Tensor, point: Tensor) -> bool:
    clip = matrix @ torch.cat([point, point.new_ones(1)])
    return bool(clip[3] > 0 and (clip[:2].abs() <= clip[3]).all())


def _median(values: list[float]) -> float:
    return values[len(values) // 2]


def _some(names: list[str]) -> str:
    short = [Path(name).name if "/" in name else name for name in names[:NAMED]]
    return ", ".join(short) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
