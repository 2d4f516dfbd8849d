"""Posed pictures of one object, from a folder in the NeRF-synthetic or nerfstudio convention."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glrast.clip.transforms import Frame, load_cameras
from glrast.fit.images import read_image, reduced

# Without transforms_test.json each eighth frame is kept for the evaluation, as in mip-NeRF 360.
HOLD_OUT_EVERY = 8


@dataclass(frozen=True)
class Views:
    """N pictures and the cameras that took them.

    rgba is uint8 [N,H,W,4] on the CPU, row 0 at the bottom, colour premultiplied by alpha;
    world_to_camera and projection are float64 [N,4,4].
    """

    rgba: Tensor
    world_to_camera: Tensor
    projection: Tensor
    names: list[str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def resolution(self) -> tuple[int, int]:
        return self.rgba.shape[1], self.rgba.shape[2]

    @property
    def world_to_clip(self) -> Tensor:
        """[N,4,4] float64."""
        return self.projection @ self.world_to_camera

    def target(self, index: Tensor, device: torch.device) -> Tensor:
        """The pictures of the views `index`, float32 [n,H,W,4] in 0..1, on the device."""
        return self.rgba[index].to(device).float() / 255.0

    def reduced(self, longest: int) -> "Views":
        """The same views with at most `longest` pixels on the longer side."""
        return replace(self, rgba=reduced(self.rgba, longest))

    def pick(self, index: list[int]) -> "Views":
        """The views of the given indices."""
        names = [self.names[i] for i in index]
        return Views(self.rgba[index], self.world_to_camera[index], self.projection[index], names)

    def fingerprint(self) -> str:
        """A hash of pictures and cameras: --resume compares it with the interrupted run's."""
        digest = hashlib.sha256(repr((tuple(self.rgba.shape), self.names)).encode())
        for part in (self.rgba, self.world_to_camera, self.projection):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """The views to learn from, the views to be judged by, and how the latter were chosen."""

    train: Views
    test: Views
    held_out: str


def load_dataset(folder: str | Path, resolution: int) -> Dataset:
    """The data set in `folder`, pictures reduced to `resolution` on the longer side.

    Reads transforms_train.json (and transforms_test.json where there is one), else transforms.json
    and holds out each eighth frame.

    Raises:
        FileNotFoundError, ValueError: a message that names the file, what was expected and what
            to do.
    """
    folder = Path(folder)
    train, test = folder / "transforms_train.json", folder / "transforms_test.json"
    if train.is_file():
        learn = load_views(train, resolution)
        if test.is_file():
            return Dataset(learn, load_views(test, resolution), held_out=test.name)
        return _hold_out(learn)
    whole = folder / "transforms.json"
    if not whole.is_file():
        raise FileNotFoundError(
            f"glrast fit: DATASET must be the word demo or a folder with transforms_train.json or "
            f"transforms.json; {folder} {'has neither' if folder.is_dir() else 'is no folder'}."
        )
    return _hold_out(load_views(whole, resolution))


def load_views(path: Path, resolution: int) -> Views:
    """The frames of one transforms file with their pictures."""
    frames = load_cameras(path)
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda frame: _picture(frame, resolution), frames))
    for frame, picture in zip(frames, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise ValueError(
                f"glrast fit: all images of {path} must have one size; {frames[0].image} has "
                f"{_size(pictures[0])} and {frame.image} has {_size(picture)} (after reduction to "
                f"--resolution {resolution}). Crop or scale them to one size."
            )
    rgba = torch.stack(pictures)
    if bool((rgba[..., 3] == 255).all()):
        raise ValueError(
            f"glrast fit: the images of {path} are opaque in every pixel, so their alpha says "
            "nothing of the object. Cut the object out, or name a mask_path for each frame."
        )
    cameras = [frame.camera for frame in frames]
    return Views(
        rgba=rgba,
        world_to_camera=torch.stack([camera.world_to_camera for camera in cameras]).double(),
        projection=torch.stack([camera.projection for camera in cameras]).double(),
        names=[frame.image.name for frame in frames],
    )


def _picture(frame: Frame, resolution: int) -> Tensor:
    mask = frame.mask or _mask_beside(frame.image)
    return reduced(read_image(frame.image, mask)[None], resolution)[0]


def _mask_beside(image: Path) -> Path | None:
    """masks/<name>.png beside the folder of the image, the place that capture tools use."""
    mask = image.parent.parent / "masks" / f"{image.stem}.png"
    return mask if mask.is_file() else None


def _hold_out(views: Views) -> Dataset:
    index = range(len(views))
    # With so few views each one counts for the shape; the report then says that nothing was held.
    if len(views) < HOLD_OUT_EVERY // 2:
        return Dataset(
            views, views, held_out="nothing: too few views, judged on the training views"
        )
    test = views.pick([i for i in index if i % HOLD_OUT_EVERY == 0])
    train = views.pick([i for i in index if i % HOLD_OUT_EVERY != 0])
    return Dataset(train, test, held_out=f"every {HOLD_OUT_EVERY}th frame")


def _size(picture: Tensor) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
