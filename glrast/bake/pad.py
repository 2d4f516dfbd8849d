"""Charts continued beyond their borders: what lies there is read by filters and mipmaps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.check import show, wrong


@torch.no_grad()
def pad(
    image: Tensor, mask: Tensor, pixels: int | None = None, chart: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The image with its empty texels filled by the nearest that is not, of the same chart.

    Args:
        image: [H,W,C] of any type.
        mask: bool [H,W], the texels that hold something.
        pixels: fill only up to this distance in texels, between centres; None: everything, which is what mipmaps want.
            A lookup in a chart reads texels up to 1.5 * 2^level beyond it; `glrast.bake.atlas` leaves charts so far
            apart that those are its own up to level 2.
        chart: int [H,W], `Texels.chart`, -1 where there is none. Given, an empty texel of a chart takes from its own
            chart only, and one between the charts what the nearest texel of any chart holds. A chart of which nothing
            is known stays empty, and its surroundings too. None: all is one chart.
    Returns: (image, the mask of what holds something now, bool [H,W]).
    """
    image, mask = _checked(image, mask, chart)
    if pixels is not None:
        pixels = check.whole("bake.pad", "pixels", pixels, 0, also="None or ")
    if pixels == 0 or not mask.any():
        return image.clone(), mask.clone()
    if chart is None:
        source, reached = nearest(mask, pixels)
        return _taken(image, source, mask | reached), mask | reached
    charted = chart >= 0
    mask = mask & charted
    known = mask
    if bool((charted & ~mask).any()):
        source, reached = _within_charts(mask, chart, pixels)
        image, known = _taken(image, source, mask | reached), mask | reached
    source, reached = nearest(charted, pixels)
    filled = (charted | reached) & known.reshape(-1)[source]
    return _taken(image, source, filled), filled


def spread(texture: Tensor, known: Tensor) -> Tensor:
    """The texture [H,W,C] with each texel that is not known [H,W] replaced by the nearest that is."""
    return pad(texture, known)[0]


def nearest(known: Tensor, pixels: int | None = None) -> tuple[Tensor, Tensor]:
    """Of each texel the nearest known one, int64 [H,W] = row * W + column, itself where nothing is in reach; and bool
    [H,W], whether it is not known itself and one is in reach. Distances are exact, between centres.

    Args:
        known: bool [H,W].
        pixels: how far to look; None: everywhere.
    """
    if pixels is None and known.device.type == "cpu":
        found = _everywhere(known)
        if found is not None:
            return found, ~known & known.any()
    height, width = known.shape
    reach = max(height, width) if pixels is None else pixels
    beside = _in_row(
        known
    )  # the column of the nearest in the same row, far away where there is none
    own = torch.arange(height * width, device=known.device)
    source = own.clone()
    place = (~known).reshape(-1).nonzero()[:, 0]
    row, column = place // width, place % width
    best = torch.full_like(place, reach * reach + 1)
    for step in range(reach + 1):
        for dy in sorted({step, -step}):
            there = (row + dy).clamp(0, height - 1)
            other = beside[there, column]
            squared = (other.long() - column) ** 2 + dy * dy
            squared = torch.where(there == row + dy, squared, reach * reach + 1)
            nearer = squared < best
            best = torch.where(nearer, squared, best)
            source[place] = torch.where(nearer, there * width + other, source[place])
        open_ = best > (step + 1) ** 2
        place, row, column, best = (x[open_] for x in (place, row, column, best))
        if not len(place):
            break
    return source.view(height, width), (source != own).view(height, width)


def _in_row(known: Tensor) -> Tensor:
    """int32 [H,W], the column of the nearest known texel of the same row (the left one of two); else -2^14 or less."""
    width = known.shape[1]
    far = 1 << 20
    column = torch.arange(width, device=known.device, dtype=torch.int32).expand_as(known)
    left = torch.where(known, column, -far).cummax(1).values
    right = torch.where(known, column, far).flip(1).cummin(1).values.flip(1)
    return torch.where(column - left <= right - column, left, right)


def _everywhere(known: Tensor) -> Tensor | None:
    """int64 [H,W], with SciPy; None where it is not installed."""
    try:
        from scipy.ndimage import distance_transform_edt
    except ModuleNotFoundError:
        return None
    height, width = known.shape
    if not known.any():
        return torch.arange(height * width).view(height, width)
    found: Any = distance_transform_edt(~known.numpy(), return_distances=False, return_indices=True)
    row, column = torch.from_numpy(found).long()
    return row * width + column


def _within_charts(mask: Tensor, chart: Tensor, pixels: int | None) -> tuple[Tensor, Tensor]:
    """`nearest` for the empty texels of charts, each among its own chart's: (source [H,W], reached [H,W])."""
    height, width = mask.shape
    source = torch.arange(height * width, device=mask.device).view(height, width)
    reached = torch.zeros_like(mask)
    empty = torch.unique(chart[(chart >= 0) & ~mask])
    for number, (rows, columns) in boxes(chart, empty):
        own = chart[rows, columns] == number
        there = own & mask[rows, columns]
        if not there.any():
            continue
        index, new = nearest(there, pixels)
        new &= own
        # of the box, then of the image
        index = (index // there.shape[1] + rows.start) * width + index % there.shape[1]
        index += columns.start
        source[rows, columns] = torch.where(new, index, source[rows, columns])
        reached[rows, columns] |= new
    return source, reached


def boxes(chart: Tensor, wanted: Tensor) -> list[tuple[int, tuple[slice, slice]]]:
    """Of each chart wanted, the rows and columns that it reaches."""
    place = (chart >= 0).nonzero()
    count = int(chart.max()) + 1
    which = chart[place[:, 0], place[:, 1]].long()
    ends = []
    for axis in (0, 1):
        low = torch.full((count,), 1 << 30, device=chart.device, dtype=torch.int64)
        ends.append(low.scatter_reduce(0, which, place[:, axis], "amin"))
        ends.append((low * 0 - 1).scatter_reduce(0, which, place[:, axis], "amax"))
    rows = torch.stack(ends, 1)[wanted.long()].tolist()
    return [
        (number, (slice(top, bottom + 1), slice(left, right + 1)))
        for number, (top, bottom, left, right) in zip(wanted.tolist(), rows)
    ]


def _taken(image: Tensor, source: Tensor, where: Tensor) -> Tensor:
    """The image with the texels `where` taken from their source [H,W]."""
    flat = image.reshape(-1, image.shape[-1])
    place = where.reshape(-1).nonzero()[:, 0]
    out = flat.clone()
    out[place] = flat[source.reshape(-1)[place]]
    return out.view(image.shape)


def _checked(image: Tensor, mask: Tensor, chart: Tensor | None) -> tuple[Tensor, Tensor]:
    name = "bake.pad"
    check.tensor(name, "image", image)
    check.shape(name, "image", image, "[H,W,C]", image.ndim == 3)
    lead = tuple(image.shape[:2])
    expected = f"[{lead[0]},{lead[1]}] (from image)"
    for what, given in (("mask", mask), ("chart", chart)):
        if given is not None:
            check.tensor(name, what, given, device=image.device)
            check.shape(name, what, given, expected, tuple(given.shape) == lead)
    if mask.dtype != torch.bool:
        raise TypeError(wrong(name, "mask must be bool", f"{mask.dtype} {show(mask)}", "mask > 0"))
    return image, mask
