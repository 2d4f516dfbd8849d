"""Promises of README.md, MIGRATING.md and docstrings about gradients, through every way by which a user asks for them.

A promise is a sentence, a function of one tensor to a loss, and what its gradient must be. A way takes the function and
the tensor and gives the gradient.
"""

import copy
import threading

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import glrast
from tests import scenes
from tests.ops.compare import on, random
from tests.scenes import ODD

# ---- ways --------------------------------------------------------------------------------------------------


def by_backward(loss, at):
    leaf = at.clone().requires_grad_()
    loss(leaf).backward()
    return leaf.grad


def by_autograd_grad(loss, at):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf, materialize_grads=True)[0]


def with_another_input(loss, at):
    leaf, other = at.clone().requires_grad_(), torch.ones((), requires_grad=True)
    grads = torch.autograd.grad(
        loss(leaf) + other.square(), [other, leaf], allow_unused=True, materialize_grads=True
    )
    assert grads[0] == 2
    return grads[1]


def by_a_hook(loss, at):
    leaf, seen = at.clone().requires_grad_(), []
    inner = leaf * 1
    inner.register_hook(seen.append)
    loss(inner).backward()
    return seen[0]


def by_create_graph(loss, at):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf, create_graph=True, materialize_grads=True)[0]


def by_torch_func(loss, at):
    return torch.func.grad(loss)(at)


def by_vjp(loss, at):
    value, pull = torch.func.vjp(loss, at)
    return pull(torch.ones_like(value))[0]


def by_vmap(loss, at):
    return torch.vmap(torch.func.grad(loss))(torch.stack([at, at]))[1]


def batched(loss, at):
    leaf = at.clone().requires_grad_()
    out = torch.stack([loss(leaf)] * 2)
    rows = torch.eye(2, device=out.device)
    (grads,) = torch.autograd.grad(
        out, leaf, rows, is_grads_batched=True, allow_unused=True, materialize_grads=True
    )
    return grads[1]


def by_checkpoint(loss, at, reentrant=False):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(
        checkpoint(loss, leaf, use_reentrant=reentrant), leaf, materialize_grads=True
    )[0]


def by_checkpoint_reentrant(loss, at):
    leaf = at.clone().requires_grad_()
    checkpoint(loss, leaf, use_reentrant=True).backward()
    return leaf.grad


def in_a_module(loss, at):
    module = torch.nn.Module()
    module.at = torch.nn.Parameter(at.clone())
    twin = copy.deepcopy(module)
    loss(twin.at).backward()
    assert module.at.grad is None
    return twin.at.grad


def under_autocast(loss, at):
    leaf = at.clone().requires_grad_()
    with torch.autocast(at.device.type, torch.bfloat16):
        value = loss(leaf)
    value.backward()
    return leaf.grad


def in_threads(loss, at):
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: by_backward(loss, at)}))
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(torch.equal(found[0], g) for g in found.values())
    return found[2]


def saved_elsewhere(loss, at):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        leaf = at.clone().requires_grad_()
        value = loss(leaf)
    return torch.autograd.grad(value, leaf, materialize_grads=True)[0]


def compiled(loss, at):
    torch._dynamo.reset()
    try:
        return by_autograd_grad(torch.compile(loss, backend="aot_eager"), at)
    finally:
        torch._dynamo.reset()


WAYS = [
    by_backward, by_autograd_grad, with_another_input, by_a_hook, by_create_graph, by_torch_func, by_vjp, by_vmap,
    batched, by_checkpoint, by_checkpoint_reentrant, in_a_module, under_autocast, in_threads, saved_elsewhere,
    pytest.param(compiled, marks=pytest.mark.slow),
]  # fmt: skip

# ---- promises ----------------------------------------------------------------------------------------------


def promises(context):
    """{sentence: (loss, tensor, what the gradient must be: a bool of it)}"""
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    y, y4 = random(1, *ODD, 3).to(rast), random(1, *ODD, 4).to(rast)
    tex = random(1, 8, 8, 3).to(rast)

    def draw(pos, **more):
        return glrast.rasterize(context, pos, tri, ODD, **more)

    def blend(pos, boost=1.0):
        return (glrast.antialias(color, rast, pos, tri, pos_gradient_boost=boost) * y).sum()

    base = by_backward(blend, pos)
    outside = torch.full((1, *ODD, 2), 1.7).to(rast)
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
