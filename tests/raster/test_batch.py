"""glrast/raster/batch.py: the draw commands of the three forms, and what the vertex stage is told of each."""

import numpy as np
import torch

from glrast.raster.batch import BLOCK, Corners, Draws, Indexed, Pieces, Window

NOTHING = torch.zeros((2, 3, 10), dtype=torch.int32, device="cpu")
# image, first triangle, number of triangles: the second image twice
DRAWS = Draws(np.array([0, 1, 1]), np.array([5, 0, 8]), np.array([2, 8, 1]))


def test_indexed_triangles_name_their_set_their_vertices_and_their_number():
    indices = torch.zeros((3, 100, 3), dtype=torch.int32, device="cpu")
    images = np.array([[9, 9, 9, 9], [0, 7, 5, 2], [2, 70, 0, 9]])  # the first is of another chunk
    batch = Indexed(torch.zeros((4, 4), device="cpu"), indices, images, "none")
    commands, told = batch.commands(slice(1, 3), DRAWS, "id")
    # count, instances, first index, base vertex, base instance
    assert commands.tolist() == [[6, 1, 15, 7, 0], [24, 1, 600, 70, 1], [3, 1, 624, 70, 2]]
    assert told.tolist() == [[0, 5, 7], [1, 0, 70], [1, 8, 70]]  # layer, first triangle, vertex
    commands, told = batch.commands(slice(1, 3), DRAWS, "full")
    # count, instances, first vertex, base instance
    assert commands.tolist() == [[6, 1, 15, 0, 0], [24, 1, 600, 1, 0], [3, 1, 624, 2, 0]]
    assert told.tolist() == [[0, 0, 7], [1, 200, 70], [1, 200, 70]]  # triangles of the sets before


def test_corners_are_drawn_where_they_lie():
    batch = Corners(NOTHING.float(), np.array([0]), np.array([[BLOCK]]), "none")
    commands, told = batch.commands(slice(0, 1), DRAWS, "id")
    assert commands.tolist() == [[6, 1, 15, 0, 0], [24, 1, 0, 1, 0], [3, 1, 24, 2, 0]]
    assert told[:, 0].tolist() == [0, 1, 1]


def test_pieces_come_with_their_window():
    window = Window((3, 4), (8195, 8196), (-3, -4, 1 << 14, 1 << 14))
    batch = Pieces(NOTHING, np.array([[0, 1], [1, 1]]), window)
    commands, told = batch.commands(slice(0, 2), DRAWS, "id")
    assert commands[:, :4].tolist() == [[6, 1, 15, 0], [24, 1, 0, 1], [3, 1, 24, 2]]
    assert told[:, 0].tolist() == [0, 1, 1]
    assert told[:, 3:].tolist() == [[3, 4, 8195, 8196]] * 3


def test_parts_of_pieces_hold_each_piece_of_each_image_once():
    images = np.array([[0, 3], [3, 0], [3, 6]])
    pieces = torch.arange(9, dtype=torch.int32, device="cpu")[:, None, None].expand(9, 3, 10)
    batch = Pieces(pieces, images, Window((0, 0), (0, 0), (0, 0, 1, 1)))
    assert batch.parts(9) == [batch]
    shown: list[list[int]] = [[], [], []]
    for part in batch.parts(4):
        assert len(part.pieces) <= 4
        for image, (first, count) in enumerate(part.images.tolist()):
            shown[image] += part.pieces[first : first + count, 0, 0].tolist()
    assert shown == [[0, 1, 2], [], [3, 4, 5, 6, 7, 8]]
