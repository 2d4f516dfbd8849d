"""The contract, section 5: texture. Its lines, and which test holds each, are in tests/ops/test_texture_contract.py."""

import torch

import glrast
from tests.ops.compare import random


def test_a_handle_does_not_follow_its_texture(device):
    tex, uv = random(1, 8, 8, 3).to(device), torch.rand(1, 4, 4, 2, device=device)
    level = torch.ones(1, 4, 4, device=device)
    handle = glrast.texture_construct_mip(tex)
    before = glrast.texture(tex, uv, mip_level_bias=level, mip=handle)
    tex += 1.0
    assert torch.equal(glrast.texture(tex, uv, mip_level_bias=level, mip=handle), before)
    fresh = glrast.texture_construct_mip(tex)
    assert not torch.equal(glrast.texture(tex, uv, mip_level_bias=level, mip=fresh), before)


def test_the_level_does_not_depend_on_how_the_image_is_turned(device):
    levels = [torch.full((1, 64 >> i, 64 >> i, 1), float(i), device=device) for i in range(7)]
    footprint = torch.tensor([[2.6, 1.1], [0.5, 1.5]]) / 64
    axis = (torch.linalg.svdvals(footprint)[0] * 64).log2()
    for turn in torch.linspace(0, 3, 7):
        c, s = turn.cos(), turn.sin()
        uv_da = (footprint @ torch.tensor([[c, -s], [s, c]])).reshape(1, 1, 1, 4).to(device)
        uv = torch.full((1, 1, 1, 2), 0.5, device=device)
        read = glrast.texture(levels[0], uv, uv_da, mip=levels[1:])
        assert abs(float(read) - float(axis)) < 1e-4
