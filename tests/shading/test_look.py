"""Squares before the camera: the colour of every pixel is known by hand."""

import numpy as np
import pytest
import torch

import glrast
from glrast.clip import Material, Mesh, grid
from glrast.shading import Paint, look, paint
from glrast.shading.texels import Texels

SIZE = 17, 33  # height, width
EXACT = 3e-6
EYE = torch.eye(4)
WHITE = (1.0, 1.0, 1.0, 1.0)


def srgb(x):
    x = np.asarray(x, np.float64)
    return np.where(x <= 0.04045 / 12.92, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def squares(depths, materials, side=1.0, **fields):
    """Squares [-side,side]^2 at z = depth (in clip space, so that -1 is nearest), each of its own material."""
    pos, tri = grid(1, 1)
    count = len(depths)
    all_pos = torch.cat([pos * side + torch.tensor([0.0, 0, z]) for z in depths])
    all_tri = torch.cat([tri + 4 * k for k in range(count)])
    uv = (pos[:, :2] + 1) / 2
    return Mesh(
        all_pos,
        all_tri,
        uv=uv,
        uv_tri=tri.repeat(count, 1),
        materials=tuple(materials),
        material=torch.arange(count).repeat_interleave(2) if len(materials) > 1 else None,
        **fields,
    )


def seen(mesh, device, size=SIZE, N=1):
    pos_clip = torch.nn.functional.pad(mesh.pos, (0, 1), value=1).expand(N, -1, 4).contiguous()
    ctx = glrast.Context(device)
    return look(ctx, Paint(mesh.to(device)), pos_clip.to(device), EYE.to(device), size)


def colors(mesh, device, **kwargs):
    """[H,W,4], multiplied by alpha."""
    return seen(mesh, device, **kwargs).rgba[0].cpu().numpy()


def test_factor_texture_and_vertex_colour_are_multiplied_in_linear_light(device):
    texture = torch.tensor([0.9, 0.5, 1.0]).view(1, 1, 3)
    color = torch.tensor([[0.8, 1.0, 0.3]]).expand(4, 3)
    mesh = squares([0.0], [Material(texture=texture, factor=(0.5, 0.25, 1, 1))], color=color)
    found = colors(mesh, device)
    linear = np.array([0.787412, 0.214041, 1]) * [0.603827, 1, 0.073239] * [0.5, 0.25, 1]
    assert np.abs(found[..., :3] - srgb(linear)).max() < EXACT
    assert (found[..., 3] == 1).all()


@pytest.mark.parametrize("factor, shown", [((0.5, 0.5, 0.5, 1), 0.735357), ((1, 0, 0, 1), 1.0)])
def test_a_factor_alone_is_the_colour(device, factor, shown):
    found = colors(squares([0.0], [Material(factor=factor)]), device)
    assert np.abs(found[..., 0] - shown).max() < 1e-5


def test_white_vertex_colours_do_not_hide_the_texture(device):
    red = torch.tensor([1.0, 0, 0]).view(1, 1, 3)
    mesh = squares([0.0], [Material(texture=red)], color=torch.ones(4, 3))
    assert np.abs(colors(mesh, device) - [1, 0, 0, 1]).max() < EXACT


def test_each_triangle_has_its_own_material(device):
    green = torch.tensor([0.0, 1, 0]).view(1, 1, 3)
    materials = [Material(factor=(1, 0, 0, 1)), Material(texture=green), Material()]
    mesh = squares([0.0, 0.0, 0.0], materials)
    shift = torch.tensor([[-2 / 3, 0, 0], [0, 0, 0], [2 / 3, 0, 0]]).repeat_interleave(4, 0)
    mesh = Mesh(
        mesh.pos * torch.tensor([1 / 3, 1, 1]) + shift,
        mesh.tri,
        uv=mesh.uv,
        uv_tri=mesh.uv_tri,
        materials=mesh.materials,
        material=mesh.material,
    )
    found = colors(mesh, device)
    for columns, right in [
        (slice(0, 11), [1, 0, 0]),
        (slice(11, 22), [0, 1, 0]),
        (slice(22, 33), [1, 1, 1]),
    ]:
        assert np.abs(found[:, columns, :3] - right).max() < EXACT


def test_a_picture_that_materials_share_is_prepared_once_for_each_way_to_read_it(monkeypatch):
    made = []
    monkeypatch.setattr(
        paint, "Texels", lambda *given, **more: made.append(given) or Texels(*given, **more)
    )
    picture = torch.rand(4, 4, 3)
    materials = [Material(texture=picture, factor=(k / 5, 1, 1, 1)) for k in range(5)]
    materials += [Material(texture=picture, filter="nearest"), Material(texture=picture.flip(0))]
    Paint(squares(range(7), materials))
    assert len(made) == 3


@pytest.mark.parametrize("unlit, right", [(False, 0.25 + 0.75 * 0.6), (True, 1.0)])
def test_a_plain_white_mesh_is_lit_and_an_unlit_one_is_white(device, unlit, right):
    turn = torch.tensor([[1.0, 0, 0], [0, 0.6, 0.8], [0, -0.8, 0.6]])  # its cosine is 0.6
    mesh = squares([0.0], [Material(unlit=unlit)])
    mesh = Mesh(mesh.pos @ turn, mesh.tri, materials=mesh.materials)
    assert np.abs(colors(mesh, device)[8, 16] - [right, right, right, 1]).max() < EXACT


@pytest.mark.parametrize(
    "alpha, cutoff, shown", [(0.49, 0.5, 0), (0.5, 0.5, 1), (0.3, 0.25, 1), (0.2, 0.25, 0)]
)
def test_a_mask_shows_what_reaches_the_cutoff(device, alpha, cutoff, shown):
    texture = torch.ones(3, 3, 4) * torch.tensor([1, 1, 1, alpha])
    mesh = squares([0.0], [Material(texture=texture, alpha="mask", cutoff=cutoff)])
    sight = seen(mesh, device)
    assert (sight.rgba[..., 3] == shown).all()
    assert ((sight.rast[..., 3] > 0) == bool(shown)).all()


def test_what_lies_behind_shows_through_what_is_cut_out(device):
    texture = torch.zeros(4, 32, 4)
    texture[..., 0], texture[:, 16:, 3] = 1, 1  # red; the left half is cut out
    materials = [
        Material(texture=texture, alpha="mask", wrap=("clamp", "clamp")),
        Material(factor=(0, 1, 0, 1)),
    ]
    sight = seen(squares([-0.5, 0.5], materials), device, size=(16, 32))
    rgba = sight.rgba[0].cpu().numpy()
    assert np.abs(rgba[:, :15] - [0, 1, 0, 1]).max() < EXACT
    assert np.abs(rgba[:, 17:] - [1, 0, 0, 1]).max() < EXACT
    depth = sight.rast[0, ..., 2].cpu().numpy()
    assert np.abs(depth[:, :15] - 0.5).max() < EXACT and np.abs(depth[:, 17:] + 0.5).max() < EXACT


@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_the_edge_of_a_cut_out_is_as_soft_as_its_part_of_the_pixel(device, factor):
    # alpha rises evenly by 0.2 a pixel and reaches the cutoff within column 8, at 0.3 of it
    size = 64
    ramp = (torch.arange(size) - 8.3) * 0.2 + 0.5
    texture = torch.ones(1, size, 4)
    texture[0, :, 3] = ((ramp + 0.1) / factor).clamp(0, 1)  # at the texel's centre
    wrap = ("clamp", "clamp")
    material = Material(texture=texture, factor=(1, 1, 1, factor), alpha="mask", wrap=wrap)
    alpha = colors(squares([0.0], [material]), device, size=(8, size))[..., 3]
    right = np.zeros(size)
    right[8], right[9:] = 0.7, 1
    assert np.abs(alpha - right).max() < 1e-3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_blends_mix_from_back_to_front_whatever_their_order_in_the_file(device, order):
    panes = [  # nearest first: linear colour and alpha
        ((1, 0, 0), 0.25),
        ((0, 1, 0), 0.5),
        ((0, 0, 1), 1.0),
    ]
    depths = [-0.5, 0.0, 0.5]
    materials = [Material(factor=(*panes[k][0], panes[k][1]), alpha="blend") for k in order]
    found = colors(squares([depths[k] for k in order], materials), device)
    assert np.abs(found - [0.25, 0.75 * 0.5, 0.75 * 0.5, 1]).max() < EXACT


def test_alpha_of_a_blend_is_factor_times_texture_times_vertex(device):
    texture = torch.tensor([1.0, 1, 1, 0.5]).view(1, 1, 4)
    material = Material(texture=texture, factor=(1, 1, 1, 0.8), alpha="blend")
    color = torch.tensor([[1, 1, 1, 0.9]]).expand(4, 4)
    found = colors(squares([0.0], [material], color=color), device)
    assert np.abs(found[..., 3] - 0.36).max() < EXACT


def test_alpha_of_an_opaque_material_is_ignored_beside_one_that_blends(device):
    texture = torch.tensor([0.0, 0, 1, 0.1]).view(1, 1, 4)
    materials = [Material(factor=(1, 0, 0, 0.5), alpha="blend"), Material(texture=texture)]
    found = colors(squares([-0.5, 0.5], materials), device)
    assert np.abs(found - [0.5, 0, 0.5, 1]).max() < EXACT


def test_a_blend_of_no_alpha_is_not_there(device):
    sight = seen(squares([0.0], [Material(factor=(1, 1, 1, 0), alpha="blend")]), device)
    assert (sight.rgba == 0).all() and (sight.rast == 0).all()


def test_a_mask_cut_by_vertex_alpha_has_its_edge_where_the_alpha_says(device):
    color = torch.ones(4, 4)
    color[:, 3] = torch.tensor([0.0, 1, 0, 1])  # from left to right
    mesh = squares([0.0], [Material(alpha="mask", cutoff=0.5)], color=color)
    alpha = colors(mesh, device, size=SIZE)[..., 3]
    assert (alpha[:, :16] == 0).all() and (alpha[:, 17:] == 1).all()
    assert np.abs(alpha[:, 16] - 0.5).max() < 1e-3


def test_a_texture_repeated_over_a_tilted_face_has_no_seam_and_one_colour_on_its_border(device):
    """v = 1 on the whole of a face in perspective: rounding must not speckle it."""
    texture = torch.zeros(4, 4, 3)
    texture[0, :, 0], texture[3, :, 1] = 1, 1
    pos, tri = grid(1, 1)
    uv = torch.stack([pos[:, 0] * 0.5 + 0.5, torch.ones(4)], 1)
    mesh = Mesh(pos, tri, uv=uv, uv_tri=tri, texture=texture)
    w = 2 + 0.9 * pos[:, :1] - 0.7 * pos[:, 1:2]
    pos_clip = torch.cat([pos[:, :2] * 2, pos[:, 2:], w], 1)[None]
    rgba = look(
        glrast.Context(device),
        Paint(mesh.to(device)),
        pos_clip.to(device),
        EYE.to(device),
        (64, 65),
    ).rgba
    inside = rgba[rgba[..., 3] > 0][:, :3].cpu().numpy()
    assert len(inside) > 500
    assert np.abs(inside - inside[0]).max() < 1e-3
    assert np.abs(inside[0, :2] - srgb(0.5)).max() < 0.01


def test_all_images_of_a_batch_see_the_same_and_an_empty_view_sees_nothing(device):
    texture = torch.rand(4, 4, 4)
    for alpha in ("opaque", "mask", "blend"):
        mesh = squares([0.0, 0.4], [Material(texture=texture, alpha=alpha), Material()], side=0.7)
        rgba = seen(mesh, device, N=3).rgba
        assert rgba.shape == (3, *SIZE, 4)
        # lanes and what is left over of them round differently
        assert float((rgba - rgba[:1]).abs().max()) < EXACT and float(rgba.max()) > 0.1
        pos_clip = torch.tensor([5.0, 5, 0, 1]).expand(1, len(mesh.pos), 4).contiguous()
        away = look(
            glrast.Context(device),
            Paint(mesh.to(device)),
            pos_clip.to(device),
            EYE.to(device),
            SIZE,
        )
        assert (away.rgba == 0).all() and (away.rast == 0).all()


def test_deep_stacks_end_when_nothing_behind_can_be_seen(device):
    layers = 9
    materials = [Material(factor=(1, 1, 1, 0.1), alpha="blend")] * layers
    found = colors(squares(np.linspace(-0.9, 0.9, layers), materials), device)
    assert np.abs(found[..., 3] - (1 - 0.9**layers)).max() < EXACT


def test_a_silhouette_behind_a_pane_is_as_soft_as_one_in_front(device):
    """A red square of 0.55 of the image before nothing, or behind a blue pane that lets half the light through."""
    height = width = 20  # its border runs through the middle of pixels
    materials = [Material(factor=(0, 0, 1, 0.5), alpha="blend"), Material(factor=(1, 0, 0, 1))]
    mesh = squares([-0.5, 0.5], materials)
    pos = mesh.pos.clone()
    pos[4:, :2] *= 0.55
    mesh = Mesh(pos, mesh.tri, materials=mesh.materials, material=mesh.material)
    sight = seen(mesh, device, size=(height, width))
    pos_clip = torch.nn.functional.pad(pos, (0, 1), value=1)[None].to(device)
    image = sight.antialiased(sight.rgba, pos_clip, mesh.tri.to(device))[0].cpu().numpy()
    row = image[10]
    assert np.abs(row[5:15] - [0.5, 0, 0.5, 1]).max() < EXACT
    assert np.abs(row[[4, 15]] - [0.25, 0, 0.5, 0.75]).max() < 1e-3
    assert np.abs(row[[3, 16]] - [0, 0, 0.5, 0.5]).max() < EXACT
