"""glrast/mesh/shapes.py: counts, sizes and orientation of the simple meshes."""

import math

import pytest
import torch

from glrast.clip import (
    cube,
    face_normals,
    grid,
    icosphere,
    is_closed,
    is_manifold,
    is_oriented,
    torus,
)
from tests.mesh.measures import area, volume

EPS = 1e-5  # float32 sums over a few thousand triangles
CLOSED = [icosphere(0), icosphere(3), cube(), torus(), torus(3, 5, 2.0, 0.5)]


@pytest.mark.parametrize("pos, tri", CLOSED)
def test_closed_shapes_are_closed_oriented_manifolds_with_positive_volume(pos, tri):
    assert is_closed(tri) and is_manifold(tri) and is_oriented(tri)
    assert volume(pos, tri) > 0  # counter-clockwise from outside
    assert pos.dtype == torch.float32 and tri.dtype == torch.int32
    assert sorted(set(tri.reshape(-1).tolist())) == list(range(len(pos)))


def test_an_icosphere_has_twenty_times_four_to_the_level_triangles_on_the_unit_sphere():
    for level in range(5):
        pos, tri = icosphere(level)
        assert len(tri) == 20 * 4**level and len(pos) == len(tri) / 2 + 2
        assert torch.allclose(pos.norm(dim=1), torch.ones(len(pos)), atol=1e-6)
        outward = (face_normals(pos, tri) * pos[tri.long()].mean(1)).sum(1)
        assert float(outward.min()) > 0.7  # an icosahedron's face is 0.79 from its centre


def test_an_icosphere_comes_near_to_the_volume_and_area_of_the_sphere():
    pos, tri = icosphere(4)
    assert volume(pos, tri) == pytest.approx(4 / 3 * math.pi, rel=3e-3)
    assert area(pos, tri) == pytest.approx(4 * math.pi, rel=2e-3)


@pytest.mark.slow
def test_an_icosphere_of_327680_triangles_has_the_promised_size():
    pos, tri = icosphere(7)
    assert len(tri) == 327_680 and len(pos) == 163_842


def test_the_cube_has_volume_eight_and_area_twenty_four():
    pos, tri = cube()
    assert len(pos) == 8 and len(tri) == 12
    assert volume(pos, tri) == pytest.approx(8) and area(pos, tri) == pytest.approx(24)


def test_a_grid_is_a_square_that_faces_the_viewer():
    pos, tri = grid(3, 5)
    assert len(pos) == 24 and len(tri) == 30
    assert area(pos, tri) == pytest.approx(4)
    assert torch.allclose(face_normals(pos, tri), torch.tensor([0.0, 0.0, 1.0]))
    assert pos[0].tolist() == [-1, -1, 0] and pos[5].tolist() == [1, -1, 0]
    assert is_manifold(tri) and not is_closed(tri)


def test_a_torus_has_pappus_volume():
    pos, tri = torus(90, 90, 1.0, 0.4)
    assert volume(pos, tri) == pytest.approx(2 * math.pi**2 * 0.4**2, rel=5e-3)
    ring = (pos[:, :2].norm(dim=1) - 1.0).square() + pos[:, 2].square()
    assert torch.allclose(ring, torch.full_like(ring, 0.16), atol=EPS)


def test_impossible_sizes_are_named():
    with pytest.raises(
        ValueError, match=r"icosphere: level must be a whole number from 0 to 10; got 11"
    ):
        icosphere(11)
    with pytest.raises(ValueError, match=r"icosphere: level must be a whole number.* got 2.0"):
        icosphere(2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"grid: cols must be a whole number from 1; got 0"):
        grid(1, 0)
    with pytest.raises(ValueError, match=r"torus: rows must be a whole number from 3; got 2"):
        torus(2, 5)
    with pytest.raises(
        ValueError, match=r"torus: tube and radius must satisfy .* got tube=2, radius=1"
    ):
        torus(5, 5, 1, 2)
