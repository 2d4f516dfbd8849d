"""texture, two-dimensional: the lines of the contract, PyTorch's grid_sample, the float64 twin, and hostile input.

Mip levels are in test_texture_mipmap.py, cube maps in test_texture_cube.py.
"""

import pytest
import torch
import torch.nn.functional as F

import glrast
from tests.ops.compare import (
    Limits,
    band_of,
    check_gradient,
    check_gradients,
    close,
    random,
    torch_threads,
)
from tests.reference import texture as twin

# Four products of order 1 and a texel coordinate of order 16, all in float32: measured 1e-6.
ROUNDING = 4e-6
# Rounding of float32 gradients against float64: measured 7e-7, 1e-13, 4e-7.
GRADIENT = Limits(l2=5e-6, cosine=1e-12, bias=2e-6)
# Central differences of a float32 image of order 1: rounding over steps of 1e-4 to 1, measured 6e-5, 2e-9, 1e-5.
# Where a step of uv crosses the centre of a texel the slope jumps: measured 5 % of the pixels, which are 3 % off.
STEP_UV = 1e-3
DIFFERENCE = Limits(l2=3e-4, cosine=1e-8, bias=5e-5, share=0.08, band=0.06)
ODD = (33, 17)
FLAT = ("wrap", "clamp", "zero", "mirror")
FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")


def inputs(device, B=1, N=2, height=8, width=16, C=3, seed=0):
    """tex, uv well outside [0,1] too, uv_da of some texels, bias."""
    tex = random(B, height, width, C, seed=seed)
    uv = 1.5 * random(N, *ODD, 2, seed=seed + 1)
    uv_da, bias = 0.2 * random(N, *ODD, 4, seed=seed + 2), random(N, *ODD, seed=seed + 3)
    return [t.to(device).requires_grad_() for t in (tex, uv, uv_da, bias)]


def gradients(function, at, double=False, **modes):
    """The image and the gradients of a fixed weighting of it."""
    at = [t.detach().cpu().double().requires_grad_() if double else t for t in at]
    out = function(*at, **modes)
    weight = random(*out.shape, seed=9).to(out)
    return out, torch.autograd.grad(out, at, weight, allow_unused=True)


# ---- the lines of the contract ---------------------------------------------------------------------------


def test_texel_coordinate_is_u_times_width_minus_a_half(device):
    tex = random(1, 5, 7, 2).to(device)
    x, y = (torch.arange(7) + 0.5) / 7, (torch.arange(5) + 0.5) / 5
    uv = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None].to(device)
    for boundary in FLAT:  # at the centres each texel is itself, row 0 at v = 0
        close(glrast.texture(tex, uv, boundary_mode=boundary), tex, ROUNDING)
        assert torch.equal(glrast.texture(tex, uv, filter_mode="nearest"), tex)


def row(device, u, boundary, filter="linear", texels=(1.0, 2.0, 4.0)):
    tex = torch.tensor(texels, device=device).reshape(1, 1, -1, 1)
    u = torch.tensor(u, device=device)
    uv = torch.stack([u, torch.full_like(u, 0.5)], -1)[None, None].requires_grad_()
    out = glrast.texture(tex, uv, boundary_mode=boundary, filter_mode=filter)
    out.sum().backward()
    slope = torch.zeros_like(uv) if uv.grad is None else uv.grad
    return out.flatten().tolist(), slope[0, 0, :, 0].tolist()


def test_wrap_takes_the_texel_from_the_other_end(device):
    out, slope = row(device, [0.0, 1.0, -2.0, 0.5], "wrap")
    assert out == pytest.approx([2.5, 2.5, 2.5, 2.0])
    assert slope[:3] == pytest.approx([-9.0] * 3)  # from 4 to 1 within a texel, 3 texels a unit


def test_clamp_holds_the_border_and_its_gradient_is_exactly_zero(device):
    out, slope = row(device, [-1.0, 0.0, 1 / 6, 5 / 6, 1.0, 7.0, 1 / 3], "clamp")
    assert out == pytest.approx([1, 1, 1, 4, 4, 4, 1.5])
    assert slope[:2] + slope[4:6] == [0.0] * 4 and slope[6] == pytest.approx(3.0)


def test_zero_reads_zero_outside_and_gives_it_no_gradient(device):
    out, _ = row(device, [-0.2, 0.0, 1.0, 1.2, 5 / 6], "zero")
    assert out == pytest.approx([0, 0.5, 2, 0, 4])
    tex, uv, *_ = inputs(device)
    far = (uv.detach() + 3).requires_grad_()
    glrast.texture(tex, far + 100, boundary_mode="zero").sum().backward()
    assert not tex.grad.any() and not far.grad.any()


def test_zero_does_not_read_texels_that_are_missing(device):
    tex = torch.full((1, 2, 2, 3), float("nan"), device=device)
    uv = torch.tensor([[[[-1.0, 0.5], [0.5, 2.0], [9.0, 9.0]]]], device=device)
    for filter in ("linear", "nearest"):
        assert not glrast.texture(tex, uv, filter_mode=filter, boundary_mode="zero").any()


def test_mirror_turns_back_at_either_end(device):
    out, slope = row(device, [0.3, -0.3, 1.7, 2.3], "mirror")
    assert out == pytest.approx([out[0]] * 4)
    assert slope == pytest.approx([slope[0], -slope[0], -slope[0], slope[0]], rel=1e-4)


def test_nearest_is_floor_of_u_times_width(device):
    u = [0.0, 0.3, 0.34, 0.99, -0.01, 1.2]
    wanted = {"wrap": [1, 1, 2, 4, 4, 1], "clamp": [1, 1, 2, 4, 1, 4], "zero": [1, 1, 2, 4, 0, 0]}
    wanted["mirror"] = [1, 1, 2, 4, 1, 4]
    for boundary, texels in wanted.items():
        out, slope = row(device, u, boundary, "nearest")
        assert out == texels and not any(slope)


def test_auto_is_trilinear_where_uv_da_or_bias_is_given_else_linear(device):
    tex, uv, uv_da, bias = inputs(device)
    trilinear = "linear-mipmap-linear"
    for given in ({}, {"uv_da": uv_da}, {"mip_level_bias": bias}):
        mode = trilinear if given else "linear"
        found = glrast.texture(tex, uv, **given)
        assert torch.equal(found, glrast.texture(tex, uv, **given, filter_mode=mode))


def test_what_a_mode_does_not_use_is_ignored(device):
    tex, uv, uv_da, bias = inputs(device, height=5, width=7)  # a pyramid would be an error
    for mode in ("nearest", "linear"):
        found = glrast.texture(tex, uv, uv_da, bias, mip="nothing", filter_mode=mode)
        assert torch.equal(found, glrast.texture(tex, uv, filter_mode=mode))


@pytest.mark.parametrize(
    "filter, receives",
    [("nearest", "1000"), ("linear", "1100"), ("linear-mipmap-nearest", "1100"), ("linear-mipmap-linear", "1111")],
)  # fmt: skip
def test_a_filter_gives_gradients_to_what_it_reads(device, filter, receives):
    _, found = gradients(glrast.texture, inputs(device), filter_mode=filter)
    assert "".join("1" if g is not None and g.any() else "0" for g in found) == receives


@pytest.mark.parametrize("C", [0, 1, 2, 3, 4, 5, 8, 16, 19])
@pytest.mark.parametrize("B", [1, 2])
def test_channels_may_be_any_number_and_a_texture_serves_all_images_or_one_each(device, B, C):
    at = inputs(device, B=B, C=C)
    out, found = gradients(glrast.texture, at, filter_mode="linear-mipmap-linear")
    wanted_out, wanted = gradients(twin.texture, at, True, filter_mode="linear-mipmap-linear")
    assert out.shape == (2, *ODD, C)
    close(out, wanted_out, ROUNDING)
    for f, w in zip(found, wanted):
        check_gradient(f, w, GRADIENT)


# ---- oracles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "boundary, padding", [("clamp", "border"), ("zero", "zeros"), ("mirror", "reflection")]
)
def test_linear_equals_grid_sample(device, boundary, padding):
    tex, uv = inputs(device, B=2, height=6, width=10)[:2]

    def other(tex, uv):
        out = F.grid_sample(
            tex.permute(0, 3, 1, 2), 2 * uv - 1, padding_mode=padding, align_corners=False
        )
        return out.permute(0, 2, 3, 1)

    out, found = gradients(glrast.texture, (tex, uv), boundary_mode=boundary)
    wanted_out, wanted = gradients(other, (tex, uv), True)
    close(out, wanted_out, ROUNDING)
    check_gradients(found, wanted, GRADIENT)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("boundary", FLAT)
def test_image_and_gradients_equal_the_twin(device, boundary, filter):
    at = inputs(device)
    modes = dict(filter_mode=filter, boundary_mode=boundary)
    out, found = gradients(glrast.texture, at, **modes)
    wanted_out, wanted = gradients(twin.texture, at, True, **modes)
    close(out, wanted_out, 2 * ROUNDING)  # mirror rounds its coordinate once more
    for f, w in zip(found, wanted):
        assert (f is None) == (w is None)
        if w is not None:
            check_gradient(f, w, GRADIENT)


def test_gradients_equal_central_differences_and_at_kinks_stay_near_them(device):
    """Of tex by every texel; of uv, uv_da and bias by every number, since a pixel is a function of its own alone."""
    generator = torch.Generator().manual_seed(1)
    uv = 0.1 + 0.8 * torch.rand(1, *ODD, 2, generator=generator)
    tex, uv_da = random(1, 8, 8, 3), 0.04 * random(1, *ODD, 4)
    level = twin.level_of_detail(uv_da, 8, 8)
    bias = (0.3 + 0.4 * torch.rand(1, *ODD, generator=generator) - level).float()
    at = [t.to(device).requires_grad_() for t in (tex, uv, uv_da, bias)]
    weight = random(1, *ODD, 3, seed=5).double()

    def loss(*at):  # of each pixel
        return (glrast.texture(*at).detach().cpu().double() * weight).sum(-1)

    def slopes(k, step, entries):
        for entry in entries:
            move = torch.zeros_like(at[k])
            move[entry] = step
            ends = [[t + s * move if i == k else t for i, t in enumerate(at)] for s in (-1, 1)]
            yield (loss(*ends[1]) - loss(*ends[0])) / (2 * step)

    out = (glrast.texture(*at) * weight.to(device).float()).sum()
    found = torch.autograd.grad(out, at)
    texels = [(0, y, x, c) for y in range(8) for x in range(8) for c in range(3)]
    wanted = torch.stack([s.sum() for s in slopes(0, 1.0, texels)]).reshape(tex.shape)
    check_gradient(found[0], wanted, DIFFERENCE)
    wanted = torch.stack([*slopes(1, STEP_UV, [(..., 0), (..., 1)])], -1)
    rest, known, band = band_of(found[1], wanted, crosses_a_kink(uv, (8, 4)))
    check_gradient(rest, known, DIFFERENCE, band)
    wanted = torch.stack([*slopes(2, 1e-4, [(..., c) for c in range(4)])], -1)
    check_gradient(found[2], wanted, DIFFERENCE)
    check_gradient(found[3], next(slopes(3, 1e-2, [...])), DIFFERENCE)


def crosses_a_kink(uv, sizes):
    """bool like uv: a step takes the pixel over a texel's centre of a level that has one of these sizes."""
    below, above = uv - 1.01 * STEP_UV, uv + 1.01 * STEP_UV
    cells = [((below * s - 0.5).floor(), (above * s - 0.5).floor()) for s in sizes]
    return torch.stack([(a != b).any(-1, keepdim=True) for a, b in cells]).any(0).expand_as(uv)


# ---- determinism, hostile and empty input ----------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 256])  # one block that everybody hits; many blocks
def test_the_bits_are_the_same_for_any_number_of_threads(device, size):
    tex = random(1, size, size, 3).to(device)
    uv = torch.rand(1, 201, 330, 2, generator=torch.Generator().manual_seed(0)).to(device)
    results = []
    for threads in (1, 2, 7):
        with torch_threads(threads):
            at = [t.detach().requires_grad_() for t in (tex, uv)]
            bias = torch.full((1, 201, 330), 0.4, device=device)
            out = glrast.texture(*at, mip_level_bias=bias)
            weight = random(*out.shape).to(out)
            results.append((out, *torch.autograd.grad(out, at, weight)))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b) or device.type == "cuda"  # atomics on a GPU
    # the four weights add up to 1, so nothing is lost between blocks and their copies
    close(results[0][1].sum((0, 1, 2)), weight.double().sum((0, 1, 2)), 0.05)


def test_the_gradient_of_a_large_texture_equals_the_twin(device):
    tex = (
        random(1, 128, 256, 2).to(device).requires_grad_()
    )  # 5 blocks, and pixels that straddle them
    uv = torch.rand(1, 99, 85, 2, generator=torch.Generator().manual_seed(0)).to(device)
    weight = random(1, 99, 85, 2, seed=1)
    (found,) = torch.autograd.grad(glrast.texture(tex, uv), tex, weight.to(device))
    at = tex.detach().cpu().double().requires_grad_()
    (wanted,) = torch.autograd.grad(twin.texture(at, uv.cpu()), at, weight.double())
    check_gradient(found, wanted, GRADIENT)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("boundary", FLAT)
def test_hostile_coordinates_neither_crash_nor_disturb_other_pixels(device, boundary, filter):
    inf, nan = float("inf"), float("nan")
    tex, uv, uv_da, bias = (t.detach() for t in inputs(device))
    modes = dict(filter_mode=filter, boundary_mode=boundary)
    good = glrast.texture(tex, uv, uv_da, bias, **modes)
    values = torch.tensor([nan, inf, -inf, 1e30, -1e30, 3e38, 1e-45, 2.0**31, -(2.0**24), -1e-9])
    uv[0, 0, :10, 0] = values
    uv[0, 1, :10, 1] = values
    uv_da[0, 2, :10, 1] = values
    bias[0, 3, :10] = values
    at = [t.requires_grad_() for t in (tex, uv, uv_da, bias)]
    out = glrast.texture(*at, **modes)
    assert torch.equal(out[0, 4:], good[0, 4:]) and torch.equal(out[1], good[1])
    assert out.isfinite().all() and not out[0, 0, :3].any() and not out[0, 1, :3].any()
    out.sum().backward()
    assert tex.grad.isfinite().all()
    if filter != "nearest":
        assert not uv.grad[0, 0, :3].any() and uv.grad[0, 4:].isfinite().all()


@pytest.mark.parametrize("N, H, C", [(0, 5, 3), (2, 0, 3), (2, 5, 0)])
def test_nothing_in_gives_nothing_out(device, N, H, C):
    tex = torch.ones(1, 4, 4, C, device=device, requires_grad=True)
    uv = torch.ones(N, H, 7, 2, device=device, requires_grad=True)
    bias = torch.ones(N, H, 7, device=device, requires_grad=True)
    out = glrast.texture(tex, uv, mip_level_bias=bias)
    assert out.shape == (N, H, 7, C)
    out.sum().backward()
    assert not tex.grad.any() and uv.grad.shape == uv.shape and not bias.grad.any()


def test_inputs_that_are_not_contiguous_mean_the_same(device):
    tex, uv = (t.detach() for t in inputs(device)[:2])
    turned = tex.transpose(1, 2).contiguous().transpose(1, 2)
    flipped = uv.flip(1).contiguous().flip(1)
    assert torch.equal(glrast.texture(turned, flipped), glrast.texture(tex, uv))


def test_gradients_do_not_depend_on_which_of_them_are_asked_for(device):
    given = inputs(device)
    _, every = gradients(glrast.texture, given)
    weight = random(2, *ODD, 3, seed=9).to(device)
    for k in range(4):
        at = [t.detach().requires_grad_(i == k) for i, t in enumerate(given)]
        (found,) = torch.autograd.grad(glrast.texture(*at), at[k], weight)
        assert torch.equal(found, every[k]) or device.type == "cuda"


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(filter_mode="cubic"), "filter_mode must be 'auto', 'nearest', 'linear', "),
        (dict(boundary_mode="repeat"), "boundary_mode must be 'wrap', 'clamp', 'zero', 'mirror' or 'cube'; got 'rep"),
        (dict(filter_mode="linear-mipmap-linear"), "uv_da must be given (or mip_level_bias) for filter_mode"),
        (dict(uv=torch.zeros(2, 3, 4, 3)), "uv must be [N,H,W,2]; got [2,3,4,3]"),
        (dict(tex=torch.zeros(3, 4, 4, 1)), "tex must be of 1 or N=2 images (from uv); got [3,4,4,1]"),
        (dict(tex=torch.zeros(1, 0, 4, 1)), "tex must be [B,Ht,Wt,C] with Ht, Wt > 0; got [1,0,4,1]"),
        (dict(uv_da=torch.zeros(2, 3, 4, 6)), "uv_da must be [2,3,4,4]; got [2,3,4,6]"),
        (dict(mip_level_bias=torch.zeros(2, 3, 4, 1)), "mip_level_bias must be [2,3,4] (from uv); got [2,3,4,1]"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_told(change, message):
    arguments = dict(tex=torch.zeros(1, 4, 4, 1), uv=torch.zeros(2, 3, 4, 2))
    with pytest.raises(ValueError) as error:
        glrast.texture(**{**arguments, **change})
    assert str(error.value).startswith("glrast.texture: " + message)


@pytest.mark.slow
def test_the_operators_keep_the_rules_of_torch_library(device):
    tex, uv, uv_da, bias = inputs(device)
    packed = glrast.texture_construct_mip(tex).packed
    forward = (tex.detach(), packed, uv.detach(), uv_da.detach(), bias.detach(), 4, 3, 0)
    backward = (*forward, random(2, *ODD, 3).to(device), True, [True, True, True, False])
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.glrast.texture.default, forward, test_utils=checks)
    torch.library.opcheck(torch.ops.glrast.texture_backward.default, backward, test_utils=checks)
    torch.library.opcheck(torch.ops.glrast.texture_mip.default, (forward[0], 4), test_utils=checks)
