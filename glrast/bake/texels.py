"""The surface under each texel: which triangle, where on it, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from ..context import Context
from ..core import check
from ..core.check import wrong
from ..core.rast import channel_of, triangle_id
from ..mesh.mesh import Mesh
from ..mesh.normals import vertex_normals
from ..ops.interpolate import interpolate
from ..ops.rasterize import rasterize
from .charts import charts
from .colors import colors_of
from .rim_texels import nearest_weights, rim_texels
from .sight import check_mesh
from .tangents import tangents
from .unwrap import Atlas

# Triangles drawn at once: what is prepared of each on a CPU is about 100 bytes.
CHUNK = 1 << 20
LARGEST = 16384


@dataclass(frozen=True, eq=False)
class Texels:
    """What lies under the texels of a texture, row 0 at the BOTTOM, as `glrast.texture` reads it.

    `rast` is as `glrast.rasterize` gives it, so `glrast.interpolate(attr, texels.rast, tri)` brings any attribute onto
    the texture, with gradients to it. The rest follows from it and is kept once it was asked for.

    Args:
        mesh: the surface.
        uv, uv_tri: where it lies on the texture.
        rast: float32 [1,H,W,4]: u, v, 0, id + 1; 0 where no triangle is.
        inside: bool [H,W], texels whose centre a chart covers: all of `mask`, but for what `conservative` adds.
    """

    mesh: Mesh
    uv: Tensor
    uv_tri: Tensor
    rast: Tensor
    inside: Tensor

    @property
    def resolution(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rast.shape[1], self.rast.shape[2]

    @cached_property
    def mask(self) -> Tensor:
        """bool [H,W], where there is a surface."""
        return self.rast[0, ..., 3] > 0

    @cached_property
    def face(self) -> Tensor:
        """int32 [H,W], the triangle, -1 where there is none."""
        return triangle_id(self.rast)[0]

    @cached_property
    def bary(self) -> Tensor:
        """[H,W,3], the weights of the triangle's corners, 0 where there is none."""
        u, v = self.rast[0, ..., 0], self.rast[0, ..., 1]
        return torch.stack([u, v, torch.where(self.mask, 1 - u - v, 0)], -1)

    @cached_property
    def position(self) -> Tensor:
        """[H,W,3], as mesh.pos (add mesh.origin for the world's), with gradients to it; 0 where there is none."""
        return self.of(self.mesh.pos)

    @cached_property
    def normal(self) -> Tensor:
        """[H,W,3], unit: the mesh's own, or those of its vertices weighted by area; 0 where there is none."""
        mesh = self.mesh
        normal = vertex_normals(mesh.pos, mesh.tri) if mesh.normal is None else mesh.normal
        return functional.normalize(self.of(normal), dim=-1)

    @cached_property
    def tangent(self) -> Tensor:
        """[H,W,4]: unit, along +u on the surface and across the normal; and 1, or -1 where the texture is mirrored:
        bitangent = w * cross(normal, tangent). 0 where there is none."""
        corner, sign = tangents(self.mesh.pos, self.mesh.tri, self.uv, self.uv_tri)
        tangent = interpolate(corner, self.rast, self.uv_tri)[0][0]
        normal = self.normal
        tangent = tangent - (tangent * normal).sum(-1, keepdim=True) * normal
        side = torch.cat([sign, sign.new_zeros(1)])[self.face]
        return torch.cat([functional.normalize(tangent, dim=-1), side[..., None]], -1)

    @cached_property
    def color(self) -> Tensor:
        """[H,W,4], sRGB 0..1 and straight alpha: what the mesh's materials and vertex colours say, by the mesh's own
        uv; 0 where there is none. So several materials become one texture."""
        return colors_of(self.mesh, self.rast)

    @cached_property
    def charts(self) -> Tensor:
        """int32 [T], the chart of each triangle."""
        return charts(self.uv, self.uv_tri)

    @cached_property
    def chart(self) -> Tensor:
        """int32 [H,W], the chart, -1 where there is none."""
        return torch.cat([self.charts, self.charts.new_full((1,), -1)])[self.face]

    def of(self, attr: Tensor) -> Tensor:
        """[H,W,A], an attribute [V,A] of the mesh's vertices on the texture, with gradients to it."""
        return interpolate(attr.contiguous(), self.rast, self.mesh.tri)[0][0]


@torch.no_grad()
def texels(
    mesh: Mesh,
    size: int | tuple[int, int] | None = None,
    atlas: Atlas | None = None,
    *,
    ctx: Context | None = None,
    conservative: bool = False,
    material: int | None = None,
    chunk: int = CHUNK,
) -> Texels:
    """Which triangle each texel shows, and where on it.

    Args:
        mesh: with uv, unless there is an atlas.
        size: texels a side, or (height, width); None: the atlas's.
        atlas: of `glrast.bake.atlas`; None: the mesh's own uv. What lies beyond 0..1 of it is not drawn.
        ctx: a Context on the mesh's device; None: one is made.
        conservative: also texels of which a chart covers a part, but not the centre: there the nearest point of the
            chart's border is what they show.
        material: only the triangles of that material, whose texture is a square of its own; None: all.
        chunk: triangles drawn at once. It changes memory and time, not the result.
    Returns: `Texels`. Where triangles overlap the lower index is shown.
    Note: a texel whose centre lies in a chart is covered, and so is one whose centre is less than 1/128 texel outside.
    Raises: TypeError, ValueError: no uv, a size that is none.
    """
    place, size = place_of("bake.texels", mesh, size, atlas)
    height, width = size
    chunk = check.whole("bake.texels", "chunk", chunk, 1)
    conservative = check.flag("bake.texels", "conservative", conservative)
    ctx = Context(mesh.pos.device, output_db=False) if ctx is None else ctx
    uv, uv_tri = place.uv, _of_material(mesh, place.uv_tri, material)
    rast = None
    for drawn in layers(ctx, uv, uv_tri, size, chunk):
        rast = drawn if rast is None else torch.where(rast[..., 3:] > 0, rast, drawn, out=rast)
    if rast is None:
        rast = mesh.pos.new_zeros((1, height, width, 4))
    _settle_clamped(rast, uv, uv_tri)
    _fill_rims(rast, uv, uv_tri, near_only=True)
    inside = rast[0, ..., 3] > 0
    if conservative:
        _fill_rims(rast, uv, uv_tri, near_only=False)
    return Texels(mesh, uv, place.uv_tri, rast, inside)


def check_texels(function: str, texels: object) -> None:
    if not isinstance(texels, Texels):
        raise TypeError(
            wrong(
                function,
                "texels must be glrast.bake.Texels",
                type(texels).__name__,
                "pass glrast.bake.texels(mesh, size)",
            )
        )


def layers(ctx: Context, uv: Tensor, uv_tri: Tensor, size: tuple[int, int], chunk: int):
    """rast [1,H,W,4] of each `chunk` triangles, one after the other."""
    place = clip_places(uv)
    for first in range(0, len(uv_tri), chunk):
        ranges = [(first, min(chunk, len(uv_tri) - first))]
        yield rasterize(ctx, place, uv_tri, size, ranges, grad_db=False)[0].detach()


def clip_places(uv: Tensor) -> Tensor:
    """[U,4] in clip space: the square 0..1 fills the image."""
    zero = torch.zeros_like(uv[:, :1])
    return torch.cat([2 * uv.detach() - 1, zero, zero + 1], 1)


def place_of(
    function: str, mesh: Mesh, size: int | tuple[int, int] | None, atlas: Atlas | None
) -> tuple[Atlas, tuple[int, int]]:
    """The atlas, on the mesh's device, and (height, width)."""
    check_mesh(function, mesh)
    if atlas is None:
        if mesh.uv is None or mesh.uv_tri is None:
            raise ValueError(
                wrong(
                    function,
                    "mesh must have uv where no atlas is given",
                    "a mesh without uv",
                    "pass atlas=glrast.bake.atlas(mesh, size)",
                )
            )
        atlas = Atlas(mesh.uv, mesh.uv_tri, 0)
    if len(atlas.uv_tri) != len(mesh.tri):
        raise ValueError(
            wrong(
                function,
                f"atlas must have a row of uv_tri for each of the mesh's {len(mesh.tri)} triangles",
                f"{len(atlas.uv_tri)}",
                "make it of this mesh",
            )
        )
    return atlas.to(mesh.pos.device), sides(function, atlas.size or None if size is None else size)


def sides(function: str, size: int | tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of a texture."""
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2:
        raise ValueError(
            wrong(function, "size must be texels a side or (height, width)", repr(size))
        )
    height, width = (check.whole(function, "size", n, 1, LARGEST) for n in pair)
    return height, width


def _of_material(mesh: Mesh, uv_tri: Tensor, material: int | None) -> Tensor:
    """uv_tri, with the triangles of other materials naming no place."""
    if material is None:
        return uv_tri
    known = len(mesh.appearance()[0])
    material = check.whole("bake.texels", "material", material, 0, known - 1, also="None or ")
    other = mesh.appearance()[1] != material
    return torch.where(other[:, None], -1, uv_tri)


def _settle_clamped(rast: Tensor, uv: Tensor, uv_tri: Tensor) -> None:
    """Texels whose centre lies a little outside their triangle, where OpenGL's grid has moved it: the nearest point of
    it. What `rasterize` gives there, weights clamped to 0..1, may lie far along a sliver."""
    width = rast.shape[2]
    u, v, shown = rast[0, ..., 0], rast[0, ..., 1], rast[0, ..., 3] > 0
    clamped = shown & ((u <= 0) | (v <= 0) | (u + v >= 1))
    texel = clamped.reshape(-1).nonzero()[:, 0]
    rows = rast.view(-1, 4)[texel]
    size = torch.tensor([width, rast.shape[1]], dtype=torch.float64)
    corners = uv.detach().double().cpu()[uv_tri[triangle_id(rows).long()].long().cpu()] * size
    centre = torch.stack([texel % width, texel // width], 1).cpu() + 0.5
    weight = nearest_weights(centre.numpy(), corners.numpy())
    rows[:, :2] = torch.from_numpy(weight[:, :2]).float().to(rast.device)
    rast.view(-1, 4)[texel] = rows


def _fill_rims(rast: Tensor, uv: Tensor, uv_tri: Tensor, near_only: bool) -> None:
    """Gives texels at the charts' borders that show nothing the nearest point of the border."""
    height, width = rast.shape[1:3]
    found = rim_texels(uv, uv_tri, rast[0, ..., 3] == 0, near_only)
    if found is None:
        return
    texel, triangle, weight = found
    code = channel_of(triangle)
    rows = torch.stack([weight[:, 0], weight[:, 1], torch.zeros_like(code), code], 1)
    rast.view(height * width, 4)[texel] = rows
