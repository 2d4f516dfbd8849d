"""The contract of texture, line by line: which test holds each, and the tests of the lines that no other file has."""

import importlib

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import Limits, check_gradient, check_gradients, close, random, torch_threads
from tests.reference import texture as twin

ODD = (33, 17)
ROUNDING = 4e-6  # as in test_texture.py
GRADIENT = Limits(l2=5e-6, cosine=1e-12, bias=2e-6)
TRILINEAR = "linear-mipmap-linear"

# The sentences of the specification, and the tests named after them: in this file or test_texture*.py beside it.
CONTRACT = {
    "tex [B,Ht,Wt,C] or [B,6,S,S,C]; B = 1 or N": [
        "test_channels_may_be_any_number_and_a_texture_serves_all_images_or_one_each",
        "test_one_texture_for_all_images_equals_its_copies_and_collects_their_gradients",
    ],
    "uv: cube: direction of any length": ["test_the_length_of_a_direction_does_not_matter"],
    "uv_da: interpolate's out_da fits as it is": ["test_interpolates_derivatives_fit_as_they_are"],
    "mip_level_bias: added to the level; without uv_da it is the level": [
        "test_the_bias_is_added_and_without_uv_da_it_is_the_level",
    ],
    "filter_mode: linear-mipmap-nearest is the floor of the level": [
        "test_linear_mipmap_nearest_takes_the_floor_of_the_level",
    ],
    "filter_mode: auto": ["test_auto_is_trilinear_where_uv_da_or_bias_is_given_else_linear"],
    "uv_da, bias, mip given to a mode that does not use them are ignored": [
        "test_what_a_mode_does_not_use_is_ignored",
    ],
    "a mipmap mode without uv_da and bias is an error": ["test_a_wrong_argument_is_told"],
    "mip: None, a handle or a list with its own gradients, which may stop early": [
        "test_each_tensor_of_a_list_gets_its_own_gradient_and_the_list_may_stop_early",
        "test_a_wrong_list_is_told",
        "test_a_handle_of_another_texture_is_told",
        "test_levels_of_a_cube_map_are_built_by_face_and_listed_with_their_own_gradients",
    ],
    "max_mip_level is ignored when mip is given": [
        "test_max_mip_level_is_ignored_when_mip_is_given"
    ],
    "max_mip_level 0 behaves as linear": ["test_max_mip_level_zero_behaves_as_linear"],
    "sizes that are not powers of two: an error with a table and the remedy; max_mip_level; 'auto'": [
        "test_an_odd_extent_is_an_error_with_a_table_of_the_levels_and_the_remedy",
        "test_max_mip_level_stops_building_earlier",
        "test_a_cube_whose_size_is_no_power_of_two_stops_with_a_table_or_where_told",
    ],
    "t = u Wt - 1/2": ["test_texel_coordinate_is_u_times_width_minus_a_half"],
    "wrap": ["test_wrap_takes_the_texel_from_the_other_end"],
    "clamp": ["test_clamp_holds_the_border_and_its_gradient_is_exactly_zero"],
    "zero": [
        "test_zero_reads_zero_outside_and_gives_it_no_gradient",
        "test_zero_does_not_read_texels_that_are_missing",
    ],
    "mirror": ["test_mirror_turns_back_at_either_end"],
    "nearest": ["test_nearest_is_floor_of_u_times_width"],
    "level of detail: M is the major axis of the footprint; clamped to [0,L]": [
        "test_the_level_is_the_larger_singular_value_of_the_footprint",
    ],
    "gradient of the level; 0 where not finite, at level <= 0 and at the last": [
        "test_the_gradient_of_the_level_is_the_twins_and_zero_at_both_ends",
        "test_a_footprint_below_a_texel_reads_the_base_alone",
    ],
    "mip level = mean of 2x2, of 2 along the other axis": [
        "test_a_level_is_the_mean_of_two_by_two_or_of_two_along_the_other_axis",
    ],
    "gradients of built levels are pulled back": [
        "test_gradients_of_built_levels_are_pulled_back_as_autograd_of_avg_pool2d_does",
    ],
    "cube faces in OpenGL's orientation": ["test_faces_have_opengls_order_and_orientation"],
    "footprints that cross a face edge": [
        "test_the_image_is_continuous_across_every_edge_and_corner"
    ],
    "at a cube corner the mean of the other three": [
        "test_at_a_corner_the_missing_texel_is_the_mean_of_the_other_three",
    ],
    "zero or non-finite direction: 0": [
        "test_a_zero_or_non_finite_direction_gives_zero_and_no_gradient"
    ],
    "gradients by mode": [
        "test_a_filter_gives_gradients_to_what_it_reads",
        "test_image_and_gradients_equal_the_twin",
    ],
    "64-bit offsets (issue)": [
        "test_a_texture_of_more_than_2_to_the_31_numbers_is_read_at_its_end"
    ],
    "torch.compile without graph breaks (section 8)": [
        "test_a_texture_with_mips_compiles_without_graph_breaks_forward_and_backward",
    ],
    "deterministic gradients (section 8)": [
        "test_the_bits_are_the_same_for_any_number_of_threads",
        "test_the_gradient_of_more_than_one_slab_is_the_sum_of_its_parts",
    ],
}


@pytest.mark.parametrize("line", CONTRACT)
def test_the_line_of_the_contract_has_a_test(line):
    files = [importlib.import_module(f"tests.ops.test_texture{end}")
             for end in ("", "_mipmap", "_cube", "_contract")]  # fmt: skip
    for test in CONTRACT[line]:
        assert any(callable(getattr(file, test, None)) for file in files)


def test_interpolates_derivatives_fit_as_they_are(device):
    """uv_da; interpolate's out_da fits as it is: the level it leads to is the footprint's, by finite differences."""
    pos, tri, _ = (t.to(device) for t in scenes.closed_mesh(1, images=1))
    context = glrast.Context(device)
    attr = random(pos.shape[1], 3, seed=1).to(device)
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    for columns, boundary in ((2, "wrap"), (3, "cube")):
        uv, uv_da = glrast.interpolate(attr[:, :columns].contiguous(), rast, tri, rast_db, "all")
        faces = (6,) if boundary == "cube" else ()
        mips = [
            torch.full((1, *faces, 64 >> k, 64 >> k, 1), float(k), device=device) for k in range(7)
        ]
        level = glrast.texture(mips[0], uv, uv_da, None, mips[1:], boundary_mode=boundary)
        slopes = twin.cube_slopes(uv.cpu().double(), uv_da.cpu().double()) if faces else uv_da.cpu()
        wanted = twin.level_of_detail(slopes, 64, 64).clamp(0, 6)[..., None]
        hit = (rast[..., 3:] > 0).cpu()
        assert hit.sum() > 50
        close(level.cpu()[hit], wanted[hit], 1e-5)


@pytest.mark.parametrize("boundary", ["wrap", "cube"])
@pytest.mark.parametrize("given", ["uv_da", "bias", "uv_da and bias"])
def test_one_texture_for_all_images_equals_its_copies_and_collects_their_gradients(
    device, boundary, given
):
    """tex [B,...]; B = 1 or N, also where the pyramid is built, a handle or a list."""
    faces, extent = ((6,), 3) if boundary == "cube" else ((), 2)
    one = random(1, *faces, 8, 8, 3).to(device).requires_grad_()
    uv, uv_da = (
        random(3, *ODD, extent, seed=1).to(device),
        0.2 * random(3, *ODD, 2 * extent, seed=2),
    )
    modes = dict(boundary_mode=boundary, filter_mode=TRILINEAR)
    if "uv_da" in given:
        modes["uv_da"] = uv_da.to(device)
    if "bias" in given:
        modes["mip_level_bias"] = random(3, *ODD, seed=3).to(device)
    copies = one.detach().expand(3, *one.shape[1:]).contiguous().requires_grad_()
    weight = random(3, *ODD, 3, seed=4).to(device)
    wanted = glrast.texture(copies, uv, **modes)
    (wanted_grad,) = torch.autograd.grad(wanted, copies, weight)
    handle = glrast.texture_construct_mip(one, cube_mode=boundary == "cube")
    levels = [level.to(device).float() for level in twin.pyramid(one.detach().cpu().double())[1:]]
    for mip in (None, handle, levels):
        found = glrast.texture(one, uv, mip=mip, **modes)
        close(found, wanted, ROUNDING)
        if mip is not levels:
            (grad,) = torch.autograd.grad(found, one, weight)
            check_gradient(grad[0], wanted_grad.sum(0), GRADIENT)


def test_linear_mipmap_nearest_takes_the_floor_of_the_level(device):
    """'linear-mipmap-nearest' (floor of the level), uv_da and bias without gradient."""
    mips = [torch.full((1, 16 >> k, 16 >> k, 1), float(k), device=device) for k in range(5)]
    bias = torch.tensor(
        [[[-3.0, 0.0, 0.99, 1.0, 1.99, 3.5, 4.0, 77.0]]], device=device
    ).requires_grad_()
    uv = torch.full((1, 1, 8, 2), 0.3, device=device)
    out = glrast.texture(mips[0], uv, None, bias, mips[1:], "linear-mipmap-nearest")
    assert out.flatten().tolist() == [0, 0, 0, 1, 1, 3, 4, 4]
    out.sum().backward()
    assert bias.grad is None or not bias.grad.any()


@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero", "mirror", "cube"])
def test_a_footprint_below_a_texel_reads_the_base_alone(device, boundary):
    """Level <= 0: base only, level gradient 0."""
    faces, extent = ((6,), 3) if boundary == "cube" else ((), 2)
    tex, uv = random(1, *faces, 8, 8, 2).to(device), random(1, *ODD, extent, seed=1).to(device)
    uv_da = (1e-4 * random(1, *ODD, 2 * extent, seed=2)).to(device).requires_grad_()
    bias = torch.full((1, *ODD), -0.5, device=device, requires_grad=True)
    nothing = torch.full((1, *faces, 4, 4, 2), float("nan"), device=device)
    out = glrast.texture(tex, uv, uv_da, bias, [nothing], boundary_mode=boundary)
    inside = (
        uv.abs().amax(-1) > 0.05 if boundary == "cube" else torch.ones_like(bias, dtype=torch.bool)
    )
    assert torch.equal(out[inside], glrast.texture(tex, uv, boundary_mode=boundary)[inside])
    out.sum().backward()
    assert not uv_da.grad[inside].any() and not bias.grad[inside].any()


def test_max_mip_level_is_ignored_when_mip_is_given(device):
    """max_mip_level is ignored when mip is given: a handle, or a list."""
    tex, uv = random(1, 8, 8, 3).to(device), random(1, *ODD, 2, seed=1).to(device)
    bias = torch.full((1, *ODD), 2.5, device=device)
    levels = [level.to(device).float() for level in twin.pyramid(tex.cpu().double())[1:]]
    for mip in (glrast.texture_construct_mip(tex), levels):
        wanted = glrast.texture(tex, uv, None, bias, mip)
        for limit in (0, 1, "auto"):
            assert torch.equal(
                glrast.texture(tex, uv, None, bias, mip, max_mip_level=limit), wanted
            )


@pytest.mark.parametrize("size", [3, 12])
def test_a_cube_whose_size_is_no_power_of_two_stops_with_a_table_or_where_told(device, size):
    """Sizes that are not powers of two, cube maps."""
    tex, way = random(1, 6, size, size, 2).to(device), random(1, *ODD, 3, seed=1).to(device)
    bias = torch.full((1, *ODD), 9.0, device=device)
    level = {3: 0, 12: 2}[size]
    with pytest.raises(
        ValueError, match=f"(?s)level {level} of {size} x {size}.*cannot be halved"
    ) as error:
        glrast.texture(tex, way, None, bias, boundary_mode="cube")
    assert f"max_mip_level={level} (or 'auto')" in str(error.value)
    top = twin.pyramid(tex.cpu().double(), level)[-1]
    wanted = twin.texture(top, way.cpu(), boundary_mode="cube")
    close(
        glrast.texture(tex, way, None, bias, boundary_mode="cube", max_mip_level="auto"),
        wanted,
        ROUNDING,
    )


@pytest.mark.slow
def test_a_texture_with_mips_compiles_without_graph_breaks_forward_and_backward(device):
    """torch.compile(fullgraph=True): built levels, a handle and a list, every gradient."""
    torch._dynamo.reset()
    tex, uv = random(1, 8, 16, 3), random(2, *ODD, 2, seed=1)
    uv_da, bias = 0.2 * random(2, *ODD, 4, seed=2), random(2, *ODD, seed=3)
    at = [t.to(device).requires_grad_() for t in (tex, uv, uv_da, bias)]
    own = [random(1, 8 >> k, 16 >> k, 3, seed=k).to(device).requires_grad_() for k in (1, 2, 3)]

    def loss(tex, uv, uv_da, bias, *own):
        built = glrast.texture(tex, uv, uv_da, bias)
        again = glrast.texture(tex, uv, uv_da, mip=glrast.texture_construct_mip(tex))
        listed = glrast.texture(tex, uv, uv_da, bias, list(own))
        return (built.square() + again * listed).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for _ in range(2):  # the second run reuses the graph
        eager, found = loss(*at, *own), compiled(*at, *own)
        assert found.item() == pytest.approx(eager.item(), rel=GRADIENT.l2)
        wanted = torch.autograd.grad(eager, [*at, *own])
        check_gradients(torch.autograd.grad(found, [*at, *own]), wanted, GRADIENT)


@pytest.mark.slow
def test_the_gradient_of_more_than_one_slab_is_the_sum_of_its_parts(device):
    """kernels/binned.cuh lists 4 Mi pixels at once: an image of more, against its two halves, each in one slab."""
    size = (2050, 2049)
    assert size[0] * size[1] > 1 << 22 > size[0] // 2 * size[1]
    tex = random(1, 256, 128, 3).to(device).requires_grad_()  # 7 blocks
    uv = torch.rand(1, *size, 2, generator=torch.Generator().manual_seed(1)).to(device)
    weight = random(1, *size, 3, seed=2).to(device)
    (found,) = torch.autograd.grad(glrast.texture(tex, uv), tex, weight)
    wanted = torch.zeros_like(found)
    for uv_half, weight_half in zip(uv.chunk(2, 1), weight.chunk(2, 1)):
        wanted += torch.autograd.grad(glrast.texture(tex, uv_half), tex, weight_half)[0]
    # sums of about 500 in another order: measured 1e-7
    check_gradient(found, wanted, Limits(l2=1e-6, cosine=1e-13, bias=2e-7))
    with torch_threads(1):
        (alone,) = torch.autograd.grad(glrast.texture(tex, uv), tex, weight)
    assert torch.equal(alone, found) or device.type == "cuda"  # atomics on a GPU


@pytest.mark.parametrize("filter", ["nearest", "linear"])
def test_a_texture_of_more_than_2_to_the_31_numbers_is_read_at_its_end(device, filter):
    """64-bit offsets. On the CPU only the pages that are touched take memory."""
    height, width = 32769, 65537
    try:
        tex = torch.empty(1, height, width, 1, device=device)
    except RuntimeError:
        pytest.skip("the system does not lend 8 GiB of addresses")
    assert tex.numel() > 1 << 31
    tex[0, -2:, -2:, 0] = 7.0
    uv = torch.tensor([[[[(width - 0.5) / width, (height - 0.5) / height]]]], device=device)
    uv.requires_grad_()
    out = glrast.texture(tex, uv, filter_mode=filter, boundary_mode="clamp")
    assert out.item() == pytest.approx(7.0)
    if filter == "linear":
        tex[0, -2:, -2, 0] = (
            6.0  # a step to the right of 1 a texel; half a texel to the left of the last centre:
        )
        at = (uv.detach() - torch.tensor([0.5 / width, 0.0], device=device)).requires_grad_()
        glrast.texture(tex, at, boundary_mode="clamp").sum().backward()
        assert at.grad[0, 0, 0, 0].item() == pytest.approx(width, rel=1e-3)
