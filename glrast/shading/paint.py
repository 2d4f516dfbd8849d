"""The colour of a surface: factor x texture x vertex colour in linear light, and what its alpha means."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..core.rast import triangle_id
from ..mesh.material import Material
from ..mesh.mesh import Mesh
from ..mesh.normals import vertex_normals
from ..ops.interpolate import interpolate
from .light import to_linear, to_srgb
from .texels import Texels

# A mesh without colours is lit from the camera: so bright where it is seen edge-on, the rest by the cosine.
_AMBIENT = 0.25
# Alpha is made of products of rounded numbers: one that should equal the cutoff passes.
_ROUNDING = 1e-6
# An alpha that changes less from pixel to pixel has its edge nowhere within a pixel.
_FLAT = 1e-4
# 'blend' below half a step of an image file shows nothing.
_UNSEEN = 0.5 / 255


class Paint:
    """The colours of a mesh, prepared once for all the views of it, on the mesh's device.

    Args:
        mesh: its materials, or its texture, and its vertex colours; with none of them it is grey, lit from the camera.
    """

    def __init__(self, mesh: Mesh):
        self.mesh = mesh
        self.materials, self._material = mesh.appearance()
        self.opaque = all(m.alpha == "opaque" for m in self.materials)
        prepared: dict[
            tuple, Texels
        ] = {}  # a picture that several materials share is prepared once
        self._texels = [self._prepared(m, prepared) for m in self.materials]
        self._bare = mesh.color is None and all(
            texels is None and m.factor[:3] == (1, 1, 1) and not m.unlit
            for m, texels in zip(self.materials, self._texels)
        )
        self._color = None if mesh.color is None else _vertex_colors(mesh.color, not self.opaque)
        self._normal: Tensor | None = None

    def at(self, rast: Tensor, rast_db: Tensor, world_to_camera: Tensor) -> tuple[Tensor, Tensor]:
        """The colour at each pixel's centre, and whether anything is to be seen there.

        Args:
            rast, rast_db: [N,H,W,4], a layer of surface.
            world_to_camera: [4,4] or [N,4,4], of the light that a mesh without colours gets.
        Returns: rgba [N,H,W,4], 0..1, sRGB and straight alpha, 0 on the background; alpha of a 'mask' is the part of
            the pixel that is not cut out. shown, bool [N,H,W]: not where it is cut out at the pixel's centre.
        """
        ids = triangle_id(rast)
        seen = ids >= 0
        place = seen.view(-1).nonzero()[:, 0]
        given = self._given(rast, rast_db, place)
        if len(self.materials) == 1:
            linear, shown = self._product(0, given)
        else:
            linear = rast.new_empty((len(place), 3 if self.opaque else 4))
            shown = torch.ones_like(place, dtype=torch.bool)
            for number, part in self._parts(ids.view(-1)[place]):
                linear[part], shown[part] = self._product(number, given.of(part))
        color = to_srgb(linear[:, :3])
        if self._bare:
            color = self._lit(rast, world_to_camera).view(-1, 1)[place].expand(-1, 3)
        alpha = torch.ones_like(color[:, :1]) if self.opaque else linear[:, 3:]
        image = rast.new_zeros((*ids.shape, 4))
        image.view(-1, 4)[place] = torch.cat([color, alpha], 1)
        if not self.opaque:
            seen.view(-1)[place] = shown
        return image, seen

    def normals(self, rast: Tensor) -> Tensor:
        """[N,H,W,3] unit normals in the mesh's axes, 0 on the background; from behind they still point outwards."""
        mesh = self.mesh
        if self._normal is None:
            given = mesh.normal
            self._normal = vertex_normals(mesh.pos, mesh.tri) if given is None else given
        return functional.normalize(interpolate(self._normal, rast, mesh.tri)[0], dim=-1)

    def _prepared(self, material: Material, known: dict[tuple, Texels]) -> Texels | None:
        texture = material.texture
        if texture is None or self.mesh.uv is None:
            return None
        key = texture.data_ptr(), texture.shape, texture.stride(), material.wrap, material.filter
        if key not in known:
            known[key] = Texels(material, alpha=not self.opaque)
        return known[key]

    def _parts(self, triangle: Tensor) -> list[tuple[int, Tensor]]:
        """(number of a material, the pixels that have it), for the triangle of each pixel."""
        of_pixel = self._material[triangle.long()]
        order = of_pixel.argsort(stable=True)
        counts = torch.bincount(of_pixel, minlength=len(self.materials)).tolist()
        return [(k, part) for k, part in enumerate(order.split(counts)) if len(part)]

    def _given(self, rast: Tensor, rast_db: Tensor, place: Tensor) -> _Given:
        mesh = self.mesh
        color = color_da = uv = uv_da = None
        if self._color is not None:
            wanted = None if self.opaque else [3]
            color, color_da = interpolate(self._color, rast, mesh.tri, rast_db, wanted)
            color = color.view(-1, self._color.shape[1])[place]
            color_da = None if self.opaque else color_da.view(-1, 2)[place]
        if mesh.uv is not None and mesh.uv_tri is not None and any(self._texels):
            uv, uv_da = interpolate(mesh.uv, rast, mesh.uv_tri, rast_db, "all")
            uv, uv_da = uv.view(-1, 2)[place], uv_da.view(-1, 4)[place]
        return _Given(len(place), color, color_da, uv, uv_da)

    def _product(self, number: int, given: _Given) -> tuple[Tensor, Tensor]:
        """[P,3] linear, or [P,4] with what alpha comes to; and whether each is shown [P]."""
        material, texels = self.materials[number], self._texels[number]
        color, texel = given.color, None
        if texels is not None and given.uv is not None:
            texel = texels.at(given.uv, given.uv_da)
        product = texel if color is None else color if texel is None else color * texel
        factor = self.mesh.pos.new_tensor(material.factor[: 3 if self.opaque else 4])
        if product is None:
            product = factor.expand(given.P, -1)
        elif material.factor != (1, 1, 1, 1):
            product = product * factor
        shown = torch.ones(given.P, dtype=torch.bool, device=product.device)
        if self.opaque:
            return product, shown
        alpha = product[:, 3]
        if material.alpha == "opaque":
            alpha = torch.ones_like(alpha)
        elif material.alpha == "blend":
            shown = alpha >= _UNSEEN
        else:
            steps = product.new_zeros((given.P, 2))  # how much alpha changes along X and Y
            if texels is not None and given.uv is not None and given.uv_da is not None:
                slope = _slope(texels, given.uv, given.uv_da)
                steps = slope if color is None else slope * color[:, 3:]
            if given.color_da is not None:
                steps = steps + given.color_da * (1 if texel is None else texel[:, 3:])
            alpha, shown = _cut(alpha, material.cutoff, steps * material.factor[3])
        return torch.cat([product[:, :3], alpha[:, None]], 1), shown

    def _lit(self, rast: Tensor, world_to_camera: Tensor) -> Tensor:
        """[N,H,W], brightest where the surface faces the camera."""
        axis = world_to_camera[..., 2, :3].to(rast.dtype).view(-1, 1, 1, 3)
        facing = (self.normals(rast) * axis).sum(-1).abs()
        return _AMBIENT + (1 - _AMBIENT) * facing


@dataclass(frozen=True)
class _Given:
    """What is interpolated at P pixels: color [P,3] or [P,4] (linear), uv [P,2]; and what color's alpha [P,2] and uv
    [P,4] change across the pixel."""

    P: int
    color: Tensor | None
    color_da: Tensor | None
    uv: Tensor | None
    uv_da: Tensor | None

    def of(self, part: Tensor) -> _Given:
        all_ = self.color, self.color_da, self.uv, self.uv_da
        return _Given(len(part), *(None if x is None else x[part] for x in all_))


def _vertex_colors(color: Tensor, alpha: bool) -> Tensor:
    """[V,3] linear, or [V,4]."""
    rgb = to_linear(color[:, :3])
    if not alpha:
        return rgb
    return torch.cat([rgb, color[:, 3:].clamp(0, 1), torch.ones_like(rgb[:, :1])], 1)[:, :4]


def _slope(texels: Texels, uv: Tensor, uv_da: Tensor) -> Tensor:
    """[P,2], d alpha/dX and /dY of the texture: from one side of the pixel to the other."""
    half = uv_da.view(-1, 2, 2) * 0.5  # [P, u and v, X and Y]
    after, before = (
        [texels.at(uv + s * half[:, :, k], uv_da)[:, 3] for k in (0, 1)] for s in (1, -1)
    )
    return torch.stack(after, 1) - torch.stack(before, 1)


def _cut(alpha: Tensor, cutoff: float, steps: Tensor) -> tuple[Tensor, Tensor]:
    """The part of each pixel where alpha is not below the cutoff, if it changes evenly; and whether its centre is."""
    shown = alpha >= cutoff - _ROUNDING
    width = steps.abs().sum(1)  # of the box that a pixel is, seen along the slope
    part = ((alpha - cutoff) / width.clamp(min=_FLAT) + 0.5).clamp(0, 1)
    return torch.where(width > _FLAT, part, shown.to(alpha.dtype)), shown
