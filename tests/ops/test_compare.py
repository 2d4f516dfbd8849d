"""tests/ops/compare.py: each number of a comparison of gradients, and its band, turns red on the error it is there for.

Right is the gradient of the vertices of a closed mesh from antialias; wrong are gradients as broken kernels give them.
"""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import (
    Band,
    Limits,
    band_of,
    check_gradient,
    difference,
    on,
    random,
    relative_error,
)

# As a comparison with finite differences has them: an l2 that neither of the first three errors below would break.
LOOSE = Limits(l2=0.2, cosine=1e-3, bias=5e-3, share=0.01, band=0.01)


@pytest.fixture
def gradient(device):
    """[V,4] of the clip positions, and tri."""
    context = glrast.Context(device)
    pos, tri, attr = on(context, scenes.closed_mesh(2))
    rast, _ = glrast.rasterize(context, pos, tri, (64, 64))
    color, _ = glrast.interpolate(attr, rast, tri)
    image = glrast.antialias(color, rast, pos.requires_grad_(), tri)
    (grad,) = torch.autograd.grad((image * random(*image.shape).to(image)).sum(), pos)
    return grad[0].cpu().double(), tri.cpu().long()


def said(found, wanted, limits, band=None) -> str:
    """What a refused comparison says."""
    with pytest.raises(AssertionError) as error:
        check_gradient(found, wanted, limits, band)
    return str(error.value)


def test_a_gradient_is_itself_and_rounding_passes(gradient):
    wanted, _ = gradient
    assert check_gradient(wanted.float(), wanted.float(), Limits(0, 0, 0)) == (0, 0, 0, 0, 0)
    check_gradient(wanted.float(), wanted, Limits(l2=1e-6, cosine=1e-13, bias=1e-7))


@pytest.mark.parametrize("factor", [1.01, 0.99])
def test_a_scaled_gradient_is_a_bias_and_nothing_else(gradient, factor):
    wanted, _ = gradient
    seen = difference(factor * wanted, wanted)
    assert seen.bias == pytest.approx(factor - 1) and seen.cosine < 1e-12  # signed
    assert said(factor * wanted, wanted, LOOSE) == "bias 1.00e-02 is beyond 5.00e-03".replace(
        "1.00e-02", f"{factor - 1:.2e}"
    )


def test_a_sign_flip_in_one_triangle_turns_the_vector(gradient):
    wanted, tri = gradient
    parts = wanted[tri].norm(dim=(1, 2)) / wanted.norm()
    small = tri[(parts - 0.05).abs().argmin()]  # one that makes up a twentieth
    found = wanted.clone()
    found[small] *= -1
    assert relative_error(found, wanted) < LOOSE.l2
    assert "cosine" in said(found, wanted, LOOSE) and "l2" not in said(found, wanted, LOOSE)
    # also where the length is made up for, so that there is no bias
    made_up = found * wanted.square().sum() / (found * wanted).sum()
    assert said(made_up, wanted, LOOSE).startswith("cosine") and "bias" not in said(
        made_up, wanted, LOOSE
    )


def test_one_outlier_is_seen_by_its_length(gradient):
    wanted, _ = gradient
    found, at = wanted.clone(), wanted.abs().argmin()
    found.view(-1)[at] += 0.3 * wanted.norm()
    assert "l2" in said(found, wanted, LOOSE)


def pixels(generator=0):
    """A gradient by pixels, 100 x 100, and which of them are at discontinuities: 1 %, spread evenly."""
    at_edge = torch.zeros(10000, dtype=torch.bool)
    at_edge[50::100] = True
    return random(10000, seed=generator).double(), at_edge


def test_outliers_in_the_band_pass_only_as_far_as_it_says():
    wanted, at_edge = pixels()
    found = wanted.clone()
    found[at_edge] += 0.05 * random(int(at_edge.sum()), seed=1)
    rest, known, band = band_of(found, wanted, at_edge)
    seen = check_gradient(rest, known, LOOSE, band)
    assert seen.l2 == 0 and seen.share == pytest.approx(0.01) and 0 < seen.band < LOOSE.band
    found[50] += 5  # one outlier: not beyond the l2 of everything
    assert difference(found, wanted).l2 < LOOSE.l2
    rest, known, band = band_of(found, wanted, at_edge)
    assert said(rest, known, LOOSE, band).startswith("band 4.9")


def test_two_per_cent_of_outliers_are_more_than_the_band_takes():
    wanted, at_edge = pixels()
    more = at_edge | at_edge.roll(50)
    assert more.double().mean().item() == pytest.approx(0.02)
    rest, known, band = band_of(wanted * (1 + 1e-3 * more), wanted, more)
    assert said(rest, known, LOOSE, band) == "share 2.00e-02 is beyond 1.00e-02"
    outside = wanted + more * 2.0  # where only 1 % of them are set aside
    rest, known, band = band_of(outside, wanted, at_edge)
    assert "band" in said(rest, known, LOOSE, band)
    assert difference(rest, known, band).l2 > 0.19


def test_a_bias_cannot_hide_behind_outliers():
    wanted, at_edge = pixels()
    found = 1.01 * wanted
    found[at_edge] -= 1.01 * 0.005 * wanted[at_edge] / 0.01  # which would cancel half of it
    rest, known, band = band_of(found, wanted, at_edge)
    assert difference(rest, known, band).bias == pytest.approx(0.01)
    assert said(rest, known, LOOSE, band).startswith("bias 1.00e-02")


def test_a_gradient_of_vertices_has_the_band_of_its_pixels():
    rest, aside = random(8, 4).double(), 0.1 * random(8, 4, seed=1).double()
    seen = difference(rest, rest, Band(-aside, aside, 0.004))
    assert seen.l2 == 0 and seen.share == 0.004
    assert seen.band == pytest.approx((2 * aside.norm() / (rest + aside).norm()).item())


def test_nothing_and_what_is_no_number_are_told_apart():
    some, none = torch.ones(3), torch.zeros(3)
    strict = Limits(0, 0, 0)
    check_gradient(none, none, strict)
    check_gradient(torch.zeros(0, 4), torch.zeros(0, 4), strict)
    assert "l2 inf" in said(some, none, LOOSE)
    assert "bias -1.00e+00" in said(none, some, LOOSE)
    for found, wanted in ((some * torch.nan, some), (some, some * torch.nan)):
        assert "l2 nan" in said(found, wanted, Limits(9, 9, 9, 9, 9))
    with pytest.raises(AssertionError, match=r"\(3,\) is compared with \(2,\)"):
        check_gradient(some, some[:2], LOOSE)
