"""docs/paper_timings.md: the page that `glrast bench --paper --markdown` writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from . import table
from .paper import SLOW, Case
from .renderers import FACES_PER_PIXEL

_PAGE = """# The paper's timings

Laine et al. 2020 (Modular Primitives for High-Performance Differentiable Rendering, section on performance) render and
differentiate 14 meshes of 284 to 308,170 triangles at several resolutions, and set their primitives beside the Soft
Rasterizer and PyTorch3D. This page is that table, made on one machine by one command:

    glrast bench --paper --limit {limit:g} --markdown docs/paper_timings.md     # --quick: three meshes, two resolutions

{date}:
{machine}.

- **glrast**: `rasterize`, `interpolate`, `antialias`. **softras**: `nearest_faces`, `shade_faces`, `softras`, K = {K},
  the paper's sigma (1e-5 NDC) and reach. **PyTorch3D**: its rasterizer and `softmax_rgb_blend`, with the same K, reach,
  sigma and gamma.
- Each goes from clip positions and vertex colours to the gradients of both.
- {clock}
- A pass that takes over {slow:.2g} s is run once, its memory touched for the first time: such figures are noisy. A cell
  with a number in brackets was not measured; beneath the table stands why.
- The paper's meshes are objects of ShapeNet. These are spheres of exactly so many triangles; they fill 64 % of the
  image. Of the 14 counts the two ends are the paper's; those between are a geometric progression, rounded to even
  numbers, for its table was not at hand. The layout of rows and columns is ours for the same reason.
- The paper's own milliseconds come from another machine (a GPU): only ratios can be compared.

{table}
"""
_CLOCKS = {
    True: "Milliseconds are the processor's, of all threads together, which a busy machine disturbs least; ratios are "
    "of\n  forward + backward. PyTorch3D's backward pass on the CPU uses one thread, the others use all.",
    False: "Milliseconds are the clock's, with the GPU waited for; ratios are of forward + backward.",
}  # fmt: skip


def page(cases: Sequence[Case], machine: dict[str, Any], day: date, limit_s: float) -> str:
    """The whole page. machine: what `glrast bench` prints of itself first."""
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    clock = _CLOCKS[machine["device"] == "cpu"]
    when = f"{day.day} {day:%B %Y}"
    return _PAGE.format(
        date=when,
        machine=about,
        K=FACES_PER_PIXEL,
        clock=clock,
        table=table.paper(cases),
        limit=limit_s,
        slow=SLOW * limit_s,
    )
