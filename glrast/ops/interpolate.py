"""interpolate: vertex attributes at the pixels of a rasterized image, with their screen-space derivatives."""

from __future__ import annotations

import torch

from ..core import check
from ..launch import constant, launch, launch_scatter
from .function import call, once_differentiable
from .operator import operator
from .saved import save, saved


def interpolate(
    attr: torch.Tensor,
    rast: torch.Tensor,
    tri: torch.Tensor,
    rast_db: torch.Tensor | None = None,
    diff_attrs=None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attributes of the surface under each pixel.

    Args:
        attr: float32 [V,A] or [1,V,A] (one set for all images) or [N,V,A].
        rast: [N,H,W,4] from `rasterize`, or made by hand in its form.
        tri: int32 or int64 [T,3] into attr's vertices: may index others than the rasterized mesh (uv indices).
        rast_db: [N,H,W,4] from `rasterize`; needed for diff_attrs.
        diff_attrs: attributes whose derivatives are wanted: None, 'all' or a list of numbers.

    Returns:
        out [N,H,W,A]: u A0 + v A1 + (1-u-v) A2; zeros where there is no triangle, the id is not in tri or an
        index is outside [0,V).
        out_da [N,H,W,2D]: (dA0/dX, dA0/dY, dA1/dX, ...) per pixel for the D attributes of diff_attrs, in its order.

    Gradients: attr (summed over images where broadcast), rast channels u and v, rast_db.

    Raises:
        TypeError, ValueError, IndexError: wrong types, shapes, devices; a diff_attrs number out of range.

    Source: Laine et al. 2020, section 3.2.
    """
    rast = check.floats("interpolate", "rast", rast)
    attr = check.floats("interpolate", "attr", attr, device=rast.device)
    tri = check.triangles("interpolate", tri, device=rast.device)
    check.shape("interpolate", "rast", rast, "[N,H,W,4]", rast.ndim == 4 and rast.shape[3] == 4)
    N = rast.shape[0]
    fits = attr.ndim == 2 or (attr.ndim == 3 and attr.shape[0] in (1, N))
    check.shape(
        "interpolate", "attr", attr, "[V,A], [1,V,A] or [N,V,A]", fits, f"with N={N} (from rast)"
    )
    diff = _differentiated(diff_attrs, attr.shape[-1])
    if diff:
        check.value(
            "interpolate", "rast_db", "given when diff_attrs is", rast_db is not None, "None",
            "pass the second result of rasterize",
        )  # fmt: skip
        rast_db = check.floats("interpolate", "rast_db", rast_db, device=rast.device)
        hint = "like rast (a context with output_db=False makes none)"
        check.shape(
            "interpolate", "rast_db", rast_db, check.show(rast), rast_db.shape == rast.shape, hint
        )
    return call(_Interpolate, attr, rast, tri, rast_db if diff else None, diff)


def _differentiated(diff_attrs, count: int) -> list[int]:
    if diff_attrs is None:
        return []
    if isinstance(diff_attrs, str):
        check.value(
            "interpolate",
            "diff_attrs",
            "None, 'all' or a list of ints",
            diff_attrs == "all",
            repr(diff_attrs),
        )
        return list(range(count))
    return check.indices("interpolate", "diff_attrs", diff_attrs, count)


class _Interpolate(torch.autograd.Function):
    function, results = "interpolate", 2

    @staticmethod
    def forward(ctx, *inputs):
        outputs = _Interpolate.compute(*inputs)
        ctx.mark_non_differentiable(*_Interpolate.keep(ctx, inputs, outputs))
        return outputs

    @staticmethod
    def compute(attr, rast, tri, rast_db, diff):
        return _forward_operator(attr, rast, tri, rast_db, diff)

    @staticmethod
    def keep(ctx, inputs, outputs):
        attr, rast, tri, rast_db, ctx.diff = inputs
        save(ctx, attr=attr, rast=rast, tri=tri, rast_db=rast_db)
        ctx.set_materialize_grads(False)
        return () if ctx.diff else (outputs[1],)

    @staticmethod
    @once_differentiable("interpolate")
    def backward(ctx, grad_out, grad_out_da):
        attr, rast, tri, rast_db = saved(ctx, "interpolate")
        if not ctx.diff:
            grad_out_da = None
        if grad_out is None and grad_out_da is None:
            return None, None, None, None, None
        wanted = [
            bool(needed)
            for needed in (
                ctx.needs_input_grad[0],
                ctx.needs_input_grad[1],
                ctx.needs_input_grad[3],
            )
        ]
        grads = _backward_operator(
            attr, rast, tri, rast_db, ctx.diff, grad_out, grad_out_da, wanted
        )
        grad_attr, grad_rast, grad_db = (g if w else None for g, w in zip(grads, wanted))
        return grad_attr, grad_rast, None, grad_db, None


def _arguments(attr, rast, tri, rast_db, diff) -> dict:
    """What forward and backward kernels have in common."""
    N, H, W = rast.shape[:3]
    V, A = attr.shape[-2:]
    stride = V * A if attr.ndim == 3 and attr.shape[0] > 1 else 0
    numbers = constant(tuple(diff), torch.int32, rast.device) if diff else None
    return dict(
        width=W, rows=N * H, attr=attr, attr_stride=stride, rast=rast, rast_db=rast_db, tri=tri, diff=numbers,
        V=V, T=tri.shape[0], H=H, A=A, D=len(diff),
    )  # fmt: skip


def _forward(attr, rast, tri, rast_db, diff):
    out, out_da = _forward_fake(attr, rast, tri, rast_db, diff)
    arguments = _arguments(attr, rast, tri, rast_db, diff)
    launch("interpolate", "interpolate_forward", rast.device, **arguments, out=out, out_da=out_da)
    return out, out_da


def _forward_fake(attr, rast, tri, rast_db, diff):
    pixels = rast.shape[:3]
    return attr.new_empty((*pixels, attr.shape[-1])), attr.new_empty((*pixels, 2 * len(diff)))


def _backward(attr, rast, tri, rast_db, diff, grad_out, grad_out_da, wanted):
    want_attr, want_rast, want_db = wanted
    arguments = _arguments(attr, rast, tri, rast_db, diff)
    grad_rast = torch.empty_like(rast) if want_rast else rast.new_empty(0)
    grad_db = torch.empty_like(rast) if want_db else rast.new_empty(0)
    arguments.update(
        grad_out=None if grad_out is None else grad_out.contiguous(),
        grad_out_da=None if grad_out_da is None else grad_out_da.contiguous(),
        grad_rast=grad_rast if want_rast else None,
        grad_db=grad_db if want_db else None,
    )
    A = attr.shape[-1]
    # On the CPU three attributes are summed in rows of four: one vector instruction a corner.
    arguments["grad_row"] = 4 if A == 3 and rast.device.type == "cpu" else A
    if want_attr and attr.numel():  # the scatter of an empty gradient runs no kernel
        slots = attr.shape[0] if arguments["attr_stride"] else 1
        shape = (*attr.shape[:-1], arguments["grad_row"])
        padded = launch_scatter(
            "interpolate", "interpolate_backward", shape, slots, rast.device, **arguments
        )
        grad_attr = padded.narrow(-1, 0, A).contiguous()
    else:
        grad_attr = torch.empty_like(attr) if want_attr else attr.new_empty(0)
        nothing = dict(grad=None, spare=None, slot_size=0, slots=1, pieces=1)
        launch("interpolate", "interpolate_backward_rast", rast.device, **nothing, **arguments)
    return grad_attr, grad_rast, grad_db


def _backward_fake(attr, rast, tri, rast_db, diff, grad_out, grad_out_da, wanted):
    likes = (attr, rast, rast)
    return tuple(torch.empty_like(t) if w else t.new_empty(0) for t, w in zip(likes, wanted))


_forward_operator = operator(
    "interpolate(Tensor attr, Tensor rast, Tensor tri, Tensor? rast_db, int[] diff) -> (Tensor, Tensor)",
    _forward,
    _forward_fake,
)
_backward_operator = operator(
    "interpolate_backward(Tensor attr, Tensor rast, Tensor tri, Tensor? rast_db, int[] diff, Tensor? grad_out, "
    "Tensor? grad_out_da, bool[] wanted) -> (Tensor, Tensor, Tensor)",
    _backward,
    _backward_fake,
)
