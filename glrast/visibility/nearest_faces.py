"""nearest_faces: the K nearest faces within reach of every pixel centre, which soft renderers blend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..context import Context
from ..core import check
from ..ops.function import Operation, call, forward, once_differentiable
from ..ops.rasterize import Ranges, Resolution, checked
from ..ops.saved import save, saved
from .nearest_operators import Found, Nearest, NearestBackward, find, find_backward


class NearestFaces(NamedTuple):
    """The K nearest faces of every pixel, nearest first; -1 in all where there are fewer."""

    id: torch.Tensor  # int32 [N,H,W,K]: index into tri
    z: torch.Tensor  # [N,H,W,K]: z/w, ascending
    bary: torch.Tensor  # [N,H,W,K,3]: the weights of the face's three vertices
    dist2: (
        torch.Tensor
    )  # [N,H,W,K]: squared distance to the face's outline in pixels, negative inside


def nearest_faces(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    faces_per_pixel: int = 8,
    reach_pix: float = 0.0,
    ranges: Ranges | None = None,
    perspective_correct: bool = True,
    clip_barycentrics: bool | None = None,
    cull: str = "none",
) -> NearestFaces:
    """The faces that cover a pixel's centre or come closer than `reach_pix` to it: the K nearest by z, ties by id.

    Args:
        ctx, pos, tri, resolution, ranges, cull: as `rasterize` takes them.
        faces_per_pixel: K, from 1.
        reach_pix: how far from the outline of a face, in pixels of the image plane, a pixel still counts it; 0: only
            where the face covers the pixel's centre.
        perspective_correct: bary are perspective-correct weights; False: affine ones, those of the image plane.
        clip_barycentrics: bary of a pixel outside the face are clipped to [0,1] and divided by their sum; False: they
            are those of the face's plane there, some negative. None: clipped if reach_pix > 0.

    Returns: NearestFaces. z is z/w at bary. Every face that reaches a pixel takes part, however many they are.

    Gradients: pos gets x, y, z, w from z, bary (through perspective and clipping) and dist2; none from id. What the
        near or far plane cuts moves with z and w there.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; a range outside tri.
        RuntimeError: in backward, pos or tri was replaced through `.data`; second and forward-mode derivatives.

    Note: a face is what `rasterize` would draw of it: cut by the near and far plane, with its outline there; faces
        without area, with an index outside [0,V) or a non-finite vertex are nowhere. A centre exactly on an edge of two
        faces belongs to one of them. Of a face that is cut, a pixel outside gets the z and bary of the nearest point of
        its outline. OpenGL is not used: it would draw the scene K times, and place edges within 1/256 of a pixel.
        Memory: 24 bytes for each of the N*H*W*K, 240 a face of each image, and at most 32 for each tile of 16 x 16
        pixels that a face may touch. A GPU is waited for once.

    Source: Liu et al. 2019, Soft Rasterizer, section 3; docs/visibility.md.

    Example:
        near = glrast.visibility.nearest_faces(ctx, pos, tri, (256, 256), faces_per_pixel=4, reach_pix=2.0)
        inside = near.dist2 < 0  # -1 where there is no face: ask near.id >= 0 first
    """
    given = _checked(
        ctx, pos, tri, resolution, faces_per_pixel, reach_pix, ranges, perspective_correct, clip_barycentrics, cull
    )  # fmt: skip
    return found(given)


def found(given: Nearest) -> NearestFaces:
    """What a checked call finds, in the graph."""
    return NearestFaces(*cast("tuple[Tensor, ...]", call(_NearestFaces, given)))


def _checked(
    ctx: Context,
    pos: Tensor,
    tri: Tensor,
    resolution: Resolution,
    faces_per_pixel: int,
    reach_pix: float,
    ranges: Ranges | None,
    perspective_correct: bool,
    clip_barycentrics: bool | None,
    cull: str,
) -> Nearest:
    name = "visibility.nearest_faces"
    pos, tri, within, height, width = checked(name, ctx, pos, tri, resolution, ranges, cull)
    if within is not None:
        inside_tri(name, within, tri.shape[0])
    K = check.whole(name, "faces_per_pixel", faces_per_pixel, 1)
    reach = check.number(name, "reach_pix", reach_pix)
    check.value(name, "reach_pix", "0 or more pixels", reach >= 0, f"{reach}")
    perspective = check.flag(name, "perspective_correct", perspective_correct)
    clip = reach > 0
    if clip_barycentrics is not None:
        clip = check.flag(name, "clip_barycentrics", clip_barycentrics)
    return Nearest(
        pos, tri, within, height, width, K, reach, perspective, int(clip), strict=False, cuts=True, cull=cull
    )  # fmt: skip


def inside_tri(function: str, ranges: Tensor, T: int) -> None:
    """ValueError where ranges [N,2] name triangles that are not there."""
    first, count = ranges.unbind(1)
    fits = bool(((first >= 0) & (count >= 0) & (first + count <= T)).all())
    rows = cast(object, ranges.tolist())  # pyright: ignore[reportUnknownMemberType] no types
    check.value(function, "ranges", f"within the {T} triangles of tri", fits, str(rows))


class _NearestFaces(Operation):
    glrast, function = "nearest_faces", "visibility.nearest_faces"
    call, results = Nearest, 4

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_NearestFaces, Nearest, 4, ctx, inputs)

    @staticmethod
    def compute(given: Nearest) -> Found:
        return find(given)

    @staticmethod
    def keep(ctx: Any, given: Nearest, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, outputs[0], pos=given.pos, tri=given.tri, ranges=given.ranges)
        ctx.given = replace(given, pos=None, tri=None, ranges=None, other=None)
        ctx.set_materialize_grads(False)
        return (outputs[0],)

    @staticmethod
    @once_differentiable("visibility.nearest_faces")
    def backward(
        ctx: Any,
        _: Tensor | None,
        grad_z: Tensor | None,
        grad_bary: Tensor | None,
        grad_dist2: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        nothing = grad_z is None and grad_bary is None and grad_dist2 is None
        if nothing or not ctx.needs_input_grad[0]:
            return ()
        pos, tri, ranges, ids = saved(ctx, "visibility.nearest_faces")
        g: Nearest = ctx.given
        given = NearestBackward(
            pos, tri, ranges, g.height, g.width, g.faces_per_pixel, g.reach, g.perspective, g.clip, g.strict, g.cuts,
            g.cull, ids, grad_z, grad_bary, grad_dist2,
        )  # fmt: skip
        return (find_backward(given),)


def checked_near(name: str, near: Any) -> Tensor:
    """bool [N,H,W,K]: where there is a face. The kernel reads all parts by id's shape, so all of them must have it."""
    if not all(isinstance(getattr(near, part, None), Tensor) for part in NearestFaces._fields):
        what = "near must be what glrast.visibility.nearest_faces returns"
        raise TypeError(check.wrong(name, what, type(near).__name__))
    id = cast(Tensor, near.id)
    if id.dtype != torch.int32:
        raise TypeError(
            check.wrong(name, "near.id must be int32", check.dtype_text(id.dtype), "near.id.int()")
        )
    check.shape(name, "near.id", id, "[N,H,W,K] with K from 1", id.ndim == 4 and id.shape[3] > 0)
    for part, shape in (("z", id.shape), ("bary", (*id.shape, 3)), ("dist2", id.shape)):
        values = check.tensor(name, f"near.{part}", getattr(near, part), device=id.device)
        if not values.is_floating_point():
            what = f"near.{part} must be float32"
            raise TypeError(
                check.wrong(name, what, check.dtype_text(values.dtype), f"near.{part}.float()")
            )
        expected = f"[{','.join(map(str, shape))}]"
        check.shape(name, f"near.{part}", values, expected, values.shape == shape, "like near.id")
    return id >= 0
