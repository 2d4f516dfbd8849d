"""What rasterize returns: triangles drawn by OpenGL, resolved to barycentrics, depth and their derivatives."""

from __future__ import annotations

import torch

from ..core.per_tensor import is_capturing
from ..core.rast import images_of, stride_of
from ..gl.registry import by_handle
from ..launch import launch
from . import tiles
from .batch import Pieces
from .draw import draw
from .layers import Peeling
from .plan import drawable


def drawn(
    pos: torch.Tensor, tri: torch.Tensor, ranges: torch.Tensor | None, handle: int, height: int, width: int,
    program: str, cull: str, output_db: bool, peeling: Peeling | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """(rast, rast_db, ids); with `peeling` of the layer behind the one before (see layers.py)."""
    context, device = by_handle(handle), pos.device
    N, T, V = images_of(pos, ranges), tri.shape[0], pos.shape[-2]
    function = "rasterize" if peeling is None else peeling.function
    if is_capturing(device):
        raise RuntimeError(
            f"glrast.{function}: the call must be outside of a CUDA graph, which cannot hold what OpenGL draws; the "
            f"current stream of {device} is being captured: call it before and capture what follows it"
        )
    if ranges is not None:  # here, not before the operator: torch.compile does not see values
        _check_within(function, ranges, T)
    if N == 0 or T == 0 or V == 0:
        results = _allocated(function, pos, N, height, width, output_db)
        return results["rast"].zero_(), results["rast_db"].zero_(), results["ids"].zero_()
    if tiles.is_large(context.limits, height, width):
        program = "id"  # OpenGL's barycentrics would be rounded tile by tile; the kernel's are the image's
    made = "rast" if program == "full" else "ids"  # by OpenGL; rast without its depth
    # Before the triangles are prepared, which for a size that cannot be had takes long and gigabytes.
    results = _allocated(function, pos, N, height, width, output_db, but=made)
    prepare = peeling.drawable if peeling else drawable
    batch = prepare(context, pos, tri, ranges, height, width, cull)

    def resolve(first: int, last: int, found: torch.Tensor, texture: int) -> None:
        def of_chunk(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[first:last] if last - first < N else tensor

        parts = {name: of_chunk(result) for name, result in results.items()} | {made: found}
        launch(
            "rasterize", "rasterize_resolve", device, width=width, rows=(last - first) * height,
            ids=parts["ids"], rast=parts["rast"], rast_db=parts["rast_db"] if output_db else None,
            from_rast=int(made == "rast"), drawn=texture, pos=of_chunk(pos) if pos.ndim == 3 else pos,
            pos_stride=stride_of(pos), tri=tri, V=V, T=T, H=height, per_width=1 / width, per_height=1 / height,
        )  # fmt: skip

    if peeling is not None:
        found = draw(context, batch, program, height, width, device, peeled=peeling.targets)
        found = peeling.remember(found)
        resolve(0, N, found, 0)
    elif isinstance(batch, Pieces):
        found = tiles.draw_tiled(context, batch, height, width, device)
        resolve(0, N, found, 0)
    else:
        found = draw(context, batch, program, height, width, device, resolve)
    results[made] = found
    return results["rast"], results["rast_db"], results["ids"]


def _check_within(function: str, ranges: torch.Tensor, T: int) -> None:
    first, count = ranges[:, 0], ranges[:, 1]
    wrong = ((first < 0) | (count < 0) | (count > T - first)).nonzero()
    if len(wrong):
        n = int(wrong[0])
        raise ValueError(
            f"glrast.{function}: ranges must lie within tri, first >= 0 and first + count <= T={T}; "
            f"row {n} is [{int(first[n])}, {int(count[n])}]"
        )


def _allocated(
    function: str, pos: torch.Tensor, N: int, height: int, width: int, output_db: bool, but: str = ""
) -> dict[str, torch.Tensor]:  # fmt: skip
    """rast, rast_db and ids, not yet filled; without the one that OpenGL makes."""
    pixels = (N, height, width)
    try:
        results = {"rast_db": pos.new_empty((*pixels, 4 if output_db else 0))}
        if but != "rast":
            results["rast"] = pos.new_empty((*pixels, 4))
        if but != "ids":
            results["ids"] = pos.new_empty(pixels, dtype=torch.int32)
    except RuntimeError as error:  # nothing but memory is asked for
        size = 4 * N * height * width * (9 if output_db else 5)
        raise type(error)(  # on a GPU torch.OutOfMemoryError, which clients catch
            f"glrast.{function}: resolution must be such that the result fits into memory; got "
            f"({height}, {width}), which takes {size / 1e9:,.0f} GB on {pos.device} for N={N}: "
            "draw smaller images, or fewer at once"
        ) from error
    return results
