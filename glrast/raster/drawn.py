"""What rasterize returns: triangles drawn by OpenGL, resolved to barycentrics, depth and their derivatives."""

from __future__ import annotations

import torch

from ..core.rast import images_of, stride_of
from ..gl.registry import by_handle
from ..launch import launch
from . import tiles
from .draw import draw
from .plan import drawable


def drawn(
    pos, tri, ranges, handle: int, height: int, width: int, program: str, cull: str, output_db: bool, peeling=None
):  # fmt: skip
    """(rast, rast_db, ids); with `peeling` of the layer behind the one before (see peel.py)."""
    context, device = by_handle(handle), pos.device
    N, T, V = images_of(pos, ranges), tri.shape[0], pos.shape[-2]
    if ranges is not None:
        _check_within(
            _named(peeling), ranges, T
        )  # here, not before the operator: torch.compile does not see values
    if N == 0 or T == 0 or V == 0:
        results = _allocated(pos, N, height, width, output_db, peeling)
        return tuple(t.zero_() for t in results if t is not None)
    large = tiles.is_large(context, height, width)
    if large:  # OpenGL's barycentrics would be rounded tile by tile; the kernel's are the image's
        program = "id"
    from_rast = program == "full"  # OpenGL makes rast then, without the depth, otherwise the ids
    made = "rast" if from_rast else "ids"
    # Before the triangles are prepared, which for a size that cannot be had takes long and gigabytes.
    rast, rast_db, ids = _allocated(pos, N, height, width, output_db, peeling, but=made)
    batch = (peeling.drawable if peeling else drawable)(
        context, pos, tri, ranges, height, width, cull
    )

    def resolve(first: int, last: int, found: torch.Tensor, texture: int) -> None:
        def of_chunk(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return tensor[first:last] if tensor is not None and last - first < N else tensor

        launch(
            "rasterize", "rasterize_resolve", device, width=width, rows=(last - first) * height,
            ids=of_chunk(ids) if from_rast else found, rast=found if from_rast else of_chunk(rast),
            rast_db=of_chunk(rast_db) if output_db else None, from_rast=int(from_rast), drawn=texture,
            pos=of_chunk(pos) if pos.ndim == 3 else pos, pos_stride=stride_of(pos), tri=tri, V=V, T=T, H=height,
        )  # fmt: skip

    window = tiles.whole(height, width) if large else None
    if peeling is not None:
        found = draw(context, batch, program, height, width, device, None, window, peeling.targets)
        found = peeling.remember(found)
        resolve(0, N, found, 0)
    elif large:
        found = tiles.draw_tiled(context, batch, height, width, device)
        resolve(0, N, found, 0)
    else:
        found = draw(context, batch, program, height, width, device, resolve)
    return (found, rast_db, ids) if from_rast else (rast, rast_db, found)


def _named(peeling) -> str:
    """The function that the user called."""
    return "rasterize" if peeling is None else peeling.function


def _check_within(function: str, ranges: torch.Tensor, T: int) -> None:
    first, count = ranges[:, 0], ranges[:, 1]
    wrong = ((first < 0) | (count < 0) | (count > T - first)).nonzero()
    if len(wrong):
        n = int(wrong[0])
        raise ValueError(
            f"glrast.{function}: ranges must lie within tri, first >= 0 and first + count <= T={T}; "
            f"row {n} is {ranges[n].tolist()}"
        )


def _allocated(pos, N: int, height: int, width: int, output_db: bool, peeling, but: str = ""):
    """rast, rast_db and ids, not yet filled; None for the one that OpenGL makes."""
    try:
        return (
            None if but == "rast" else pos.new_empty((N, height, width, 4)),
            pos.new_empty((N, height, width, 4 if output_db else 0)),
            None if but == "ids" else pos.new_empty((N, height, width), dtype=torch.int32),
        )
    except RuntimeError as error:  # nothing but memory is asked for
        size = 4 * N * height * width * (9 if output_db else 5)
        raise type(error)(  # on a GPU torch.OutOfMemoryError, which clients catch
            f"glrast.{_named(peeling)}: resolution must be such that the result fits into memory; got "
            f"({height}, {width}), which takes {size / 1e9:,.0f} GB on {pos.device} for N={N}: "
            "draw smaller images, or fewer at once"
        ) from error
