"""How an operation joins PyTorch's graph: by autograd, and inside the transforms of torch.func (grad, vmap, jacrev).

torch.func takes an autograd.Function in another form than the usual one, which costs a look at its signature in every
call: it is made when a transform first asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, ClassVar, NoReturn, ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..core.per_tensor import in_transform

P = ParamSpec("P")
R = TypeVar("R")
_Apply = Callable[..., Any]


class Operation(torch.autograd.Function):
    """One of glrast's operations in the graph. Its inputs are the members of a call (operator.py), and what else
    concerns its gradient alone; beside these it has a `backward`, and a `forward` that is `forward(OPERATION,
    ...)`."""

    glrast: ClassVar[str]  # the name that its nodes carry: of its operator
    function: ClassVar[str]  # the public function, as messages name it
    call: ClassVar[type[Any]]  # what a call of it is
    results: ClassVar[int] = (
        1  # how many of its outputs the caller gets; the others are kept for backward
    )
    one_after_another: ClassVar[bool] = False  # vmap cannot map over it

    # (given, *more) -> all outputs: what forward does without its context
    compute: ClassVar[Callable[..., tuple[Tensor, ...]]]
    # (ctx, given, outputs, *more) -> those of the results that have no gradient: what forward notes
    keep: ClassVar[Callable[..., tuple[Tensor, ...]]]


def call(operation: type[Operation], given: object, *more: Any) -> Any:
    """`operation.apply` of a call, also where a transform is at work."""
    inputs = *vars(given).values(), *more
    apply: _Apply = operation.apply  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] PyTorch's has no types
    if torch.compiler.is_compiling():
        return apply(*inputs)
    if not in_transform() and getattr(forward_ad, "_current_level", -1) < 0:
        return apply(*inputs)
    outputs = _transformable(operation).apply(*inputs)
    return outputs[0] if operation.results == 1 else outputs[: operation.results]


def forward(
    operation: type[Operation],
    call: type[Any],
    results: int,
    ctx: Any,
    inputs: tuple[Any, ...],
) -> Any:
    """What an operation's own forward does. (torch.compile reads no class or number of an autograd.Function: `call` and
    `results` are given again.)"""
    count = len(call.__match_args__)
    given, more = call(*inputs[:count]), inputs[count:]
    outputs = operation.compute(given, *more)
    constant = operation.keep(ctx, given, outputs, *more)
    if constant:
        ctx.mark_non_differentiable(*constant)
    return outputs[0] if results == 1 else outputs[:results]


def name_of(node: Any) -> str | None:
    """The name of an operation of glrast's, asked of its node in the autograd graph; None of others."""
    return getattr(getattr(node, "_forward_cls", None), "glrast", None)


def untraced(run: Callable[P, R]) -> Callable[P, R]:
    """`run`, which torch.compile does not look into: it breaks the graph. Importing the compiler takes seconds: where
    nobody has, nobody compiles."""
    disable: Any = torch._disable_dynamo  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    disabled: Callable[P, R] = disable(run)

    @wraps(run)
    def called(*given: P.args, **more: P.kwargs) -> R:
        return (disabled if "torch._dynamo" in sys.modules else run)(*given, **more)

    return called


Backward = Callable[..., tuple[Tensor | None, ...]]


def once_differentiable(name: str) -> Callable[[Backward], Backward]:
    """For a backward that has no gradient itself: differentiating its results is a RuntimeError, as with PyTorch's
    decorator of this name; also where they depend on saved tensors alone, as those of a linear loss do, which
    PyTorch's would take for constants. It returns gradients up to the last that there can be: None for the rest."""

    def decorate(backward: Backward) -> Backward:
        @wraps(backward)
        def wrapped(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
            if torch.compiler.is_compiling() or not torch.is_grad_enabled():
                return _filled_up(ctx, backward(ctx, *grads))
            with torch.no_grad():
                found = _filled_up(ctx, backward(ctx, *grads))
            known = [t for t in (*grads, *ctx.saved_tensors) if t is not None]
            sources = [t for t in known if t.requires_grad]
            return _refuse_twice(name, found, sources) if sources else found

        return wrapped

    return decorate


def _filled_up(ctx: Any, grads: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """A gradient, or None, for every input."""
    return (*grads, *[None] * (len(ctx.needs_input_grad) - len(grads)))


@cache
def _transformable(operation: type[Operation]) -> Any:
    name, count = operation.function, len(operation.call.__match_args__)
    backward: Backward | None = getattr(operation.backward, "__wrapped__", None)

    class Transformable(torch.autograd.Function):
        glrast = operation.glrast

        @staticmethod
        def forward(*inputs: Any) -> tuple[Tensor, ...]:
            given, more = operation.call(*inputs[:count]), inputs[count:]
            return tuple(operation.compute(given, *more))

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            given, more = operation.call(*inputs[:count]), inputs[count:]
            constant = operation.keep(ctx, given, output, *more)
            ctx.mark_non_differentiable(*constant, *output[operation.results :])

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            grads = grads[: operation.results]
            if backward is None:  # not once_differentiable
                return operation.backward(ctx, *grads)
            with torch.no_grad():
                found = _filled_up(ctx, backward(ctx, *grads))
            # requires_grad knows this transform only, not those around it
            sources = [s for s in (*grads, *ctx.saved_tensors) if s is not None]
            return _refuse_twice(name, found, [s for s in sources if s.is_floating_point()])

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
            if operation.one_after_another:
                refuse_vmap(name)
            apply = cast(_Apply, Transformable.apply)  # pyright: ignore[reportUnknownMemberType] has no types
            return one_by_one(name, apply, info.batch_size, in_dims, inputs)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            raise RuntimeError(
                f"glrast.{name}: forward-mode derivatives (torch.func.jvp, jacfwd, hessian, linearize, dual tensors) "
                "are not computed; take the reverse mode: torch.func.vjp, grad or jacrev, or backward()"
            )

    return Transformable


def one_by_one(
    name: str, function: Any, count: int, in_dims: tuple[int | None, ...], inputs: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """(outputs, their batch dimensions) of a function that takes no batches: called for each element, and stacked."""
    if count == 0:
        raise RuntimeError(
            f"glrast.{name}: torch.vmap must map over at least one element; got a batch of none"
        )
    results: list[Sequence[Tensor]] = []
    for i in range(count):
        chosen: list[Any] = [
            x.select(d, i).contiguous() if isinstance(x, Tensor) and d is not None else x
            for x, d in zip(inputs, in_dims)
        ]
        found = function(*chosen)
        results.append((found,) if isinstance(found, Tensor) else found)
    outputs = tuple(torch.stack(parts) for parts in zip(*results))
    return outputs, (0,) * len(outputs)


def refuse_vmap(name: str) -> NoReturn:
    raise RuntimeError(
        f"glrast.{name}: torch.vmap cannot map over layers, whose number depends on what is drawn; call it in a "
        "loop, or give it all images at once as pos [N,V,4]"
    )


def _refuse_twice(
    name: str, grads: tuple[Tensor | None, ...], sources: list[Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradients, which raise where something differentiates them: what they depend on is not in the graph."""
    places = [i for i, g in enumerate(grads) if g is not None]
    once = cast(_Apply, _Once.apply)  # pyright: ignore[reportUnknownMemberType] PyTorch's has no types
    guarded = once(name, len(places), *(grads[i] for i in places), *sources)
    out = list(grads)
    for i, g in zip(places, guarded):
        out[i] = g
    return tuple(out)


class _Once(torch.autograd.Function):
    """The first `count` of the tensors, as a function of all of them that cannot be differentiated."""

    glrast = "once"

    @staticmethod
    def forward(name: str, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(t.view_as(t) for t in tensors[:count])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx: Any, *_: Any) -> NoReturn:
        raise RuntimeError(
            f"glrast.{ctx.name}: second derivatives are not computed; its backward is once_differentiable (use "
            "create_graph=True only for what does not lead through it)"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Any, Any]:
        once = cast(_Apply, _Once.apply)  # pyright: ignore[reportUnknownMemberType] PyTorch's has no types
        return once(*inputs), tuple(in_dims[2 : 2 + inputs[1]])

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:
        _Once.backward(ctx)
