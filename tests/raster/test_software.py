"""glrast/raster/software.py: how draws are cut and submitted, there and on a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glrast.gl.limits import Limits
from glrast.raster import software
from glrast.raster.batch import BLOCK, Corners, Draws, Indexed

GPU = Limits(
    size=1 << 15,
    layers=2048,
    layered_vertex=True,
    culls_non_finite=True,
    largest_plain=1 << 15,
    submission_triangles=None,
)
LLVMPIPE = replace(GPU, culls_non_finite=False, submission_triangles=8)


def indexed(*counts: int) -> Indexed:
    """An image for each number of triangles, one region after the other."""
    images = np.zeros((len(counts), 4), np.int64)
    images[:, 3] = counts
    images[:, 2] = np.cumsum(counts) - counts
    indices = torch.zeros((1, max(1, sum(counts)), 3), dtype=torch.int32, device="cpu")
    return Indexed(torch.zeros((1, 4), device="cpu"), indices, images, "none")


def test_pieces_cover_each_draw_once_and_in_order():
    draws = Draws(np.arange(4), np.array([10, 0, 3, 40]), np.array([20, 0, 8, 1]))
    pieces = software.cut(draws, 8)
    assert pieces.first.tolist() == [10, 18, 26, 0, 3, 40]
    assert pieces.count.tolist() == [8, 8, 4, 0, 8, 1]
    assert pieces.image.tolist() == [0, 0, 0, 1, 2, 3]
    assert software.cut(draws, 20) is draws


def test_a_gpu_gets_everything_in_one_submission():
    planned = software.plan(indexed(20, 0, 30_000), slice(0, 3), GPU)
    assert planned.draws.count.tolist() == [20, 0, 30_000]
    assert planned.together == [(0, 3)] and not planned.flush


@pytest.mark.parametrize("chunk", [slice(0, 4), slice(1, 3)])
def test_llvmpipe_gets_submissions_of_a_few_triangles_that_hold_each_draw_once(chunk):
    batch = indexed(20, 3, 4, 9)
    planned = software.plan(batch, chunk, LLVMPIPE)
    assert planned.flush and planned.draws.count.max() <= 8
    ends = [0, *(end for _, end in planned.together)]
    assert planned.together == list(zip(ends[:-1], ends[1:])) and ends[-1] == len(planned.draws)
    for begin, end in planned.together:
        assert planned.draws.count[begin:end].sum() < 2 * 8  # most, and what reaches over it
    for image, (_, _, first, count) in enumerate(batch.images[chunk]):
        of_image = planned.draws.image == image
        drawn = [
            range(f, f + c)
            for f, c in zip(planned.draws.first[of_image], planned.draws.count[of_image])
        ]
        assert [t for part in drawn for t in part] == list(range(first, first + count))


def test_a_driver_that_cannot_choose_the_layer_gets_one_draw_at_a_time():
    planned = software.plan(indexed(5, 6), slice(0, 2), replace(GPU, layered_vertex=False))
    assert planned.together == [(0, 1), (1, 2)] and not planned.flush


def test_of_corners_only_blocks_with_triangles_are_drawn():
    corners = torch.zeros((1, 3, 5), device="cpu")
    counts = np.array([[0, 3], [0, 0], [BLOCK, 1]], np.int32)
    batch = Corners(corners, np.array([0, 2 * BLOCK, 4 * BLOCK]), counts, "none")
    limits = replace(LLVMPIPE, submission_triangles=BLOCK)
    planned = software.plan(batch, slice(0, 3), limits)
    assert planned.draws.image.tolist() == [0, 2, 2]
    assert planned.draws.first.tolist() == [BLOCK, 4 * BLOCK, 5 * BLOCK]
    assert planned.draws.count.tolist() == [3, BLOCK, 1]
    assert software.plan(batch, slice(1, 2), limits).together == []
