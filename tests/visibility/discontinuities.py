"""The scenes of glrast/visibility/audit/scenes.py in the hands of tests: drawn by the operations, and by clipping."""

import torch
from torch import Tensor

import glrast
from glrast.visibility.audit.scenes import (
    BLUE,
    GREEN,
    GREY,
    KINDS,
    RED,
    SIZE,
    Kind,
    entries_of,
    faces,
    flat_crease,
    flat_mesh,
    image_border,
    in_pixels,
    intersection,
    leaving,
    noise_weight,
    occlusion,
    shaded_crease,
    silhouette,
    sliver,
    smooth_crease,
    smooth_mesh,
    smooth_weight,
)
from tests.ops.compare import Difference, difference
from tests.reference.visibility import clipped

__all__ = [
    "BLUE", "GREEN", "GREY", "KINDS", "RED", "SIZE", "Kind", "entries_of", "faces", "flat_crease", "flat_mesh",
    "image_border", "in_pixels", "intersection", "leaving", "noise_weight", "occlusion", "shaded_crease", "silhouette",
    "sliver", "smooth_crease", "smooth_mesh", "smooth_weight",
]  # fmt: skip


def shaded(context, kind: Kind, pos: Tensor, discontinuities: str, size=SIZE) -> Tensor:
    """The image [1,H,W,C] by the operations, a function of pos through interpolation and visibility."""
    color, rast = interpolated(context, kind, pos, size)
    tri = kind.tri.to(pos.device)
    ranges = [[0, len(tri)]]
    return glrast.antialias(color, rast, pos, tri, discontinuities=discontinuities, ranges=ranges)


def interpolated(context, kind: Kind, pos: Tensor, size=SIZE) -> tuple[Tensor, Tensor]:
    """The colours [1,H,W,C] of pixels' centres, and rast."""
    tri, corners = kind.tri.to(pos.device), kind.corners.to(pos.device)
    rast, _ = glrast.rasterize(context, pos, tri, size, ranges=[[0, len(tri)]])
    return glrast.interpolate(corners, rast, faces(kind).to(pos.device))[0], rast


def of(scene) -> Kind:
    return Kind(scene.pos, scene.tri, scene.attr[scene.tri.reshape(-1).long()])


def gradient(context, kind: Kind, discontinuities: str, weight: Tensor) -> Tensor:
    pos = kind.pos.to(context.device).requires_grad_()
    image = shaded(context, kind, pos, discontinuities)
    return torch.autograd.grad((image * weight.to(image)).sum(), pos)[0].cpu().double()


def exact_gradient(kind: Kind, entries, weights) -> Tensor:
    """[len(weights), len(entries)]: derivatives of sum(weight * image) of the exact image, weights [1,64,64,C]."""
    arrays = clipped.as_arrays(*kind[:3])
    weights = [w[0].double().numpy() for w in weights]
    return torch.from_numpy(clipped.gradient(*arrays, SIZE, weights, entries))


def exact_image(kind: Kind) -> Tensor:
    """[64,64,C] float64."""
    return torch.from_numpy(clipped.image(*clipped.as_arrays(*kind[:3]), SIZE))


def error(found: Tensor, exact: Tensor, entries) -> Difference:
    """How far a gradient shaped like pos is from the exact one in those entries."""
    return difference(found[tuple(torch.tensor(entries).T)], exact)
