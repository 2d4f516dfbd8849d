"""Padding, against a search of all texels."""

import sys

import numpy as np
import pytest
import torch

from glrast import bake
from glrast.bake.pad import nearest


def squared_distance(known: torch.Tensor) -> np.ndarray:
    """[H,W], to the nearest known texel, by trying all."""
    row, column = np.indices(known.shape)
    places = known.nonzero().numpy()
    away = (row[..., None] - places[:, 0]) ** 2 + (column[..., None] - places[:, 1]) ** 2
    return away.min(-1)


def taken(source: torch.Tensor) -> np.ndarray:
    """[H,W], the squared distance of each texel to its source."""
    row, column = np.indices(source.shape)
    width = source.shape[1]
    there = source.numpy()
    return (row - there // width) ** 2 + (column - there % width) ** 2


@pytest.mark.parametrize("pixels", [None, 1, 2, 3, 100])
@pytest.mark.parametrize("share", [0.005, 0.1, 0.6])
def test_the_nearest_texel_is_the_nearest(pixels, share):
    draw = torch.Generator().manual_seed(3)
    known = torch.rand(17, 33, generator=draw) < share
    known[5, 7] = True
    source, reached = nearest(known, pixels)
    least = squared_distance(known)
    within = least <= (10**9 if pixels is None else pixels**2)
    assert np.array_equal((reached | known).numpy(), within)
    assert np.array_equal(taken(source)[within], least[within])
    assert bool(known.reshape(-1)[source][reached].all()) and not taken(source)[~within].any()


def test_without_scipy_everywhere_is_found_too(monkeypatch):
    known = torch.zeros(17, 33, dtype=torch.bool)
    known[3, 30] = True
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    source, reached = nearest(known)
    assert bool((source == 3 * 33 + 30).all()) and torch.equal(reached, ~known)


def test_a_texel_of_a_chart_takes_from_its_own_chart_however_near_another_is():
    chart = torch.full((5, 12), -1)
    chart[1:4, 1:6], chart[1:4, 7:11] = 0, 1
    mask = torch.zeros(5, 12, dtype=torch.bool)
    mask[2, 1], mask[1:4, 7:11] = True, True  # of chart 0 only the far end
    image = torch.where(mask, chart, 9)[..., None]
    padded, known = bake.pad(image, mask, None, chart)
    own = torch.where(chart >= 0, chart, padded[..., 0])
    assert torch.equal(padded[..., 0], own) and bool(known.all())
    assert padded[:, 6, 0].tolist() == [0, 0, 0, 0, 0] or set(padded[:, 6, 0].tolist()) <= {0, 1}
    assert set(bake.pad(image, mask)[0][2, :6, 0].tolist()) == {0, 1}  # without charts it bleeds


def test_a_chart_of_which_nothing_is_known_stays_empty():
    chart = torch.full((3, 9), -1)
    chart[1, 1:3], chart[1, 6:8] = 0, 1
    mask = chart == 0
    image = torch.where(mask, 5, 0)[..., None].to(torch.uint8)
    padded, known = bake.pad(image, mask, None, chart)
    assert padded.dtype == torch.uint8
    assert padded[1, :, 0].tolist() == [5, 5, 5, 5, 5, 0, 0, 0, 0]
    assert torch.equal(known, padded[..., 0] == 5)


def test_nothing_to_fill_and_nothing_known_change_nothing():
    image = torch.rand(4, 6, 2)
    whole = torch.ones(4, 6, dtype=torch.bool)
    for mask, pixels in ((whole, None), (~whole, None), (~whole, 3), (whole, 0)):
        padded, known = bake.pad(image, mask, pixels)
        assert torch.equal(padded, image) and torch.equal(known, mask)


def test_wrong_arguments_are_told():
    image, mask = torch.rand(4, 6, 2), torch.ones(4, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"glrast.bake.pad: image must be \[H,W,C\]; got \[4,6\]"):
        bake.pad(image[..., 0], mask)
    with pytest.raises(ValueError, match=r"mask must be \[4,6\]"):
        bake.pad(image, mask[:3])
    with pytest.raises(TypeError, match="mask must be bool"):
        bake.pad(image, mask.float())
    with pytest.raises(ValueError, match="pixels must be None or a whole number from 0"):
        bake.pad(image, mask, -1)
    with pytest.raises(ValueError, match=r"chart must be \[4,6\]"):
        bake.pad(image, mask, 1, torch.zeros(4, 5))
