"""Surfaces and surroundings before Mitsuba sees them: corners split, columns repeated, wrong ones refused."""

import pytest
import torch

from glrast.clip import cube_directions
from glrast.mitsuba import Surface, environment

POS = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
TRI = torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_a_corner_keeps_its_place_its_texel_and_its_colour():
    uv, uv_tri = torch.rand(5, 2), torch.tensor([[0, 1, 2], [4, 2, 3]])  # a seam at vertex 0
    color = torch.rand(4, 3)
    part = Surface(POS, TRI, color=color, uv=uv, uv_tri=uv_tri, normal=POS).part()
    assert len(part.values["vertex_positions"]) == 5 and part.sources == {"color": "vertex"}
    for name, rows, tri in (
        ("vertex_positions", POS, TRI), ("vertex_normals", POS, TRI), ("color", color, TRI),
        ("vertex_texcoords", uv, uv_tri),
    ):  # fmt: skip
        assert torch.equal(part.values[name][part.tri.long()], rows[tri]), name


def test_without_a_seam_nothing_is_split():
    part = Surface(POS, TRI, uv=torch.rand(4, 2), uv_tri=TRI).part()
    assert part.values["vertex_positions"] is POS and torch.equal(part.tri, TRI.int())


def test_grey_is_what_neither_shows_a_colour_nor_emits():
    assert Surface(POS, TRI).part().values["color"].tolist() == [0.5] * 3
    assert Surface(POS, TRI, emission=torch.ones(3)).part().values["color"].tolist() == [0] * 3
    assert "color" not in Surface(POS, TRI, bsdf={"type": "conductor"}).part().values


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"pos": POS[None]}, r"pos must be \[V,3\] in the world"),
        ({"pos": POS.double()}, "pos must be float32"),
        ({"tri": TRI + 1}, "tri must be rows of pos, 0 to 3; got 1 to 4"),
        ({"tri": TRI[:0]}, r"tri must be \[T,3\] with T >= 1"),
        ({"color": torch.rand(5, 3)}, r"color must be \[3\], \[4,3\] or a texture"),
        ({"emission": torch.rand(2, 2, 3)}, "uv must be given with a texture for emission"),
        ({"uv": torch.rand(5, 2)}, r"uv must be \[4,2\] like pos without uv_tri"),
        ({"uv_tri": TRI}, "uv_tri must be None without uv"),
        ({"normal": POS[:3]}, r"normal must be \[4,3\]"),
        ({"boundary_mode": "zero"}, "boundary_mode must be 'wrap', 'clamp' or 'mirror'"),
        ({"color": torch.rand(3), "bsdf": {}}, "color or bsdf must be None; got both"),
    ],
)
def test_wrong_surfaces_are_refused(wrong, told):
    with pytest.raises((TypeError, ValueError), match=r"glrast\.mitsuba\.Surface: " + told):
        Surface(**{"pos": POS, "tri": TRI} | wrong)


def test_a_cube_map_becomes_the_panorama_of_the_same_function():
    def light(way):
        return 1 + way * torch.tensor([0.5, 0.3, 0.2])

    size = 16
    found = environment.panorama("f", light(cube_directions(size)), torch.device("cpu"))
    truth = light(environment.directions(2 * size + 1, 4 * size))
    assert found.shape == truth.shape
    assert (found - truth).abs().max() < 0.01  # between texels the function is bent; 0.002 measured


def test_the_gradient_of_repeated_columns_is_gathered():
    for columns in (7, 8):  # one more on the right, one on either side
        panorama = torch.rand(3, 6, 3, requires_grad=True)
        out = environment.padded(panorama, columns)
        weight = torch.rand_like(out)
        (out * weight).sum().backward()
        assert torch.allclose(environment.gathered(weight, 6), panorama.grad)
    assert torch.equal(out[:, 0], panorama.flip(0)[:, -1]) and torch.equal(
        out[:, -1], panorama.flip(0)[:, 0]
    )


def test_a_wrong_environment_is_refused():
    for shape in ((6, 4, 5, 3), (4, 8, 4), (1, 8, 3), (6, 0, 0, 3)):
        with pytest.raises(ValueError, match="environment must be a cube map"):
            environment.panorama("mitsuba.render", torch.zeros(shape), torch.device("cpu"))
