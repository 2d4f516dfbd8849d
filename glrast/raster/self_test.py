"""Does this driver draw what it is told to? Asked once, when a GPU's context is made.

Some drivers for the A100 before 535.129 lost pixels at random when the depth test was on; writing the depth in the
fragment stage keeps them from it, and costs speed, so it is done where it is needed. The same picture tells whether
CUDA reads what OpenGL drew.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ..gl import registry
from ..gl.context import DeviceContext
from ..gl.host_copy import HostCopy
from ..launch import launch
from .batch import Indexed
from .draw import draw

SIZE, SQUARES = 512, 32  # pixels; squares along each axis, whose edges lie between pixels
IMAGES, TRIES = 4, 3


def tested(device: torch.device) -> DeviceContext:
    """The context of `device`; a GPU's is tried when it is made."""
    return registry.for_device(device, check)


def check(context: DeviceContext) -> None:
    """Switches on what the context needs to draw right; RuntimeWarning says what that was."""
    try:
        if _is_right(context):
            return
    except Exception as error:  # noqa: BLE001  the first real call fails by itself if it must
        _warn(f"the driver's self-test could not run ({type(error).__name__}: {error})")
        return
    shared = context.sharing
    if not isinstance(shared, HostCopy):
        context.close()
        context.sharing = HostCopy("what CUDA read was not what OpenGL drew")
        if _is_right(context):
            _warn("CUDA does not read what OpenGL drew: images go through host memory, slower")
            return
        context.sharing = shared
    context.close()
    context.limits.writes_depth = True
    if _is_right(context):
        _warn(
            f"this driver ({context.version}) drops pixels when the depth test is on; a workaround keeps them "
            "and costs speed: install driver 535.129 or newer"
        )
    else:
        _warn(
            f"this driver ({context.renderer}, {context.version}) does not draw a test picture right: do not trust it"
        )


def _warn(text: str) -> None:
    warnings.warn(f"glrast: {text}", RuntimeWarning, stacklevel=4)


def _is_right(context: DeviceContext) -> bool:
    """Every pixel shows the near sheet's square, in every image and every time. Waits for the GPU."""
    device = context.device
    pos, tri = (t.to(device) for t in _two_sheets())
    images = np.zeros((IMAGES, 4), dtype=np.int64)
    images[:, 3] = len(tri)
    batch = Indexed(pos, tri[None], images, "none")
    expected = _squares().to(device)
    return all(bool((_shown_square(context, batch, tri) == expected).all()) for _ in range(TRIES))


def _shown_square(context: DeviceContext, batch: Indexed, tri: torch.Tensor) -> torch.Tensor:
    """[N,H,W]: the square of the near sheet at each pixel, by the way that `rasterize` takes; -1: none."""
    rast = torch.empty((IMAGES, SIZE, SIZE, 4), device=tri.device)

    def resolve(first: int, last: int, drawn: torch.Tensor, texture: int) -> None:
        launch(
            "rasterize", "rasterize_resolve", tri.device, width=SIZE, rows=(last - first) * SIZE, ids=drawn,
            from_rast=0, drawn=texture, pos=batch.pos, pos_stride=0, tri=tri,
            V=len(batch.pos), T=len(tri), H=SIZE, rast=rast[first:last], rast_db=None,
            per_width=1 / SIZE, per_height=1 / SIZE,
        )  # fmt: skip

    ids = draw(context, batch, "id", SIZE, SIZE, tri.device, resolve)
    square = torch.div(
        ids - 1, 2, rounding_mode="floor"
    )  # two triangles each; the near sheet's come first
    return torch.where(
        square == torch.div(rast[..., 3].int() - 1, 2, rounding_mode="floor"), square, -1
    )


def _two_sheets() -> tuple[torch.Tensor, torch.Tensor]:
    """Squares that fill the image, near and far, the far drawn last: all its pixels must fail the depth test."""
    n = SQUARES + 1
    line = torch.arange(n, device="cpu") / SQUARES * 2 - 1  # multiples of 1/16: exact
    y, x = torch.meshgrid(line, line, indexing="ij")
    sheets = [
        torch.stack([x, y, torch.full_like(x, z), torch.ones_like(x)], -1) for z in (-0.5, 0.5)
    ]
    number = torch.arange(SQUARES, device="cpu")
    row, column = torch.meshgrid(number, number, indexing="ij")
    corner = (row * n + column).reshape(-1)
    halves = [[corner, corner + 1, corner + n], [corner + 1, corner + n + 1, corner + n]]
    near = torch.stack([torch.stack(half, 1) for half in halves], 1).reshape(-1, 3)
    tri = torch.cat([near, near + n * n]).to(torch.int32)
    return torch.cat([sheet.reshape(-1, 4) for sheet in sheets]), tri


def _squares() -> torch.Tensor:
    """[H,W]: the square that each pixel lies in."""
    at = torch.arange(SIZE, device="cpu") // (SIZE // SQUARES)
    return at[:, None] * SQUARES + at[None, :]
