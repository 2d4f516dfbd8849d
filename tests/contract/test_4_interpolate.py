"""The contract, section 4: interpolate."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import close, on, random, relative_error
from tests.scenes import ODD


@pytest.fixture
def drawn(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1, images=3))
    return (*glrast.rasterize(context, pos.requires_grad_(), tri, ODD), tri, attr)


def test_the_mode_follows_the_shape_of_attr(drawn):
    rast, _, tri, attr = drawn
    out, out_da = glrast.interpolate(attr, rast, tri)
    assert out.shape == (3, *ODD, 3) and out_da.shape == (3, *ODD, 0)
    assert torch.equal(glrast.interpolate(attr[None], rast, tri)[0], out)
    each = torch.stack([attr, attr * 2, attr * 3])
    close(
        glrast.interpolate(each, rast, tri)[0],
        out * torch.tensor([1.0, 2, 3]).to(out)[:, None, None, None],
        1e-5,
    )
    with pytest.raises(ValueError, match=r"attr must be \[V,A\], \[1,V,A\] or \[N,V,A\] with N=3"):
        glrast.interpolate(each[:2], rast, tri)


def test_tri_may_index_other_vertices_than_the_rasterized_one(drawn):
    rast, _, tri, attr = drawn
    corners = attr[tri.long()].reshape(-1, 3)
    own = torch.arange(3 * len(tri), device=tri.device).reshape(-1, 3)
    assert torch.equal(
        glrast.interpolate(corners, rast, own)[0], glrast.interpolate(attr, rast, tri)[0]
    )


def test_an_id_not_in_tri_or_an_index_beyond_v_gives_zeros(drawn):
    rast, _, tri, attr = drawn
    few, _ = glrast.interpolate(attr, rast, tri[:1])
    assert not few[rast[..., 3] > 1].any()
    beyond, _ = glrast.interpolate(attr[:1], rast, tri.clamp(min=1))
    assert not beyond.any()


@pytest.mark.parametrize(
    "diff_attrs, chosen", [(None, []), ([], []), ("all", [0, 1, 2]), ([-1, 0], [2, 0])]
)
def test_diff_attrs_is_none_all_or_a_list(drawn, diff_attrs, chosen):
    rast, rast_db, tri, attr = drawn
    _, every = glrast.interpolate(attr, rast, tri, rast_db, "all")
    _, out_da = glrast.interpolate(attr, rast, tri, rast_db, diff_attrs)
    wanted = [every[..., 2 * a : 2 * a + 2] for a in chosen]
    assert torch.equal(out_da, torch.cat(wanted, -1) if wanted else every[..., :0])


def test_diff_attrs_out_of_range_is_an_index_error_and_needs_rast_db(drawn):
    rast, rast_db, tri, attr = drawn
    with pytest.raises(IndexError, match="diff_attrs holds 3"):
        glrast.interpolate(attr, rast, tri, rast_db, [3])
    with pytest.raises(ValueError, match="rast_db must be given"):
        glrast.interpolate(attr, rast, tri, None, "all")


def test_out_and_out_da_are_the_formulas(drawn):
    rast, rast_db, tri, attr = (t.detach() for t in drawn)
    out, out_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    shown = rast[..., 3] > 0
    a0, a1, a2 = attr[tri[glrast.triangle_id(rast)[shown].long()].long()].unbind(1)
    u, v = rast[shown][:, :1], rast[shown][:, 1:2]
    close(out[shown], u * a0 + v * a1 + (1 - u - v) * a2, 1e-5)
    du, dv = rast_db[shown][:, None, :2], rast_db[shown][:, None, 2:]
    close(
        out_da[shown].unflatten(1, (3, 2)),
        du * (a0 - a2)[..., None] + dv * (a1 - a2)[..., None],
        1e-4,
    )


def test_backward_gives_attr_u_v_and_rast_db_what_autograd_gives_the_formulas(drawn):
    rast, rast_db, tri, attr = (t.detach() for t in drawn)
    shown = rast[..., 3] > 0
    corner = tri[glrast.triangle_id(rast)[shown].long()].long()
    gradients = []
    for formula in (False, True):
        inputs = [t.clone().requires_grad_() for t in (attr, rast, rast_db)]
        a, r, db = inputs
        if formula:
            a0, a1, a2 = a[corner].unbind(1)
            u, v = r[shown][:, :1], r[shown][:, 1:2]
            out = u * a0 + v * a1 + (1 - u - v) * a2
            du, dv = db[shown][:, None, :2], db[shown][:, None, 2:]
            out_da = (du * (a0 - a2)[..., None] + dv * (a1 - a2)[..., None]).flatten(1)
        else:
            out, out_da = (t[shown] for t in glrast.interpolate(a, r, tri, db, "all"))
        loss = (out * random(*out.shape).to(out)).sum() + (
            out_da * random(*out_da.shape).to(out)
        ).sum()
        gradients.append(torch.autograd.grad(loss, inputs))
    for found, wanted in zip(*gradients):
        assert relative_error(found, wanted) < 1e-5


def test_gradients_of_attr_are_summed_where_it_is_broadcast(drawn):
    rast, _, tri, attr = drawn
    weight = random(3, *ODD, 3).to(attr)
    shared, each = (t.clone().requires_grad_() for t in (attr, attr.expand(3, -1, -1)))
    sums = [
        torch.autograd.grad((glrast.interpolate(a, rast.detach(), tri)[0] * weight).sum(), a)[0]
        for a in (shared, each)
    ]
    assert relative_error(sums[0], sums[1].sum(0)) < 1e-5
