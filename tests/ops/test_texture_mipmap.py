"""texture with mip levels: how they are built and refused, lists with their own gradients, the level of detail."""

import math

import pytest
import torch
import torch.nn.functional as F

import glrast
from tests.ops.compare import Limits, check_gradient, check_gradients, close, random
from tests.reference import texture as twin

ODD = (33, 17)
# As in test_texture.py.
ROUNDING = 4e-6
GRADIENT = Limits(l2=5e-6, cosine=1e-12, bias=2e-6)
TRILINEAR = "linear-mipmap-linear"


def at_level(tex, level, uv=None, **modes):
    """The texture at one level everywhere: a bias without uv_da is the level."""
    uv = random(1, *ODD, 2, seed=7).to(tex.device) if uv is None else uv
    bias = torch.full(uv.shape[:3], float(level), device=tex.device)
    return glrast.texture(tex, uv, mip_level_bias=bias, **modes)


# ---- building --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height, width", [(8, 8), (8, 2), (1, 16), (4, 1), (1, 1)])
def test_a_level_is_the_mean_of_two_by_two_or_of_two_along_the_other_axis(device, height, width):
    tex = random(2, height, width, 3)
    packed = glrast.texture_construct_mip(tex.to(device)).packed
    wanted, level = [], tex.permute(0, 3, 1, 2).double()
    while level.shape[-2:] != (1, 1):
        level = F.avg_pool2d(level, tuple(min(extent, 2) for extent in level.shape[-2:]))
        wanted.append(level.permute(0, 2, 3, 1).reshape(-1))
    close(packed, torch.cat(wanted) if wanted else torch.zeros(0), ROUNDING)


@pytest.mark.parametrize("height, width, C", [(8, 16, 3), (8, 16, 1), (2, 8, 4), (1, 8, 5), (16, 1, 2)])  # fmt: skip
def test_gradients_of_built_levels_are_pulled_back_as_autograd_of_avg_pool2d_does(
    device, height, width, C
):
    tex = random(2, height, width, C).to(device).requires_grad_()
    uv = random(2, *ODD, 2, seed=1).to(device)
    bias = 4 * torch.rand(2, *ODD, generator=torch.Generator().manual_seed(2)).to(device)
    weight = random(2, *ODD, C, seed=3).to(device)
    levels, level = [], tex.permute(0, 3, 1, 2)
    while level.shape[-2:] != (1, 1):
        level = F.avg_pool2d(level, tuple(min(extent, 2) for extent in level.shape[-2:]))
        levels.append(level.permute(0, 2, 3, 1))
    (wanted,) = torch.autograd.grad(
        glrast.texture(tex, uv, mip_level_bias=bias, mip=levels), tex, weight
    )
    for mip in (None, glrast.texture_construct_mip(tex)):
        out = glrast.texture(tex, uv, mip_level_bias=bias, mip=mip)
        (found,) = torch.autograd.grad(out, tex, weight)
        check_gradient(found, wanted, GRADIENT)


def test_an_odd_extent_is_an_error_with_a_table_of_the_levels_and_the_remedy(device):
    tex = torch.zeros(1, 12, 40, 3, device=device)
    for make in (lambda: glrast.texture_construct_mip(tex), lambda: at_level(tex, 1)):
        with pytest.raises(ValueError) as error:
            make()
        text = str(error.value)
        assert "level 2 of 12 x 40 (height x width) has an odd extent" in text
        assert "  level 0: 12 x 40\n  level 1: 6 x 20\n  level 2: 3 x 10  <- cannot be" in text
        assert "max_mip_level=2 (or 'auto')" in text


def test_max_mip_level_stops_building_earlier(device):
    tex = random(1, 12, 40, 3).to(device)
    mips = twin.pyramid(tex.cpu().double(), 2)
    handles = [glrast.texture_construct_mip(tex, max_mip_level=m) for m in (2, "auto")]
    for handle in handles:
        assert handle.last == 2
    uv = random(1, *ODD, 2, seed=7)
    limits = [{"max_mip_level": 2}, {"max_mip_level": "auto"}]
    for more in (*limits, {"mip": handles[0]}, {"mip": handles[1]}):
        top = at_level(tex, 9, **more)
        close(top, twin.texture(mips[2], uv), ROUNDING)


def test_max_mip_level_zero_behaves_as_linear(device):
    tex, uv = random(1, 5, 7, 3).to(device), random(1, *ODD, 2).to(device)
    linear = glrast.texture(tex, uv)
    for more in ({"max_mip_level": 0}, {"mip": []}, {"max_mip_level": "auto"}):
        assert torch.equal(at_level(tex, 1.5, uv, **more), linear)


@pytest.mark.parametrize("wrong", [-1, 1.5, "all", True])
def test_a_wrong_max_mip_level_is_told(device, wrong):
    with pytest.raises(ValueError, match="max_mip_level must be None, 'auto' or a whole number"):
        glrast.texture_construct_mip(torch.zeros(1, 4, 4, 1, device=device), wrong)


def test_a_handle_of_another_texture_is_told(device):
    handle = glrast.texture_construct_mip(torch.zeros(1, 8, 8, 1, device=device))
    with pytest.raises(ValueError, match=r"mip must be made from this tex, \[1,4,4,1\] on"):
        at_level(torch.zeros(1, 4, 4, 1, device=device), 1, mip=handle)


# ---- lists -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filter", [TRILINEAR, "linear-mipmap-nearest"])
def test_each_tensor_of_a_list_gets_its_own_gradient_and_the_list_may_stop_early(device, filter):
    # the sizes need not halve evenly: 11 x 6, 5 x 3, 2 x 1
    sizes = [(11, 6), (5, 3), (2, 1)]
    at = [random(2, h, w, 3, seed=h).to(device).requires_grad_() for h, w in sizes]
    uv = random(2, *ODD, 2).to(device)
    bias = 2.5 * torch.rand(2, *ODD, generator=torch.Generator().manual_seed(2)).to(device)
    weight = random(2, *ODD, 3, seed=3)
    out = glrast.texture(at[0], uv, None, bias, at[1:], filter)
    found = torch.autograd.grad(out, at, weight.to(device))
    other = [t.detach().cpu().double().requires_grad_() for t in at]
    wanted_out = twin.texture(other[0], uv.cpu(), None, bias.cpu(), other[1:], filter)
    close(out, wanted_out, ROUNDING)
    check_gradients(found, torch.autograd.grad(wanted_out, other, weight.double()), GRADIENT)


@pytest.mark.parametrize(
    "mip, message",
    [
        ([torch.zeros(1, 4, 5, 1)], "mip[0] must be [1,4,4,1] (level 1); got [1,4,5,1]"),
        ([torch.zeros(1, 1, 1, 1)] * 4, "mip must be a list of at most 3 levels; got 4"),
    ],
)
def test_a_wrong_list_is_told(mip, message):
    with pytest.raises(ValueError) as error:
        at_level(torch.zeros(1, 8, 8, 1), 1, mip=mip)
    assert str(error.value) == "glrast.texture: " + message
    with pytest.raises(TypeError, match="mip must be None, a handle from texture_construct_mip"):
        at_level(torch.zeros(1, 8, 8, 1), 1, mip=7)


# ---- the level of detail ---------------------------------------------------------------------------------


def ramp(device, levels=6):
    """A texture whose every level is one value, its number: the image is the level of detail."""
    size = 1 << levels
    mips = [torch.full((1, size >> i, size >> i, 1), float(i), device=device) for i in range(levels + 1)]  # fmt: skip
    return mips[0], mips[1:]


def test_the_level_is_the_larger_singular_value_of_the_footprint(device):
    tex, mips = ramp(device)
    uv_da = 0.1 * random(1, *ODD, 4)
    uv_da[0, 0] *= 1e-3  # below the first level
    uv_da[0, 1] *= 1e3  # beyond the last
    uv = random(1, *ODD, 2).to(device)
    found = glrast.texture(tex, uv, uv_da.to(device), mip=mips)[..., 0]
    axes = torch.linalg.svdvals(uv_da.double().unflatten(-1, (2, 2)) * tex.shape[1])
    wanted = axes[..., 0].log2().clamp(0, len(mips))
    close(found, wanted, 2e-6)  # log2 of a float32 product, level up to 6
    nearest = glrast.texture(tex, uv, uv_da.to(device), None, mips, "linear-mipmap-nearest")
    sure = (wanted - wanted.round()).abs() > 1e-5
    assert torch.equal(nearest[..., 0].cpu()[sure], wanted.floor().float()[sure])


def test_the_gradient_of_the_level_is_the_twins_and_zero_at_both_ends(device):
    tex, mips = ramp(device)
    uv_da = 0.1 * random(1, *ODD, 4, seed=4)
    uv_da[0, 0] *= 1e-3
    uv_da[0, 1] *= 1e3
    uv_da[0, 2] = torch.tensor([0.1, 0.0, 0.0, 0.1])  # round: the kink, 0 by decree
    at = uv_da.to(device).requires_grad_()
    bias = torch.zeros(1, *ODD, device=device, requires_grad=True)
    uv = random(1, *ODD, 2).to(device)
    glrast.texture(tex, uv, at, bias, mips).sum().backward()
    wanted = twin.level_of_detail_gradient(uv_da, 64, 64)
    wanted[0, :2] = 0
    level = twin.level_of_detail(uv_da, 64, 64)
    inside = (level > 0) & (level < len(mips))
    wanted = wanted * inside[..., None]
    check_gradient(at.grad, wanted, GRADIENT)
    assert not at.grad[0, :3].any() and torch.equal(bias.grad.cpu(), inside.float())


def test_the_bias_is_added_and_without_uv_da_it_is_the_level(device):
    tex, mips = ramp(device)
    uv, uv_da = random(1, *ODD, 2).to(device), 0.1 * random(1, *ODD, 4).to(device)
    bias = 2 * random(1, *ODD).to(device)
    level = twin.level_of_detail(uv_da.cpu(), 64, 64)
    found = glrast.texture(tex, uv, uv_da, bias, mips)[..., 0]
    close(found, (level + bias.cpu()).clamp(0, 6), 3e-6)
    close(glrast.texture(tex, uv, None, bias, mips)[..., 0], bias.clamp(0, 6), 1e-6)


def test_at_a_whole_level_the_image_is_that_level(device):
    tex = random(1, 8, 8, 3).to(device)
    uv = random(1, *ODD, 2, seed=7)
    for level, texels in enumerate(twin.pyramid(tex.cpu().double())):
        close(at_level(tex, level, mip=None), twin.texture(texels, uv), ROUNDING)


def test_minifying_a_photograph_eight_times_with_mips_removes_its_aliasing(device):
    # 1/f noise, as natural images have, 256 x 256 on 32 x 32 pixels; the truth is the box filter, 8 x 8 texels
    size, factor = 256, 8
    frequency = torch.fft.fftfreq(size)
    radius = torch.hypot(frequency[:, None], frequency[None]).clamp(min=1 / size)
    noise = torch.fft.fft2(random(3, size, size, seed=2)) / radius
    photo = torch.fft.ifft2(noise).real
    photo = (photo / photo.std()).permute(1, 2, 0)[None].contiguous().to(device)
    n = size // factor
    centre = (torch.arange(n, device=device) + 0.5) / n
    uv = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1)[None]
    uv_da = torch.tensor([1 / n, 0.0, 0.0, 1 / n], device=device).expand(1, n, n, 4)
    truth = F.avg_pool2d(photo.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)
    without = (glrast.texture(photo, uv) - truth).square().mean().item()
    with_mips = (glrast.texture(photo, uv, uv_da) - truth).square().mean().item()
    drop_db = 10 * math.log10(without / max(with_mips, 1e-12))
    assert without > 0.02  # without mips the aliasing is 2 % of the photograph's energy and more
    assert drop_db > 80  # footprints of exactly 8 texels: what is left is rounding
    offset = glrast.texture(photo, uv + 0.3 / n, 1.4 * uv_da)  # and where nothing fits exactly:
    shifted = glrast.texture(photo, uv + 0.3 / n)
    smooth = F.avg_pool2d(photo.roll((-2, -2), (1, 2)).permute(0, 3, 1, 2), factor)
    smooth = smooth.permute(0, 2, 3, 1)
    drop_db = 10 * math.log10(
        ((shifted - smooth).square().mean() / (offset - smooth).square().mean()).item()
    )
    assert drop_db > 1
