"""What is done on a GPU instead of what is done on llvmpipe, tried on llvmpipe: the same images, bit for bit."""

import gc

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import draw, on
from tests.scenes import ODD, SCENES

POISONS = [torch.nan, torch.inf, -torch.inf]


@pytest.fixture
def as_on_a_gpu(gl, monkeypatch):
    """A switch between llvmpipe's way and a GPU's."""

    def switch(on=True):
        gl.close()
        monkeypatch.setattr(gl.limits, "culls_non_finite", on)

    yield switch
    gl.close()


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_is_the_same(context, as_on_a_gpu, name):
    wanted = draw(context, SCENES[name]())
    as_on_a_gpu()
    for found, want in zip(draw(context, SCENES[name]()), wanted):
        assert torch.equal(found, want)


@pytest.mark.parametrize("poison", POISONS, ids=str)
@pytest.mark.parametrize("component", range(4))
@pytest.mark.parametrize("corners", [(0,), (1, 2), (0, 1, 2)], ids=str)
def test_a_triangle_with_a_vertex_that_is_not_finite_is_clipped_away(
    context, as_on_a_gpu, poison, component, corners
):
    as_on_a_gpu()
    pos, tri, _ = on(context, scenes.large_triangle())
    pos = pos.clone()
    pos[..., list(corners), component] = poison
    assert not glrast.rasterize(context, pos[:1] if pos.ndim == 3 else pos[None], tri, ODD)[0].any()


def test_a_poisoned_image_of_a_batch_takes_one_index_set_and_spoils_no_other(
    context, gl, as_on_a_gpu
):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=3))
    pos = pos.clone()
    pos[1, int(tri[0, 0])] = torch.nan
    wanted, _ = glrast.rasterize(context, pos, tri, ODD)
    as_on_a_gpu()
    assert torch.equal(glrast.rasterize(context, pos, tri, ODD)[0], wanted)
    assert gl.checked.found(tri, pos.shape[-2]).shape[0] == 1


def test_writing_the_depth_changes_nothing(context, gl, monkeypatch):
    wanted = draw(context, scenes.overlapping_polygons())
    monkeypatch.setattr(gl.limits, "writes_depth", True)
    for found, want in zip(draw(context, scenes.overlapping_polygons()), wanted):
        assert torch.equal(found, want)


# ---- inputs are uploaded when they change ----------------------------------------------------------------


@pytest.fixture
def uploads(gl, as_on_a_gpu, monkeypatch):
    """Which buffers were written: 1 for positions, 0 for indices."""
    as_on_a_gpu()
    written = []
    write = gl.sharing.write
    monkeypatch.setattr(
        gl.sharing, "write", lambda b, t, again=True: written.append(int(again)) or write(b, t)
    )
    return written


def test_triangles_that_stay_are_uploaded_once(context, uploads):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    for step in range(3):
        glrast.rasterize(context, pos + 0.01 * step, tri, ODD)
    assert uploads == [1, 0, 1, 1]


def test_triangles_changed_in_place_are_uploaded_again(context, uploads):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    before, _ = glrast.rasterize(context, pos, tri, ODD)
    tri += 0
    tri[:] = tri.flip(0)
    after, _ = glrast.rasterize(context, pos, tri, ODD)
    assert uploads == [1, 0, 1, 0]
    covered = before[..., 3] > 0
    assert torch.equal(after[..., 3][covered], (len(tri) + 1 - before[..., 3])[covered])


def test_other_triangles_at_the_address_of_those_before_are_uploaded(context, uploads):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    for first in (0, 40):
        some = tri[first : first + 40].clone()
        rast, _ = glrast.rasterize(context, pos, some, ODD)
        fresh, _ = glrast.rasterize(glrast.Context(context.device), pos, some.clone(), ODD)
        assert torch.equal(rast[..., 3], fresh[..., 3])
        del some
        gc.collect()
    assert uploads.count(0) == 4


def test_another_number_of_vertices_checks_the_triangles_again(context, as_on_a_gpu):
    as_on_a_gpu()
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    assert glrast.rasterize(context, pos, tri, ODD)[0].any()
    assert not glrast.rasterize(context, pos[..., :1, :], tri, ODD)[0].any()
    assert glrast.rasterize(context, pos, tri, ODD)[0].any()


def test_triangles_made_under_inference_mode_are_never_taken_for_unchanged(context, uploads):
    with torch.inference_mode():
        pos, tri, _ = (t.clone() for t in on(context, scenes.closed_mesh(1)))
        glrast.rasterize(context, pos, tri, ODD)
        glrast.rasterize(context, pos, tri, ODD)
    assert uploads == [1, 0, 1, 0]
