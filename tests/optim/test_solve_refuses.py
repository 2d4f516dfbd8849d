"""What has no answer is refused by name: pixels that are no numbers, images without channels, uv of another kind."""

import pytest
import torch

import glrast
from glrast import optim

NAN = float("nan")


@pytest.fixture
def drawn(context):
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    rast, _ = glrast.rasterize(context, pos, tri, (16, 16))
    uv, _ = glrast.interpolate(torch.rand(1, 3, 2), rast, tri)
    return rast, tri, uv, torch.rand(1, 16, 16, 3)


def holed(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The image with one pixel of the triangle that is no number, and where that is."""
    here = torch.zeros(image.shape[:3], dtype=torch.bool)
    here[0, 8, 8] = True
    return torch.where(here[..., None], NAN, image), here


def test_a_pixel_that_is_no_number_is_refused_where_it_counts(drawn):
    rast, tri, uv, image = drawn
    image, here = holed(image)
    seen = rast[..., 3] > 0
    says = "image must be finite where weight is above 0.*: give those pixels weight 0"
    with pytest.raises(ValueError, match=f"optim.solve_colours: {says}"):
        optim.solve_colours(image, rast, tri)
    with pytest.raises(ValueError, match=f"optim.TextureNormal.add: {says}"):
        optim.solve_texture(image, uv, weight=seen, size=(8, 8))
    counts = seen & ~here
    assert optim.solve_colours(image, rast, tri, weight=counts).isfinite().all()
    assert optim.solve_texture(image, uv, weight=counts, size=(8, 8)).isfinite().all()


def test_a_place_that_is_no_number_is_refused_where_it_counts(drawn):
    rast, _, uv, image = drawn
    uv, here = holed(uv)
    seen = rast[..., 3] > 0
    with pytest.raises(ValueError, match="uv must be finite where weight is above 0"):
        optim.solve_texture(image, uv, weight=seen, size=(8, 8))
    assert optim.solve_texture(image, uv, weight=seen & ~here, size=(8, 8)).isfinite().all()


def test_an_image_without_channels_is_refused(drawn):
    rast, tri, uv, image = drawn
    with pytest.raises(ValueError, match="solve_colours: image must be .*; got"):
        optim.solve_colours(image[..., :0], rast, tri)
    with pytest.raises(ValueError, match="solve_texture: image must be .* with C from 1; got"):
        optim.solve_texture(image[..., :0], uv, weight=rast[..., 3] > 0, size=(8, 8))


@pytest.mark.parametrize("wrong", [lambda uv: [uv], lambda uv: None, lambda uv: uv[0]])
def test_a_uv_of_another_kind_is_refused_by_name(drawn, wrong):
    uv = drawn[2]
    with pytest.raises((TypeError, ValueError), match="uv must be"):
        optim.texture_normal((8, 8), wrong(uv))
