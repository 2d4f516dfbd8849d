"""glrast/mesh/topology.py"""

import pytest
import torch

from glrast.clip import (
    connected_components,
    cube,
    edge_lengths,
    edges,
    grid,
    icosphere,
    is_closed,
    is_manifold,
    is_oriented,
    laplacian,
    remove_small_components,
    torus,
)
from tests.mesh.measures import euler

NONE = torch.zeros(0, 3, dtype=torch.int32)


def two_tetrahedra(shared):
    """Two tetrahedra that share their first `shared` vertices."""
    one = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    return torch.cat([one, torch.where(one < shared, one, one + 4)])


def test_edges_are_each_once_with_the_lower_index_first_and_sorted():
    tri = torch.tensor([[2, 0, 1], [1, 3, 2]], dtype=torch.int32)
    assert edges(tri).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert edges(tri).dtype == torch.int64


def test_euler_characteristics_are_those_of_the_textbook():
    assert euler(icosphere(2)[1]) == 2
    assert euler(cube()[1]) == 2
    assert euler(torus()[1]) == 0
    assert euler(grid(3, 5)[1]) == 1


def test_edge_lengths_of_a_cube_are_two_and_its_diagonals():
    length = edge_lengths(*cube())
    assert int((length == 2).sum()) == 12
    assert int(torch.isclose(length, torch.tensor(8.0).sqrt()).sum()) == 6 == len(length) - 12


def test_edge_lengths_have_gradients_also_of_length_zero():
    pos = torch.tensor([[0, 0, 0], [3, 0, 0], [0, 0, 0.0]], requires_grad=True)
    edge_lengths(pos, torch.tensor([[0, 1, 2]])).sum().backward()
    assert pos.grad is not None
    assert pos.grad.tolist() == [[-1, 0, 0], [2, 0, 0], [-1, 0, 0]]


def test_a_mesh_with_a_missing_triangle_is_manifold_but_not_closed():
    tri = icosphere(1)[1]
    assert is_closed(tri) and is_manifold(tri) and is_oriented(tri)
    assert not is_closed(tri[1:]) and is_manifold(tri[1:]) and is_oriented(tri[1:])


def test_a_turned_triangle_spoils_only_the_orientation():
    tri = icosphere(1)[1].clone()
    tri[3] = tri[3].flip(0)
    assert is_closed(tri) and is_manifold(tri) and not is_oriented(tri)


def test_three_triangles_on_an_edge_are_neither_closed_nor_manifold():
    fin = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    assert not is_manifold(fin) and not is_closed(fin)
    tri = icosphere(1)[1]
    assert not is_closed(torch.cat([tri, tri]))  # four triangles on every edge


def test_two_fans_at_one_vertex_are_closed_but_not_manifold():
    assert is_closed(two_tetrahedra(0)) and is_manifold(two_tetrahedra(0))
    assert is_closed(two_tetrahedra(1)) and not is_manifold(two_tetrahedra(1))
    open_fans = torch.tensor([[0, 1, 2], [0, 3, 4]])
    assert not is_manifold(open_fans) and not is_closed(open_fans)


def test_a_degenerate_triangle_is_not_manifold():
    assert not is_manifold(torch.tensor([[0, 1, 1]]))


def test_the_laplacian_has_degrees_on_its_diagonal_and_minus_one_for_edges():
    pos, tri = icosphere(1)
    V = len(pos)
    dense = laplacian(tri, V + 2).to_dense()
    expected = torch.zeros(V + 2, V + 2)
    for a, b in edges(tri).tolist():
        expected[a, b] = expected[b, a] = -1
        expected[a, a] += 1
        expected[b, b] += 1
    assert torch.equal(dense, expected)
    assert not dense[V:].any() and not dense.sum(1).any()


def test_the_laplacian_is_coalesced_and_multiplies():
    tri = torus(5, 7)[1]
    matrix = laplacian(tri, 35)
    assert matrix.is_coalesced() and matrix.dtype == torch.float32
    index = matrix.indices()
    assert (index[0] * 35 + index[1]).diff().min() > 0
    again = torch.sparse_coo_tensor(index, matrix.values(), (35, 35), check_invariants=True)
    x = torch.randn(35, 3)
    assert torch.allclose(matrix @ x, again.to_dense() @ x, atol=1e-5)
    assert torch.linalg.eigvalsh(matrix.to_dense().double()).min() > -1e-6


def test_pieces_are_numbered_by_their_first_vertices():
    tri = torch.tensor([[5, 6, 7], [1, 0, 3], [7, 8, 5]])
    assert connected_components(tri, 10).tolist() == [0, 0, 1, 0, 2, 3, 3, 3, 3, 4]


def test_a_long_chain_is_one_piece():
    n = 501
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    chain = torch.stack([order[:-2], order[1:-1], order[2:]], 1)
    assert connected_components(chain, n).tolist() == [0] * n


def test_crumbs_are_removed_and_attributes_can_follow():
    pos, tri = icosphere(1)
    crumb, four = cube()
    both = torch.cat([crumb + 5, pos, torch.zeros(1, 3)])
    faces = torch.cat([four[:7], tri + 8])
    kept, kept_tri, index = remove_small_components(both, faces, 0.1)
    assert torch.equal(kept, pos) and torch.equal(kept_tri, tri)
    assert torch.equal(both[index], kept)
    kept, kept_tri, _ = remove_small_components(both, faces, 0.05)
    assert len(kept_tri) == 87 and len(kept) == 50  # all but the vertex of no triangle


def test_no_triangles_are_closed_manifold_and_empty():
    assert edges(NONE).shape == (0, 2)
    assert is_closed(NONE) and is_manifold(NONE) and is_oriented(NONE)
    assert laplacian(NONE, 4).to_dense().tolist() == [[0.0] * 4] * 4
    assert connected_components(NONE, 3).tolist() == [0, 1, 2]
    assert edge_lengths(torch.zeros(4, 3), NONE).shape == (0,)
    pos, tri, index = remove_small_components(torch.zeros(4, 3), NONE)
    assert pos.shape == (0, 3) and tri.shape == (0, 3) and index.shape == (0,)


def test_wrong_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"glrast.clip.edges: tri must be \[T,3\]; got \[4\]: split"
    ):
        edges(torch.zeros(4, dtype=torch.int32))
    with pytest.raises(TypeError, match=r"is_closed: tri must hold integers; got torch.float32"):
        is_closed(torch.zeros(4, 3))
    with pytest.raises(
        ValueError, match=r"laplacian: tri must hold vertex indices in \[0,2\); got 0 to 2"
    ):
        laplacian(torch.tensor([[0, 1, 2]]), 2)
    with pytest.raises(
        ValueError, match=r"edges: tri must hold vertex indices 0 or more; got -1 to 2"
    ):
        edges(torch.tensor([[0, -1, 2]]))
    with pytest.raises(ValueError, match=r"edge_lengths: pos must be \[V,3\]; got \[3,4\]"):
        edge_lengths(torch.zeros(3, 4), torch.tensor([[0, 1, 2]]))
    with pytest.raises(
        ValueError, match=r"remove_small_components: fraction must be in \[0,1\]; got 5"
    ):
        remove_small_components(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), 5)
