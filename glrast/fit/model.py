"""The mesh that is being fitted, and how it becomes an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

import glrast
from glrast.clip import remesh, transform_points
from glrast.fit.large_steps import LargeSteps
from glrast.fit.refine import refine

# The longest row of an ordinary gradient is 3 to 4 times the 99th percentile of the rows.
OUTLIER = 4.0


@dataclass(frozen=True)
class ColoredMesh:
    """pos [V,3] float32, tri [T,3] int32, color [V,3] float32 (sRGB; 0..1 once it is saved)."""

    pos: Tensor
    tri: Tensor
    color: Tensor

    def to(self, device: torch.device) -> "ColoredMesh":
        return ColoredMesh(self.pos.to(device), self.tri.to(device), self.color.to(device))

    def remeshed(self, edge_length: float) -> "ColoredMesh":
        """The same surface with edges of about `edge_length`, colours taken over."""
        return ColoredMesh(*remesh(self.pos, self.tri, edge_length, attrs=(self.color,)))

    def refined(self, shortest: float) -> "ColoredMesh":
        """The same surface, edges longer than `shortest` split where the colour changes."""
        return ColoredMesh(*refine(self.pos, self.tri, self.color, shortest))


class Model:
    """The parameters of one stage: u (which stands for the positions) and color, on one device.

    Args:
        mesh: where the stage begins.
        smoothness: lambda of LargeSteps.
        u: given when a checkpoint continues: positions taken through the solve and back would
            differ in the last bits.
    """

    def __init__(self, mesh: ColoredMesh, smoothness: float, u: Tensor | None = None):
        self.tri = mesh.tri
        self.system = LargeSteps(mesh.tri, len(mesh.color), smoothness)
        self.u = (self.system.to_differential(mesh.pos) if u is None else u).requires_grad_()
        self.color = mesh.color.clone().requires_grad_()
        self.topology_hash = glrast.antialias_construct_topology_hash(mesh.tri)

    def positions(self) -> Tensor:
        """pos [V,3], with gradient to u."""
        pos = self.system.to_positions(self.u)
        if pos.requires_grad:
            pos.register_hook(without_outliers)
        return pos

    @torch.no_grad()
    def mesh(self) -> ColoredMesh:
        """The present shape and colours, detached."""
        return ColoredMesh(self.positions(), self.tri, self.color.clone())


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
) -> Tensor:
    """The mesh in its own colours as [N,H,W,4]: colour premultiplied by coverage, row 0 at the bottom.

    Gradients: to mesh.pos through the silhouettes and the colours, and to mesh.color.
    """
    pos_clip = transform_points(world_to_clip, mesh.pos)
    rast, _ = glrast.rasterize(ctx, pos_clip, mesh.tri, resolution, grad_db=False)
    # Coverage is one more attribute, 1 on the surface: empty pixels interpolate to zeros.
    attr = torch.cat([mesh.color, torch.ones_like(mesh.color[:, :1])], dim=1)
    rgba, _ = glrast.interpolate(attr, rast, mesh.tri)
    return glrast.antialias(rgba, rast, pos_clip, mesh.tri, topology_hash)


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
