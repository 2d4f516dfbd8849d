"""interpolate: constants, coordinates known beforehand, differences, the float64 twin, and hostile input."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import (
    Limits,
    check_gradient,
    close,
    draw,
    encode,
    on,
    random,
    relative_error,
    torch_threads,
)
from tests.reference import interpolate as twin
from tests.scenes import ODD, SCENES

# u A0 + v A1 + (1-u-v) A2 in float32: three products of order 1.
ROUNDING = 1e-6
# Rounding of a float32 sum over at most 561 pixels: measured 8e-7, 2e-13, 4e-7.
GRADIENT = Limits(l2=1e-5, cosine=2e-12, bias=4e-6)


# ---- analytic answers ------------------------------------------------------------------------------------


def test_a_constant_attribute_interpolates_to_itself_and_has_no_derivative(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    constant = torch.tensor([3.0, -0.25, 0.0], device=pos.device).expand(pos.shape[1], 3)
    out, out_da = glrast.interpolate(constant, rast, tri, rast_db, "all")
    covered = rast[..., 3:] > 0
    close(out, covered * constant[0], 3 * ROUNDING)
    assert not out_da.any()


def test_clip_positions_interpolate_to_the_pixel_they_came_from(context):
    # perspective-correct: x/w of the interpolated clip position is the pixel centre, z/w the depth
    pos, tri, _ = on(context, scenes.one_triangle(2))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    out, _ = glrast.interpolate(pos, rast, tri)
    covered = rast[..., 3] > 0
    x = (2 * torch.arange(ODD[1], device=pos.device) + 1) / ODD[1] - 1
    y = (2 * torch.arange(ODD[0], device=pos.device)[:, None] + 1) / ODD[0] - 1
    for channel, wanted in ((0, x), (1, y), (2, rast[..., 2])):
        close(
            (out[..., channel] / out[..., 3])[covered],
            wanted.expand(covered.shape)[covered],
            4 * ROUNDING,
        )


def test_derivatives_of_the_pixel_coordinates_are_one_and_zero(context):
    pos, tri, _ = on(context, scenes.large_triangle())
    rast, rast_db = draw(context, (pos, tri))
    pixels = (pos[:, :2] / pos[:, 3:] + 1) * 0.5 * torch.tensor([ODD[1], ODD[0]], device=pos.device)
    _, out_da = glrast.interpolate(pixels, rast, tri, rast_db, "all")
    wanted = torch.tensor([1.0, 0.0, 0.0, 1.0], device=pos.device) * (rast[..., 3:] > 0)
    close(out_da, wanted, 10 * ROUNDING)


def test_a_rast_made_by_hand_gives_the_weighted_mean(device):
    attr = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]], device=device)
    rast = torch.zeros(1, 1, 2, 4, device=device)
    rast[0, 0, 1] = torch.tensor([0.25, 0.5, 0.0, 1.0])
    out, out_da = glrast.interpolate(attr, rast, torch.tensor([[0, 1, 2]], device=device))
    assert out.tolist() == [[[[0.0, 0.0], [2.25, 22.5]]]]
    assert out_da.shape == (1, 1, 2, 0)


def test_the_three_shapes_of_attr_mean_the_same_and_broadcast_gradients_add_up(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=3))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    attr = random(pos.shape[1], 2).to(pos.device)
    weight = random(3, *ODD, 2).to(pos.device)
    outs, grads = [], []
    for shaped in (attr, attr[None], attr.expand(3, -1, -1).contiguous()):
        shaped.requires_grad_()
        out, out_da = glrast.interpolate(shaped, rast, tri, rast_db, [1])
        loss = (out * weight).sum() + (out_da * weight).sum()
        grads.append(torch.autograd.grad(loss, shaped)[0])
        outs.append((out, out_da))
    for out, out_da in outs[1:]:
        assert torch.equal(out, outs[0][0]) and torch.equal(out_da, outs[0][1])
    assert torch.equal(grads[0], grads[1][0])
    check_gradient(grads[2].sum(0), grads[0], GRADIENT)


@pytest.mark.parametrize(
    "diff_attrs, chosen",
    [(None, []), ([], []), ("all", [0, 1, 2]), ([2, 0], [2, 0]), ([-1], [2]), ((1, 1), [1, 1]),
     (torch.tensor([0, 2]), [0, 2])],
)  # fmt: skip
def test_diff_attrs_chooses_in_its_own_order(context, diff_attrs, chosen):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    _, every = glrast.interpolate(attr, rast, tri, rast_db, "all")
    _, out_da = glrast.interpolate(attr, rast, tri, rast_db, diff_attrs)
    assert torch.equal(
        out_da, torch.cat([every[..., 2 * k : 2 * k + 2] for k in chosen] or [every[..., :0]], -1)
    )


@pytest.mark.parametrize("A", [0, 1, 2, 3, 4, 5, 8, 37])
def test_any_number_of_attributes_gives_each_its_own_channel(context, A):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    attr = random(pos.shape[1], A).to(pos.device).requires_grad_()
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    (grad,) = torch.autograd.grad(out.square().sum() + out_da.square().sum(), attr)
    assert out.shape == (1, *ODD, A) and out_da.shape == (1, *ODD, 2 * A)
    for k in range(A):
        one = attr[:, k : k + 1].detach().requires_grad_()
        alone, alone_da = glrast.interpolate(one, rast, tri, rast_db, "all")
        assert torch.equal(alone[..., 0], out[..., k]) and torch.equal(
            alone_da, out_da[..., 2 * k : 2 * k + 2]
        )
        (grad_alone,) = torch.autograd.grad(alone.square().sum() + alone_da.square().sum(), one)
        check_gradient(grad_alone[:, 0], grad[:, k], GRADIENT)


# ---- differences and the float64 twin --------------------------------------------------------------------


def test_gradients_equal_central_differences(context):
    # out and out_da are linear in attr and in (u, v), so a difference with a large step is exact to rounding
    pos, tri, attr = on(context, scenes.closed_mesh(0))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    weight, weight_da = (random(1, *ODD, c, seed=c).double() for c in (3, 6))

    def loss(attr, rast, rast_db):  # of each pixel
        out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
        return (out.cpu().double() * weight).sum(-1) + (out_da.cpu().double() * weight_da).sum(-1)

    at = [t.detach().requires_grad_() for t in (attr, rast, rast_db)]
    found = torch.autograd.grad(loss(*at).sum(), at)

    def slopes(k, entries):
        for entry in entries:
            move = torch.zeros_like(at[k])
            move[entry] = 1
            ends = [
                [t.detach() + s * move if i == k else t.detach() for i, t in enumerate(at)]
                for s in (-1, 1)
            ]
            yield (loss(*ends[1]) - loss(*ends[0])) / 2

    numbers = [(v, a) for v in range(len(attr)) for a in range(attr.shape[1])]
    wanted = torch.stack([s.sum() for s in slopes(0, numbers)]).reshape(attr.shape)
    check_gradient(found[0], wanted, GRADIENT)
    # a pixel is a function of its own rast and rast_db alone
    check_gradient(found[1][..., :2], torch.stack([*slopes(1, [(..., 0), (..., 1)])], -1), GRADIENT)
    wanted = torch.stack([*slopes(2, [(..., c) for c in range(4)])], -1)
    check_gradient(found[2], wanted, GRADIENT)
    assert not found[1][..., 2:].any()


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("diff_attrs", [None, [2, 0, 2]])
def test_image_and_gradients_equal_the_twin(context, name, diff_attrs):
    pos, tri, attr = SCENES[name]()
    rast, rast_db = draw(context, (pos, tri))
    at = [t.to(context.device).requires_grad_() for t in (attr, rast, rast_db)]
    out, out_da = glrast.interpolate(at[0], at[1], tri.to(context.device), at[2], diff_attrs)
    grad_out, grad_da = random(*out.shape), random(*out_da.shape, seed=1)
    cpu = [t.detach().cpu() for t in at]
    wanted, wanted_da = twin.interpolate(cpu[0], cpu[1], tri, cpu[2], diff_attrs)
    close(out, wanted, ROUNDING)
    assert relative_error(out_da, wanted_da) < GRADIENT.l2
    assert out_da.requires_grad == (diff_attrs is not None)
    loss = (out * grad_out.to(out)).sum() + (out_da * grad_da.to(out)).sum()
    gradients = torch.autograd.grad(loss, at, allow_unused=diff_attrs is None)
    wanted = twin.closed_form_backward(cpu[0], cpu[1], tri, grad_out, cpu[2], diff_attrs, grad_da)
    for gradient, w in zip(gradients, wanted):
        assert (gradient is None) == (w is None)
        if w is not None:
            check_gradient(gradient, w, GRADIENT)


def test_gradients_do_not_depend_on_which_of_them_are_asked_for(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    given = (attr, rast, rast_db)

    def gradients(wanted):
        at = [t.detach().requires_grad_(want) for t, want in zip(given, wanted)]
        out, out_da = glrast.interpolate(at[0], at[1], tri, at[2], "all")
        (out.square().sum() + out_da.square().sum()).backward()
        return [t.grad for t in at]

    every = gradients((True, True, True))
    for wanted in (
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, True, True),
    ):
        for some, all_, want in zip(gradients(wanted), every, wanted):
            assert torch.equal(some, all_) if want else some is None


def test_only_the_output_that_is_used_sends_a_gradient(context):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    at = [t.requires_grad_() for t in (attr, rast, rast_db)]
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    by_out = torch.autograd.grad(out[..., 0].sum(), at, retain_graph=True)
    by_da = torch.autograd.grad(out_da[..., 0].sum(), at)
    assert by_out[1].any() and not by_out[2].any()
    assert by_da[2].any() and not by_da[1].any()


# ---- hostile input ---------------------------------------------------------------------------------------


def test_an_id_outside_tri_or_an_index_outside_attr_gives_zeros(device):
    attr = torch.ones(4, 2, device=device, requires_grad=True)
    tri = torch.tensor([[0, 1, 2], [1, 2, 4], [-1, 0, 1], [0, 1, 2**31 - 1]], device=device)
    rast = torch.full((1, 1, 6, 4), 0.3, device=device)
    rast[0, 0, :, 3] = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])
    rast_db = torch.ones_like(rast)
    out, out_da = glrast.interpolate(
        attr, rast.requires_grad_(), tri, rast_db.requires_grad_(), "all"
    )
    assert out[0, 0, 0].tolist() == [1, 1] and not out[0, 0, 1:].any() and not out_da.any()
    (out.sum() + out_da.sum()).backward()
    assert attr.grad[:3].all() and not attr.grad[3].any()
    assert not rast.grad[0, 0, 1:].any() and not rast_db.grad[0, 0, 1:].any()


def test_a_hostile_rast_neither_crashes_nor_disturbs_other_pixels(device):
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(1))
    inf, nan = float("inf"), float("nan")
    ids = [
        nan,
        inf,
        -inf,
        -1.0,
        -1e30,
        0.5,
        1e30,
        3e38,
        2.0**24,
        2.0**31,
        1e-45,
        81.0,
        *encode([2**24 + 1, 2**30]),
    ]
    good, _ = glrast.rasterize(glrast.Context(device), pos, tri, ODD)
    bad = good.clone()
    for i, id in enumerate(ids):
        bad[0, 0, i] = torch.tensor([nan, inf, -inf, float(id)])
    bad[0, 1, :8, :2] = torch.tensor([1e38, -1e38])
    bad_db = torch.full_like(bad, nan)
    at = [t.detach().requires_grad_() for t in (attr, bad, bad_db)]
    out, _ = glrast.interpolate(at[0], at[1], tri, at[2], "all")
    assert torch.equal(out[0, 2:], glrast.interpolate(attr, good, tri)[0][0, 2:])
    assert not out[0, 0, : len(ids)].any()
    color = out.nan_to_num()
    glrast.antialias(color, at[1], pos, tri).sum().backward()
    assert all(t.grad is not None for t in at)


def test_ids_beyond_two_to_the_24_find_their_triangle(device):
    T = 2**24 + 9  # calloc: only the pages that are touched exist
    import numpy as np

    tri = torch.from_numpy(np.zeros((T, 3), dtype=np.int32)).to(device)
    last = 2**24 + 7
    tri[last] = torch.tensor([0, 1, 2])
    rast = torch.zeros(1, 2, 3, 4, device=device)
    rast[..., 0] = 1
    rast[0, 0, 0, 3] = encode([last + 1])[0]
    rast[0, 1, 2, 3] = encode([T + 1])[0]
    attr = torch.eye(3, device=device, requires_grad=True)
    out, _ = glrast.interpolate(attr, rast, tri)
    assert out[0, 0, 0].tolist() == [1, 0, 0] and not out[0, 1].any()
    out.sum().backward()
    assert attr.grad[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "N, V, T, H, A",
    [
        (0, 3, 1, 5, 2),
        (2, 0, 1, 5, 2),
        (2, 3, 0, 5, 2),
        (2, 0, 0, 5, 2),
        (2, 3, 1, 0, 2),
        (2, 3, 1, 5, 0),
    ],
)
def test_nothing_in_gives_nothing_out(device, N, V, T, H, A):
    attr = torch.ones(V, A, device=device, requires_grad=True)
    rast = torch.ones(N, H, 7, 4, device=device, requires_grad=True)
    rast_db = torch.ones(N, H, 7, 4, device=device, requires_grad=True)
    tri = torch.zeros(T, 3, dtype=torch.int32, device=device)
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    assert out.shape == (N, H, 7, A) and out_da.shape == (N, H, 7, 2 * A)
    (out.sum() + out_da.sum()).backward()
    assert attr.grad.shape == attr.shape
    if V == 0 or T == 0:
        assert not out.any()
    if V == 0 or T == 0 or A == 0:
        assert A == 0 or (not rast.grad.any() and not rast_db.grad.any())


def test_the_same_call_gives_the_same_bits_for_any_number_of_threads(context):
    pos, tri, attr = on(context, scenes.closed_mesh(2))
    rast, rast_db = glrast.rasterize(context, pos, tri, (201, 330))
    results = []
    for threads in (1, 2, 3, 7, 1):
        with torch_threads(threads):
            at = [t.detach().requires_grad_() for t in (attr, rast, rast_db)]
            out, out_da = glrast.interpolate(at[0], at[1], tri, at[2], "all")
            weights = random(*out.shape).to(out), random(*out_da.shape).to(out)
            results.append((out, out_da, *torch.autograd.grad((out, out_da), at, weights)))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or context.device.type == "cuda"  # atomics on a GPU
