"""Promises of README.md, MIGRATING.md and docstrings about gradients, through every way by which a user asks for them.

A promise is a sentence, a function of one tensor to a loss, and what its gradient must be; the ways are in ways.py.
"""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

import glrast
from tests import scenes
from tests.contract.ways import WAYS, by_backward
from tests.ops.compare import on, random
from tests.scenes import ODD

# ---- promises ----------------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """A mesh on a device, and what every promise needs of it."""

    context: glrast.Context
    pos: Tensor
    tri: Tensor
    attr: Tensor
    rast: Tensor
    rast_db: Tensor
    color: Tensor
    y: Tensor  # an incoming gradient of the picture


def promises(context):
    """{sentence: (loss, tensor, what the gradient must be: a bool of it)}"""
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    d = Drawn(context, pos, tri, attr, rast, rast_db, color, random(1, *ODD, 3).to(rast))
    parts = (of_rasterize, of_interpolate, of_texture, of_antialias, of_transform_points)
    return {sentence: promise for part in parts for sentence, promise in part(d).items()}


def of_rasterize(d: Drawn):
    pos, y4 = d.pos, random(1, *ODD, 4).to(d.rast)

    def draw(pos, **more):
        return glrast.rasterize(d.context, pos, d.tri, ODD, **more)

    return {
        "rasterize: pos gets x, y, w from u, v; z gets 0": (
            lambda p: (draw(p)[0] * y4)[..., :2].sum(),
            pos,
            lambda g: not g[..., 2].any() and g[..., [0, 1, 3]].any(),
        ),
        "rasterize: with grad_db also from rast_db": (
            lambda p: (draw(p)[1] * y4).sum(),
            pos,
            lambda g: not g[..., 2].any() and g[..., [0, 1, 3]].any(),
        ),
        "rasterize: grad_db=False: no gradient flows back through rast_db": (
            lambda p: (draw(p, grad_db=False)[1] * y4).sum() + 0 * draw(p)[0].sum(),
            pos,
            lambda g: not g.any(),
        ),
        "rasterize: channels z/w and id carry none": (
            lambda p: (draw(p)[0] * y4)[..., 2:].sum(),
            pos,
            lambda g: not g.any(),
        ),
        "triangle_id: no gradient": (
            lambda p: glrast.triangle_id(draw(p)[0]).float().sum() + 0 * p.sum(),
            pos,
            lambda g: not g.any(),
        ),
    }  # fmt: skip


def of_interpolate(d: Drawn):
    tri, attr, rast, rast_db, y = d.tri, d.attr, d.rast, d.rast_db, d.y
    return {
        "interpolate: attr (summed over images where broadcast)": (
            lambda a: glrast.interpolate(a, rast.expand(2, -1, -1, -1), tri)[0].sum(),
            attr,
            lambda g: torch.allclose(g.sum(), 2 * 3 * (rast[..., 3] > 0).sum().float()),
        ),
        "interpolate: rast channels u and v": (
            lambda r: (glrast.interpolate(attr, r, tri)[0] * y).sum(),
            rast,
            lambda g: g[..., :2].any() and not g[..., 2:].any(),
        ),
        "interpolate: rast_db": (
            lambda d: glrast.interpolate(attr, rast, tri, d, "all")[1].square().sum(),
            rast_db,
            lambda g: g.any(),
        ),
    }  # fmt: skip


def of_texture(d: Drawn):
    color, y, tex = d.color, d.y, random(1, 8, 8, 3).to(d.rast)
    outside = torch.full((1, *ODD, 2), 1.7).to(d.rast)
    return {
        "texture: where 'clamp' holds uv the gradient is exactly 0": (
            lambda uv: (glrast.texture(tex, uv, boundary_mode="clamp") * y).sum(),
            outside,
            lambda g: not g.any(),
        ),
        "texture: nearest: tex, not uv": (
            lambda uv: (glrast.texture(tex, uv, filter_mode="nearest") * y).sum() + 0 * uv.sum(),
            color[..., :2].contiguous(),
            lambda g: not g.any(),
        ),
        "texture: built levels return their gradients to tex": (
            lambda t: glrast.texture(t, color[..., :2].contiguous(), mip_level_bias=2 * one(y)).sum(),
            tex,
            lambda g: torch.allclose(g.sum(), torch.tensor(3.0 * ODD[0] * ODD[1]).to(g), rtol=1e-4),
        ),
    }  # fmt: skip


def of_antialias(d: Drawn):
    pos, tri, rast, color, y = d.pos, d.tri, d.rast, d.color, d.y

    def blend(pos, boost=1.0):
        return (glrast.antialias(color, rast, pos, tri, pos_gradient_boost=boost) * y).sum()

    base = by_backward(blend, pos)
    return {
        "antialias: pos x, y, w from visibility, z gets 0": (
            blend,
            pos,
            lambda g: not g[..., 2].any() and torch.equal(g, base),
        ),
        "antialias: pos_gradient_boost scales the gradient of pos": (
            lambda p: blend(p, 2.0),
            pos,
            lambda g: torch.equal(g, 2 * base),
        ),
        "antialias: none to rast": (
            lambda r: (glrast.antialias(color, r, pos, tri) * y).sum() + 0 * r.sum(),
            rast,
            lambda g: not g.any(),
        ),
        "antialias: color": (
            lambda c: (glrast.antialias(c, rast, pos, tri) * y).sum(),
            color,
            lambda g: torch.allclose(g.sum(), y.sum(), atol=1e-3),
        ),
    }  # fmt: skip


def of_transform_points(d: Drawn):
    pos, rast = d.pos, d.rast
    return {
        "transform_points: gradients to both arguments": (
            lambda m: glrast.clip.transform_points(m, pos[0, :, :3]).sum(),
            torch.eye(4).to(rast),
            lambda g: torch.allclose(g[0, 3], torch.tensor(float(pos.shape[1])).to(g)),
        ),
    }  # fmt: skip


def one(y):
    return torch.ones(y.shape[:3], device=y.device)


SENTENCES = 16


@pytest.fixture
def context(device, gl):
    return glrast.Context(device)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(SENTENCES))
def test_a_promise_about_gradients_holds_whichever_way_they_are_asked_for(context, number, way):
    known = promises(context)
    assert len(known) == SENTENCES
    sentence, (loss, at, holds) = list(known.items())[number]
    found = way(loss, at.detach())
    assert found.shape == at.shape and found.isfinite().all()
    assert holds(found.detach()), sentence


@pytest.mark.parametrize("number", range(SENTENCES))
def test_every_way_gives_the_same_gradient(context, number):
    sentence, (loss, at, _) = list(promises(context).items())[number]
    wanted = by_backward(loss, at.detach())
    for way in WAYS:
        if callable(way):
            assert torch.allclose(way(loss, at.detach()), wanted, rtol=1e-5, atol=1e-5), sentence


def test_values_are_the_same_with_and_without_gradients(context):
    for sentence, (loss, at, _) in promises(context).items():
        wanted = loss(at.clone().requires_grad_()).detach()
        with torch.no_grad():
            assert torch.equal(loss(at.clone()), wanted), sentence
        with torch.inference_mode():
            assert torch.equal(loss(at.clone()), wanted), sentence
        assert torch.equal(torch.vmap(loss)(at[None])[0], wanted), sentence
