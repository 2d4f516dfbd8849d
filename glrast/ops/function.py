"""How an operation joins PyTorch's graph: by autograd, and inside the transforms of torch.func (grad, vmap, jacrev).

An operation is an autograd.Function with, beside forward and backward,
    results      how many of its outputs the caller gets; the others are kept for backward
    compute      (*inputs) -> all outputs: what forward does without its context
    keep         (ctx, inputs, outputs) -> those of the results that have no gradient: what forward notes
torch.func takes such a Function in another form, which costs a look at its signature in every call: it is made when a
transform first asks for it.
"""

from __future__ import annotations

from functools import cache, wraps
from typing import Any

import torch
from torch.autograd import forward_ad

from ..core.per_tensor import in_transform


def call(operation: Any, *inputs):
    """`operation.apply`, also where a transform is at work."""
    if torch.compiler.is_compiling():
        return operation.apply(*inputs)
    if not in_transform() and getattr(forward_ad, "_current_level", -1) < 0:
        return operation.apply(*inputs)
    outputs = _transformable(operation).apply(*inputs)
    return outputs[0] if operation.results == 1 else outputs[: operation.results]


def once_differentiable(name: str):
    """For a backward that has no gradient itself: differentiating its results is a RuntimeError, as with PyTorch's
    decorator of this name; also where they depend on saved tensors alone, as those of a linear loss do, which
    PyTorch's would take for constants."""

    def decorate(backward):
        @wraps(backward)
        def wrapped(ctx, *grads):
            if torch.compiler.is_compiling() or not torch.is_grad_enabled():
                return backward(ctx, *grads)
            with torch.no_grad():
                found = backward(ctx, *grads)
            sources = [s for s in (*grads, *ctx.saved_tensors) if s is not None and s.requires_grad]
            return _refuse_twice(name, found, sources) if sources else found

        return wrapped

    return decorate


@cache
def _transformable(operation: Any) -> Any:
    name = operation.function
    backward = getattr(operation.backward, "__wrapped__", None)  # of once_differentiable

    class Transformable(torch.autograd.Function):
        @staticmethod
        def forward(*inputs):
            return tuple(operation.compute(*inputs))

        @staticmethod
        def setup_context(ctx, inputs, output):
            constant = operation.keep(ctx, inputs, output)
            ctx.mark_non_differentiable(*constant, *output[operation.results :])

        @staticmethod
        def backward(ctx, *grads):
            grads = grads[: operation.results]
            if backward is None:
                return operation.backward(ctx, *grads)
            with torch.no_grad():
                found = backward(ctx, *grads)
            # requires_grad knows this transform only, not those around it
            sources = [s for s in (*grads, *ctx.saved_tensors) if s is not None]
            return _refuse_twice(name, found, [s for s in sources if s.is_floating_point()])

        @staticmethod
        def vmap(info, in_dims, *inputs):
            if getattr(operation, "one_after_another", False):
                refuse_vmap(name)
            return one_by_one(name, Transformable.apply, info.batch_size, in_dims, inputs)

        @staticmethod
        def jvp(ctx, *tangents):
            raise RuntimeError(
                f"glrast.{name}: forward-mode derivatives (torch.func.jvp, jacfwd, hessian, linearize, dual tensors) "
                "are not computed; take the reverse mode: torch.func.vjp, grad or jacrev, or backward()"
            )

    return Transformable


def one_by_one(name: str, function, count: int, in_dims, inputs) -> tuple[tuple, tuple]:
    """(outputs, their batch dimensions) of a function that takes no batches: called for each element, and stacked."""
    if count == 0:
        raise RuntimeError(
            f"glrast.{name}: torch.vmap must map over at least one element; got a batch of none"
        )
    results = []
    for i in range(count):
        chosen = [
            x.select(d, i).contiguous() if isinstance(x, torch.Tensor) and d is not None else x
            for x, d in zip(inputs, in_dims)
        ]
        found = function(*chosen)
        results.append(found if isinstance(found, (tuple, list)) else (found,))
    outputs = tuple(torch.stack(parts) for parts in zip(*results))
    return outputs, (0,) * len(outputs)


def refuse_vmap(name: str):
    raise RuntimeError(
        f"glrast.{name}: torch.vmap cannot map over layers, whose number depends on what is drawn; call it in a "
        "loop, or give it all images at once as pos [N,V,4]"
    )


def _refuse_twice(name: str, grads: tuple, sources: list) -> tuple:
    """The gradients, which raise where something differentiates them: what they depend on is not in the graph."""
    places = [i for i, g in enumerate(grads) if g is not None]
    guarded = _Once.apply(name, len(places), *(grads[i] for i in places), *sources)
    out = list(grads)
    for i, g in zip(places, guarded):
        out[i] = g
    return tuple(out)


class _Once(torch.autograd.Function):
    """The first `count` of the tensors, as a function of all of them that cannot be differentiated."""

    @staticmethod
    def forward(name, count, *tensors):
        return tuple(t.view_as(t) for t in tensors[:count])

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError(
            f"glrast.{ctx.name}: second derivatives are not computed; its backward is once_differentiable (use "
            "create_graph=True only for what does not lead through it)"
        )

    @staticmethod
    def vmap(info, in_dims, name, count, *tensors):
        return _Once.apply(name, count, *tensors), tuple(in_dims[2 : 2 + count])

    @staticmethod
    def jvp(ctx, *_):
        return _Once.backward(ctx)
