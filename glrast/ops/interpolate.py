"""interpolate: vertex attributes at the pixels of a rasterized image, with their screen-space derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..launch import Argument, by_value, constant, launch, launch_scatter, on_host
from .function import Operation, call, forward, once_differentiable
from .operator import operator
from .saved import save, saved

_DIFF = 16  # as GLRAST_DIFF in kernels/interpolate.cu: so many travel with the launch itself


def interpolate(
    attr: torch.Tensor,
    rast: torch.Tensor,
    tri: torch.Tensor,
    rast_db: torch.Tensor | None = None,
    diff_attrs: str | Sequence[int] | None = None,
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
    return call(_Interpolate, Interpolate(attr, rast, tri, rast_db if diff else None, diff))


def _differentiated(diff_attrs: Any, count: int) -> list[int]:
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


@dataclass
class Attributes:
    """What a call and its gradient have in common."""

    attr: Tensor
    rast: Tensor
    tri: Tensor
    rast_db: Tensor | None
    diff: list[int]

    def members(self) -> dict[str, Argument]:
        """Those of both kernels' argument structs."""
        attr, rast, diff = self.attr, self.rast, self.diff
        N, H, W = rast.shape[:3]
        V, A = attr.shape[-2:]
        stride = V * A if attr.ndim == 3 and attr.shape[0] > 1 else 0
        few = len(diff) <= _DIFF
        more = None if few else constant(tuple(diff), torch.int32, rast.device)
        return dict(
            width=W, rows=N * H, attr=attr, attr_stride=stride, rast=rast, rast_db=self.rast_db, tri=self.tri,
            diff=by_value("int", _DIFF, tuple(diff) if few else ()), more=more, V=V, T=self.tri.shape[0],
            H=H, A=A, D=len(diff),
        )  # fmt: skip


@dataclass
class Interpolate(Attributes):
    def fake(self) -> tuple[Tensor, Tensor]:
        pixels, new = self.rast.shape[:3], self.attr.new_empty
        return new((*pixels, self.attr.shape[-1])), new((*pixels, 2 * len(self.diff)))

    def run(self) -> tuple[Tensor, Tensor]:
        out, out_da = self.fake()
        members = self.members()
        members.update(out=out, out_da=out_da)
        launch("interpolate", "interpolate_forward", out.device, **members)
        return out, out_da


@dataclass
class InterpolateBackward(Attributes):
    grad_out: Tensor | None
    grad_out_da: Tensor | None
    wanted: list[bool]  # the gradients of attr, rast and rast_db

    def fake(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._of(self.attr, 0), self._of(self.rast, 1), self._of(self.rast, 2)

    def _of(self, tensor: Tensor, place: int) -> Tensor:
        return torch.empty_like(tensor) if self.wanted[place] else tensor.new_empty(0)

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        attr, rast = self.attr, self.rast
        want_attr, want_rast, want_db = self.wanted
        grad_rast, grad_db = self._of(rast, 1), self._of(rast, 2)
        A = attr.shape[-1]
        # On the CPU three attributes are summed in rows of four: one vector instruction a corner.
        row = 4 if A == 3 and on_host(rast.device) else A
        members = self.members()
        members.update(
            grad_out=None if self.grad_out is None else self.grad_out.contiguous(),
            grad_out_da=None if self.grad_out_da is None else self.grad_out_da.contiguous(),
            grad_rast=grad_rast if want_rast else None,
            grad_db=grad_db if want_db else None,
            grad_row=row,
        )
        if want_attr and attr.numel():  # the scatter of an empty gradient runs no kernel
            slots = attr.shape[0] if members["attr_stride"] else 1
            shape = (*attr.shape[:-1], row)
            padded = launch_scatter(
                "interpolate", "interpolate_backward", shape, slots, rast.device, **members
            )
            return padded.narrow(-1, 0, A).contiguous(), grad_rast, grad_db
        nothing: dict[str, Argument] = dict(grad=None, spare=None, slot_size=0, slots=1, pieces=1)
        members.update(nothing)
        launch("interpolate", "interpolate_backward_rast", rast.device, **members)
        return self._of(attr, 0), grad_rast, grad_db


_forward = operator("interpolate", Interpolate)
_backward = operator("interpolate_backward", InterpolateBackward)


class _Interpolate(Operation):
    glrast = function = "interpolate"
    call, results = Interpolate, 2

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Interpolate, Interpolate, 2, ctx, inputs)

    @staticmethod
    def compute(given: Interpolate) -> tuple[Tensor, Tensor]:
        return _forward(given)

    @staticmethod
    def keep(ctx: Any, given: Interpolate, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        save(ctx, attr=given.attr, rast=given.rast, tri=given.tri, rast_db=given.rast_db)
        ctx.diff = given.diff
        ctx.set_materialize_grads(False)
        return () if given.diff else (outputs[1],)

    @staticmethod
    @once_differentiable("interpolate")
    def backward(
        ctx: Any, grad_out: Tensor | None, grad_out_da: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        if not ctx.diff:
            grad_out_da = None
        if grad_out is None and grad_out_da is None:
            return ()
        attr, rast, tri, rast_db = saved(ctx, "interpolate")
        needed = ctx.needs_input_grad
        wanted = [bool(needed[0]), bool(needed[1]), bool(needed[3])]
        given = InterpolateBackward(
            attr, rast, tri, rast_db, ctx.diff, grad_out, grad_out_da, wanted
        )
        grad_attr, grad_rast, grad_db = (g if w else None for g, w in zip(_backward(given), wanted))
        return grad_attr, grad_rast, None, grad_db
