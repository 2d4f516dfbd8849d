"""What an atlas is like: charts, overlaps, mirrored and outlying triangles, texels for each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..context import Context
from ..core.rast import triangle_id
from ..mesh.mesh import Mesh
from ..ops.peel import DepthPeeler
from .charts import charts, signed_areas
from .texels import CHUNK, clip_places, place_of, texels
from .unwrap import Atlas


@dataclass(frozen=True)
class Report:
    """What an atlas is like on a texture of height x width texels.

    Args:
        resolution: (height, width).
        triangles, charts: how many.
        covered: the share of the texels that show a triangle.
        overlapping: texels whose centre lies in more than one triangle.
        mirrored: triangles that run clockwise on the texture: text on it would be read from the right.
        outside: triangles that reach beyond 0..1.
        flat: triangles without an area on the texture, or with a place that is not finite.
        uncovered: triangles that no texel's centre shows (without those that are flat); small ones, or hidden under
            others.
        texels: the 5th, 50th and 95th percentile of a triangle's area in texels.
    """

    resolution: tuple[int, int]
    triangles: int
    charts: int
    covered: float
    overlapping: int
    mirrored: int
    outside: int
    flat: int
    uncovered: int
    texels: tuple[float, float, float]

    @property
    def usable(self) -> bool:
        """Whether each place on the surface has texels of its own."""
        return not (self.overlapping or self.outside or self.flat)

    def __str__(self) -> str:
        height, width = self.resolution
        low, middle, high = self.texels
        lines = [
            f"{self.triangles} triangles in {self.charts} charts on {height} x {width} texels, "
            f"{self.covered:.0%} covered",
            f"texels for a triangle: {low:.3g} / {middle:.3g} / {high:.3g} (5 %, median, 95 %)",
        ]
        for count, what in (
            (self.overlapping, "texels lie in more than one triangle"),
            (self.mirrored, "triangles are mirrored"),
            (self.outside, "triangles reach beyond 0..1"),
            (self.flat, "triangles have no area on the texture"),
            (self.uncovered, "triangles are shown by no texel"),
        ):
            if count:
                lines.append(f"{count} {what}")
        return "\n".join(lines)


@torch.no_grad()
def report(
    mesh: Mesh,
    size: int | tuple[int, int] | None = None,
    atlas: Atlas | None = None,
    *,
    ctx: Context | None = None,
) -> Report:
    """What the atlas, or the mesh's own uv, is like.

    Args:
        mesh, size, atlas, ctx: as of `glrast.bake.texels`.
    """
    place, (height, width) = place_of("bake.report", mesh, size, atlas)
    ctx = Context(mesh.pos.device, output_db=False) if ctx is None else ctx
    found = texels(mesh, (height, width), place, ctx=ctx)
    area = signed_areas(place.uv, place.uv_tri) * height * width
    proper = area.isfinite() & (area != 0)
    uv = place.uv.detach()
    beyond = ((uv < 0) | (uv > 1)).any(1)[place.uv_tri.long()].any(1)
    shown = torch.zeros(len(area), dtype=torch.bool, device=area.device)
    shown[found.face[found.inside].long()] = True
    part = torch.tensor([0.05, 0.5, 0.95], dtype=area.dtype, device=area.device)
    middle = _quantiles(area[proper].abs(), part.tolist())
    return Report(
        resolution=(height, width),
        triangles=len(area),
        charts=len(charts(place.uv, place.uv_tri)[proper].unique()),
        covered=float(found.inside.float().mean()),
        overlapping=_overlapping(ctx, found.uv, place, (height, width)),
        mirrored=int((area[proper] < 0).sum()),
        outside=int((beyond & proper).sum()),
        flat=int((~proper).sum()),
        uncovered=int((proper & ~shown).sum()),
        texels=(middle[0], middle[1], middle[2]),
    )


def _quantiles(values: torch.Tensor, shares: list[float]) -> list[float]:
    """torch.quantile ends at 16 million values."""
    if not len(values):
        return [0.0] * len(shares)
    ordered = values.sort().values
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]


def _overlapping(ctx: Context, uv: torch.Tensor, atlas: Atlas, size: tuple[int, int]) -> int:
    """Texels whose centre lies in more than one triangle: those of a second layer, all being equally deep."""
    clip = clip_places(uv)
    once = torch.zeros(size, dtype=torch.bool, device=uv.device)
    twice = torch.zeros_like(once)
    for first in range(0, len(atlas.uv_tri), CHUNK):
        ranges = [(first, min(CHUNK, len(atlas.uv_tri) - first))]
        with DepthPeeler(ctx, clip, atlas.uv_tri, size, ranges, grad_db=False) as peeler:
            shown = triangle_id(peeler.rasterize_next_layer()[0][0].detach()) >= 0
            again = triangle_id(peeler.rasterize_next_layer()[0][0].detach()) >= 0
        twice |= again | (once & shown)
        once |= shown
    return int(twice.sum())
