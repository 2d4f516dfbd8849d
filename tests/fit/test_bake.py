"""Colours carried into a texture and on into its gutters."""

import torch

import glrast
from glrast.bake.pad import spread
from glrast.bake.unwrap import Atlas, unwrap
from glrast.clip import icosphere
from glrast.fit.bake import bake, padded


def two_charts() -> tuple[Atlas, torch.Tensor]:
    """Two triangles without a common vertex, in the left and the right third of 32 texels."""
    uv = torch.tensor([[0.1, 0.1], [0.3, 0.1], [0.1, 0.9], [0.9, 0.9], [0.7, 0.9], [0.9, 0.1]])
    tri = torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=torch.int32)
    return Atlas(uv, tri, 32), tri


def test_a_baked_texture_shows_the_vertex_colours():
    pos, tri = icosphere(2)
    color = 0.5 + 0.5 * pos
    made = unwrap(pos, tri, 20_000.0)
    texture = bake(glrast.Context("cpu"), made, tri, color)
    assert texture.shape == (made.size, made.size, 3)
    # At the middle of each triangle, through uv on the one side and the vertices on the other.
    uv = made.uv[made.uv_tri.long()].mean(dim=1)[None, None]
    seen = glrast.texture(texture[None], uv, filter_mode="linear")[0, 0]
    torch.testing.assert_close(seen, color[tri.long()].mean(dim=1), rtol=0, atol=0.03)


def test_nothing_between_charts_is_black_and_each_gutter_has_its_own_charts_colour():
    made, tri = two_charts()
    color = torch.tensor([[1.0, 0.2, 0.1]]).repeat(6, 1)
    color[3:] = torch.tensor([0.1, 0.2, 1.0])
    texture = bake(glrast.Context("cpu"), made, tri, color)
    torch.testing.assert_close(texture[[16, 0], [3, 0]], color[:2])
    torch.testing.assert_close(texture[[16, 31], [28, 31]], color[3:5])
    # No mixture anywhere: each texel has the one colour or the other.
    red = (texture[..., 0] > 0.5).nonzero()[:, 1]
    assert int(((texture - color[0]).abs().amax(dim=2) < 1e-5).sum()) == len(red)
    assert int(((texture - color[3]).abs().amax(dim=2) < 1e-5).sum()) == 32 * 32 - len(red)


def test_spread_takes_the_nearest_known_texel():
    texture = torch.arange(35.0).reshape(5, 7, 1)
    known = torch.zeros(5, 7, dtype=torch.bool)
    known[2, 1] = known[4, 6] = True
    result = spread(texture, known)[..., 0]
    assert set(result.flatten().tolist()) == {15.0, 34.0}
    assert result[0, 0] == result[2, 3] == 15.0 and result[4, 5] == result[1, 6] == 34.0
    assert torch.equal(spread(texture, known & False), texture)


def test_padding_replaces_what_no_lookup_in_a_chart_can_read():
    made, tri = two_charts()
    ctx = glrast.Context("cpu")
    color = torch.tensor([[0.9, 0.5, 0.1]]).repeat(6, 1)
    texture = bake(ctx, made, tri, color)
    garbage = texture.clone()
    rubbish = torch.zeros(32, 32, dtype=torch.bool)
    rubbish[:, 14:18] = rubbish[0] = rubbish[:, 0] = True  # four texels and more from any chart
    garbage[rubbish] = torch.nan
    torch.testing.assert_close(padded(ctx, made, garbage), texture, rtol=0, atol=1e-6)
    # A texel that a lookup on the border reads, though its centre lies outside, keeps its value.
    marked = texture.clone()
    marked[:, 2] = 0.0  # the chart's left border is at 3.2 texels
    assert bool((padded(ctx, made, marked)[5:25, 2] == 0.0).all())
    uv = torch.stack([torch.full((50,), 0.1001), torch.linspace(0.12, 0.85, 50)], dim=1)[None, None]
    seen, wanted = (
        glrast.texture(x[None], uv, filter_mode="linear")
        for x in (padded(ctx, made, marked), marked)
    )
    assert torch.equal(seen, wanted)
