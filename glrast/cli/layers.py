"""What `glrast render` shows of a mesh: colour, mask, depth, normal, each an image of one view."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

import glrast
from glrast.clip import Camera, Mesh, transform_points, vertex_normals

LAYERS = ("color", "mask", "depth", "normal")
# A mesh without colours is lit from the camera: so bright where it is seen edge-on, the rest by the cosine.
_AMBIENT = 0.25


class View:
    """A mesh before a camera: its clip positions and what each pixel sees, from which the layers are made."""

    def __init__(
        self, ctx: glrast.Context, mesh: Mesh, camera: Camera, topology, normal_space: str
    ):
        self.mesh, self.camera, self.topology, self.normal_space = (
            mesh,
            camera,
            topology,
            normal_space,
        )
        self.pos_clip = transform_points(camera.world_to_clip[None], mesh.pos)
        self.rast, self.rast_db = glrast.rasterize(ctx, self.pos_clip, mesh.tri, camera.resolution)
        self.covered = bool((self.rast[..., 3] > 0).any())

    def surface(self, attr: Tensor) -> Tensor:
        """[1,H,W,A], the attribute [V,A] at each pixel's centre, 0 on the background."""
        return glrast.interpolate(attr, self.rast, self.mesh.tri)[0]

    def antialiased(self, image: Tensor) -> Tensor:
        return glrast.antialias(image, self.rast, self.pos_clip, self.mesh.tri, self.topology)

    def normals(self, space: str) -> Tensor:
        """[1,H,W,3] unit normals, 0 on the background; seen from behind they still point outwards."""
        mesh = self.mesh
        normal = vertex_normals(mesh.pos, mesh.tri) if mesh.normal is None else mesh.normal
        if space == "camera":
            normal = normal @ self.camera.world_to_camera[:3, :3].T
        return functional.normalize(self.surface(normal), dim=-1)


@torch.no_grad()
def shade(view: View, layers: Sequence[str]) -> dict[str, Tensor]:
    """The asked layers, each [H,W,C] float32, row 0 at the BOTTOM.

    color [H,W,4]: straight alpha, sRGB 0..1: vertex colours, else the texture, else grey lit from the camera.
    mask [H,W,1]: coverage 0..1. depth [H,W,1]: distance along the camera's axis, 0 on the background.
    normal [H,W,3]: -1..1, 0 on the background.
    Colour and mask are antialiased. Depth and normals are not: the mean of a near and a far surface is neither.
    """
    makers = {"color": _color, "mask": _mask, "depth": _depth, "normal": _normal}
    return {layer: makers[layer](view)[0] for layer in layers}


def _color(view: View) -> Tensor:
    mesh = view.mesh
    if mesh.color is not None:
        color = view.surface(mesh.color[:, :3])
    elif mesh.texture is not None and mesh.uv is not None and mesh.uv_tri is not None:
        color = _textured(view, mesh.texture, mesh.uv, mesh.uv_tri)
    else:
        facing = view.normals("camera")[..., 2:].abs()
        color = (_AMBIENT + (1 - _AMBIENT) * facing).expand(-1, -1, -1, 3)
    inside = (view.rast[..., 3:] > 0).float()
    # Blended premultiplied, for the background has no colour; then divided, as image files have it.
    rgba = view.antialiased(torch.cat([color * inside, inside], -1))
    return torch.cat([rgba[..., :3] / rgba[..., 3:].clamp(min=1e-6), rgba[..., 3:]], -1)


def _textured(view: View, texture: Tensor, uv: Tensor, uv_tri: Tensor) -> Tensor:
    """[1,H,W,3], the texture [Ht,Wt,C] over the mesh, repeated outside 0..1, with all the mipmaps its size allows."""
    channels = texture[..., :3] if texture.shape[-1] >= 3 else texture[..., :1]
    place, place_da = glrast.interpolate(uv, view.rast, uv_tri, view.rast_db, diff_attrs="all")
    # Repeated, but not blended across the border: what lies at the other end seldom belongs there.
    color = glrast.texture(
        channels[None].contiguous(), place - place.floor(), place_da, boundary_mode="clamp", max_mip_level="auto"
    )  # fmt: skip
    return color.expand(-1, -1, -1, 3)


def _mask(view: View) -> Tensor:
    return view.antialiased((view.rast[..., 3:] > 0).float())


def _depth(view: View) -> Tensor:
    in_camera = transform_points(view.camera.world_to_camera, view.mesh.pos)
    return view.surface(-in_camera[:, 2:3].contiguous())


def _normal(view: View) -> Tensor:
    return view.normals(view.normal_space)
