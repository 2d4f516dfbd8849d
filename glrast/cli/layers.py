"""What `glrast render` shows of a mesh: colour, mask, depth, normal, each an image of one view."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

import glrast

from ..clip import Camera, transform_points
from ..shading import Paint, look

LAYERS = ("color", "mask", "depth", "normal")


class View:
    """A mesh before a camera: its clip positions and what each pixel sees, from which the layers are made."""

    @torch.no_grad()
    def __init__(
        self,
        ctx: glrast.Context,
        paint: Paint,
        camera: Camera,
        topology,
        normal_space: str,
        layers: Sequence[str] = LAYERS,
    ):
        self.paint, self.camera, self.layers = paint, camera, layers
        self.topology, self.normal_space = topology, normal_space
        self.pos_clip = transform_points(camera.world_to_clip[None], paint.mesh.pos)
        sight = look(
            ctx, paint, self.pos_clip, camera.world_to_camera, camera.resolution, "color" in layers
        )
        self.sight, self.rast = sight, sight.rast
        self.covered = bool((self.rast[..., 3] > 0).any())

    @cached_property
    def rgba(self) -> Tensor:
        """[1,H,W,4] colour multiplied by alpha, for the background has none; or, where all that is seen is opaque and
        nobody asks for colour, [1,H,W,1], alpha alone."""
        image = (self.rast[..., 3:] > 0).float() if self.sight.rgba is None else self.sight.rgba
        tri = self.paint.mesh.tri
        return self.sight.antialiased(image, self.pos_clip, tri, self.topology)


@torch.no_grad()
def shade(view: View) -> dict[str, Tensor]:
    """The view's layers, each [H,W,C] float32, row 0 at the BOTTOM.

    color [H,W,4]: straight alpha, sRGB 0..1: what the materials say (glrast.shading), else grey lit from the camera.
    mask [H,W,1]: coverage 0..1, of what lets light through its alpha. depth [H,W,1]: distance along the camera's
    axis, 0 on the background. normal [H,W,3]: -1..1, 0 on the background.
    Colour and mask are antialiased. Depth and normals are not: the mean of a near and a far surface is neither. They
    are those of the first surface that is not cut out at the pixel's centre.
    """
    makers = {"color": _color, "mask": _mask, "depth": _depth, "normal": _normal}
    return {layer: makers[layer](view)[0] for layer in view.layers}


def _color(view: View) -> Tensor:
    alpha = view.rgba[..., 3:]
    # divided by alpha, as image files have it
    return torch.cat([view.rgba[..., :3] / alpha.clamp(min=1e-6), alpha], -1)


def _mask(view: View) -> Tensor:
    return view.rgba[..., -1:]


def _depth(view: View) -> Tensor:
    mesh = view.paint.mesh
    in_camera = transform_points(view.camera.world_to_camera, mesh.pos)
    return glrast.interpolate(-in_camera[:, 2:3].contiguous(), view.rast, mesh.tri)[0]


def _normal(view: View) -> Tensor:
    normal = view.paint.normals(view.rast)
    return (
        normal @ view.camera.world_to_camera[:3, :3].T if view.normal_space == "camera" else normal
    )
