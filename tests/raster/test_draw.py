"""draw: one submission, layer by layer, in chunks or in pieces: always the same bits."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD

_NO_SUCH_THING = 0xDEAD


def test_images_of_a_batch_equal_the_same_images_one_by_one(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=5))
    together = glrast.rasterize(context, pos, tri, ODD)
    for image in range(5):
        alone = glrast.rasterize(context, pos[image : image + 1], tri, ODD)
        for t, a in zip(together, alone):
            assert torch.equal(t[image], a[0])


def test_a_driver_whose_vertex_stage_cannot_choose_the_layer_gives_the_same(
    context, gl, monkeypatch
):
    wanted = everything(context)
    monkeypatch.setattr(gl.limits, "layered_vertex", False)
    assert same(everything(context), wanted)
    monkeypatch.undo()
    assert same(everything(context), wanted)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_batches_beyond_the_layer_limit_are_drawn_in_chunks(context, gl, monkeypatch, layers):
    wanted = everything(context)
    context.close()
    monkeypatch.setattr(gl.limits, "layers", layers)
    assert same(everything(context), wanted)
    assert {key[4] for key in gl.objects if key[0] == "target"} <= set(range(1, layers + 1))


def test_chunks_that_would_take_too_much_memory_are_smaller(context, gl, monkeypatch):
    wanted = everything(context)
    monkeypatch.setattr(gl.limits, "chunk_bytes", 2 * 20 * 17 * 33)
    assert [gl.limits.images_at_once(*ODD, channels) for channels in (1, 4)] == [5, 2]
    assert same(everything(context), wanted)
    monkeypatch.setattr(gl.limits, "chunk_bytes", 1)  # never less than one image
    assert same(everything(context), wanted)


@pytest.mark.parametrize("triangles", [1, 7, 10**6])
def test_draws_cut_into_pieces_give_the_same(context, gl, monkeypatch, triangles):
    wanted = everything(context)
    monkeypatch.setattr(gl.limits, "submission_triangles", triangles)
    assert same(everything(context), wanted)


def test_buffers_grow_and_are_used_again(context, gl):
    pos, tri, _ = on(context, scenes.closed_mesh(4))  # 41 KB of positions
    many = pos.expand(3, -1, -1)
    context.close()
    wanted, _ = glrast.rasterize(context, many, tri, ODD)
    context.close()
    everything(context)
    small = gl.objects[("buffer", "pos")]
    assert torch.equal(
        glrast.rasterize(context, many, tri, ODD)[0], wanted
    )  # nothing reads the small one any more
    grown = gl.objects[("buffer", "pos")]
    assert grown.size >= many.numel() * 4 and grown is not small
    everything(context)
    assert gl.objects[("buffer", "pos")] is grown
    assert torch.equal(glrast.rasterize(context, many, tri, ODD)[0], wanted)


def test_resolutions_may_alternate(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    sizes = [(64, 64), ODD, (1, 1), (3, 200), (200, 3)]
    wanted = [glrast.rasterize(context, pos, tri, size)[0] for size in sizes]
    for _ in range(2):
        for size, w in zip(sizes, wanted):
            assert torch.equal(glrast.rasterize(context, pos, tri, size)[0], w)


def test_what_an_earlier_frame_left_does_not_show(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=3))
    glrast.rasterize(context, pos, tri, ODD)
    behind, behind_tri, _ = on(context, scenes.behind_camera())
    assert not glrast.rasterize(context, behind.expand(3, -1, -1), behind_tri, ODD)[0].any()


def test_an_opengl_error_is_raised_by_the_call_it_shows_in_and_does_not_linger(context, gl):
    wanted = everything(context)
    with gl.current():
        gl.gl.glEnable(_NO_SUCH_THING)
    if not gl.software:
        pytest.skip("asking a GPU for errors would wait for it")
    with pytest.raises(RuntimeError, match="glrast: OpenGL reports GL_INVALID_ENUM "):
        everything(context)
    assert same(everything(context), wanted)


@pytest.mark.slow
def test_the_widest_and_the_highest_image_are_drawn(context, gl):
    limit = gl.limits.size
    pos, tri, _ = on(context, scenes.one_triangle(1))
    for size in ((limit, 3), (3, limit)):
        rast, _ = glrast.rasterize(context, pos, tri, size)
        assert rast.shape == (1, *size, 4)
        covered = (rast[..., 3] > 0).float().mean().item()
        assert covered == pytest.approx(
            (glrast.rasterize(context, pos, tri, (256, 256))[0][..., 3] > 0).float().mean().item(),
            abs=0.02,
        )


@pytest.mark.slow
def test_a_batch_larger_than_the_real_layer_limit_is_drawn(context, gl):
    images = gl.limits.layers + 3
    pos, tri, _ = on(context, scenes.one_triangle(1))
    rast, _ = glrast.rasterize(context, pos.expand(images, -1, -1), tri, (3, 5))
    assert rast[0].any() and torch.equal(rast, rast[:1].expand_as(rast))


def everything(context):
    """Instanced with a poisoned image (index sets of their own), and range mode with an empty range."""
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=5))
    pos[3, int(tri[0, 0])] = torch.nan
    flat, flat_tri, _ = on(context, scenes.overlapping_polygons())
    ranges = [[0, 4], [2, 0], [4, 5], [0, len(flat_tri)]]
    return *glrast.rasterize(context, pos, tri, ODD), *glrast.rasterize(
        context, flat, flat_tri, ODD, ranges=ranges
    )


def same(found, wanted):
    return all(torch.equal(f, w) for f, w in zip(found, wanted, strict=True))
