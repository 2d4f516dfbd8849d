"""A few of the random atlases that `make bake-check` tries a thousand of."""

import pytest

import glrast
from tests.bake.random_atlases import RandomAtlas, check, check_coverage


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_no_centre_is_left_out_and_every_padded_texel_is_of_its_own_chart(seed):
    assert check(seed, glrast.Context("cpu", output_db=False)) >= 0


def test_seeds_differ_and_charts_cover_something():
    ctx = glrast.Context("cpu", output_db=False)
    assert len({check_coverage(RandomAtlas(seed, 1), ctx) for seed in range(3)}) == 3
