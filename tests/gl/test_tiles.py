"""tiles: an image drawn in tiles is the image drawn at once; images beyond the driver's limit are drawn."""

import pytest
import torch

import glrast
from glrast.gl import tiles
from tests import scenes
from tests.scenes import ODD

# Depth of a steep sliver is rounded differently in a tile, whose window coordinates are smaller. Measured on closed
# meshes of up to 82k triangles inside images of 512 to 8192 pixels: at most 1.5e-4 of the pixels show the other of two
# surfaces, whose depths then differ by less than 4e-4.
_PIXELS_AT_DEPTH_TIES, _DEPTH_TIE = 5e-4, 1e-3


@pytest.fixture
def limit(gl, monkeypatch):
    """Sets the driver's largest texture to a few pixels, so that small images need tiles of half that."""
    return lambda extent: monkeypatch.setitem(gl.limits, "size", extent)


@pytest.mark.parametrize("size, extent", [(ODD, 16), (ODD, 5), ((64, 100), 99), ((100, 7), 34)])
def test_one_layer_of_triangles_is_the_same_in_tiles_to_the_last_bit(context, limit, size, extent):
    pos, tri = (t.to(context.device) for t in crumpled_sheet(12))
    wanted = everything(glrast.Context(context.device, buffers="id"), pos, tri, size)
    limit(extent)
    for w, f in zip(wanted, everything(context, pos, tri, size), strict=True):
        assert torch.equal(f, w)


@pytest.mark.slow
@pytest.mark.parametrize("size, extent", [((777, 500), 128), ((1000, 1000), 400)])
def test_many_small_triangles_are_the_same_in_tiles(context, limit, size, extent):
    pos, tri = (t.to(context.device) for t in crumpled_sheet(200))
    id_context = glrast.Context(context.device, buffers="id")
    wanted, _ = glrast.rasterize(id_context, pos, tri, size)
    limit(extent)
    assert torch.equal(glrast.rasterize(id_context, pos, tri, size)[0], wanted)


def test_positions_left_to_the_viewport_would_not_be_the_same(context, limit, monkeypatch):
    """The claim that steadying the vertices is needed: without it, tiles disagree with the image."""
    id_context = glrast.Context(context.device, buffers="id")
    pos, tri = (t.to(context.device) for t in crumpled_sheet(100))
    size = (10, 16000)
    wanted, _ = glrast.rasterize(id_context, pos, tri, size)
    monkeypatch.setattr(tiles, "_LARGEST_TILE", 1024)
    limit(15999)
    assert torch.equal(glrast.rasterize(id_context, pos, tri, size)[0], wanted)
    monkeypatch.setattr(tiles, "_OFF_THE_GRID", -(1 << 20))  # no vertex is put on the grid
    assert not torch.equal(glrast.rasterize(id_context, pos, tri, size)[0], wanted)


def test_a_closed_mesh_in_tiles_differs_only_where_depths_tie(context, limit):
    pos, tri, _ = scenes.closed_mesh(4, images=2)
    pos, tri = pos.to(context.device), tri.to(context.device)
    id_context = glrast.Context(context.device, buffers="id")
    wanted, _ = glrast.rasterize(id_context, pos, tri, (150, 200))
    limit(64)
    found, _ = glrast.rasterize(context, pos, tri, (150, 200))
    differs = wanted[..., 3] != found[..., 3]
    assert differs.float().mean() <= _PIXELS_AT_DEPTH_TIES
    assert ((wanted[..., 2] - found[..., 2]).abs()[differs] <= _DEPTH_TIE).all()
    assert torch.equal(wanted[~differs], found[~differs])


@pytest.mark.parametrize("scene", ["near_plane", "behind_camera", "coincident", "non_finite"])
def test_clipped_hidden_and_broken_triangles_are_drawn_in_tiles_as_without(context, limit, scene):
    pos, tri, _ = scenes.SCENES[scene]()
    pos, tri = pos[None].to(context.device), tri.to(context.device)
    id_context = glrast.Context(context.device, buffers="id")
    wanted, _ = glrast.rasterize(id_context, pos, tri, ODD)
    limit(14)
    found, _ = glrast.rasterize(context, pos, tri, ODD)
    assert torch.equal(found, wanted)


def test_tiles_have_no_gap_and_no_pixel_twice(context, limit):
    limit(10)
    pos, tri = (t.to(context.device) for t in crumpled_sheet(3, zoom=2.0))  # beyond every border
    assert (glrast.rasterize(context, pos, tri, (37, 41))[0][..., 3] > 0).all()


def test_range_mode_and_culling_work_in_tiles(context, limit):
    pos, tri, _ = (t.to(context.device) for t in scenes.overlapping_polygons(ODD))
    ranges = [[0, 4], [2, 0], [4, 5], [0, len(tri)]]
    id_context = glrast.Context(context.device, buffers="id")
    for cull in ("none", "back"):
        wanted, _ = glrast.rasterize(id_context, pos, tri, ODD, ranges=ranges, cull=cull)
        limit(12)
        found, _ = glrast.rasterize(context, pos, tri, ODD, ranges=ranges, cull=cull)
        assert torch.equal(found, wanted)
        limit(16384)


def test_opengl_holds_one_tile_at_a_time(context, gl, limit):
    context.close()
    limit(10)
    pos, tri = (t.to(context.device) for t in crumpled_sheet(3))
    glrast.rasterize(context, pos, tri, ODD)
    made = [key for key in gl.objects if key[0] == "target"]
    assert made and all(max(key[2:4]) <= 5 for key in made)


@pytest.mark.slow
@pytest.mark.parametrize("upright", [False, True])
def test_an_image_beyond_the_drivers_limit_shows_what_float64_says(gl, device, upright):
    """Each pixel's centre is in the triangle it shows, to the grid of 1/256 pixel; none is empty."""
    extent = 2 * gl.limits["size"] + 33
    height, width = (extent, 3) if upright else (3, extent)
    pos, tri = crumpled_sheet(40, zoom=1.2)
    rast, _ = glrast.rasterize(glrast.Context(device), pos.to(device), tri.to(device), (height, width))  # fmt: skip
    id = glrast.triangle_id(rast)[0].cpu().long()
    assert (id >= 0).all()
    pix = (pos[0, :, :2] / pos[0, :, 3:]).double() * 0.5 + 0.5
    corner = (pix * torch.tensor([width, height]))[tri.long()][id]  # [H,W,3,2]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    to = corner - torch.stack([x, y], -1).double()[..., None, :]
    edge = to.roll(-1, -2) - to
    outside = (edge[..., 0] * to[..., 1] - edge[..., 1] * to[..., 0]) / edge.norm(dim=-1)
    assert outside.max() <= 1 / 256


def everything(context, pos, tri, size):
    """rast, rast_db and the gradient of positions."""
    pos = pos.clone().requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, tri, size)
    weight = torch.linspace(-1, 1, rast.numel(), device=rast.device).reshape(rast.shape)
    (grad,) = torch.autograd.grad((rast * weight).sum() + (rast_db * weight).sum(), pos)
    return rast.detach(), rast_db.detach(), grad


def crumpled_sheet(n, zoom=0.9):
    """n x n squares of two triangles with jittered corners, each at another w: one layer, counter-clockwise."""
    random = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(n + 1), torch.arange(n + 1), indexing="ij")
    jitter = 0.6 * torch.rand(n + 1, n + 1, 2, generator=random) - 0.3
    ndc = zoom * (2 * (torch.stack([x, y], -1) + jitter) / n - 1)
    w = 1 + torch.rand(n + 1, n + 1, 1, generator=random)
    pos = torch.cat([ndc * w, 0 * w, w], -1).reshape(1, -1, 4)
    first = (y * (n + 1) + x)[:-1, :-1].reshape(-1)
    lower = torch.stack([first, first + 1, first + n + 2], -1)
    upper = torch.stack([first, first + n + 2, first + n + 1], -1)
    return pos, torch.cat([lower, upper]).int()
