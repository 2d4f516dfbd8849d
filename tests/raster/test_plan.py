"""glrast/raster/plan.py: what OpenGL need not look at is left out, and nobody can tell from the image."""

import pytest
import torch

import glrast
from glrast.gl.registry import by_handle
from glrast.raster import plan
from glrast.raster.batch import Corners

SIZES = (0.002, 0.02, 0.2, 2.0)  # of triangles, in units of half an image
RESOLUTION = (33, 57)


def soup(size: float, seed: int, snapped: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """[2,3T,4] positions, some of them outside, behind the camera or not finite, and [T,3] indices."""
    generator = torch.Generator().manual_seed(seed)
    T = 400
    center = 2.4 * torch.rand(2, T, 1, 2, generator=generator) - 1.2
    ndc = center + size * (torch.rand(2, T, 3, 2, generator=generator) - 0.5)
    if snapped:  # to pixel centres and borders, where rounding decides
        half = torch.tensor([RESOLUTION[1], RESOLUTION[0]]) / 2
        ndc = (2 * ndc * half).round() / 2 / half
    z = 2.2 * torch.rand(2, T, 3, 1, generator=generator) - 1.1
    w = 3 * torch.rand(2, T, 3, 1, generator=generator) - 0.3
    pos = torch.cat([ndc * w, z * w, w], -1).reshape(2, 3 * T, 4)
    pos[0, 5], pos[1, 70] = torch.nan, torch.inf
    return pos, torch.arange(3 * T, dtype=torch.int32).reshape(T, 3)


@pytest.mark.parametrize("cull", ["none", "back", "front"])
@pytest.mark.parametrize("buffers", ["id", "full"])
@pytest.mark.parametrize("snapped", [False, True])
def test_images_are_those_of_all_triangles(monkeypatch, cull, buffers, snapped):
    ctx = glrast.Context("cpu", buffers=buffers)
    for seed, size in enumerate(SIZES):
        pos, tri = soup(size, seed, snapped)
        given = glrast.rasterize(ctx, pos, tri, RESOLUTION, cull=cull)
        with monkeypatch.context() as patch:
            patch.setattr(by_handle(ctx.handle).limits, "selected_bytes", -1)  # nothing is left out
            everything = glrast.rasterize(ctx, pos, tri, RESOLUTION, cull=cull)
        assert size < 0.1 or (everything[0][..., 3] > 0).any()
        assert all(torch.equal(a, b) for a, b in zip(given, everything))


def test_ranges_keep_their_numbers(monkeypatch):
    ctx = glrast.Context("cpu")
    pos, tri = soup(0.2, 7)
    ranges = [[100, 250], [0, 0], [30, 370], [399, 1]]
    given, _ = glrast.rasterize(ctx, pos[0], tri, RESOLUTION, ranges=ranges, cull="back")
    transposed = torch.tensor(ranges).T.contiguous().T
    again, _ = glrast.rasterize(ctx, pos[0], tri, RESOLUTION, ranges=transposed, cull="back")
    assert torch.equal(given, again)
    monkeypatch.setattr(by_handle(ctx.handle).limits, "selected_bytes", -1)
    everything, _ = glrast.rasterize(ctx, pos[0], tri, RESOLUTION, ranges=ranges, cull="back")
    assert (given[0, ..., 3] > 0).any() and torch.equal(given, everything)


def kept(ndc, cull: str = "none", resolution=(32, 32), w: float = 1.0) -> list[int]:
    """The numbers of the triangles with these corners [T,3,3] that OpenGL gets to see."""
    corners = torch.as_tensor(ndc, dtype=torch.float32).reshape(-1, 3)
    pos = torch.cat([corners * w, torch.full((len(corners), 1), w)], 1)[None]
    tri = torch.arange(len(corners), dtype=torch.int32).reshape(-1, 3)
    context = by_handle(glrast.Context("cpu").handle)
    batch = plan.drawable(context, pos, tri, None, *resolution, cull)
    assert isinstance(batch, Corners)
    corners = batch.corners[: int(batch.counts.sum())]
    numbers = corners.view(torch.int32)[..., 4]
    assert (numbers == numbers[:, :1]).all()
    assert torch.equal(corners[..., :4], pos[0][tri[numbers[:, 0].long()].long()])
    return numbers[:, 0].tolist()


def test_culled_triangles_are_left_out():
    counter_clockwise = [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]]
    both = [counter_clockwise, counter_clockwise[::-1]]
    assert kept(both) == [0, 1] and kept(both, "back") == [0] and kept(both, "front") == [1]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_triangles_beyond_a_plane_are_left_out(axis):
    triangle = torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]])
    for side in (-1, 1):
        moved = triangle.clone()
        moved[:, axis] += 1.6 * side
        assert kept(moved) == []


def test_triangles_between_pixel_centres_are_left_out():
    pixel = 2 / 32
    between = (
        torch.tensor([[0.0, 0, 0], [0.9, 0, 0], [0, 0.9, 0]]) * pixel
        - torch.tensor([0.45, 0.45, 0]) * pixel
    )
    touching = (
        torch.tensor([[0.0, 0, 0], [0.99, 0, 0], [0, 0.99, 0]]) * pixel
        - torch.tensor([0.495, 0.495, 0]) * pixel
    )
    assert kept(between) == [] and kept(between, w=7.0) == []
    assert kept(touching + torch.tensor([0.2, 0.2, 0]) * pixel) == [0]


def test_triangles_that_reach_behind_the_camera_are_drawn():
    assert kept([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0]], "back", w=-1.0) in (
        [],
        [0],
    )  # z = 0 > w: outside
    ctx = glrast.Context("cpu")
    pos = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0, 1], [0, 2, -1.5, -0.5]]])
    rast, _ = glrast.rasterize(ctx, pos, torch.tensor([[0, 1, 2]]), (32, 32), cull="none")
    assert (rast[..., 3] > 0).sum() > 100
