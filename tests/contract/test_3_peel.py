"""The contract, section 3: depth peeling."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD


def test_layer_0_equals_rasterize_and_the_next_is_the_nearest_surface_behind(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    with glrast.DepthPeeler(context, pos, tri, ODD, ranges=None, grad_db=True) as p:
        rast, db = p.rasterize_next_layer()
        behind, _ = p.rasterize_next_layer()
    wanted, wanted_db = glrast.rasterize(context, pos, tri, ODD)
    assert torch.equal(rast, wanted) and torch.equal(db, wanted_db)
    both = behind[..., 3] > 0
    assert (
        both.any()
        and (behind[..., 2] >= rast[..., 2])[both].all()
        and (rast[..., 3] > 0)[both].all()
    )


def test_at_equal_depth_layers_are_ordered_by_triangle_id(context):
    pos, tri, _ = on(context, scenes.coincident())
    layers = glrast.peel(context, pos, tri, ODD, ranges=[[0, 3]])
    assert [rast[..., 3].max().item() for rast, _ in layers] == [1, 2, 3]


def test_each_layer_is_its_own_autograd_node(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    layers = glrast.peel(context, pos.requires_grad_(), tri, ODD, max_layers=2)
    grads = [torch.autograd.grad(rast[..., 0].sum(), pos)[0] for rast, _ in layers]
    assert all(g.any() for g in grads) and not torch.equal(*grads)


def test_a_second_peeler_on_the_context_is_a_runtime_error(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    with (
        glrast.DepthPeeler(context, pos, tri, ODD),
        pytest.raises(RuntimeError, match="another DepthPeeler"),
    ):
        glrast.DepthPeeler(context, pos, tri, ODD).__enter__()


def test_rasterize_on_a_context_that_is_being_peeled_is_a_runtime_error(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    with (
        glrast.DepthPeeler(context, pos, tri, ODD),
        pytest.raises(RuntimeError, match="is being peeled"),
    ):
        glrast.rasterize(context, pos, tri, ODD)


def test_re_entering_a_finished_peeler_is_a_runtime_error(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    with glrast.DepthPeeler(context, pos, tri, ODD) as peeler:
        pass
    with pytest.raises(RuntimeError, match="is finished"):
        peeler.__enter__()


def test_a_call_outside_with_is_a_runtime_error(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    with pytest.raises(RuntimeError, match="inside `with"):
        glrast.DepthPeeler(context, pos, tri, ODD).rasterize_next_layer()


def test_peel_returns_all_layers_until_one_is_empty(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    layers = glrast.peel(context, pos, tri, (64, 64))
    assert len(layers) > 1 and all(rast.any() for rast, _ in layers)
    with glrast.DepthPeeler(context, pos, tri, (64, 64)) as peeler:
        again = [peeler.rasterize_next_layer()[0] for _ in range(len(layers) + 1)]
    assert all(torch.equal(a, rast) for a, (rast, _) in zip(again, layers)) and not again[-1].any()
