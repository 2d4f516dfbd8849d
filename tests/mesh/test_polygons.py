"""glrast/mesh/files/polygons.py and ears.py: areas by the shoelace formula, whatever the corners do."""

import numpy as np
import pytest

from glrast.mesh.files.polygons import triangulate
from tests.mesh.drawn_mesh import star

U = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
RING = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
SPIKE = [(0, 0), (4, 0), (4, 4), (2, 4), (2, 6), (2, 4), (0, 4)]
TOUCHING = [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)]
DOUBLED = [(0, 0), (4, 0), (4, 0), (0.5, 0.5), (0.5, 0.5), (0, 4)]
SHAPES = {"U": (U, 7), "hole": (RING, 12), "spike": (SPIKE, 16), "two squares": (TOUCHING, 2)}
SHAPES |= {"doubled corners": (DOUBLED, 2), "dart": ([(0, 0), (2, 0), (0.2, 0.2), (0, 2)], 0.4)}


def cut(xy):
    """(sum of signed areas, sum of areas, triangles) of one polygon."""
    xy = np.asarray(xy, dtype=np.float64)
    pos = np.concatenate([xy, np.zeros((len(xy), 1))], 1) if xy.shape[1] == 2 else xy
    local, face = triangulate(pos, np.arange(len(pos)), np.array([len(pos)]))
    assert (face == 0).all()
    a, b, c = np.moveaxis(pos[local], 1, 0)
    cross = np.cross(b - a, c - a) / 2
    return cross.sum(0), np.linalg.norm(cross, axis=1).sum(), local


@pytest.mark.parametrize("name", SHAPES)
def test_no_area_is_lost_or_covered_twice_wherever_the_polygon_begins(name):
    xy, area = SHAPES[name]
    for shift in range(len(xy)):
        signed, whole, _ = cut(np.roll(xy, shift, 0))
        assert signed[2] == pytest.approx(area) and whole == pytest.approx(area)
        signed, whole, _ = cut(np.roll(xy, shift, 0)[::-1])  # seen from behind
        assert signed[2] == pytest.approx(-area) and whole == pytest.approx(area)


def test_convex_polygons_are_fans_from_their_first_corner():
    angle = np.arange(7) * 2 * np.pi / 7
    _, _, local = cut(np.stack([np.cos(angle), np.sin(angle)], 1))
    assert local.tolist() == [[0, k, k + 1] for k in range(1, 6)]
    square = [(0, 0), (1, 0), (2, 0), (2, 2), (0, 2)]  # with a corner on an edge
    assert cut(square)[2].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_polygons_stand_in_any_plane_and_at_any_distance():
    g = np.random.default_rng(0)
    for _ in range(20):
        frame = np.linalg.qr(g.standard_normal((3, 3)))[0]
        pos = np.asarray(U) @ frame[:2] + g.uniform(-1, 1, 3) * 1e6
        _, whole, _ = cut(pos)
        assert whole == pytest.approx(7, abs=1e-8)


def test_a_quad_that_is_not_flat_has_two_triangles():
    _, _, local = cut([(0, 0, 0), (1, 0, 0.3), (1, 1, 0), (0, 1, 0.3)])
    assert local.tolist() == [[0, 1, 2], [0, 2, 3]]
    _, _, local = cut(
        [(0, 0, 0.1), (2, 0, 0), (0.2, 0.2, 0.1), (0, 2, 0)]
    )  # bent at its third corner
    assert local.tolist() == [[2, 3, 0], [2, 0, 1]]


@pytest.mark.parametrize("n", [4, 5, 9])
def test_polygons_without_area_and_those_that_cross_themselves_do_no_harm(n):
    for xy in ([(k, 0) for k in range(n)], [(0, 0)] * n, [(k * k % n, k) for k in range(n)]):
        _, _, local = cut(xy)
        assert len(local) >= 1 and local.min() >= 0 and local.max() < n
    turns = np.arange(n) * 4 * np.pi / n
    assert len(cut(np.stack([np.cos(turns), np.sin(turns)], 1))[2]) >= 1


def test_polygons_of_many_sizes_keep_their_order():
    xy = np.array(U + [(0, 0), (1, 0), (0, 1)] + [(0, 0), (2, 0), (0.2, 0.2), (0, 2)], dtype=float)
    pos = np.concatenate([xy, np.zeros((len(xy), 1))], 1)
    local, face = triangulate(pos, np.arange(len(pos)), np.array([8, 3, 4]))
    assert face.tolist() == [0] * 6 + [1] + [2] * 2
    assert local[6].tolist() == [8, 9, 10] and local[7:].min() == 11
    assert triangulate(pos, np.zeros(0, int), np.zeros(0, int))[0].shape == (0, 3)


def test_random_polygons_and_random_holes_keep_their_area():
    g = np.random.default_rng(1)
    for _ in range(60):
        outer = star(g, int(g.integers(3, 14))) * 3
        assert_area(outer)
        hole = (
            star(g, int(g.integers(3, 9)))[::-1] * 0.25
        )  # inside the outline, which comes as near as .9
        ring = np.concatenate([circle(11), [(3.0, 0.0)], bridge(hole)])
        assert_area(ring)
        assert_area(np.round(ring, 2))
        steps = np.cumsum(g.integers(1, 3, 8))
        stairs = [(0, 0), (steps[-1], 0)]
        for k in range(len(steps) - 1, 0, -1):
            stairs += [(steps[k], 20 - steps[k]), (steps[k - 1], 20 - steps[k])]
        assert_area([*stairs, (steps[0], 20), (0, 20)])


def circle(n):
    angle = np.arange(n) * 2 * np.pi / n
    return 3 * np.stack([np.cos(angle), np.sin(angle)], 1)


def bridge(hole):
    """The hole, from its corner furthest to the right around to it."""
    right = int(hole[:, 0].argmax())
    return np.roll(hole, -right, 0)[[*range(len(hole)), 0]]


def assert_area(xy):
    xy = np.asarray(xy, dtype=np.float64)
    x, y = xy.T
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    signed, whole, _ = cut(xy)
    assert signed[2] == pytest.approx(area, abs=1e-9)
    assert whole == pytest.approx(abs(area), abs=1e-6 * abs(area) + 1e-9)


@pytest.mark.slow
def test_ten_thousand_corners_are_no_trouble():
    n = 10_000
    angle = np.arange(n) * 2 * np.pi / n
    radius = np.random.default_rng(0).uniform(0.5, 1, n)
    assert_area(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1))
    t = np.linspace(0, 40 * np.pi, n // 2)
    turn = np.stack([np.cos(t), np.sin(t)], 1)
    assert_area(np.concatenate([turn * (t + 7)[:, None], (turn * (t + 4)[:, None])[::-1]]))
