"""glrast/mesh/files/origin.py"""

import numpy as np
import pytest

from glrast.mesh.files.origin import split_origin

BOX = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0.5], [0.25, 0.125, 1]])
DIAGONAL = 3**0.5


@pytest.mark.parametrize("far", [0, 1, -30, 100])
def test_an_ordinary_mesh_keeps_its_coordinates(far):
    pos, origin = split_origin(BOX + far)
    assert pos.dtype == np.float32 and origin == (0, 0, 0)
    assert np.array_equal(pos, (BOX + far).astype(np.float32))


@pytest.mark.parametrize("far", [1e3, 1e4, 5e5, 5e6, -4e8])
def test_a_mesh_far_away_keeps_its_shape(far):
    world = BOX + (far, far / 3, -far)
    pos, origin = split_origin(world)
    assert all(value == round(value) for value in origin) and any(origin)
    back = pos.astype(np.float64) + origin
    assert np.abs(back - world).max() <= 1e-7 * DIAGONAL + np.spacing(abs(far))
    assert np.abs(pos).max() < 2


def test_the_size_decides_not_the_distance_alone():
    assert split_origin(BOX * 1000 + 1e4)[1] == (0, 0, 0)  # float32 holds it to 1e-6 of its size
    assert split_origin(BOX * 0.001 + 1)[1] == (1, 1, 1)


def test_nothing_and_a_point_have_no_origin():
    assert split_origin(np.zeros((0, 3)))[1] == (0, 0, 0)
    assert split_origin(np.full((3, 3), 1e7))[1] == (0, 0, 0)
    with np.errstate(over="ignore"):  # readers refuse what is beyond float32 before
        assert split_origin(np.array([[1e300, 0, 0], [0, 0, 0]]))[1] == (0, 0, 0)
