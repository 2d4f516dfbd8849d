"""What the tests of fragments share: fragments of a mesh on a device, images of them, and what always holds.

exact_check.py asks the last three of many more seeds than the tests.
"""

import numpy as np
import torch

import glrast
from tests import scenes
from tests.ops.compare import ranges_for
from tests.reference.visibility import clipped
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


def check_weights(frag) -> float:
    """They sum to 1 in each pixel that has any, by so much, and everything is finite."""
    sums = torch.zeros(frag.shown.numel(), dtype=torch.float64, device=frag.weight.device)
    sums.index_add_(0, frag.pixel, frag.weight.detach().double())
    apart = (sums - 1).abs()[frag.pixel]
    assert (apart < SUM).all()
    assert all(torch.isfinite(x).all() for x in (frag.rast, frag.rast_db, frag.weight))
    assert frag.rast.shape == frag.rast_db.shape and frag.rast.numel() == 4 * len(frag.weight)
    return float(apart.max()) if len(apart) else 0.0


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


def closed_mesh(context, seed) -> tuple[float, float]:
    """How far the image of a random closed mesh is from the one that clipping gives, and weights from summing to 1."""
    pos, tri, _ = scenes.closed_mesh(seed % 2, seed=seed)
    colors = torch.rand(3 * len(tri), 3, generator=torch.Generator().manual_seed(seed))
    kind = kinds.Kind(pos[0], tri, colors)
    rast, frag = find(context, kind.pos, tri)
    faces, corners = (t.to(context.device) for t in (kinds.faces(kind), colors))
    color, inner = (glrast.interpolate(corners, r, faces)[0] for r in (rast, frag.rast))
    image = glrast.resolve(color, inner, frag)[0].cpu().double().numpy()
    exact = clipped.image(*clipped.as_arrays(*kind[:3]), ODD)
    return float(np.abs(image - exact).max()), check_weights(frag)


def check_hostile(context, seed) -> None:
    """A mesh of numbers of all sizes, NaN and infinities, or of coincident and coplanar triangles on borders of pixels,
    with indices out of range: weights sum to 1, and nothing is not finite."""
    generator = np.random.default_rng(seed)
    pos = generator.normal(size=(2, 9, 4)) * 10.0 ** generator.integers(-30, 30, size=(2, 9, 1))
    odd = generator.random(pos.shape) < 0.1
    pos[odd] = generator.choice([np.nan, np.inf, -np.inf, 0, 1e38, -1e-38], size=odd.sum())
    if seed % 3 == 0:
        pos = np.round(generator.normal(size=(2, 9, 4)))
    pos = torch.tensor(pos, dtype=torch.float32, device=context.device, requires_grad=True)
    tri = torch.tensor(generator.integers(-1, 10, size=(20, 3)), dtype=torch.int32)
    rast, frag = find(context, pos, tri, (7, 12))
    check_weights(frag)
    rast = rast.detach()  # u and v of triangles of 1e-30 have derivatives beyond float32
    color = rast[..., :2].contiguous()
    image = glrast.antialias(color, rast, pos, tri.to(pos.device), discontinuities="exact")
    loss = frag.weight.square().sum() + frag.rast[..., 0].sum() + image.square().sum()
    (grad,) = torch.autograd.grad(loss, pos)
    assert torch.isfinite(image).all() and torch.isfinite(grad).all()


def growth_of_a_sphere(context, subdivisions, resolution) -> tuple[float, float]:
    """Relative errors of a sphere's area in the image, and of the area's derivative by the radius."""
    vertices, tri = scenes._icosphere(subdivisions)
    xyz = (0.43 * vertices).float().to(context.device)
    scale = torch.ones((), device=context.device, requires_grad=True)
    pos = torch.cat([scale * xyz, torch.ones_like(xyz[:, :1])], 1)[None]
    rast, frag = find(context, pos, tri.int(), (resolution, resolution), "near")
    alpha = [(r[..., 3:] > 0).float() for r in (rast, frag.rast)]
    area = glrast.resolve(*alpha, frag).double().sum()
    (grad,) = torch.autograd.grad(area, scale)
    wanted = hull_area(0.43 * vertices[:, :2].numpy() * resolution / 2)
    return abs(area.item() / wanted - 1), abs(grad.item() / (2 * wanted) - 1)


def hull_area(points):
    """The area of the convex hull: Andrew's monotone chain."""
    points, hull = sorted(map(tuple, points)), []
    for chain in (points, points[::-1]):
        half = []
        for p in chain:
            while len(half) > 1 and _turn(half[-2], half[-1], p) <= 0:
                half.pop()
            half.append(p)
        hull += half[:-1]
    return clipped.area_of(np.array(hull))


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
