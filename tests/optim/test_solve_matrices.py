"""Matrices of interpolate and texture: against the operations, and against the float64 twin of texture."""

import pytest
import torch

import glrast
from glrast.ops.texture import FILTERS
from glrast.optim import (
    interpolation_matrix,
    interpolation_normal,
    texture_matrix,
    texture_normal,
)
from tests.reference.texture import texture as texture_twin

SIZES = ((16, 32), (12, 4), (1, 8), (2, 2), (1, 1), (6, 6))


def seen_triangles(count=40, seed=0):
    """rast [2,24,24,4] of random triangles, tri, and the number of vertices, some of which no triangle has."""
    generator = torch.Generator().manual_seed(seed)
    pos = torch.rand((2, 60, 4), generator=generator) * 2 - 1
    pos[..., 3] = pos[..., 3].abs() + 0.7
    tri = torch.randint(0, 55, (count, 3), generator=generator, dtype=torch.int32)
    rast, _ = glrast.rasterize(glrast.Context("cpu"), pos, tri, (24, 24))
    return rast, tri, 60


def lookups(filter_mode, seed=0):
    """uv [2,9,9,2], some beyond the texture, and footprints of all sizes where the filter wants them."""
    generator = torch.Generator().manual_seed(seed)
    uv = torch.rand((2, 9, 9, 2), generator=generator) * 3 - 1
    slopes = torch.randn((2, 9, 9, 4), generator=generator)
    slopes *= torch.rand((2, 9, 9, 1), generator=generator) ** 3
    uv[0, 0, 0] = torch.nan
    return uv, slopes if "mipmap" in filter_mode else None


def test_the_matrix_of_interpolate_is_interpolate():
    rast, tri, vertices = seen_triangles()
    attr = torch.rand(vertices, 5)
    matrix = interpolation_matrix(rast, tri, vertices)
    expected, _ = glrast.interpolate(attr, rast, tri)
    torch.testing.assert_close((matrix @ attr).reshape(2, 24, 24, 5), expected, rtol=0, atol=1e-6)
    assert matrix.shape == (2 * 24 * 24, vertices) and (rast[..., 3] > 0).sum() > 200


def test_the_normal_matrix_of_interpolate_is_the_product():
    rast, tri, vertices = seen_triangles()
    weight = torch.rand(2, 24, 24)
    tall = interpolation_matrix(rast, tri, vertices).to_dense().double()
    expected = tall.T @ (weight.reshape(-1, 1).double() * tall)
    found = interpolation_normal(rast, tri, weight, vertices).to_dense()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("boundary_mode", ("wrap", "clamp", "zero", "mirror"))
@pytest.mark.parametrize("filter_mode", FILTERS)
def test_the_matrix_of_texture_is_texture(filter_mode, boundary_mode):
    for size in SIZES:
        uv, uv_da = lookups(filter_mode)
        modes = dict(filter_mode=filter_mode, boundary_mode=boundary_mode, max_mip_level="auto")
        tex = torch.rand(1, *size, 3)
        texels = tex.reshape(-1, 3)
        matrix = texture_matrix(size, uv, uv_da, **modes)
        operation = glrast.texture(tex, uv, uv_da, **modes).reshape(-1, 3)
        torch.testing.assert_close(matrix @ texels, operation, rtol=0, atol=2e-5)
        last = matrix.pyramid.last if uv_da is not None else 0
        twin = texture_twin(
            tex, uv, uv_da, filter_mode=filter_mode, boundary_mode=boundary_mode, max_mip_level=last
        )
        torch.testing.assert_close(
            (matrix @ texels).double(), twin.reshape(-1, 3), rtol=0, atol=2e-4
        )
        written_out = matrix.to_sparse().to_dense()
        torch.testing.assert_close(written_out @ texels, operation, rtol=0, atol=2e-5)
        image = torch.rand(matrix.shape[0], 2)
        torch.testing.assert_close(matrix.T @ image, written_out.T @ image, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("boundary_mode", ("wrap", "clamp", "zero", "mirror"))
@pytest.mark.parametrize("filter_mode", FILTERS)
def test_the_normal_matrix_of_texture_is_the_product(filter_mode, boundary_mode):
    for size in SIZES:
        uv, uv_da = lookups(filter_mode, seed=1)
        modes = dict(filter_mode=filter_mode, boundary_mode=boundary_mode, max_mip_level="auto")
        weight = torch.rand(2, 9, 9)
        tall = texture_matrix(size, uv, uv_da, **modes).to_sparse().to_dense()
        product = tall.T @ (weight.reshape(-1, 1) * tall)
        normal = texture_normal(size, uv, uv_da, weight, **modes)
        texels = torch.rand(product.shape[0], 2)
        torch.testing.assert_close(normal @ texels, product @ texels, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(normal.row_sums, product.sum(dim=1), rtol=1e-4, atol=1e-5)


def test_images_added_one_by_one_are_the_same_as_at_once():
    uv, uv_da = lookups("linear-mipmap-linear")
    texels = torch.rand(16 * 32, 2)
    at_once = texture_normal((16, 32), uv, uv_da)
    one_by_one = texture_normal((16, 32), uv[:1], uv_da[:1])
    one_by_one @ texels  # what was made for a product must not outlive an addition
    one_by_one.add(None, uv[1:], uv_da[1:])
    torch.testing.assert_close(one_by_one @ texels, at_once @ texels, rtol=1e-5, atol=1e-6)


def test_a_bias_is_a_level():
    uv, _ = lookups("linear")
    bias = torch.rand(2, 9, 9) * 4
    tex = torch.rand(1, 16, 16, 3)
    matrix = texture_matrix((16, 16), uv, mip_level_bias=bias)
    expected = glrast.texture(tex, uv, mip_level_bias=bias)
    torch.testing.assert_close(
        (matrix @ tex.reshape(-1, 3)).reshape(expected.shape), expected, rtol=0, atol=2e-5
    )
    texels = torch.rand(256, 1)
    found = texture_normal((16, 16), uv, mip_level_bias=bias) @ texels
    torch.testing.assert_close(found, matrix.T @ (matrix @ texels), rtol=1e-4, atol=1e-5)


def wrong_calls():
    rast, tri, vertices = seen_triangles()
    uv, uv_da = lookups("linear-mipmap-linear")
    other = torch.zeros(1, 3, 3)
    yield "tri must be of indices from 0 to 9", lambda: interpolation_matrix(rast, tri, 10)
    yield "rast must be of triangles 0 to 2", lambda: interpolation_matrix(rast, tri[:3], vertices)
    yield "weight must be .*as the pixels", lambda: interpolation_normal(rast, tri, other)
    yield (
        "weight must be finite and not negative",
        lambda: interpolation_normal(rast, tri, -torch.ones(2, 24, 24)),
    )
    yield "boundary_mode.*cube", lambda: texture_matrix((4, 4), uv, boundary_mode="cube")
    yield "uv must be", lambda: texture_matrix((4, 4), uv_da)
    yield "odd extent", lambda: texture_matrix((6, 6), uv, uv_da)
    yield (
        "weight must be finite",
        lambda: texture_normal((4, 4), uv, None, torch.full((2, 9, 9), torch.nan)),
    )
    yield (
        "given for all images or for none",
        lambda: texture_normal((4, 4), uv, uv_da).add(None, uv),
    )
    yield (
        "no pixels in it",
        lambda: texture_normal((4, 4), uv, None, torch.zeros(2, 9, 9)) @ torch.ones(16, 1),
    )


@pytest.mark.parametrize("expected, call", list(wrong_calls()))
def test_what_does_not_fit_is_refused_by_name(expected, call):
    with pytest.raises(ValueError, match=f"(?s)glrast.optim.*{expected}"):
        call()
