"""Every operation, forward and backward, on small scenes: together they launch every kernel.

A case takes a glrast.Context and returns tensors: results and gradients. Images of 17 x 33 pixels leave warps of one
lane and blocks of one row; there are two in a batch.
"""

from contextlib import contextmanager

import torch

import glrast
from glrast import visibility
from glrast.ops import mipmap
from glrast.raster.self_test import tested
from tests import scenes
from tests.ops.compare import on, random
from tests.scenes import ODD
from tests.visibility import crowded, discontinuities


def rasterized(context, grad_db=True):
    pos, tri, _ = on(context, scenes.closed_mesh(2, images=2))
    pos = pos.clone().requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD, grad_db=grad_db)
    (rast * random(*rast.shape)).sum().backward(retain_graph=True)
    (rast_db * random(*rast.shape, seed=1)).sum().backward() if grad_db else None
    return rast, rast_db, pos.grad


def interpolated(context, A=3, diff=None):
    pos, tri, _ = on(context, scenes.closed_mesh(2, images=2))
    rast, rast_db = (t.requires_grad_() for t in glrast.rasterize(context, pos, tri, ODD))
    attr = random(pos.shape[-2], A).requires_grad_()
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, diff)
    total = (out * random(*out.shape)).sum() + (out_da * random(*out_da.shape, seed=2)).sum()
    total.backward()
    return out, out_da, attr.grad, rast.grad, *([rast_db.grad] if diff else [])


def antialiased(context, kinds="silhouettes"):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    pos = pos.clone().requires_grad_()
    color = random(*rast.shape[:3], 3).requires_grad_()
    out = glrast.antialias(color, rast, pos, tri, discontinuities=kinds)
    (out * random(*out.shape, seed=3)).sum().backward()
    return out, color.grad, pos.grad


def intersecting(context):
    kind = discontinuities.intersection()
    pos = kind.pos.clone().requires_grad_()
    out = discontinuities.shaded(context, kind, pos, "all")
    out.square().sum().backward()
    return out, pos.grad


def textured(
    context,
    filter="linear-mipmap-linear",
    boundary="wrap",
    C=3,
    of=("tex", "uv", "uv_da"),
    images=1,
):
    """`of`: what gets a gradient."""
    cube = boundary == "cube"
    tex = random(images, *((6, 8, 8) if cube else (16, 8)), C)
    uv = random(2, *ODD, 3 if cube else 2, seed=4)
    uv_da = 0.2 * random(2, *ODD, 6 if cube else 4, seed=5)
    given = dict(tex=tex, uv=uv, uv_da=uv_da)
    for name in of:
        given[name].requires_grad_()
    out = glrast.texture(tex, uv, uv_da, filter_mode=filter, boundary_mode=boundary)
    (out * random(*out.shape, seed=6)).sum().backward()
    return out, *(given[name].grad for name in of if given[name].grad is not None)


def fragmented(context, crossing=False):
    if crossing:  # lines add to six vertices
        pos, tri = discontinuities.intersection()[:2]
        pos, tri = pos[None].repeat(2, 1, 1), tri.to(pos.device)
    else:
        pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    pos = pos.clone().requires_grad_()
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    frag = glrast.fragments(rast, pos, tri, "all")
    total = sum((x * random(*x.shape, seed=7)).sum() for x in frag[:3])
    colors = [random(*rast.shape[:3], 3), random(*frag.rast.shape[:3], 3, seed=8)]
    color, inner = (x.to(pos.device).requires_grad_() for x in colors)
    image = glrast.resolve(color, inner, frag)
    (total + (image * random(*image.shape, seed=9)).sum()).backward()
    return *frag[:3], image, pos.grad, color.grad, inner.grad


def pierced(context):
    """A soup of triangles that pass through each other."""
    kind = crowded.soup()
    pos = kind.pos.clone().requires_grad_()
    out = discontinuities.shaded(context, kind, pos, "all")
    rast, _ = glrast.rasterize(context, pos[None], kind.tri, ODD)
    frag = glrast.fragments(rast, pos[None], kind.tri, "all")
    (out.square().sum() + sum(x.square().sum() for x in frag[:3])).backward()
    return out, *frag[:3], pos.grad


def estimated(context, name, **options):
    """An image estimator: the gradient that visibility gives positions."""
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    pos = pos.clone().requires_grad_()
    color = random(*rast.shape[:3], 3).requires_grad_()
    if name == "edge_sampling":
        options["generator"] = torch.Generator().manual_seed(0)
    out = getattr(visibility, name)(color, rast, pos, tri, **options)
    (out * random(*out.shape, seed=10)).sum().backward()
    return out, pos.grad


def splatted(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    pos = pos.clone().requires_grad_()
    layers = glrast.peel(context, pos, tri, ODD, max_layers=2)
    colors = [random(*rast.shape[:3], 3).requires_grad_() for rast, _ in layers]
    out = visibility.rasterize_then_splat(layers, colors, pos, tri)
    (out * random(*out.shape, seed=11)).sum().backward()
    return out, pos.grad, *(c.grad for c in colors)


def blended(context, color="softmax"):
    """Soft renderers: faces within a pixel and a half of each pixel's centre."""
    pos, tri, attr = on(context, scenes.closed_mesh(1, images=2))
    pos = pos.clone().requires_grad_()
    near = visibility.nearest_faces(context, pos, tri, ODD, faces_per_pixel=3, reach_pix=1.5)
    shades = visibility.shade_faces(attr, near, tri)
    out = visibility.softras(near, shades, sigma_pix2=0.25, color=color)
    (out * random(*out.shape, seed=12)).sum().backward()
    return out, near.z, near.bary, near.dist2, pos.grad


def peeled(context):
    pos, tri, _ = on(context, scenes.closed_mesh(2, images=2))
    pos = pos.clone().requires_grad_()
    layers = glrast.peel(context, pos, tri, (31, 50), max_layers=3)
    sum((rast[..., :3] * random(*rast[..., :3].shape)).sum() for rast, _ in layers).backward()
    return *(rast for rast, _ in layers), pos.grad


def transformed(context):
    matrix = random(2, 4, 4).requires_grad_()
    points = random(1, 50, 3, seed=8).requires_grad_()
    out = glrast.clip.transform_points(matrix, points)
    (out * random(*out.shape, seed=9)).sum().backward()
    return out, matrix.grad, points.grad


@contextmanager
def limits(context, **changed):
    """As on another driver, or for a larger image."""
    held = tested(context.device).limits
    before = {name: getattr(held, name) for name in changed}
    try:
        for name, value in changed.items():
            setattr(held, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(held, name, value)


def as_on_a_gpu(case):
    """Triangles are not chosen one by one."""

    def there(context):
        with limits(context, selected_bytes=-1):
            return case(context)

    return there


def with_levels_at_once(case):
    """Mipmaps are made and collected as on a GPU."""

    def there(context):
        before = mipmap.levels_at_once
        mipmap.levels_at_once = lambda device: 3
        try:
            return case(context)
        finally:
            mipmap.levels_at_once = before

    return there


def as_a_large_image(context):
    with limits(context, largest_plain=0, size=20):
        return rasterized(context)


CASES = {
    "rasterize": rasterized,
    "rasterize without derivatives' gradients": lambda c: rasterized(c, False),
    "interpolate 3": interpolated,
    "interpolate 5 with derivatives": lambda c: interpolated(c, 5, [0, 3]),
    "antialias": antialiased,
    "antialias all": lambda c: antialiased(c, "all"),
    "antialias intersection": intersecting,
    "fragments": fragmented,
    "fragments intersection": lambda c: fragmented(c, crossing=True),
    "texture": textured,
    "texture linear 1": lambda c: textured(c, "linear", C=1),
    "texture nearest 5": lambda c: textured(c, "nearest", C=5),
    "texture cube": lambda c: textured(c, boundary="cube"),
    "texture cube linear 1": lambda c: textured(c, "linear", "cube", C=1),
    "texture clamp 4, an image each": lambda c: textured(c, boundary="clamp", C=4, images=2),
    "texture zero": lambda c: textured(c, "linear-mipmap-nearest", "zero"),
    "texture, the texels' gradient alone": lambda c: textured(c, of=("tex",)),
    "texture, the coordinates' gradient alone": lambda c: textured(c, of=("uv", "uv_da")),
    "soup": pierced,
    "peel": peeled,
    "peel as on a GPU": as_on_a_gpu(peeled),
    "rasterize as on a GPU": as_on_a_gpu(rasterized),
    "rasterize a large image": as_a_large_image,
    "transform": transformed,
    "texture, mipmaps at once": with_levels_at_once(textured),
    "texture cube, mipmaps at once": with_levels_at_once(
        lambda c: textured(c, boundary="cube", C=4)
    ),
    "opendr": lambda c: estimated(c, "opendr"),
    "opendr without overdraw": lambda c: estimated(c, "opendr", overdraw=False),
    "dirt": lambda c: estimated(c, "dirt"),
    "nmr": lambda c: estimated(c, "nmr"),
    "edge_grad": lambda c: estimated(c, "edge_grad"),
    "edge_sampling": lambda c: estimated(c, "edge_sampling"),
    "rasterize_then_splat": splatted,
    "softras": blended,
    "softras over": lambda c: blended(c, "over"),
}
