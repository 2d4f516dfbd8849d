"""The exact image by clipping: against areas known by hand, brute sampling, and its own derivative known by hand."""

import numpy as np
import pytest
import torch

from tests import scenes
from tests.reference import supersample
from tests.reference.visibility import clipped
from tests.reference.visibility import fragments as twin
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds

ROUNDING = 1e-12
WHITE = np.ones((3, 3))


def in_pixels(points, resolution, depth=0.0, w=1.0):
    """pos of points [n,2] in pixels."""
    half = np.array([resolution[1], resolution[0]]) / 2
    xy = (np.asarray(points, float) / half - 1) * w
    n = len(points)
    return np.column_stack([xy, np.full(n, depth * w), np.full(n, w)])


def test_a_triangle_in_a_pixel_has_its_area():
    pos = in_pixels([(3.1, 5.2), (3.9, 5.3), (3.4, 5.8)], scenes.ODD)
    image = clipped.image(pos, np.array([[0, 1, 2]]), WHITE, scenes.ODD)
    area = 0.5 * abs(0.8 * 0.6 - 0.3 * 0.1)
    assert image[5, 3] == pytest.approx(area, abs=ROUNDING)
    assert image.sum() == pytest.approx(3 * area, abs=ROUNDING)


def test_a_triangle_half_hidden_by_another_shows_the_rest():
    behind = in_pixels([(2, 2), (12, 2), (2, 12)], scenes.ODD, 0.5, 1.7)
    front = in_pixels([(2, 0), (2, 14), (-40, 7)], scenes.ODD, -0.5)  # left of x = 2: hides nothing
    over = in_pixels([(7, -30), (7, 40), (60, 5)], scenes.ODD, -0.5)  # right of x = 7
    pos, tri = np.concatenate([behind, front, over]), np.arange(9).reshape(3, 3)
    colors = np.repeat(np.array([[1.0], [0], [0]]), 3, 0)
    image = clipped.image(pos, tri, colors, scenes.ODD)
    assert image.sum() == pytest.approx(50 - 12.5, abs=1e-9)


def test_triangles_through_each_other_part_where_their_depths_are_equal():
    outline = [(-30, -30), (60, -30), (10, 90)]
    pos = np.concatenate([in_pixels(outline, scenes.ODD), in_pixels(outline, scenes.ODD)])
    x = np.array(outline)[:, 0]
    pos[:3, 2], pos[3:, 2] = 0.004 * (x - 12.3), -0.004 * (x - 12.3)
    colors = np.repeat(np.array([[1.0], [0]]), 3, 0)
    row = clipped.image(pos, np.arange(6).reshape(2, 3), colors, scenes.ODD)[4, :, 0]
    assert (
        row[:12] == pytest.approx(1)
        and row[12] == pytest.approx(0.3)
        and row[13:] == pytest.approx(0)
    )


def test_a_pixel_is_shaded_at_the_centre_of_gravity_of_what_is_seen():
    pos = in_pixels([(3.25, -90), (90, 8), (3.25, 90)], scenes.ODD)
    x = np.array([3.25, 90, 3.25])[:, None]
    image = clipped.image(pos, np.array([[0, 1, 2]]), x, scenes.ODD)
    assert image[4, 3, 0] == pytest.approx(0.75 * (3.25 + 0.375))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flat_mesh", "intersection", "near_plane", "soup"])
def test_it_is_what_many_samples_see(name):
    kind = crowded.ALL[name]()
    at = kind.pos[kind.tri.reshape(-1).long()]
    faces = kinds.faces(kind)
    exact = kinds.exact_image(kind)[20:44, 20:44]
    sampled = supersample.supersample(at, faces, kind.corners, kinds.SIZE, 64)[0, 20:44, 20:44]
    assert (exact - sampled).abs().mean() < 2e-3 and (exact - sampled).abs().max() < 0.06


def test_the_derivative_of_an_area_is_the_length_of_its_side():
    pos = in_pixels([(3.3, 4.2), (25.7, 6.1), (9.4, 14.9)], scenes.ODD, w=1.3)
    entries = [(v, axis) for v in range(3) for axis in (0, 1)]
    weight = np.ones((*scenes.ODD, 3)) / 3
    (found,) = clipped.gradient(pos, np.array([[0, 1, 2]]), WHITE, scenes.ODD, [weight], entries)
    x, y = (pos[:, :2] / 1.3 + 1).T * np.array([[33], [17]]) / 2
    turn = lambda a: np.roll(a, -1) - np.roll(a, 1)  # noqa: E731
    wanted = np.stack([turn(y) * 33, -turn(x) * 17], 1) / 4 / 1.3
    # what is left is the rounding of areas over the step of a ten-thousandth of a pixel
    assert np.abs(found - wanted.ravel()).max() < 1e-8 * np.abs(wanted).max()


@pytest.mark.slow
def test_two_steps_of_different_length_agree():
    kind = crowded.ALL["polygons20_1"]()
    entries = kinds.entries_of(kind, 4)
    arguments = (
        *clipped.as_arrays(*kind[:3]),
        kinds.SIZE,
        [kinds.noise_weight()[0].numpy()],
        entries,
    )
    short, long = clipped.gradient(*arguments), clipped.gradient(*arguments, step_pix=5e-4)
    assert np.abs(short - long).max() < 1e-4 * np.abs(short).max()


def test_pieces_hold_the_points_that_nothing_hides():
    random = np.random.default_rng(0)

    def holds(f, points):
        return np.all([side(points) >= 0 for side in clipped.sides_of(f)], 0)

    for _ in range(20):
        q, *front = random.uniform(0, 10, (4, 3, 2))
        points = random.uniform(0, 10, (500, 2))
        pieces = clipped.without(q, front)
        found = sum(holds(piece, points).astype(int) for piece in pieces)
        hidden = np.any([holds(f, points) for f in front], 0)
        assert np.array_equal(found, holds(q, points) & ~hidden)  # and never twice


def test_the_parts_of_a_polygon_in_pixels_make_it_up():
    q = np.array([(2.3, 1.1), (9.7, 3.2), (8.1, 7.9), (3.0, 6.5)])
    parts = dict(clipped.cut_pixels(q))
    for x, y in zip(*clipped.whole_pixels(q)):
        assert (x, y) not in parts
        parts[x, y] = np.array([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)])
    area = sum(clipped.area_of(part) for part in parts.values())
    moment = sum(clipped.area_of(part) * clipped.center_of(part) for part in parts.values())
    assert area == pytest.approx(clipped.area_of(q))
    assert moment / area == pytest.approx(clipped.center_of(q))
    for pixel, part in parts.items():
        assert (part >= np.array(pixel) - ROUNDING).all()
        assert (part <= np.array(pixel) + 1 + ROUNDING).all()


@pytest.mark.parametrize("name", [n for n in crowded.ALL if "bunny" not in n and "5120" not in n])
def test_scenes_have_a_colour_for_each_corner_and_are_the_same_each_time(name):
    kind, again = crowded.ALL[name](), crowded.ALL[name]()
    assert kind.pos.dtype == kind.corners.dtype == torch.float32 and kind.tri.dtype == torch.int32
    assert len(kind.corners) == 3 * len(kind.tri) and kind.tri.max() < len(kind.pos)
    assert all(torch.equal(a, b) for a, b in zip(kind[:3], again[:3]))


# ---- with derivatives ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["leaving", "near_plane", "intersection", "flat_crease"])
def test_the_twin_of_fragments_has_the_derivatives_of_its_results_FD(name):
    kind = crowded.ALL[name]()
    start = kind.pos.double()
    moving = torch.zeros_like(start, requires_grad=True)
    random = torch.Generator().manual_seed(0)
    weights = [torch.randn(900, k, generator=random, dtype=torch.float64) for k in (1, 2, 2, 4)]

    def loss(move):
        found = twin.fragments(start + move, kind.tri, (4, 5))
        parts = [found.weight[:, None], *found[3:]]
        return sum((part * w[: len(part)]).sum() for part, w in zip(parts, weights))

    assert len(twin.fragments(start, kind.tri, (4, 5)).pixel) > 4
    torch.autograd.gradcheck(loss, moving, eps=1e-6, atol=1e-5, rtol=1e-5)


def test_the_twin_of_fragments_and_the_exact_image_show_the_same():
    kind, size = crowded.ALL["flat_crease"](), (9, 12)
    found = twin.fragments(kind.pos.double(), kind.tri, size)
    colors = kind.corners.double().reshape(-1, 3, 3)[found.triangle.clamp(min=0), 0]
    image = clipped.image(*clipped.as_arrays(*kind[:3]), size).reshape(-1, 3)
    sums = torch.zeros(len(image), 3).double()
    sums.index_add_(0, found.pixel, found.weight[:, None] * colors)
    shown = found.pixel.unique()
    assert np.abs(sums[shown].numpy() - image[shown.numpy()]).max() < 1e-7
