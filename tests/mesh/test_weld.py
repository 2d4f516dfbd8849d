"""glrast/mesh/weld.py"""

import pytest
import torch

from glrast.clip import icosphere, is_closed, weld


def soup(pos, tri):
    """Every triangle with three vertices of its own."""
    return pos[tri.long()].reshape(-1, 3), torch.arange(tri.numel()).reshape(-1, 3)


def test_a_soup_of_triangles_becomes_the_mesh_it_was_cut_from():
    pos, tri = icosphere(2)
    loose, loose_tri = soup(pos, tri)
    assert not is_closed(loose_tri)
    welded, faces, index = weld(loose, loose_tri)
    assert is_closed(faces) and len(welded) == len(pos)
    assert torch.equal(welded[faces.long()], pos[tri.long()])
    assert torch.equal(welded, loose[index]) and faces.dtype == torch.int32


def test_a_welded_mesh_stays_as_it_is():
    pos, tri = icosphere(1)
    welded, faces, index = weld(pos, tri)
    assert torch.equal(welded, pos) and torch.equal(faces, tri)
    assert index.tolist() == list(range(len(pos)))


def test_the_first_of_equal_vertices_stands_for_them():
    pos = torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 0], [-0.0, 0, -0.0], [1, 0, 0.0]])
    welded, faces, index = weld(pos, torch.tensor([[4, 2, 3], [0, 1, 2]]))
    assert index.tolist() == [0, 1, 2] and torch.equal(welded, pos[:3])
    assert faces.tolist() == [[0, 2, 1], [0, 1, 2]]


def test_noise_needs_a_tolerance():
    pos, tri = icosphere(2)
    loose, loose_tri = soup(pos, tri)
    noise = torch.rand(loose.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    noisy = loose + 1e-5 * noise
    assert not is_closed(weld(noisy, loose_tri)[1])
    welded, faces, index = weld(noisy, loose_tri, 2e-5)
    assert is_closed(faces) and len(welded) == len(pos) and len(faces) == len(tri)
    assert torch.equal(welded, noisy[index])


def test_the_tolerance_is_a_distance_in_every_direction():
    offsets = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 1], [-0.7, 0.7, 0], [0.5, -0.5, 0.5]])
    for offset in offsets:
        for shift in (0.0, 0.3, 0.99):  # wherever the cells' borders lie
            length = float(offset.norm())
            pos = torch.stack([torch.full((3,), shift), offset + shift, torch.full((3,), 50.0)])
            tri = torch.tensor([[0, 1, 2]])
            assert len(weld(pos, tri, length * 1.001)[0]) == 2
            assert len(weld(pos, tri, length * 0.999)[0]) == 3


def test_triangles_that_lost_a_corner_go_or_stay_as_asked():
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    tri = torch.tensor([[0, 1, 2], [0, 1, 3]])
    assert weld(pos, tri)[1].tolist() == [[0, 1, 2]]
    assert weld(pos, tri, keep_collapsed=True)[1].tolist() == [[0, 1, 1], [0, 1, 2]]


def test_gradients_reach_the_positions_that_were_kept():
    pos = torch.zeros(3, 3, requires_grad=True)
    weld(pos, torch.tensor([[0, 1, 2]]))[0].sum().backward()
    assert pos.grad is not None and pos.grad.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_nothing_welds_to_nothing(tolerance):
    pos, tri, index = weld(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32), tolerance)
    assert pos.shape == (0, 3) and tri.shape == (0, 3) and index.shape == (0,)


def test_wrong_arguments_are_named():
    pos, tri = icosphere(0)
    with pytest.raises(
        ValueError, match=r"weld: tolerance must be a distance of 0 or more; got -1"
    ):
        weld(pos, tri, -1)
    with pytest.raises(
        ValueError, match=r"weld: tri must hold vertex indices in \[0,12\); got 0 to 12"
    ):
        weld(pos, tri + (tri == 11))
    with pytest.raises(ValueError, match=r"weld: tolerance must be far below .* divide it by 10"):
        weld(torch.rand(8000, 3), tri, 10.0)
