"""Holes in a texture: linear colours are continued exactly, across seams too."""

from dataclasses import replace

import pytest
import torch

from glrast import bake
from glrast.clip import Mesh
from tests.bake.sheets import ODD, sheet


def test_the_surface_continues_a_linear_colour():
    # on a regular grid linear functions are harmonic
    texels = bake.texels(sheet(12, 12), (48, 48))
    image = texels.position[..., :2].clone()
    hole = texels.position.abs().amax(-1) < 0.5
    known = texels.mask & ~hole
    filled = bake.inpaint(texels, torch.where(known[..., None], image, 7.0), known)
    torch.testing.assert_close(filled[texels.mask], image[texels.mask], rtol=0, atol=0.03)
    assert bool((filled[~texels.mask] == 7).all())


def test_colours_flow_across_a_seam_into_a_chart_of_which_nothing_is_known():
    mesh = sheet(8, 8)
    right = (mesh.pos[mesh.tri.long()].mean(1)[:, 0] > 0).nonzero()[:, 0]
    uv = torch.cat([mesh.uv * torch.tensor([0.5, 1.0]), mesh.uv * torch.tensor([0.5, 1.0])])
    uv[len(mesh.uv) :, 0] += 0.5
    uv_tri = mesh.uv_tri.clone()
    uv_tri[right] += len(mesh.uv)
    texels = bake.texels(replace(mesh, uv=uv, uv_tri=uv_tri), (32, 64))
    assert len(texels.chart.unique()) == 3
    known = texels.mask & (texels.position[..., 0] <= 0)
    image = torch.where(known, 0.25, 0.0)[..., None]
    filled = bake.inpaint(texels, image, known)
    torch.testing.assert_close(
        filled[texels.mask], torch.full_like(filled[texels.mask], 0.25), rtol=0, atol=1e-4
    )


def test_each_chart_by_itself_continues_what_runs_into_a_hole():
    texels = bake.texels(sheet(), ODD)
    image = texels.position[..., :2].clone()
    hole = texels.position.abs().amax(-1) < 0.3
    known = texels.mask & ~hole
    filled = bake.inpaint(texels, torch.where(known[..., None], image, 7.0), known, way="texture")
    torch.testing.assert_close(
        filled[hole & texels.mask], image[hole & texels.mask], rtol=0, atol=0.02
    )
    assert torch.equal(filled[known], image[known])


def test_nothing_known_or_nothing_empty_changes_nothing():
    texels = bake.texels(sheet(), ODD)
    image = torch.rand(*ODD, 3)
    for mask in (texels.mask, torch.zeros_like(texels.mask)):
        assert torch.equal(bake.inpaint(texels, image, mask), image)


def test_a_piece_of_which_nothing_is_known_gets_the_mean():
    base = sheet(2, 2)
    two = Mesh(
        torch.cat([base.pos, base.pos + 5]),
        torch.cat([base.tri, base.tri + len(base.pos)]),
        uv=torch.cat([base.uv * 0.5, base.uv * 0.5 + 0.5]),
        uv_tri=torch.cat([base.uv_tri, base.uv_tri + len(base.uv)]),
    )
    texels = bake.texels(two, 32)
    known = texels.mask & (texels.position[..., 0] < 3)
    filled = bake.inpaint(texels, torch.where(known, 0.75, 0.0)[..., None], known)
    torch.testing.assert_close(
        filled[texels.mask], torch.full_like(filled[texels.mask], 0.75), rtol=0, atol=1e-4
    )


def test_wrong_arguments_are_told():
    texels = bake.texels(sheet(), ODD)
    with pytest.raises(ValueError, match=r"image must be \[17,33,C\] \(from texels\)"):
        bake.inpaint(texels, torch.zeros(3, 3, 3), texels.mask)
    with pytest.raises(TypeError, match="mask must be bool"):
        bake.inpaint(texels, torch.zeros(*ODD, 3), texels.mask.float())
    with pytest.raises(ValueError, match="way must be 'surface' or 'texture'"):
        bake.inpaint(texels, torch.zeros(*ODD, 3), texels.mask, way="telea")
