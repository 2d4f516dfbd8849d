"""The float64 twin of glrast.interpolate: vertex attributes at pixels, and their screen derivatives.

    out   = u A0 + v A1 + (1-u-v) A2
    dA/dX = du/dX (A0-A2) + dv/dX (A1-A2),   dA/dY = du/dY (A0-A2) + dv/dY (A1-A2)

A0, A1, A2 are the attributes of the vertices tri[id]; a pixel is 0 where it is empty, its id is not in `tri`, or one of
the three indices is outside `attr`.
"""

import torch
from torch import Tensor

from .rasterize import triangle_id


def interpolate(
    attr: Tensor, rast: Tensor, tri: Tensor, rast_db: Tensor | None = None, diff_attrs=None
) -> tuple[Tensor, Tensor]:
    """Attributes at every pixel.

    Args:
        attr: [V,A] or [1,V,A] (the same for every image) or [N,V,A].
        rast, rast_db: [N,H,W,4] from rasterize, or made by hand.
        tri: [T,3], possibly another index list than the one rasterized.
        diff_attrs: None or [] | 'all' | attribute indices (negative ones count from the end).

    Returns:
        out [N,H,W,A] and out_da [N,H,W,2D] = (dA0/dX, dA0/dY, dA1/dX, ...) of the D attributes asked for.

    Gradients: attr (summed over images where broadcast), rast channels 0 and 1, rast_db.
    """
    at, _, corners = _pixels_and_corners(attr, rast, tri)
    a0, a1, a2 = corners.unbind(1)
    u, v = rast.double()[at][:, 0:1], rast.double()[at][:, 1:2]
    out = torch.zeros(*rast.shape[:3], attr.shape[-1], dtype=torch.float64)
    out = out.index_put(at, u * a0 + v * a1 + (1 - u - v) * a2)

    chosen = chosen_attributes(diff_attrs, attr.shape[-1])
    out_da = torch.zeros(*rast.shape[:3], 2 * len(chosen), dtype=torch.float64)
    if not chosen:
        return out, out_da
    assert rast_db is not None, "diff_attrs needs rast_db"
    du_dx, du_dy, dv_dx, dv_dy = rast_db.double()[at][:, :, None].unbind(1)
    b0, b1 = (a0 - a2)[:, chosen], (a1 - a2)[:, chosen]
    da = torch.stack([du_dx * b0 + dv_dx * b1, du_dy * b0 + dv_dy * b1], -1)  # [P,D,2]
    return out, out_da.index_put(at, da.flatten(1))


def chosen_attributes(diff_attrs, attributes: int) -> list[int]:
    """The attribute indices that diff_attrs means, all in [0, attributes); IndexError for others."""
    if isinstance(diff_attrs, str):
        assert diff_attrs == "all", diff_attrs
        return list(range(attributes))
    return [range(attributes)[int(i)] for i in diff_attrs or []]  # a range knows negative indices


def closed_form_backward(
    attr: Tensor,
    rast: Tensor,
    tri: Tensor,
    grad_out: Tensor,
    rast_db: Tensor | None = None,
    diff_attrs=None,
    grad_da: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """grad_attr, grad_rast, grad_rast_db by the formulas of the specification, without autograd.

    with y = grad_out:   gA0 += u y, gA1 += v y, gA2 += (1-u-v) y;   gu = sum y (A0-A2), gv = sum y (A1-A2)
    with p, q = grad_da: s = p du/dX + q du/dY, t = p dv/dX + q dv/dY;   gA0 += s, gA1 += t, gA2 -= s+t;
        g(du/dX) += p (A0-A2), g(du/dY) += q (A0-A2), g(dv/dX) += p (A1-A2), g(dv/dY) += q (A1-A2)
    """
    at, vertices, corners = _pixels_and_corners(attr.detach(), rast, tri)
    a0, a1, a2 = corners.unbind(1)
    u, v = rast.double()[at][:, 0:1], rast.double()[at][:, 1:2]
    y = grad_out.double()[at]
    g0, g1, g2 = u * y, v * y, (1 - u - v) * y
    none = torch.zeros(len(y), dtype=torch.float64)
    grad_rast = torch.zeros(rast.shape, dtype=torch.float64).index_put(
        at, torch.stack([(y * (a0 - a2)).sum(-1), (y * (a1 - a2)).sum(-1), none, none], -1)
    )

    grad_db = None
    chosen = chosen_attributes(diff_attrs, attr.shape[-1])
    if chosen:
        du_dx, du_dy, dv_dx, dv_dy = rast_db.double()[at][:, :, None].unbind(1)
        p, q = grad_da.double()[at].unflatten(-1, (len(chosen), 2)).unbind(-1)
        s, t = p * du_dx + q * du_dy, p * dv_dx + q * dv_dy
        column = torch.tensor(chosen)  # index_add: an attribute asked for twice counts twice
        g0, g1, g2 = (g.index_add(1, column, d) for g, d in ((g0, s), (g1, t), (g2, -s - t)))
        b0, b1 = (a0 - a2)[:, chosen], (a1 - a2)[:, chosen]
        grad_db = torch.zeros(rast.shape, dtype=torch.float64).index_put(
            at,
            torch.stack(
                [(p * b0).sum(-1), (q * b0).sum(-1), (p * b1).sum(-1), (q * b1).sum(-1)], -1
            ),
        )

    grad_attr = torch.zeros(attr.shape, dtype=torch.float64)
    where = _rows(attr, at[0], vertices)
    return (
        grad_attr.index_put(where, torch.stack([g0, g1, g2], 1), accumulate=True),
        grad_rast,
        grad_db,
    )


def _pixels_and_corners(attr, rast, tri):
    """The pixels that have a valid triangle: (n, py, px), their vertex indices [P,3] and attributes [P,3,A]."""
    ids = triangle_id(rast)
    known = (ids >= 0) & (ids < len(tri))
    n, py, px = torch.nonzero(known, as_tuple=True)
    vertices = tri[ids[n, py, px]].long()
    valid = ((vertices >= 0) & (vertices < attr.shape[-2])).all(-1)
    n, py, px, vertices = n[valid], py[valid], px[valid], vertices[valid]
    return (n, py, px), vertices, attr.double()[_rows(attr, n, vertices)]


def _rows(attr, n, vertices):
    """The index into attr for vertices [P,3] of images n [P]: attr's own ndim decides what is broadcast."""
    if attr.ndim == 2:
        return (vertices,)
    return (
        n[:, None].expand_as(vertices) if attr.shape[0] > 1 else torch.zeros_like(vertices),
        vertices,
    )
