"""rasterize_meshes: PyTorch3D's function, by the kernels of glrast.visibility.nearest_faces."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..visibility.nearest_faces import found
from ..visibility.nearest_operators import Nearest
from .clipping import Pieces, pieces_of

# PyTorch3D's: of twice the area in NDC, and of depth
SMALLEST = 1e-8


def rasterize_meshes(
    meshes: Any,
    image_size: int | tuple[int, int] = 256,
    blur_radius: float = 0.0,
    faces_per_pixel: int = 8,
    bin_size: int | None = None,
    max_faces_per_bin: int | None = None,
    perspective_correct: bool = False,
    clip_barycentric_coords: bool = False,
    cull_backfaces: bool = False,
    z_clip_value: float | None = None,
    cull_to_frustum: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The K nearest faces of every pixel of a batch of meshes, as PyTorch3D gives them.

    Args:
        meshes: has verts_packed() [V,3], faces_packed() [F,3], mesh_to_faces_packed_first_idx() [N] and
            num_faces_per_mesh() [N]. x and y are NDC: +X left, +Y up, the shorter side of the image spans [-1,1]; z is
            the distance along the camera's axis.
        image_size: (height, width), or one number for both.
        blur_radius: the *squared* NDC distance up to which a pixel outside a face still counts it.
        faces_per_pixel: K.
        bin_size, max_faces_per_bin: accepted and not used: lists are as long as they need to be, no face is dropped.
        perspective_correct: z and barycentrics are those of the surface; else those of the image plane.
        clip_barycentric_coords: negative ones become 0, and all are divided by their sum. False: a pixel outside a face
            gets a depth extrapolated beyond it, which counts for what is nearest.
        cull_backfaces: leave out faces whose corners appear clockwise.
        z_clip_value: faces end at this z: one that crosses it becomes one or two. None: faces with some z < 1e-8 are
            left out.
        cull_to_frustum: leave out faces that lie beyond one side of the image with all three corners.

    Returns: (pix_to_face int64 [N,H,W,K], into the packed faces; zbuf [N,H,W,K]; bary_coords [N,H,W,K,3]; dists
        [N,H,W,K], squared NDC distance to the face's nearest edge, negative inside), nearest first, -1 where there is
        none. Row 0 is the top.

    Gradients: verts_packed, from zbuf, bary_coords and dists.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices.

    Note: faces with |2 area| <= 1e-8 are left out; so are a pixel's faces where their z there is negative, or where
        unclipped barycentrics lie beyond the horizon of the face's plane. A face that z_clip_value cuts into two has an
        edge where they meet, as there; of the two the nearer counts. cull_to_frustum does what PyTorch3D documents; its
        code compares other numbers, and leaves out faces that are seen. Where the two else differ: MIGRATING.md.

    Source: PyTorch3D, documentation of pytorch3d.renderer.mesh.rasterize_meshes.
    """
    name = "pytorch3d.rasterize_meshes"
    verts = check.floats(name, "meshes.verts_packed()", meshes.verts_packed())
    faces = check.tensor(name, "meshes.faces_packed()", meshes.faces_packed(), device=verts.device)
    first = meshes.mesh_to_faces_packed_first_idx()
    ranges = torch.stack([first, meshes.num_faces_per_mesh()], 1).to("cpu", torch.int64)
    corners = verts[faces.long()]
    return rasterize_faces(
        name, corners, ranges, image_size, blur_radius, faces_per_pixel, perspective_correct, clip_barycentric_coords,
        cull_backfaces, z_clip_value, cull_to_frustum,
    )  # fmt: skip


def rasterize_faces(
    name: str,
    corners: Tensor,
    ranges: Tensor,
    image_size: int | tuple[int, int],
    blur_radius: float,
    faces_per_pixel: int,
    perspective_correct: bool,
    clip: bool,
    cull_backfaces: bool,
    z_clip_value: float | None,
    cull_to_frustum: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same of faces [F,3,3]; ranges [N,2] (first face, number) of the meshes."""
    one = isinstance(image_size, int)
    height, width = check.resolution(name, (image_size, image_size) if one else image_size)
    K = check.whole(name, "faces_per_pixel", faces_per_pixel, 1)
    blur = check.number(name, "blur_radius", blur_radius)
    check.value(name, "blur_radius", "0 or more", blur >= 0, f"{blur}")
    perspective = check.flag(name, "perspective_correct", perspective_correct)
    clip = check.flag(name, "clip_barycentric_coords", clip)
    shorter = min(height, width)
    extent = (width / shorter, height / shorter) if cull_to_frustum else None
    at = None if z_clip_value is None else check.number(name, "z_clip_value", z_clip_value)
    pieces = pieces_of(corners, ranges, at, perspective, extent)
    drawn = _is_drawn(pieces.corners.detach(), cull_backfaces)
    tri = torch.arange(3 * len(drawn), dtype=torch.int32, device=corners.device).reshape(-1, 3)
    near = found(
        Nearest(
            _clip_positions(pieces.corners, (width / shorter, height / shorter), perspective),
            torch.where(drawn[:, None], tri, -1), pieces.ranges, height, width, K, math.sqrt(blur) * shorter / 2,
            perspective, 2 if clip else 0, strict=True, cuts=False, cull="none", other=pieces.other,
            front=2 if not perspective else 0 if clip else 1,
        )
    )  # fmt: skip
    return _fragments(near, pieces, shorter, perspective)


def _is_drawn(corners: Tensor, cull_backfaces: bool) -> Tensor:
    """bool [F]."""
    x, y, z = corners.unbind(-1)
    a, b = x - x[:, 1:2], y - y[:, 1:2]
    area = (
        a[:, 0] * b[:, 2] - b[:, 0] * a[:, 2]
    )  # twice; positive where they appear counter-clockwise: +X is left
    return (area.abs() > SMALLEST) & (z >= SMALLEST).all(1) & ((area > 0) | (not cull_backfaces))


def _clip_positions(corners: Tensor, extent: tuple[float, float], perspective: bool) -> Tensor:
    """[3F,4]. With perspective z/w is -1/z, which has the order of z."""
    x, y, z = corners.reshape(-1, 3).unbind(-1)
    x, y, one = -x / extent[0], y / extent[1], torch.ones_like(z)
    if perspective:
        return torch.stack([x * z, y * z, -one, z], 1)
    return torch.stack([x, y, z, one], 1)


def _fragments(
    near: Any, pieces: Pieces, shorter: int, perspective: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    id, z, bary, dist2 = (t.flip(1) for t in near)
    there = id >= 0
    piece = id.long().clamp(min=0)
    if not len(pieces.face):
        return id.long(), z, bary, dist2
    if perspective:
        z = torch.where(there, -1 / torch.where(there, z, -1), -1)
    if pieces.weights is not None:
        # [.., piece's corners] times [piece's corner, face's corner]
        whole = (bary[..., :, None] * pieces.weights[piece]).sum(-2)
        bary = torch.where(there[..., None], whole, -1)
    dists = torch.where(there, dist2 * (2 / shorter) ** 2, -1)
    return torch.where(there, pieces.face[piece], -1), z, bary, dists
