"""glrast/mesh/subdivide.py"""

import math

import pytest
import torch

from glrast.clip import (
    cube,
    edges,
    face_normals,
    grid,
    icosphere,
    is_closed,
    is_manifold,
    is_oriented,
    subdivide,
    subdivide_loop,
    torus,
)
from tests.mesh.measures import area


def test_midpoints_leave_the_surface_where_it_is():
    pos, tri = cube()
    fine, faces = subdivide(pos, tri)
    assert len(faces) == 48 and len(fine) == 8 + 18
    assert area(fine, faces) == pytest.approx(24)
    assert torch.equal(fine[:8], pos)
    assert torch.equal(fine[8:], pos[edges(tri)].mean(1))


def test_children_lie_in_their_parent_facing_the_same_way():
    pos, tri = icosphere(1)
    fine, faces = subdivide(pos, tri)
    parent = face_normals(pos, tri, unit=False).repeat_interleave(4, 0)
    assert torch.allclose(face_normals(fine, faces, unit=False), parent / 4, atol=1e-6)
    assert torch.equal(faces[0::4, 0], tri[:, 0])  # child 0 is at corner 0
    assert torch.allclose(fine[faces[3::4].long()].mean(1), pos[tri.long()].mean(1), atol=1e-6)


@pytest.mark.parametrize("split", [subdivide, subdivide_loop])
@pytest.mark.parametrize("shape", [cube(), torus(3, 5), grid(3, 2)])
def test_topology_is_kept(split, shape):
    pos, tri = shape
    _, faces = split(pos, tri)
    assert is_closed(faces) == is_closed(tri)
    assert is_manifold(faces) and is_oriented(faces) and faces.dtype == torch.int32


def test_attributes_are_halfway_at_midpoints():
    pos, tri = cube()
    color = torch.rand(8, 3)
    fine, _, fine_color, fine_pos = subdivide(pos, tri, color, pos)
    assert torch.equal(fine_pos, fine)
    assert torch.allclose(fine_color[8:], color[edges(tri)].mean(1))


def test_loop_edge_and_vertex_points_have_loops_weights():
    # an octahedron: every vertex has 4 neighbours, beta = (5/8 - (3/8 + cos(90 deg)/4)^2)/4
    pos = torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    tri = torch.tensor(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    fine, _ = subdivide_loop(pos, tri)
    beta = (5 / 8 - (3 / 8) ** 2) / 4
    # the neighbours of a vertex add up to 0
    assert torch.allclose(fine[:6], pos * (1 - 4 * beta), atol=1e-6)
    edge = edges(tri).tolist().index([0, 2])
    expected = 3 / 8 * (pos[0] + pos[2]) + 1 / 8 * (pos[4] + pos[5])
    assert torch.allclose(fine[6 + edge], expected, atol=1e-6)


def test_loop_vertex_points_depend_on_the_number_of_neighbours():
    # a tetrahedron: n = 3, beta = (5/8 - (3/8 - 1/8)^2)/3 = 3/16; the others add up to -p
    pos = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    tri = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    fine, _ = subdivide_loop(pos, tri)
    assert torch.allclose(fine[:4], pos * (1 - 3 * 3 / 16 - 3 / 16), atol=1e-6)


def test_loop_leaves_a_regular_flat_grid_flat_and_its_inside_in_place():
    pos, tri = grid(4, 4)
    fine, _ = subdivide_loop(pos, tri)
    assert not fine[:, 2].any()
    inner = (pos[:, :2].abs() < 0.9).all(1)
    assert torch.allclose(fine[: len(pos)][inner], pos[inner], atol=1e-6)


def test_loop_makes_the_border_a_cubic_spline():
    pos, tri = grid(1, 4)
    fine, _ = subdivide_loop(pos, tri)
    assert torch.allclose(fine[2], pos[2], atol=1e-6)  # on a straight run
    expected = 0.75 * pos[0] + 0.125 * (pos[1] + pos[5])  # round the corner
    assert torch.allclose(fine[0], expected, atol=1e-6)


def test_loop_brings_a_coarse_sphere_nearer_to_a_sphere():
    pos, tri = icosphere(1)
    for _ in range(2):
        pos, tri = subdivide_loop(pos, tri)
    radius = pos.norm(dim=1)
    assert float(radius.std() / radius.mean()) < 5e-3  # the midpoints of icosphere(1): 0.02


@pytest.mark.parametrize("split", [subdivide, subdivide_loop])
def test_gradients_are_those_of_the_linear_map(split):
    pos = torch.rand(9, 3, dtype=torch.float64, requires_grad=True)
    tri = torch.tensor([[0, 1, 2], [2, 1, 3], [3, 4, 2], [5, 6, 7]])  # vertex 8 has none
    assert torch.autograd.gradcheck(lambda p: split(p, tri)[0], pos)


def test_a_vertex_of_no_triangle_stays():
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [math.pi, 3, 1]])
    for split in (subdivide, subdivide_loop):
        assert torch.equal(split(pos, torch.tensor([[0, 1, 2]]))[0][3], pos[3])


def test_no_triangles_stay_none():
    none = torch.zeros(0, 3, dtype=torch.int32)
    for split in (subdivide, subdivide_loop):
        pos, tri = split(torch.ones(2, 3), none)
        assert pos.tolist() == [[1, 1, 1]] * 2 and tri.shape == (0, 3)


def test_wrong_arguments_are_named():
    pos, tri = cube()
    with pytest.raises(
        ValueError, match=r"subdivide: attrs\[1\] must be float \[V,A\] with V=8 .*\[7,2\]"
    ):
        subdivide(pos, tri, pos, torch.zeros(7, 2))
    with pytest.raises(
        ValueError, match=r"subdivide_loop: tri must hold vertex indices in \[0,7\)"
    ):
        subdivide_loop(pos[:7], tri)
