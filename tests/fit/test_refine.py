"""Splitting edges keeps the surface and puts vertices where the colour changes."""

import pytest
import torch

from glrast.clip import edges, icosphere, is_closed, is_manifold, is_oriented
from glrast.fit.refine import COLOR_STEP, refine


def test_each_number_of_split_edges_keeps_the_area_and_the_sense_of_rotation():
    pos = torch.tensor([[0.0, 0, 0], [4, 0, 0], [1, 3, 0]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    # Corner colours: none, one and two corners apart from the rest; three all apart.
    for corners, triangles in (([0, 0, 0], 1), ([0, 1, 0], 3), ([0, 1, 2], 4)):
        color = torch.tensor(corners).float()[:, None].expand(3, 3)
        new_pos, new_tri, _ = refine(pos, tri, color, shortest=0.0)
        a, b, c = new_pos[new_tri.long()].unbind(1)
        area = torch.linalg.cross(b - a, c - a)[:, 2] / 2
        assert len(new_tri) == triangles and bool((area > 0.5).all())
        assert float(area.sum()) == pytest.approx(6.0)


def test_two_triangles_are_made_of_one_with_a_single_split_edge():
    pos = torch.tensor([[0.0, 0, 0], [4, 0, 0], [1, 1, 0]])
    color = torch.tensor([[0.0], [1.0], [0.5]]).expand(3, 3)
    # Only the edge of length 4 is long enough.
    new_pos, new_tri, new_color = refine(pos, torch.tensor([[0, 1, 2]]).int(), color, shortest=3.5)
    assert new_tri.tolist() == [[2, 0, 3], [2, 3, 1]]
    assert new_pos[3].tolist() == [2, 0, 0] and new_color[3].tolist() == [0.5, 0.5, 0.5]


def test_a_closed_surface_stays_closed_and_only_borders_are_split():
    pos, tri = icosphere(2)
    color = (pos[:, 2:] > 0.3).float().expand(-1, 3)
    crossing = int((color[edges(tri)].diff(dim=1).abs().sum(dim=(1, 2)) > COLOR_STEP).sum())
    assert crossing > 20
    new_pos, new_tri, new_color = refine(pos, tri, color, shortest=0.0)
    assert is_closed(new_tri) and is_manifold(new_tri) and is_oriented(new_tri)
    assert len(new_pos) == len(pos) + crossing == len(new_color)
    assert torch.equal(new_pos[: len(pos)], pos)


def test_nothing_is_split_without_a_border_or_below_the_shortest_length():
    pos, tri = icosphere(1)
    plain, striped = torch.zeros(len(pos), 3), (pos[:, :1] > 0).float().expand(-1, 3)
    for color, shortest in ((plain, 0.0), (striped, 10.0)):
        new_pos, new_tri, new_color = refine(pos, tri, color, shortest)
        assert torch.equal(new_pos, pos) and torch.equal(new_color, color)
        assert new_tri.tolist() == tri.tolist()
