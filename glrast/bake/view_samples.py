"""Which texels a view sees, and at which pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..camera.camera import Camera
from ..context import Context
from ..core.rast import triangle_id
from ..mesh.mesh import Mesh
from ..mesh.normals import face_normals
from ..ops.interpolate import interpolate
from .sight import Sight, look_at_mesh
from .texels import Texels


@dataclass(frozen=True)
class Surface:
    """The texels' surface, and what hides it.

    rast: [H*W,4], of the texels. normal: [T+1,3], as of `normals_of`. hiding: the mesh that cameras are shown. own:
    whether that is the texels' own mesh, so that its triangles have their numbers.
    """

    mesh: Mesh
    rast: Tensor
    normal: Tensor
    hiding: Mesh
    own: bool

    @classmethod
    def of(cls, texels: Texels, occluders: Mesh | None) -> Surface:
        mesh = texels.mesh
        normal = normals_of(mesh)
        own = occluders is None or occluders is mesh
        hiding = mesh if occluders is None else occluders
        return cls(mesh, texels.rast.detach().view(-1, 4), normal, hiding, own)

    def finest(self, cameras: list[Camera]) -> float:
        """The smallest width of a pixel, on the plane through the mesh's centre, of all cameras."""
        pos = self.mesh.pos.detach()
        centre = (pos.amin(0) + pos.amax(0)) / 2
        sizes = []
        for camera in cameras:
            row = camera.world_to_camera[2].to(centre)
            depth = -(row[:3] @ centre + row[3])
            sizes.append(float(pixel_size(camera, depth.clamp_min(1e-30))))
        return min(sizes)


@dataclass(frozen=True)
class View:
    """A camera's sight of what hides the surface, and how far each pixel is from where something ends: [H,W], 0..1."""

    sight: Sight
    faded: Tensor
    tolerance: float
    least_cosine: float

    @classmethod
    def of(
        cls,
        ctx: Context,
        surface: Surface,
        camera: Camera,
        mask: Tensor | None,
        tolerance: float,
        least_cosine: float,
        fade: int,
    ) -> View:
        sight = look_at_mesh(ctx, surface.hiding, camera)
        ends = _ends(sight, surface, tolerance, least_cosine)
        if mask is not None:
            ends |= ~mask if mask.dtype == torch.bool else mask < 1
        return cls(sight, faded(ends, fade), tolerance, least_cosine)


@dataclass(frozen=True)
class Samples:
    """Of Q texels that a view sees: their row [Q] in what was asked for; the four pixels around the place [Q,4] and
    their weights [Q,4]; the cosine between normal and view [Q]; the width of a pixel there [Q]; `faded` there [Q]."""

    row: Tensor
    pixel: Tensor
    weight: Tensor
    cos: Tensor
    size: Tensor
    faded: Tensor


def samples(view: View, surface: Surface, texel: Tensor) -> Samples:
    """Those of the texels [P] (= row * W + column of the texture) that the view sees."""
    camera, mesh = view.sight.camera, surface.mesh
    height, width = camera.resolution
    rast = surface.rast[texel][None, None]
    face = triangle_id(rast)[0, 0].long()
    normal = surface.normal[face]
    pos = interpolate(mesh.pos.detach(), rast, mesh.tri)[0][0, 0]
    cos = cosine(camera, pos, normal)
    row = (cos > view.least_cosine).nonzero()[:, 0]
    pos, cos, face = pos[row], cos[row], face[row]
    x, y, depth = pixels(camera, pos)
    column, line = (x - 0.5).floor(), (y - 0.5).floor()
    inside = (column >= 0) & (column < width - 1) & (line >= 0) & (line < height - 1) & (depth > 0)
    kept = inside.nonzero()[:, 0]
    row, cos, face, depth = row[kept], cos[kept], face[kept], depth[kept]
    column, line = column[kept], line[kept]
    fx, fy = x[kept] - 0.5 - column, y[kept] - 0.5 - line
    first = line.long() * width + column.long()
    pixel = torch.stack([first, first + 1, first + width, first + width + 1], 1)
    weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], 1)
    size = pixel_size(camera, depth)
    reach = slack(size, cos, view.tolerance)
    there = view.sight.depth.reshape(-1)[pixel]
    same = ((there - depth[:, None]).abs() <= reach[:, None]) & (there > 0)
    if surface.own:
        same |= view.sight.face.reshape(-1)[pixel] == face[:, None]
    near = view.faded.reshape(-1)[pixel]
    kept = (same & (near > 0)).all(1).nonzero()[:, 0]
    fading = (near[kept] * weight[kept]).sum(1)
    return Samples(row[kept], pixel[kept], weight[kept], cos[kept], size[kept], fading)


def pixels(camera: Camera, pos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(x, y in pixels from the lower left corner, distance along the axis) of points [P,3]."""
    height, width = camera.resolution
    view, lens = camera.world_to_camera, camera.projection
    at = pos @ view[:3, :3].T + view[:3, 3]
    clip = at @ lens[[0, 1, 3], :3].T + lens[[0, 1, 3], 3]
    w = clip[:, 2].clamp_min(1e-30)
    return (clip[:, 0] / w + 1) * (width / 2), (clip[:, 1] / w + 1) * (height / 2), -at[:, 2]


def cosine(camera: Camera, pos: Tensor, normal: Tensor) -> Tensor:
    """[P], between the normals and the ways to the camera; negative from behind."""
    if camera.is_perspective:
        away = functional.normalize(camera.centre - pos, dim=-1)
    else:
        away = functional.normalize(camera.world_to_camera[2, :3], dim=0)
    return (away * normal).sum(-1)


def pixel_size(camera: Camera, depth: Tensor) -> Tensor:
    """The width of a pixel at a distance along the axis, on a plane across it: the larger side."""
    height, width = camera.resolution
    lens = camera.projection
    across = max(2 / (abs(float(lens[0, 0])) * width), 2 / (abs(float(lens[1, 1])) * height))
    if camera.is_perspective:
        return depth * across * abs(float(lens[3, 2]))
    return torch.full_like(depth, across * abs(float(lens[3, 3])))


def slack(size: Tensor, cos: Tensor, tolerance: float) -> Tensor:
    """How far two depths on one surface may be apart: `tolerance` pixels aside, on a surface at that slant."""
    cos = cos.clamp_min(1e-3)
    return tolerance * size * (1 + (1 - cos * cos).clamp_min(0).sqrt() / cos)


def normals_of(mesh: Mesh) -> Tensor:
    """[T+1,3], of the triangles, and 0: that of number -1."""
    normal = face_normals(mesh.pos.detach(), mesh.tri)
    return torch.cat([normal, normal.new_zeros(1, 3)])


def _ends(sight: Sight, surface: Surface, tolerance: float, least_cosine: float) -> Tensor:
    """bool [H,W], pixels beside a silhouette or a jump in depth: the background, and both sides of each."""
    empty = sight.face < 0
    camera, hiding = sight.camera, surface.hiding
    normal = surface.normal if surface.own else normals_of(hiding)
    pos = interpolate(hiding.pos.detach(), sight.rast, hiding.tri)[0][0]
    cos = cosine(camera, pos, normal[sight.face]).abs().clamp_min(least_cosine)
    reach = slack(pixel_size(camera, sight.depth), cos, tolerance)
    ends = empty.clone()
    for axis in (0, 1):
        size = sight.depth.shape[axis]
        one, other = (
            (slice(None),) * axis + (slice(1, size),),
            (slice(None),) * axis + (slice(0, size - 1),),
        )
        apart = (sight.depth[one] - sight.depth[other]).abs() > torch.maximum(
            reach[one], reach[other]
        )
        apart |= empty[one] | empty[other]
        ends[one] |= apart
        ends[other] |= apart
    return ends


def faded(ends: Tensor, pixels: int) -> Tensor:
    """[H,W], 0 where something ends, 1 from `pixels` away (along rows, columns and diagonals), even between. The border
    of the picture ends it too."""
    reached = functional.pad(ends.float()[None, None], (1, 1, 1, 1), value=1.0)
    steps = torch.zeros_like(ends, dtype=torch.float32)
    for _ in range(pixels):
        steps += 1 - reached[0, 0, 1:-1, 1:-1]
        reached = functional.max_pool2d(reached, 3, stride=1, padding=1)
    return steps / pixels
