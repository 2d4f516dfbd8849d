"""What else `glrast bake` writes: maps beside the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

import glrast

from .. import bake
from ..core.files import replacing

MAPS = ("normal", "occlusion", "displacement", "position", "confidence")
NUMBERS = ("displacement", "position")  # in the mesh's unit, as npy; others are pictures


@dataclass
class Baked:
    """color: [H,W,C]. known: bool [H,W], texels of charts that hold something. Of --high: what was found."""

    color: Tensor
    known: Tensor
    transfer: bake.Transfer | None = None
    projection: bake.Projection | None = None


def write_maps(
    out: Path, maps: tuple[str, ...], texels: bake.Texels, baked: Baked, ctx: glrast.Context
) -> list[str]:
    """The maps as files beside `out`, charts continued; their names. Top row first."""
    names = []
    for name in maps:
        image, _ = bake.pad(_map(name, texels, baked, ctx), texels.mask, None, texels.chart)
        path = out.with_name(f"{out.stem}_{name}.{'npy' if name in NUMBERS else 'png'}")
        with replacing(path) as temporary:
            _write(temporary, np.ascontiguousarray(image.flip(0).cpu().numpy()), name in NUMBERS)
        names.append(path.name)
    return names


def _write(path: Path, pixels: np.ndarray, numbers: bool) -> None:
    if numbers:
        with path.open("wb") as file:  # np.save would append .npy to another name
            np.save(file, pixels)
        return
    from PIL import Image

    bytes_ = np.round(pixels.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(bytes_[..., 0] if bytes_.shape[2] == 1 else bytes_).save(path, format="png")


def _map(name: str, texels: bake.Texels, baked: Baked, ctx: glrast.Context) -> Tensor:
    """[H,W,C]. Normals are those of the finer mesh in tangent space, or else the mesh's own in its axes."""
    transfer, projection = baked.transfer, baked.projection
    if name == "normal":
        return 0.5 + 0.5 * (texels.normal if transfer is None else transfer.tangent_normal)
    if name == "occlusion":
        high = None if transfer is None else transfer.high
        return bake.ambient_occlusion(texels, high, ctx=ctx)[..., None]
    if name == "displacement":
        assert transfer is not None
        return transfer.displacement[..., None]
    if name == "position":
        return texels.position
    assert projection is not None
    return projection.confidence[..., None]
