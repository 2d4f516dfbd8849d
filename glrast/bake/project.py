"""Photographs onto a texture: of each texel the mean of what the views that see it show, weighted by how well they do.

A view sees a texel where all four pixels around its place show it: its own triangle, or a surface at its depth. Its
weight is the cosine between surface and view to a power, times the square of how finely it shows the place, times how
far (in pixels) it is from a silhouette, a jump in depth, the end of the mask or of the picture: so views fade into each
other where one of them ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera.camera import Camera
from ..context import Context
from ..core import check
from ..core.check import show, wrong
from ..mesh.mesh import Mesh
from .sight import checked_cameras
from .texels import Texels, check_texels
from .view_samples import Samples, Surface, View, samples

# Texels at once: each takes about 300 bytes on the way.
PORTION = 1 << 19


@dataclass(frozen=True)
class Projection:
    """What the views say of a texture, row 0 at the BOTTOM.

    Args:
        color: float32 [H,W,C], 0 where nothing is known.
        seen: bool [H,W], whether any view sees the texel.
        views: int32 [H,W], how many do.
        confidence: float32 [H,W], 0..1: the weight of the view that sees it best, where 1 is a view from straight
            above, from the distance of the nearest camera, far from any border.
    """

    color: Tensor
    seen: Tensor
    views: Tensor
    confidence: Tensor


@torch.no_grad()
def project(
    texels: Texels,
    images: Tensor | Sequence[Tensor],
    cameras: Sequence[Camera],
    masks: Tensor | Sequence[Tensor] | None = None,
    *,
    occluders: Mesh | None = None,
    tolerance: float = 1.5,
    cosine: float = 2.0,
    least_cosine: float = 0.1,
    fade: int = 8,
    ctx: Context | None = None,
) -> Projection:
    """The texture that posed pictures show.

    Args:
        texels: of the mesh.
        images: [N,H,W,C], or a list of [H,W,C], float32 or uint8 (0..255 becomes 0..1), row 0 at the BOTTOM: flip what
            an image file holds.
        cameras: N, each with the resolution of its picture; near and far follow from the mesh.
        masks: bool or float32 [N,H,W] or a list of [H,W]: pixels that show the object and nothing else; None: all that
            the mesh covers.
        occluders: what hides the surface; None: the mesh itself.
        tolerance: how far a pixel's depth may be from the texel's, in pixels' widths on the surface as seen from there
            (a surface at a slant gets accordingly more).
        cosine: the power of the cosine between normal and view; larger ones take more from the view that is nearest to
            straight above, and leave harder seams.
        least_cosine: views that see the surface at a lower cosine than this do not count.
        fade: pixels over which a view fades out towards its borders.
        ctx: a Context on the mesh's device; None: one is made.
    Returns: `Projection`.
    Raises: TypeError, ValueError: numbers and sizes that do not belong together.
    """
    check_texels("bake.project", texels)
    cameras, pictures, covers = _checked(cameras, images, masks, texels.mesh.pos.device)
    fade = check.whole("bake.project", "fade", fade, 1)
    ctx = Context(texels.mesh.pos.device, output_db=False) if ctx is None else ctx
    surface = Surface.of(texels, occluders)
    place = texels.mask.reshape(-1).nonzero()[:, 0]
    P, C = len(place), pictures[0].shape[-1]
    total = pictures[0].new_zeros((P, C), dtype=torch.float32)
    weights, best = total.new_zeros(P), total.new_zeros(P)
    count = torch.zeros(P, dtype=torch.int32, device=total.device)
    finest = surface.finest(cameras)
    for camera, image, mask in zip(cameras, pictures, covers):
        view = View.of(ctx, surface, camera, mask, tolerance, least_cosine, fade)
        for part in torch.arange(P, device=place.device).split(PORTION):
            found = samples(view, surface, place[part])
            weight = found.cos**cosine * found.faded * (finest / found.size) ** 2
            at = part[found.row]
            total[at] += weight[:, None] * colours(image, found)
            weights[at] += weight
            best[at] = torch.maximum(best[at], weight)
            count[at] += 1
    height, width = texels.resolution
    color = total.new_zeros((height * width, C))
    color[place] = total / weights.clamp_min(1e-20)[:, None]
    whole = [x.new_zeros(height * width) for x in (best, count)]
    whole[0][place], whole[1][place] = best.clamp(max=1), count
    confidence, views = (x.view(height, width) for x in whole)
    return Projection(color.view(height, width, C), views > 0, views, confidence)


def colours(image: Tensor, found: Samples) -> Tensor:
    """[Q,C] float32, the image [H,W,C] between the four pixels around each place."""
    flat = image.reshape(-1, image.shape[-1])
    out = found.weight.new_zeros((len(found.row), image.shape[-1]))
    for k in range(4):
        out += found.weight[:, k, None] * flat[found.pixel[:, k]].float()
    return out / 255 if image.dtype == torch.uint8 else out


def _checked(
    cameras: Sequence[Camera],
    images: Tensor | Sequence[Tensor],
    masks: Tensor | Sequence[Tensor] | None,
    device: torch.device,
) -> tuple[list[Camera], list[Tensor], list[Tensor | None]]:
    name = "bake.project"
    cameras = checked_cameras(name, cameras)
    pictures = list(images)
    covers: list[Tensor | None] = [None] * len(pictures) if masks is None else list(masks)
    for what, given in (("images", pictures), ("masks", covers)):
        if len(given) != len(cameras):
            found = f"{len(given)} for {len(cameras)} cameras"
            raise ValueError(wrong(name, f"{what} must be one for each camera", found))
    channels = {image.shape[-1] if image.ndim == 3 else 0 for image in pictures}
    for n, (camera, image, mask) in enumerate(zip(cameras, pictures, covers)):
        height, width = camera.resolution
        wanted = f"[{height},{width},C] (from cameras[{n}])"
        fits = image.ndim == 3 and image.shape[:2] == (height, width) and len(channels) == 1
        check.shape(name, f"images[{n}]", image, wanted, fits)
        if image.dtype not in (torch.uint8, torch.float32):
            raise TypeError(
                wrong(name, f"images[{n}] must be float32 or uint8", f"{image.dtype} {show(image)}")
            )
        if mask is not None:
            expected = f"[{height},{width}]"
            check.shape(name, f"masks[{n}]", mask, expected, tuple(mask.shape) == (height, width))
    moved = [None if mask is None else mask.to(device) for mask in covers]
    return cameras, [image.to(device) for image in pictures], moved
