"""The visual hull of a sphere is nearly that sphere; masks that fit nothing say so."""

import pytest
import torch

from glrast.clip import is_closed, is_manifold, perspective
from glrast.fit.hull import hull_distance, mask_distance, visual_hull
from tests.fit.sphere import CENTRE, RADIUS, sphere_views

# Twelve cones around a sphere leave corners outside of it: measured 6 % at most. Inside, the
# masks of 65 pixels (4.6 % of the radius each) decide: half a pixel.
OUTSIDE, INSIDE = 0.08, 0.025


def hull_of(views):
    return visual_hull(views.rgba[..., 3].float() / 255, views.world_to_clip, views.names)


@pytest.mark.slow
def test_the_hull_of_a_sphere_is_the_sphere():
    pos, tri = hull_of(sphere_views(12, 65, 65))
    radius = (pos - torch.tensor(CENTRE)).norm(dim=1) / RADIUS
    assert 1 - INSIDE < float(radius.min()) and float(radius.max()) < 1 + OUTSIDE
    assert is_closed(tri) and is_manifold(tri)
    corner = pos[tri.long()]
    volume = torch.linalg.det(corner - torch.tensor(CENTRE)).sum() / 6
    assert float(volume) == pytest.approx(4 / 3 * torch.pi * RADIUS**3, rel=0.05)


def test_mask_distance_is_measured_from_the_outline():
    alpha = torch.zeros(1, 8, 8)
    alpha[0, :, :4] = 1.0
    distance = mask_distance(alpha)[0, 3] * 8
    assert distance.tolist() == [3.5, 2.5, 1.5, 0.5, -0.5, -1.5, -2.5, -3.5]


def test_hull_distance_is_in_world_units_at_the_depth_of_the_point():
    # Two cameras at the origin look along -z; the left half of their masks is object.
    alpha = torch.zeros(2, 64, 64)
    alpha[:, :, :32] = 1.0
    matrix = perspective(1.0, 1.0, 0.1, 10.0).double().expand(2, 4, 4)
    points = torch.tensor([[-0.1, 0.0, -1.0], [-0.2, 0.1, -2.0], [0.2, 0.0, -2.0]]).double()
    found = hull_distance(mask_distance(alpha), matrix, points)
    assert found.tolist() == pytest.approx([0.1, 0.2, -0.2], rel=1e-3)


def test_a_cut_mask_says_nothing_about_points_outside_its_image():
    views = sphere_views(12)
    distance = mask_distance(views.rgba[..., 3].float() / 255)
    cut = distance.clone()
    cut[0] = 1.0  # the first view sees object everywhere
    matrix = views.world_to_clip.clone()
    matrix[0, 0, :] += 5.0 * matrix[0, 3, :]  # and looks elsewhere: x_ndc moved by 5
    centre = torch.tensor([CENTRE]).double()
    assert float(hull_distance(cut, matrix, centre)) == pytest.approx(
        float(hull_distance(distance[1:], matrix[1:], centre))
    )


def test_a_point_that_one_view_alone_sees_is_outside():
    alpha = torch.ones(2, 16, 16)
    matrix = perspective(1.0, 1.0, 0.1, 10.0).double().repeat(2, 1, 1)
    matrix[1, 0, :] += 5.0 * matrix[1, 3, :]
    assert float(hull_distance(mask_distance(alpha), matrix, torch.tensor([[0.0, 0, -1]]))) < 0


def test_behind_a_camera_that_sees_the_whole_object_there_is_nothing():
    alpha = torch.zeros(2, 16, 16)
    alpha[:, 6:10, 6:10] = 1.0
    matrix = perspective(1.0, 1.0, 0.1, 10.0).double().expand(2, 4, 4)
    points = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    front, behind = hull_distance(mask_distance(alpha), matrix, points).tolist()
    assert front > 0 > behind


def test_cameras_that_look_away_are_named():
    views = sphere_views(6)
    turned = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).double()  # OpenCV's axes
    views.world_to_camera[:] = turned @ views.world_to_camera
    message = (
        r"behind the camera of view_0, view_1, view_2 and 3 more.*negate the second and the third"
    )
    with pytest.raises(ValueError, match=message):
        hull_of(views)


def test_masks_without_a_common_volume_are_refused():
    views = sphere_views(12)
    # The same spot on the left of every image: the lines of sight pass each other.
    views.rgba[...] = 0
    views.rgba[:, 14:19, 2:6] = 255
    with pytest.raises(ValueError, match=r"no volume in common.*transform_matrix"):
        hull_of(views)


@pytest.mark.slow
def test_specks_in_the_masks_leave_no_crumbs():
    views = sphere_views(12)
    # A point above the sphere, seen by all cameras as nine covered pixels.
    point = torch.tensor([*CENTRE[:2], CENTRE[2] + 1.4 * RADIUS, 1.0]).double()
    clip = views.world_to_clip @ point
    column, row = ((clip[:, :2] / clip[:, 3:] + 1) / 2 * 33).long().unbind(1)
    for image, x, y in zip(views.rgba, column, row):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    pos, _ = hull_of(views)
    assert float((pos - torch.tensor(CENTRE)).norm(dim=1).max()) < (1 + OUTSIDE) * RADIUS * 1.1
