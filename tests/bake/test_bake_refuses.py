"""What bake is given is checked before it is used; a texture without channels is a texture."""

import pytest
import torch

from glrast import bake
from glrast.clip import Mesh, grid

IMAGE, MASK = torch.rand(16, 16, 3), torch.rand(16, 16) > 0.5


@pytest.fixture
def texels(gl):
    pos, tri = grid(1, 1)
    return bake.texels(Mesh(pos, tri, uv=pos[:, :2] + 0.5, uv_tri=tri), 16)


def test_a_mask_that_is_none_is_refused_by_name(texels):
    with pytest.raises(TypeError, match="bake.pad: mask must be a torch tensor; got NoneType"):
        bake.pad(IMAGE, None)
    with pytest.raises(TypeError, match="bake.inpaint: mask must be a torch tensor; got NoneType"):
        bake.inpaint(texels, IMAGE, None)


def test_occluders_that_are_no_mesh_are_refused_by_name(texels):
    with pytest.raises(TypeError, match="bake.ambient_occlusion: occluders must be .*; got str"):
        bake.ambient_occlusion(texels, "mesh.glb")


def test_a_texture_without_channels_is_a_texture(texels):
    assert bake.pad(IMAGE[..., :0], MASK)[0].shape == (16, 16, 0)
    assert bake.inpaint(texels, IMAGE[..., :0], MASK).shape == (16, 16, 0)
    assert bake.inpaint(texels, IMAGE[..., :0], MASK, "texture").shape == (16, 16, 0)
