"""torch.func's transforms and autograd's batched gradients: the gradient of backward(), or an error with the remedy."""

import pytest
import torch
from torch.autograd import forward_ad

import glrast
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD


@pytest.fixture
def context(device, gl):
    return glrast.Context(device)


@pytest.fixture
def scene(context):
    return on(context, scenes.closed_mesh(1))


def losses(context, scene):
    """{operation: (a function of one tensor to a number, that tensor)}"""
    pos, tri, attr = scene
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    color, color_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    uv, uv_da = color[..., :2].contiguous(), color_da[..., :4].contiguous()
    tex = attr[None, :16, None].expand(1, 16, 16, 3).contiguous()

    def whole(pos):
        rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
        color, da = glrast.interpolate(attr, rast, tri, rast_db, "all")
        color = color + glrast.texture(
            tex, color[..., :2].contiguous(), da[..., :4].contiguous() / 8
        )
        return glrast.antialias(color, rast, pos, tri, discontinuities="all").square().sum()

    def layers(pos):
        found = glrast.peel(context, pos, tri, ODD)
        return sum((rast[..., :2] * (k + 1)).square().sum() for k, (rast, _) in enumerate(found))

    return {
        "rasterize": (
            lambda p: sum(x.square().sum() for x in glrast.rasterize(context, p, tri, ODD)),
            pos,
        ),
        "peel": (layers, pos),
        "interpolate": (lambda a: glrast.interpolate(a, rast, tri)[0].square().sum(), attr),
        "texture": (lambda t: glrast.texture(t, uv, uv_da).square().sum(), tex),
        "texture uv": (lambda u: glrast.texture(tex, u).square().sum(), uv),
        "antialias": (lambda p: glrast.antialias(color, rast, p, tri).square().sum(), pos),
        "fragments": (
            lambda p: sum(x.square().sum() for x in glrast.fragments(rast, p, tri, "all")[:3]),
            pos,
        ),
        "clip.transform_points": (
            lambda m: glrast.clip.transform_points(m, pos[0, :, :3]).square().sum(),
            torch.eye(4, device=pos.device),
        ),
        "whole": (whole, pos),
    }


NAMES = [
    "rasterize", "peel", "interpolate", "texture", "texture uv", "antialias", "fragments",
    "clip.transform_points", "whole",
]  # fmt: skip
MAPPED = [name for name in NAMES if name not in ("peel", "fragments")]


def gradient(loss, at):
    at = at.clone().requires_grad_()
    return torch.autograd.grad(loss(at), at)[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_torch_func_is_that_of_autograd(context, scene, name):
    loss, at = losses(context, scene)[name]
    wanted = gradient(loss, at)
    assert wanted.any()
    assert torch.equal(torch.func.grad(loss)(at), wanted)
    value, pull = torch.func.vjp(loss, at)
    assert torch.equal(value, loss(at)) and torch.equal(pull(torch.ones_like(value))[0], wanted)


@pytest.mark.parametrize("name", MAPPED)
def test_vmap_gives_what_a_loop_gives(context, scene, name):
    loss, at = losses(context, scene)[name]
    several = torch.stack([at, at + 0.01, at * 0.99], 1)
    each = several.unbind(1)
    mapped = torch.vmap(loss, in_dims=1)(several)
    assert torch.allclose(mapped, torch.stack([loss(x) for x in each]), rtol=1e-5)
    grads = torch.vmap(torch.func.grad(loss), in_dims=1, out_dims=1)(several)
    wanted = torch.stack([gradient(loss, x) for x in each], 1)
    assert torch.allclose(grads, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_batched_gradients_give_the_rows_of_the_jacobian(context, scene, name):
    loss, at = losses(context, scene)[name]

    def two(x):
        value = loss(x)
        return torch.stack([value, value.sin()])

    wanted = torch.autograd.functional.jacobian(two, at)
    scale = float(wanted.abs().max())
    for found in (
        torch.autograd.functional.jacobian(two, at, vectorize=True),
        torch.func.jacrev(two)(at) if name != "peel" else wanted,
        batched(two, at),
    ):
        assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5 * scale)


def batched(function, at):
    at = at.clone().requires_grad_()
    out = function(at)
    rows = torch.eye(2, device=out.device)
    return torch.autograd.grad(out, at, rows, is_grads_batched=True)[0]


def test_triangles_can_be_mapped_over_too(context, scene):
    pos, tri, _ = scene

    def image(tri):
        rast, _ = glrast.rasterize(context, pos, tri, ODD)
        return glrast.antialias((rast[..., 3:] > 0).float(), rast, pos, tri)

    both = torch.stack([tri, tri.roll(1, 1).flip(0)])
    assert torch.equal(torch.vmap(image)(both), torch.stack([image(t) for t in both]))


# ---- what is not computed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_is_refused_by_name(context, scene, name):
    loss, at = losses(context, scene)[name]
    function = {"peel": "DepthPeeler", "whole": "rasterize"}.get(name, name.split()[0])
    said = f"glrast.{function}: forward-mode derivatives .* are not computed; take the reverse mode"

    def dual():
        with forward_ad.dual_level():
            loss(forward_ad.make_dual(at, torch.ones_like(at)))

    calls = [lambda: torch.func.jvp(loss, (at,), (at,)), dual]
    if name != "peel":  # which jacfwd maps over
        calls.append(lambda: torch.func.jacfwd(loss)(at))
    for call in calls:
        with pytest.raises(RuntimeError, match=said):
            call()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "clip.transform_points"])
def test_second_derivatives_are_refused_also_of_linear_losses(context, scene, name):
    loss, at = losses(context, scene)[name]
    said = r"glrast.\w+: second derivatives are not computed; its backward is once_differentiable"
    with pytest.raises(RuntimeError, match=said):
        torch.func.grad(lambda x: torch.func.grad(loss)(x).sum())(at)
    with pytest.raises(RuntimeError, match=said):
        torch.autograd.functional.hessian(loss, at[:, :1] if at.ndim < 2 else at)


def test_a_linear_loss_has_no_second_derivative_of_zero(context, scene):
    pos, tri, _ = scene
    at = pos.clone().requires_grad_()
    loss = glrast.rasterize(context, at, tri, ODD)[0][..., 0].sum()  # its gradient depends on pos
    (first,) = torch.autograd.grad(loss, at, create_graph=True)
    with pytest.raises(RuntimeError, match="glrast.rasterize: second derivatives are not computed"):
        (first.sum() + at.square().sum()).backward()


def test_points_have_second_derivatives(context, scene):
    points, matrix = scene[0][0, :, :3].double().float(), torch.eye(4, device=scene[0].device)

    def loss(points):
        return glrast.clip.transform_points(matrix, points).pow(3).sum()

    found = torch.func.grad(lambda x: torch.func.grad(loss)(x).sum())(points)
    assert torch.allclose(found, 6 * points, atol=1e-5)


def test_layers_are_not_mapped_over(context, scene):
    pos, tri, _ = scene

    def first_layer(pos):
        with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
            return peeler.rasterize_next_layer()[0]

    for function, name in (
        (first_layer, "DepthPeeler"),
        (lambda p: glrast.peel(context, p, tri, ODD), "peel"),
    ):
        with pytest.raises(RuntimeError, match=f"glrast.{name}: torch.vmap cannot map over layers"):
            torch.vmap(function)(torch.stack([pos, pos]))
    assert glrast.rasterize(context, pos, tri, ODD)[0].any()  # ctx is free again


def test_what_a_transform_makes_is_not_remembered_after_it(context, scene):
    pos, tri, _ = (t.clone() for t in scene)  # nobody has drawn this tri
    handle = glrast.antialias_construct_topology_hash(tri)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color = (rast[..., 3:] > 0).float()
    for more in (dict(), dict(topology_hash=handle, cull="back"), dict(cull="back")):

        def loss(pos, more=more):
            return glrast.antialias(color, rast, pos, tri, **more).square().sum()

        inside = torch.func.grad(loss)(pos)
        assert torch.equal(inside, gradient(loss, pos))
