"""glrast/camera/cube_map.py: the directions of a cube map's texels are those at which texture finds them."""

import pytest
import torch

import glrast
from glrast.clip import cube_directions


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("filter_mode", ["nearest", "linear"])
def test_a_cube_map_looked_up_in_the_directions_of_its_texels_is_itself(device, size, filter_mode):
    texels = torch.arange(6.0 * size * size, device=device).reshape(1, 6, size, size, 1)
    way = cube_directions(size, device)
    found = glrast.texture(
        texels.expand(6, -1, -1, -1, -1), way, None, None, None, filter_mode, "cube"
    )
    # texel numbers up to 293 from coordinates rounded to float32
    torch.testing.assert_close(found, texels[0], atol=1e-3, rtol=0)


def test_directions_have_length_one_and_the_faces_are_in_opengls_order():
    way = cube_directions(3)
    assert way.shape == (6, 3, 3, 3) and way.dtype == torch.float32
    torch.testing.assert_close(way.norm(dim=-1), torch.ones(6, 3, 3))
    axes = torch.eye(3).repeat_interleave(2, 0) * torch.tensor([1.0, -1.0]).repeat(3)[:, None]
    assert torch.equal(way[:, 1, 1], axes)  # +x, -x, +y, -y, +z, -z


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_a_wrong_size_is_told(size):
    with pytest.raises(ValueError, match="cube_directions: size must be a whole number from 1"):
        cube_directions(size)
