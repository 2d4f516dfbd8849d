"""glrast/mesh/normals.py"""

import math

import pytest
import torch

from glrast.clip import cube, face_normals, icosphere, vertex_normals

EPS = 1e-6  # float32, a few operations
TRIANGLE = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
ONE = torch.tensor([[0, 1, 2]], dtype=torch.int32)


def test_a_counter_clockwise_triangle_faces_the_viewer():
    assert face_normals(TRIANGLE, ONE).tolist() == [[0, 0, 1]]
    assert face_normals(TRIANGLE, ONE.flip(1)).tolist() == [[0, 0, -1]]


def test_without_unit_the_length_is_twice_the_area():
    assert face_normals(TRIANGLE, ONE, unit=False).tolist() == [[0, 0, 6]]


def test_normals_of_a_sphere_are_its_positions():
    pos, tri = icosphere(3)
    for weight in ("area", "angle"):
        normal = vertex_normals(pos, tri, weight)
        assert torch.allclose(normal, pos, atol=0.02)  # of an edge length of 0.14
        assert torch.allclose(normal.norm(dim=1), torch.ones(len(pos)), atol=EPS)


def test_angle_weights_do_not_see_how_a_cube_is_cut_and_area_weights_do():
    pos, tri = cube()
    corners = pos / math.sqrt(3)
    assert torch.allclose(vertex_normals(pos, tri, "angle"), corners, atol=EPS)
    assert not torch.allclose(vertex_normals(pos, tri, "area"), corners, atol=0.05)


def test_angle_weights_are_the_angles_of_two_triangles():
    # a floor with 30 degrees at the shared vertex 0 and a wall with 90 degrees there
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [c, s, 0], [0, 0, 1.0]])
    tri = torch.tensor([[0, 1, 2], [0, 3, 1]])  # normals +z and +y
    expected = torch.tensor([0.0, math.pi / 2, math.pi / 6])
    expected = expected / expected.norm()
    assert torch.allclose(vertex_normals(pos, tri, "angle")[0], expected, atol=EPS)


def test_area_weights_are_the_areas_of_two_triangles():
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 1.0]])
    tri = torch.tensor([[0, 1, 2], [0, 3, 1]])  # twice the areas: 2 along +z, 1 along +y
    expected = torch.tensor([0.0, 1.0, 2.0]) / math.sqrt(5)
    assert torch.allclose(vertex_normals(pos, tri)[0], expected, atol=EPS)


@pytest.mark.parametrize("weight", ["area", "angle"])
def test_gradients_are_those_of_finite_differences(weight):
    generator = torch.Generator().manual_seed(0)
    pos = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    tri = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 2, 1]])  # vertex 5 has no triangle
    assert torch.autograd.gradcheck(lambda p: vertex_normals(p, tri, weight), pos, fast_mode=True)
    assert torch.autograd.gradcheck(lambda p: face_normals(p, tri), pos, fast_mode=True)


@pytest.mark.parametrize("weight", ["area", "angle"])
def test_degenerate_triangles_and_lonely_vertices_have_normal_and_gradient_zero(weight):
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5.0]], requires_grad=True)
    tri = torch.tensor([[0, 1, 2], [1, 1, 1]])
    normal = vertex_normals(pos, tri, weight)
    assert not normal.any() and not face_normals(pos, tri).any()
    (normal.sum() + face_normals(pos, tri).sum()).backward()
    assert pos.grad is not None and not pos.grad.any()


def test_tiny_and_huge_meshes_have_unit_normals():
    pos, tri = icosphere(1)
    for scale in (1e-12, 1e12):
        assert torch.allclose(vertex_normals(pos * scale, tri), vertex_normals(pos, tri), atol=EPS)


def test_several_meshes_at_once_give_what_each_gives_alone():
    pos, tri = icosphere(1)
    several = torch.stack([pos, pos * torch.tensor([1.0, 2.0, 3.0]), -pos])
    assert face_normals(several, tri).shape == (3, 80, 3)
    for weight in ("area", "angle"):
        together = vertex_normals(several, tri, weight)
        for n in range(3):
            assert torch.allclose(together[n], vertex_normals(several[n], tri, weight), atol=EPS)


def test_gradients_are_the_same_bits_in_every_run():
    pos, tri = icosphere(4)
    weight = torch.randn(pos.shape, generator=torch.Generator().manual_seed(0))
    runs = []
    for _ in range(3):
        leaf = pos.clone().requires_grad_()
        (vertex_normals(leaf, tri) * weight).sum().backward()
        runs.append(leaf.grad)
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[0], runs[2])


def test_no_triangles_give_zero_normals():
    none = torch.zeros(0, 3, dtype=torch.int32)
    assert vertex_normals(torch.ones(5, 3), none).tolist() == [[0, 0, 0]] * 5
    assert face_normals(torch.ones(5, 3), none).shape == (0, 3)
    assert vertex_normals(torch.zeros(0, 3), none).shape == (0, 3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"vertex_normals: pos must be float \[V,3\] .* \[5,4\]"):
        vertex_normals(torch.zeros(5, 4), ONE)
    with pytest.raises(ValueError, match=r"face_normals: tri must be integer \[T,3\]; .* \[1,4\]"):
        face_normals(torch.zeros(5, 3), torch.zeros(1, 4, dtype=torch.int32))
    with pytest.raises(
        ValueError, match=r"vertex_normals: tri must hold vertex indices in \[0,3\)"
    ):
        vertex_normals(TRIANGLE, torch.tensor([[0, 1, 3]]))
    with pytest.raises(ValueError, match=r"weight must be 'area' or 'angle'; got 'volume'"):
        vertex_normals(TRIANGLE, ONE, "volume")  # type: ignore[arg-type]
