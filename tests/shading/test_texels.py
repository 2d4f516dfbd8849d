"""A texture looked up, against the same in numpy: wrap of each axis, filter, mip levels, seams."""

import numpy as np
import pytest
import torch

import glrast
from glrast.clip import Material
from glrast.mesh.material import WRAPS
from glrast.shading.texels import Texels

EXACT = 2e-6  # float32 weights of numbers in 0..1
BOTH = [(u, v) for u in WRAPS for v in WRAPS]


def folded(i, n, wrap):
    """The texel that stands for number i of an endless row."""
    if wrap == "repeat":
        return i % n
    if wrap == "mirror":
        return np.minimum(i % (2 * n), 2 * n - 1 - i % (2 * n))
    return np.clip(i, 0, n - 1)


def linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def bilinear(texture, uv, wrap):
    """float64 [P,C] from [Ht,Wt,C], in the units that it has."""
    height, width = texture.shape[:2]
    t = np.asarray(uv, np.float64) * [width, height] - 0.5
    i, f = np.floor(t).astype(int), t - np.floor(t)
    out = 0
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = folded(i[:, 0] + dx, width, wrap[0]), folded(i[:, 1] + dy, height, wrap[1])
            weight = np.abs(1 - dx - f[:, 0]) * np.abs(1 - dy - f[:, 1])
            out = out + weight[:, None] * texture[y, x]
    return out


def places(P=700, seed=0):
    """Within two and a half textures around, P that fills no row."""
    return np.random.default_rng(seed).uniform(-2.5, 2.5, (P, 2))


@pytest.mark.parametrize("wrap", BOTH)
def test_each_axis_wraps_in_its_own_way(wrap):
    texture = np.random.default_rng(1).random((3, 5, 3))
    found = Texels(Material(texture=texture, wrap=wrap), alpha=False)
    uv = places()
    right = bilinear(linear(texture), uv, wrap)
    for uv_da in (None, torch.zeros(len(uv), 4)):
        assert np.abs(found.at(torch.tensor(uv).float(), uv_da).numpy() - right).max() < 2e-5


@pytest.mark.parametrize("wrap", BOTH)
def test_the_wrap_holds_at_every_mip_level(wrap):
    height, width, level = 16, 32, 2
    texture = np.random.default_rng(2).random((height, width, 3))
    small = (
        linear(texture)
        .reshape(height >> level, 1 << level, width >> level, 1 << level, 3)
        .mean((1, 3))
    )
    uv = places()
    da = torch.zeros(len(uv), 4)
    da[:, 0], da[:, 3] = (1 << level) / width, (1 << level) / height
    found = Texels(Material(texture=texture, wrap=wrap), alpha=False).at(
        torch.tensor(uv).float(), da
    )
    assert np.abs(found.numpy() - bilinear(small, uv, wrap)).max() < 2e-5


@pytest.mark.parametrize("C", [1, 2, 3, 4])
@pytest.mark.parametrize("alpha", [False, True])
def test_colours_are_linear_light_and_alpha_is_what_it_was(C, alpha):
    texture = np.random.default_rng(3).random((1, 1, C))
    found = Texels(Material(texture=texture), alpha).at(torch.rand(5, 2), None).numpy()
    rgb = linear(texture[0, 0, : 3 if C >= 3 else 1])
    right = np.concatenate(
        [np.broadcast_to(rgb, 3), texture[0, 0, C - 1 :] if C in (2, 4) else [1.0]]
    )
    assert np.abs(found - right[: 3 + alpha]).max() < EXACT


def test_a_repeated_texture_is_what_glrast_texture_wraps():
    texture = torch.rand(8, 8, 3)
    uv, uv_da = torch.rand(300, 2) * 2, torch.full((300, 4), 0.3)
    right = glrast.texture(
        torch.tensor(linear(texture.numpy())).float()[None],
        uv[None, None],
        uv_da[None, None],
        boundary_mode="wrap",
    )[0, 0]
    found = Texels(Material(texture=texture), alpha=False).at(uv, uv_da)
    assert float((found - right).abs().max()) < EXACT


def test_a_checkerboard_from_afar_is_half_the_light():
    for size in (8, 6):  # a power of two, and none
        board = np.indices((size, size)).sum(0) % 2
        texels = Texels(Material(texture=board[..., None].repeat(3, 2)), alpha=False)
        found = texels.at(torch.rand(9, 2), torch.eye(2).view(1, 4).expand(9, 4))
        assert float((found - 0.5).abs().max()) < EXACT


def test_an_atlas_is_halved_no_further_than_its_sides_can_be():
    """What `glrast fit` writes: 12 texels a side have two levels, the last of 3 x 3 texels."""
    charts = torch.zeros(12, 12, 3)
    charts[:, 4:] = 1
    texels = Texels(Material(texture=charts, wrap=("clamp", "clamp")), alpha=False)
    found = texels.at(
        torch.tensor([[1 / 6, 0.5], [5 / 6, 0.5]]), torch.eye(2).view(1, 4).expand(2, 4)
    )
    assert float((found - torch.tensor([[0.0], [1.0]])).abs().max()) < EXACT


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("filter", ["linear", "nearest"])
@pytest.mark.parametrize("border", [0.0, 0.25, 1.0, 2.0, -1.0])
def test_rounding_does_not_speckle_a_face_on_the_border_of_texels(wrap, filter, border):
    texture = torch.rand(4, 4, 3)
    v = border + torch.randn(2000) * 2e-7
    uv = torch.stack([torch.full_like(v, 0.3), v], 1)
    material = Material(texture=texture, filter=filter, wrap=(wrap, wrap))
    found = Texels(material, alpha=False).at(uv, torch.zeros(2000, 4))
    assert float((found - found[0]).abs().max()) < 1e-5


@pytest.mark.parametrize("wrap", BOTH)
def test_nearest_takes_one_texel_where_texels_are_larger_than_pixels(wrap):
    texture = np.random.default_rng(4).random((3, 5, 3))
    material = Material(texture=texture, filter="nearest", wrap=wrap)
    uv = places()
    i = np.floor(uv * [5, 3]).astype(int)
    right = linear(texture)[folded(i[:, 1], 3, wrap[1]), folded(i[:, 0], 5, wrap[0])]
    found = Texels(material, alpha=False).at(torch.tensor(uv).float(), torch.full((700, 4), 0.01))
    inside = np.abs(uv * [5, 3] - np.round(uv * [5, 3])).min(1) > 2e-3
    assert inside.mean() > 0.9
    assert np.abs(found.numpy() - right)[inside].max() < EXACT


def test_nearest_from_afar_is_the_mean_and_not_one_texel():
    board = np.indices((8, 8)).sum(0) % 2
    material = Material(texture=board[..., None].repeat(3, 2), filter="nearest")
    found = Texels(material, alpha=False).at(torch.rand(9, 2), torch.eye(2).view(1, 4).expand(9, 4))
    assert float((found - 0.5).abs().max()) < EXACT


def test_no_places_give_no_colours():
    texels = Texels(Material(texture=torch.rand(2, 2, 4)), alpha=True)
    assert texels.at(torch.zeros(0, 2), torch.zeros(0, 4)).shape == (0, 4)
