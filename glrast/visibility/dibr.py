"""dibr: a hard image, and beside its silhouette a soft mask, as the Differentiable Interpolation-Based Renderer."""

from __future__ import annotations

import torch
from torch import Tensor

from ..context import Context
from ..core import check
from ..ops.rasterize import Ranges, Resolution, checked
from .nearest_faces import inside_tri, nearest_faces
from .nearest_operators import Nearest, find
from .shade_faces import shade_faces
from .softras import positive

SIGMAINV, BOXLEN, KNUM = 7000.0, 0.02, 30


def dibr(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    attr: torch.Tensor,
    sigmainv: float = SIGMAINV,
    boxlen: float = BOXLEN,
    knum: int = KNUM,
    affine: bool = False,
    ranges: Ranges | None = None,
    cull: str = "none",
) -> torch.Tensor:
    """[N,H,W,A+1]: attributes of the nearest face, and the soft mask, last.

        covered pixel: 1, without gradient;  other: 1 - prod(1 - exp(-sigmainv d_k^2))
        d_k: distance to face k's outline in NDC, x and y from -1 to 1 each

    Args:
        ctx, pos, tri, resolution, ranges, cull: as `rasterize` takes them. As published, faces that are culled are not
            drawn, and count in the mask all the same.
        attr: float32 [V,A], [1,V,A] or [N,V,A].
        boxlen: faces count whose bounding box, grown by this in NDC, holds the pixel centre;
        knum: of those the first so many by index, whatever their depth or distance.
        affine: barycentrics of the image plane, as in the first publication.

    Gradients: attr; pos x, y, w from the colours within faces, and from the mask of pixels beside them. The colours
        know nothing of silhouettes.

    Raises:
        TypeError, ValueError: as `nearest_faces`.

    Note: where more than knum boxes hold a pixel, the mask depends on the order of the faces, as published. Where faces
        overlap in the mask they add up: it is wider where a mesh is finer. The mask knows no near and far plane: faces
        with some w <= 0 are not in it.

    Source: Chen et al. 2019, Learning to Predict 3D Objects with an Interpolation-based Differentiable Renderer.
    """
    affine = check.flag("visibility.dibr", "affine", affine)
    near = nearest_faces(
        ctx, pos, tri, resolution, 1, ranges=ranges, perspective_correct=not affine, cull=cull
    )
    colors = shade_faces(attr, near, tri)[..., 0, :]
    covered = near.id[..., 0] >= 0
    mask = dibr_mask(ctx, pos, tri, resolution, covered, sigmainv, boxlen, knum, ranges)
    return torch.cat([colors, mask], -1)


def dibr_mask(
    ctx: Context,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: Resolution,
    covered: torch.Tensor,
    sigmainv: float = SIGMAINV,
    boxlen: float = BOXLEN,
    knum: int = KNUM,
    ranges: Ranges | None = None,
) -> torch.Tensor:
    """The mask [N,H,W,1] alone; covered bool [N,H,W]: the pixels that show a face, such as rast[..., 3] > 0.

    Gradients: pos, from pixels that are not covered. A GPU is waited for.
    """
    name = "visibility.dibr"
    pos, tri, within, height, width = checked(name, ctx, pos, tri, resolution, ranges, "none")
    if within is not None:
        inside_tri(name, within, tri.shape[0])
    sharp, grown = positive(name, "sigmainv", sigmainv), positive(name, "boxlen", boxlen)
    K = check.whole(name, "knum", knum, 1)
    check.shape(
        name, "covered", covered, f"[N,{height},{width}]", covered.shape[1:] == (height, width)
    )
    with torch.no_grad():
        given = Nearest(
            pos.detach(), tri, within, height, width, K, 0.0, True, 0, strict=False, cuts=False, cull="none",
            box_x=grown * width / 2, box_y=grown * height / 2,
        )  # fmt: skip
        listed = find(given).id
        n, y, x, k = torch.nonzero((listed >= 0) & ~covered[..., None], as_tuple=True)
        vertices = tri[listed[n, y, x, k].long()].long()
    corners = pos[vertices] if pos.ndim == 2 else pos[n[:, None], vertices]
    at = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], 1).to(pos.dtype)
    near = torch.exp(-sharp * _to_outline(corners[..., :2] / corners[..., 3:], at))
    pixel = (n * height + y) * width + x
    # prod(1 - p) of each pixel, by sums of logarithms: where some p is 1 the mask is
    logs = torch.log1p(-near.clamp(max=1 - 1e-7))
    clear = torch.zeros(covered.numel(), device=pos.device).index_add(0, pixel, logs)
    mask = 1 - torch.exp(clear.reshape(covered.shape))
    return torch.where(covered, torch.ones_like(mask), mask)[..., None]


def _to_outline(corners: Tensor, at: Tensor) -> Tensor:
    """[E]: squared distance of points [E,2] to triangles [E,3,2]."""
    edge = corners.roll(-1, 1) - corners
    to = at[:, None] - corners
    length2 = edge.square().sum(2)
    t = ((to * edge).sum(2) / torch.where(length2 > 0, length2, 1)).clamp(0, 1)
    return (to - t[..., None] * edge).square().sum(2).amin(1)
