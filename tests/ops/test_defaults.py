"""PyTorch's default device and dtype are the client's: what the operations allocate does not follow them."""

import pytest
import torch

import glrast
from glrast.clip import transform_points
from tests import scenes
from tests.ops.compare import random
from tests.scenes import ODD

DEFAULTS = [
    dict(device="meta", dtype=torch.float32),  # stands for any device that the tensors are not on
    dict(device="cpu", dtype=torch.float64),
    dict(device="cpu", dtype=torch.float16),
]


@pytest.fixture(params=DEFAULTS, ids=lambda d: f"{d['device']}-{d['dtype']}")
def defaults(request):
    """Switches them, and puts back what was."""
    before = torch.get_default_dtype()

    def switch():
        torch.set_default_device(request.param["device"])
        torch.set_default_dtype(request.param["dtype"])

    yield switch
    torch.set_default_device(None)
    torch.set_default_dtype(before)


def rasterized(context, pos, tri, attr):
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    part, _ = glrast.rasterize(context, pos[0], tri, ODD, ranges=[[0, 5], [3, 4]], cull="back")
    return rast, rast_db, part, glrast.triangle_id(rast)


def interpolated(context, pos, tri, attr):
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    return glrast.interpolate(attr, rast, tri, rast_db, [0, -1])


def antialiased(context, pos, tri, attr):
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    handle = glrast.antialias_construct_topology_hash(tri.clone())
    same = glrast.antialias(color, rast, pos, tri.clone(), handle, cull="back")
    return same, glrast.antialias(color, rast, pos, tri, discontinuities="all")


def textured(context, pos, tri, attr):
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    uv, uv_da = glrast.interpolate(attr[:, :2].contiguous(), rast, tri, rast_db, "all")
    tex = attr[None, :, None, :].expand(1, -1, 16, -1)[:, :16].contiguous()
    mip = glrast.texture_construct_mip(tex)
    return (
        glrast.texture(tex, uv),
        glrast.texture(tex, uv, uv_da),
        glrast.texture(tex, uv, uv_da, mip=mip, filter_mode="linear-mipmap-nearest"),
    )


def peeled(context, pos, tri, attr):
    return [t for layer in glrast.peel(context, pos, tri, ODD) for t in layer]


def transformed(context, pos, tri, attr):
    return [transform_points(pos[:, :4], attr)]


@pytest.mark.parametrize(
    "of", [rasterized, interpolated, antialiased, textured, peeled, transformed]
)
def test_results_and_gradients_do_not_depend_on_pytorchs_defaults(context, defaults, of):
    pos, tri, attr = (t.to(context.device) for t in scenes.closed_mesh(2, images=2))
    wanted, weights = results_and_gradients(of, context, pos, tri, attr)
    defaults()
    found, _ = results_and_gradients(of, context, pos, tri, attr, weights)
    for f, w in zip(found, wanted, strict=True):
        assert (f is None and w is None) or (f.dtype == w.dtype and torch.equal(f, w))


def results_and_gradients(of, context, pos, tri, attr, weights=None):
    """Of `of` by pos and attr, with random weights unless they are given; and the weights."""
    at = pos.clone().requires_grad_(), attr.clone().requires_grad_()
    results = of(context, at[0], tri, at[1])
    smooth = [r for r in results if r.requires_grad]
    weights = weights or [random(*r.shape).to(r) for r in smooth]
    gradients = torch.autograd.grad(smooth, at, weights, allow_unused=True)
    return [*results, *gradients], weights
