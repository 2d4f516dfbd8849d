"""Positions in half precision, which autocast makes of a matrix product: they have lost their places."""

from __future__ import annotations

import sys
import warnings

import torch

# Bits of the mantissa, and by how many pixels of 1024 they place a vertex.
HALVES = {torch.float16: (11, 0.5), torch.bfloat16: (8, 4)}


def warn_of_half(function: str, dtype: str, kind: str) -> None:
    """A warning to whoever called glrast with pos in `dtype`, under autocast on a `kind` of device."""
    bits, off = HALVES[getattr(torch, dtype)]
    warnings.warn(
        f"glrast.{function}: pos must be float32, computed as such; got {dtype} under autocast, whose {bits} bits "
        f"place a vertex to about {off} pixels of 1024. Compute pos with glrast.clip.transform_points(matrix, "
        f"points.float()), or inside `with torch.autocast('{kind}', enabled=False):`",
        stacklevel=_outside(),
    )


# torch.compile runs it while it traces instead of looking into it. torch.compiler.assume_constant_result would set
# the same mark, and import the compiler.
warn_of_half._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def _outside() -> int:
    """stacklevel of the line that called glrast, or what torch compiled of it, for a warning by this one's caller."""
    frame, level = sys._getframe(1), 1  # pyright: ignore[reportPrivateUsage] inspect looks at files
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("glrast.", "torch.")):
        frame, level = frame.f_back, level + 1
    return level
