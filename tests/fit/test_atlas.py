"""The atlas: triangles keep their shape, charts keep their distance, the same mesh gives the same."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, label

import glrast
from glrast.bake.unwrap import GUTTER, LEVELS, Atlas, halving_size, unwrap
from glrast.clip import icosphere, look_at, perspective
from glrast.fit import atlas
from glrast.fit.atlas import largest_side, texels_seen
from glrast.fit.bake import _charts
from glrast.fit.dataset import Views


def uv_areas(made: Atlas) -> torch.Tensor:
    """Of each triangle, in texels."""
    a, b, c = (made.uv * made.size)[made.uv_tri.long()].unbind(1)
    return torch.linalg.det(torch.stack([b - a, c - a], dim=1)).abs() / 2


def areas(pos: torch.Tensor, tri: torch.Tensor) -> torch.Tensor:
    a, b, c = pos[tri.long()].unbind(1)
    return torch.linalg.cross(b - a, c - a).norm(dim=1) / 2


def test_each_triangle_has_its_share_of_the_texels():
    pos, tri = icosphere(2)
    made = unwrap(pos, tri, texels=40_000.0)
    assert made.uv_tri.shape == tri.shape and made.uv_tri.dtype == torch.int32
    assert 0.0 <= float(made.uv.min()) and float(made.uv.max()) <= 1.0
    assert made.size >= math.sqrt(40_000)
    share = uv_areas(made) / (areas(pos, tri) / areas(pos, tri).sum() * 40_000)
    # A sphere cannot lie flat; a chart's stretch is all that the shares may differ by.
    assert float(share.mean()) == pytest.approx(1.0, abs=0.1) and float(share.min()) > 0.5


def test_the_unit_of_the_mesh_does_not_matter_and_the_bits_repeat():
    pos, tri = icosphere(2)
    first, again = unwrap(pos, tri, 10_000.0), unwrap(pos, tri, 10_000.0)
    assert torch.equal(first.uv, again.uv) and torch.equal(first.uv_tri, again.uv_tri)
    # A power of two, so that the scaled mesh has the same digits.
    scaled = unwrap(pos / 1024, tri, 10_000.0)
    assert scaled.size == first.size
    torch.testing.assert_close(scaled.uv, first.uv, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_charts_lie_a_gutter_apart():
    pos, tri = icosphere(3)
    made = unwrap(pos, tri, 30_000.0)
    covered = _charts(glrast.Context("cpu"), made, made.size)[0, ..., 3].numpy() > 0
    charts, count = label(covered, structure=np.ones((3, 3)))
    assert count > 1
    for chart in range(1, count + 1):
        others = covered & (charts != chart)
        gap = distance_transform_edt(~(charts == chart))[others].min()
        # Both borders are rounded to texels.
        assert gap >= GUTTER - 1


def test_a_wanted_size_is_kept():
    made = unwrap(*icosphere(2), texels=1.0, size=128)
    assert made.size == 128 and 0.9 < float(made.uv.max()) <= 1.0
    assert uv_areas(made).sum() > 0.2 * 128**2


@pytest.mark.parametrize(("at_least", "size"), [(1, 4), (4, 4), (5, 12), (12, 12), (1000, 1004)])
def test_a_size_can_be_halved_as_often_as_there_are_levels_and_no_more(at_least: int, size: int):
    assert halving_size(at_least) == size >= at_least
    assert halving_size(size, at_most=True) == halving_size(size + 7, at_most=True) == size
    texture = torch.zeros(1, size, size, 1)
    if size > 4:  # 4 can be halved down to one texel, all of them the same number of times
        assert glrast.texture_construct_mip(texture, "auto").last == LEVELS


def square_views(distances: list[float], resolution: int = 64) -> Views:
    projection = perspective(math.radians(53.13010235), 1.0, 0.1, 100.0).double()  # 2 tan = 1
    poses = [look_at((0.0, 0.0, d), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)).double() for d in distances]
    count = len(poses)
    return Views(
        torch.zeros(count, resolution, resolution, 4, dtype=torch.uint8),
        torch.stack(poses),
        projection.expand(count, 4, 4),
        [str(d) for d in distances],
    )


def test_a_surface_is_worth_the_pixels_of_the_view_that_shows_it_largest(monkeypatch):
    monkeypatch.setattr(atlas, "SMALLEST", 0)
    pos = torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    # At distance d the picture is d wide: the unit square fills 64 / d pixels of it a side.
    for distances, side in ([2.0], 32.0), ([4.0, 2.0], 32.0), ([4.0], 16.0):
        wanted = atlas.TEXELS_PER_PIXEL * side**2
        assert texels_seen(pos, tri, square_views(distances)) == pytest.approx(wanted, rel=1e-3)
    # A camera that has the square behind it sees nothing of it.
    assert texels_seen(pos + torch.tensor([0, 0, 9.0]), tri, square_views([2.0])) == 0.0


@pytest.mark.slow
def test_no_texture_is_larger_than_its_limit():
    pos, tri = icosphere(2)
    assert unwrap(pos, tri, 40_000.0).size > 180
    assert 64 <= unwrap(pos, tri, 40_000.0, largest=180).size <= 180
    assert unwrap(pos, tri, 40_000.0, largest=66).size <= 66
    assert unwrap(pos, tri, 40_000.0, size=256, largest=66).size == 256  # who names a size gets it


def test_the_pictures_have_a_texel_for_each_of_their_pixels_on_the_object():
    views = square_views([2.0, 4.0], resolution=200)
    assert largest_side(views) == atlas.SMALLEST
    views.rgba[:, :100] = 255
    assert largest_side(views) == 200  # two halves of 200 x 200
    assert largest_side(square_views([2.0])) == atlas.SMALLEST
