"""tiles: an image drawn in tiles is the image drawn at once; images beyond the driver's limit are drawn.

In tests/ops the fixture `context` also draws small images from pieces, so the tests of rasterize and peel see those.
"""

import pytest
import torch

import glrast
from glrast.gl.buffers import buffer
from tests import scenes
from tests.raster.test_plan import soup
from tests.scenes import ODD

# OpenGL rounds a vertex's position in an image of 777 pixels to 2^-14 pixel before it snaps it to 1/256; pieces are
# snapped in float64. Measured on the sheet of 80,000 triangles: 6 of 388,500 pixels.
_PIXELS_SNAPPED_OTHERWISE = 5e-5


@pytest.fixture
def limit(gl, monkeypatch):
    """Sets the driver's largest texture to a few pixels, so that small images need tiles of half that."""
    return lambda extent: monkeypatch.setattr(gl.limits, "size", extent)


@pytest.fixture
def pieces(device, gl, monkeypatch):
    """A context that draws every image as a large one."""
    monkeypatch.setattr(gl.limits, "largest_plain", 0)
    return glrast.Context(device)


def zoomed(scene, zoom: float):
    """A scene of [N,V,4] whose triangles reach beyond every border of the image."""
    pos, tri, _ = scene
    return pos * torch.tensor([zoom, zoom, 1.0, 1.0]), tri


SCENES = {
    "one layer": lambda: crumpled_sheet(12),
    "one layer, beyond the borders": lambda: crumpled_sheet(7, zoom=2.5),
    "closed meshes": lambda: scenes.closed_mesh(4, images=2)[:2],
    "closed meshes, beyond the borders": lambda: zoomed(scenes.closed_mesh(3, images=2), 4.0),
    "slivers": lambda: slivers(300),
    "through the near plane": lambda: (scenes.near_plane()[0][None], scenes.near_plane()[1]),
    "behind the camera": lambda: (scenes.behind_camera()[0][None], scenes.behind_camera()[1]),
    "coincident": lambda: (scenes.coincident()[0][None], scenes.coincident()[1]),
    "soup of pixels": lambda: soup(0.02, 0),
    "soup": lambda: soup(0.2, 1),
    "soup of large ones": lambda: soup(2.0, 2),
    "soup on the grid": lambda: soup(0.2, 3, snapped=True),
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size, extents", [(ODD, (16, 5)), ((64, 100), (99, 34)), ((100, 7), (9,))])
def test_an_image_in_tiles_is_the_image_drawn_at_once_to_the_last_bit(
    pieces, limit, name, size, extents
):
    pos, tri = (t.to(pieces.device) for t in SCENES[name]())
    wanted = everything(pieces, pos, tri, size)
    assert (wanted[0][..., 3] > 0).any() or name == "behind the camera"
    for extent in extents:
        limit(extent)
        for f, w in zip(everything(pieces, pos, tri, size), wanted, strict=True):
            assert torch.equal(f, w)


def test_triangles_that_opengl_places_differ_between_windows(device, gl):
    """What the pieces are for: the image, and its right half drawn alone."""
    if not gl.software:
        pytest.skip("a GPU's rounding is its own")
    pos, tri = slivers(3000)
    ctx, (x, *rest) = glrast.Context(device), pos.unbind(-1)
    ids = glrast.rasterize(ctx, pos, tri, (64, 4096))[0][:, :, 2048:, 3]
    right_half = torch.stack([2 * x - rest[-1], *rest], -1)  # exact, but for x near 0
    alone = glrast.rasterize(ctx, right_half, tri, (64, 2048))[0][..., 3]
    assert 0 < (ids != alone).float().mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("extent", [9001, 20001, 50003])
@pytest.mark.parametrize(
    "name", ["closed meshes, beyond the borders", "slivers", "soup of large ones"]
)
def test_large_images_are_the_same_in_tiles_of_any_size(device, gl, limit, name, extent, upright):
    """Nothing but the limit is pretended here: at once or in the largest tiles, in others, in others again."""
    size = (extent, 12) if upright else (12, extent)
    assert gl.limits.largest_plain < extent or not gl.software
    pos, tri = (t.to(device) for t in SCENES[name]())
    ctx = glrast.Context(device)
    wanted, _ = glrast.rasterize(ctx, pos, tri, size)
    assert (wanted[..., 3] > 0).any()
    if extent <= gl.limits.size:
        with glrast.DepthPeeler(ctx, pos, tri, size) as peeler:
            assert torch.equal(peeler.rasterize_next_layer()[0], wanted)
    for most in (9000, 3001):
        limit(most)
        assert torch.equal(glrast.rasterize(ctx, pos, tri, size)[0], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 64), (3, 20001)])
@pytest.mark.parametrize("cull", ["none", "back", "front"])
def test_no_hole_between_slivers_that_the_border_cuts(pieces, size, cull):
    """The grid turns thin polygons into bow ties: a strip of slivers, one end inside the image, the other beyond it."""
    for seed in range(4 if size[0] > 3 else 1):
        pos, tri = strip_of_slivers(30_000, seed)
        tri = tri.flip(1) if cull == "front" else tri
        rast, _ = glrast.rasterize(
            pieces, pos.to(pieces.device), tri.to(pieces.device), size, cull=cull
        )
        seen = rast[0, ..., 3].cpu() > 0
        assert seen.any() and not seen.all()
        around = seen[1:-1, :-2] & seen[1:-1, 2:] & seen[:-2, 1:-1] & seen[2:, 1:-1]
        assert not (around & ~seen[1:-1, 1:-1]).any()


def test_pieces_for_which_a_buffer_is_too_small_are_drawn_one_part_after_the_other(
    pieces, gl, limit, monkeypatch
):
    pos, tri = (t.to(pieces.device) for t in SCENES["closed meshes, beyond the borders"]())
    ranges = [[0, 100], [50, 0], [20, len(tri) - 20]]
    wanted, _ = glrast.rasterize(pieces, pos, tri, ODD)
    of_ranges, _ = glrast.rasterize(pieces, pos[0], tri, ODD, ranges=ranges)
    monkeypatch.setattr(gl.limits, "buffer_pieces", 37)
    for most in (16384, 16):
        limit(most)
        assert torch.equal(glrast.rasterize(pieces, pos, tri, ODD)[0], wanted)
        assert torch.equal(glrast.rasterize(pieces, pos[0], tri, ODD, ranges=ranges)[0], of_ranges)


def test_a_buffer_that_opengl_refuses_is_named_and_forgotten(device, gl):
    pos, tri = (t.to(device) for t in SCENES["one layer"]())
    ctx = glrast.Context(device)
    wanted, _ = glrast.rasterize(ctx, pos, tri, ODD)
    with gl.current(), pytest.raises(RuntimeError, match="making the buffer 'pos' of"):
        buffer(gl, "pos", 1 << 45)
    assert torch.equal(glrast.rasterize(ctx, pos, tri, ODD)[0], wanted)


@pytest.mark.parametrize("name", ["one layer", "one layer, beyond the borders"])
def test_pieces_cover_what_triangles_cover(device, gl, monkeypatch, name):
    pos, tri = (t.to(device) for t in SCENES[name]())
    ctx = glrast.Context(device, buffers="id")
    wanted = everything(ctx, pos, tri, ODD)
    monkeypatch.setattr(gl.limits, "largest_plain", 0)
    for f, w in zip(everything(ctx, pos, tri, ODD), wanted, strict=True):
        assert torch.equal(f, w)


@pytest.mark.slow
def test_many_small_pieces_cover_what_triangles_cover(device, gl, monkeypatch):
    pos, tri = (t.to(device) for t in crumpled_sheet(200))
    ctx = glrast.Context(device, buffers="id")
    wanted, _ = glrast.rasterize(ctx, pos, tri, (777, 500))
    monkeypatch.setattr(gl.limits, "largest_plain", 0)
    found, _ = glrast.rasterize(ctx, pos, tri, (777, 500))
    same = found[..., 3] == wanted[..., 3]
    assert (~same).float().mean() <= _PIXELS_SNAPPED_OTHERWISE
    assert torch.equal(found[same], wanted[same])


@pytest.mark.parametrize("cull", ["none", "back", "front"])
def test_of_steep_slivers_each_pixel_shows_the_nearest(pieces, cull):
    """By their depth at the pixel's centre in float64, up to what the grid moves it by."""
    pos, tri = slivers(300)
    rast, _ = glrast.rasterize(pieces, pos.to(pieces.device), tri.to(pieces.device), ODD, cull=cull)
    seen = glrast.triangle_id(rast)[0].cpu().long()
    ndc = (pos[0] / pos[0, :, 3:]).double()
    corners = ((ndc[:, :2] + 1) / 2 * torch.tensor([ODD[1], ODD[0]]))[tri.long()]
    y, x = torch.meshgrid(torch.arange(ODD[0]) + 0.5, torch.arange(ODD[1]) + 0.5, indexing="ij")
    to = corners[:, None, None] - torch.stack([x, y], -1).double()[..., None, :]  # [T,H,W,3,2]
    one, two = to.roll(-1, -2), to.roll(-2, -2)
    areas = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    area = areas.sum(-1)
    thickness = (area.abs() / (corners - corners.roll(1, 1)).norm(dim=-1).amax(-1)[:, None, None])[
        :, 0, 0
    ]
    grid = 2 / 256 / thickness  # what the grid can change a weight by
    weights = areas / area[..., None]
    turned = {"none": area != 0, "back": area > 0, "front": area < 0}[cull]
    covers = (weights > grid[:, None, None, None]).all(-1) & turned
    depths = ndc[:, 2][tri.long()]
    depth = (weights * depths[:, None, None]).sum(-1)
    nearest = depth.where(covers, torch.inf).amin(0)
    shown = depth.gather(0, seen.clamp(min=0)[None])[0].where(seen >= 0, torch.inf)
    slack = 1e-6 + ((depths.amax(1) - depths.amin(1)) * grid)[seen.clamp(min=0)]
    assert covers.any(0).float().mean() > 0.1
    assert (shown <= nearest + slack)[covers.any(0)].all()


def test_tiles_have_no_gap_and_no_pixel_twice(context, limit):
    limit(10)
    pos, tri = (t.to(context.device) for t in crumpled_sheet(3, zoom=2.0))  # beyond every border
    assert (glrast.rasterize(context, pos, tri, (37, 41))[0][..., 3] > 0).all()


def test_range_mode_and_culling_work_in_tiles(context, pieces, limit):
    pos, tri, _ = (t.to(context.device) for t in scenes.overlapping_polygons(ODD))
    ranges = [[0, 4], [2, 0], [4, 5], [0, len(tri)]]
    for cull in ("none", "back"):
        limit(16384)
        wanted, _ = glrast.rasterize(pieces, pos, tri, ODD, ranges=ranges, cull=cull)
        limit(12)
        found, _ = glrast.rasterize(context, pos, tri, ODD, ranges=ranges, cull=cull)
        assert (found[0, ..., 3] > 0).any() and torch.equal(found, wanted)


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
    extent = 2 * gl.limits.size + 33
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


def strip_of_slivers(n, seed):
    """2n triangles of one strip, thinner than the grid at their inner end, the outer end beyond the upper border."""
    random = torch.Generator().manual_seed(seed)
    t = torch.rand(n, generator=random, dtype=torch.float64).sort()[0]
    inner = torch.stack([1.8 * t - 0.9, 0.3 * torch.sin(9 * t) - 0.5 + 0.3 * t], -1)
    outer = torch.stack([6 * t - 3, torch.full_like(t, 2.5)], -1)
    ndc = torch.cat([inner, outer]).float()
    w = 1 + torch.rand(2 * n, 1, generator=random)
    i = torch.arange(n - 1)
    lower, upper = torch.stack([i, i + 1, n + i], -1), torch.stack([i + 1, n + i + 1, n + i], -1)
    return torch.cat([ndc * w, 0 * w, w], -1)[None], torch.cat([lower, upper]).int()


def slivers(n):
    """n thin triangles that cross each other at all depths and angles, most of them nearly edge-on."""
    random = torch.Generator().manual_seed(0)
    start, way = (1.8 * torch.rand(n, 2, generator=random) - 0.9 for _ in range(2))
    across = 0.03 * torch.rand(n, 2, generator=random)
    z = 1.8 * torch.rand(n, 3, 1, generator=random) - 0.9
    ndc = torch.cat([torch.stack([start, way, way + across], 1), z], -1)
    w = 1 + torch.rand(n, 3, 1, generator=random)
    pos = torch.cat([ndc * w, w], -1).reshape(1, -1, 4)
    return pos, torch.arange(3 * n, dtype=torch.int32).reshape(n, 3)
