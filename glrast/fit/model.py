"""The mesh that is being fitted, and how it becomes an image."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

import glrast

from ..bake.unwrap import LEVELS, Atlas
from ..clip import transform_points
from ..mesh.remesh import remesh
from ..optim import LargeSteps
from .refine import refine

# The longest row of an ordinary gradient is 3 to 4 times the 99th percentile of the rows.
OUTLIER = 4.0


@dataclass(frozen=True)
class ColoredMesh:
    """A mesh in its own colours (sRGB; 0..1 once it is saved).

    Args:
        pos: float32 [V,3].
        tri: int32 [T,3].
        color: float32 [V,3], one for each vertex; with an atlas its texture [S,S,3].
        atlas: where on the texture each triangle lies.
    """

    pos: Tensor
    tri: Tensor
    color: Tensor
    atlas: Atlas | None = None

    def to(self, device: torch.device) -> "ColoredMesh":
        atlas = self.atlas.to(device) if self.atlas else None
        return ColoredMesh(self.pos.to(device), self.tri.to(device), self.color.to(device), atlas)

    def remeshed(self, edge_length: float) -> "ColoredMesh":
        """The same surface with edges of about `edge_length`, colours taken over."""
        pos, tri, color = remesh(self.pos, self.tri, edge_length, attrs=(self.color,))
        return ColoredMesh(pos, tri, color)

    def refined(self, shortest: float) -> "ColoredMesh":
        """The same surface, edges longer than `shortest` split where the colour changes."""
        pos, tri, color = refine(self.pos, self.tri, self.color, shortest)
        return ColoredMesh(pos, tri, color)


class Model:
    """The parameters of one stage: u (which stands for the positions) and color (of the vertices, or
    texels), on one device.

    Args:
        mesh: where the stage begins.
        smoothness: lambda of LargeSteps.
        u: given when a checkpoint continues: positions taken through the solve and back would
            differ in the last bits.
    """

    def __init__(self, mesh: ColoredMesh, smoothness: float, u: Tensor | None = None):
        self.tri, self.atlas = mesh.tri, mesh.atlas
        self.system = LargeSteps(mesh.tri, len(mesh.pos), smoothness)
        self.u = (self.system.to_differential(mesh.pos) if u is None else u).requires_grad_()
        self.color = mesh.color.clone().requires_grad_()
        self.topology_hash = glrast.antialias_construct_topology_hash(mesh.tri)

    def positions(self) -> Tensor:
        """pos [V,3], with gradient to u."""
        pos = self.system.from_differential(self.u)
        if pos.requires_grad:
            pos.register_hook(without_outliers)
        return pos

    @torch.no_grad()
    def mesh(self) -> ColoredMesh:
        """The present shape and colours, detached."""
        return ColoredMesh(self.positions(), self.tri, self.color.clone(), self.atlas)


def without_outliers(grad: Tensor) -> Tensor:
    """The gradient [V,3] with no row longer than OUTLIER times the 99th percentile of its rows.

    A triangle seen edge-on sweeps through its colours within a pixel: its gradient is right, and
    ten thousand times that of its neighbours. One such pixel would set the divisor of AdamUniform,
    which remembers for a thousand steps, and the whole shape would stand still.
    """
    length = grad.norm(dim=1, keepdim=True)
    moved = length[length > 0]  # vertices out of sight have no say in what is usual
    if not len(moved):
        return grad
    limit = OUTLIER * torch.quantile(moved, 0.99)
    return grad * (limit / length.clamp_min(1e-30)).clamp(max=1.0)


def render(
    ctx: "glrast.Context",
    mesh: ColoredMesh,
    world_to_clip: Tensor,
    resolution: tuple[int, int],
    topology_hash=None,
    edges: str = "antialias",
) -> Tensor:
    """The mesh in its own colours as [N,H,W,4]: colour premultiplied by coverage, row 0 at the bottom.

    Args:
        edges: "antialias": pixels are blended across silhouettes; "exact": what boundaries cross shows its fragments.

    Gradients: to mesh.pos through the silhouettes and the colours, and to mesh.color.
    A mesh with an atlas needs a context with output_db.
    """
    pos_clip = transform_points(world_to_clip, mesh.pos)
    rast, rast_db = glrast.rasterize(ctx, pos_clip, mesh.tri, resolution, grad_db=False)
    rgba = _shaded(mesh, rast, rast_db)
    if edges == "antialias":
        return glrast.antialias(rgba, rast, pos_clip, mesh.tri, topology_hash)
    frag = glrast.fragments(rast, pos_clip, mesh.tri)
    return glrast.resolve(rgba, _shaded(mesh, frag.rast, frag.rast_db.detach()), frag)


def _shaded(mesh: ColoredMesh, rast: Tensor, rast_db: Tensor) -> Tensor:
    """Colour and coverage [N,h,w,4] of what `rast` shows, 0 where it shows nothing."""
    if not rast.numel():
        return rast
    if mesh.atlas is not None:
        return _textured(mesh.color, mesh.atlas, rast, rast_db)
    # Coverage is one more attribute, 1 on the surface: empty pixels interpolate to zeros.
    attr = torch.cat([mesh.color, torch.ones_like(mesh.color[:, :1])], dim=1)
    return glrast.interpolate(attr, rast, mesh.tri)[0]


def _textured(texture: Tensor, atlas: Atlas, rast: Tensor, rast_db: Tensor) -> Tensor:
    """The texture's colour and coverage [N,H,W,4], trilinear; rast_db sets the level alone."""
    uv, uv_da = glrast.interpolate(atlas.uv, rast, atlas.uv_tri, rast_db, diff_attrs="all")
    covered = rast[..., 3:] > 0
    # Not a number is no place on the texture: black, without gradient and without work.
    uv = uv.masked_fill(~covered, math.nan)
    color = glrast.texture(texture[None], uv, uv_da, boundary_mode="clamp", max_mip_level=LEVELS)
    return torch.cat([color, covered.to(color.dtype)], dim=-1)


def supersampled(
    ctx: "glrast.Context",
    mesh: ColoredMesh,
    world_to_clip: Tensor,
    resolution: tuple[int, int],
    factor: int,
) -> Tensor:
    """`render` at `factor` times the resolution, averaged down: [N,H,W,4]."""
    height, width = resolution
    large = render(ctx, mesh, world_to_clip, (height * factor, width * factor))
    blocks = large.reshape(len(large), height, factor, width, factor, 4)
    return blocks.mean(dim=(2, 4))
