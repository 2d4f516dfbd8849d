"""What the tests of fragments share: fragments of a mesh on a device, images of them, and what always holds."""

import torch

import glrast
from tests.ops.compare import ranges_for
from tests.scenes import ODD
from tests.visibility import discontinuities as kinds

SUM = 1e-5  # by which the weights of a pixel may miss 1


def find(context, pos, tri, resolution=ODD, discontinuities="all", **given):
    """(rast, fragments); [V,4] is one image of all triangles."""
    pos, tri = pos.to(context.device), tri.to(context.device)
    ranges = given.pop("ranges", ranges_for(pos, tri))
    rast, _ = glrast.rasterize(context, pos, tri, resolution, ranges=ranges, **given)
    return rast, glrast.fragments(rast, pos, tri, discontinuities, ranges=ranges, **given)


def render(context, kind, pos=None, discontinuities="all", resolution=kinds.SIZE):
    """The image [1,H,W,C] of a Kind: its colours belong to corners."""
    pos = kind.pos.to(context.device) if pos is None else pos
    rast, frag = find(context, pos, kind.tri, resolution, discontinuities)
    faces, corners = kinds.faces(kind).to(pos.device), kind.corners.to(pos.device)
    color, inner = (glrast.interpolate(corners, r, faces)[0] for r in (rast, frag.rast))
    return glrast.resolve(color, inner, frag)


def check_weights(frag):
    """They sum to 1 in each pixel that has any, and everything is finite."""
    sums = torch.zeros(frag.shown.numel(), dtype=torch.float64, device=frag.weight.device)
    sums.index_add_(0, frag.pixel, frag.weight.detach().double())
    assert ((sums - 1).abs() < SUM)[frag.pixel].all()
    assert all(torch.isfinite(x).all() for x in (frag.rast, frag.rast_db, frag.weight))
    assert frag.rast.shape == frag.rast_db.shape and frag.rast.numel() == 4 * len(frag.weight)


def shade(rast, frag, attr, tri):
    """The image by attributes of vertices."""
    color, inner = (glrast.interpolate(attr, r, tri)[0] for r in (rast, frag.rast))
    return glrast.resolve(color, inner, frag)


def visible_entries(context, kind, most):
    """Entries of vertices that move something, spread evenly."""
    pos = kind.pos.to(context.device).requires_grad_()
    image = render(context, kind, pos)
    (grad,) = torch.autograd.grad((image * kinds.noise_weight().to(image)).sum(), pos)
    moving = grad.abs().amax(1).cpu() > 1e-3
    every = [(v, axis) for v, axis in kinds.entries_of(kind) if moving[v]]
    return every[:: -(-len(every) // most)]
