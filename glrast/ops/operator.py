"""The `glrast::` operators of torch.library, each made from what one of its calls is: a dataclass.

The members of that dataclass are the operator's arguments, and their types its schema; `run` does the work on CPU and
CUDA, `fake` knows the shapes of what comes out. Only `operator` turns a call into positions and back.

An eager call on plain tensors that nobody watches runs at once: PyTorch's dispatcher would lead there too, in 15 us a
call. Where somebody may be watching, or a tensor is more than it seems, it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast, get_args, get_type_hints

import torch
from torch import Tensor

from ..core import switch
from . import guard
from .function import one_by_one

_LIBRARY: Any = torch.library.Library("glrast", "FRAGMENT")
_library: Any = torch.library  # its functions have no types

# older versions of PyTorch do not know it
_OUTSIDE_OF_GRAPHS: Any = tuple(filter(None, [getattr(torch.Tag, "cudagraph_unsafe", None)]))

# What an operator may be given without the dispatcher. Subclasses of Tensor, fake ones among them, are not here.
_TENSOR, _PARAMETER = torch.Tensor, torch.nn.Parameter
_PLAIN = {int, float, bool, str, type(None)}

Results = TypeVar("Results", covariant=True)  # a Tensor, or a tuple of them


class Call(Protocol[Results]):
    """A call of an operator, its arguments checked: a dataclass. (Not a frozen one: making that takes 1.5 us more.)"""

    def fake(self) -> Results:
        """The results, empty."""
        ...

    def run(self) -> Results:
        """The results."""
        ...


def operator(
    name: str, call: type[Call[Results]], *, in_graphs: bool = True
) -> Callable[[Call[Results]], Results]:
    """Define `glrast::NAME` by what a call of it is; returns a function that takes such a call.

    Args:
        in_graphs: CUDA graphs may hold it; else torch.compile cuts the graphs that it makes around it.
    """
    _LIBRARY.define(schema(name, call), tags=() if in_graphs else _OUTSIDE_OF_GRAPHS)
    defined = getattr(torch.ops.glrast, name).default
    many, named = len(defined._schema.returns) > 1, _named(call)
    are_plain = _are_ordinary if name.endswith("_backward") else _are_plain

    def called(given: Call[Results]) -> Results:
        if not _is_watched() and are_plain(vars(given).values()):
            return guard.run(name, given) if switch.active else given.run()
        if not torch.compiler.is_compiling():
            _check_fakes(name, vars(given))
        results = defined(*vars(given).values())
        return results if named is None else named(*results)

    def dispatched(*arguments: Any) -> Results:
        given = call(*arguments)
        return guard.run(name, given) if switch.active else given.run()

    def faked(*arguments: Any) -> Results:
        return call(*arguments).fake()

    def mapped(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        results, dims = one_by_one(name, defined, info.batch_size, in_dims, arguments)
        return (results, dims) if many else (results[0], dims[0])

    for key in ("CPU", "CUDA"):
        _LIBRARY.impl(name, dispatched, key)
    _library.register_fake(f"glrast::{name}", faked, lib=_LIBRARY)
    if hasattr(torch.library, "register_vmap"):  # from PyTorch 2.5 on
        _library.register_vmap(f"glrast::{name}", mapped, lib=_LIBRARY)
    return called


_SCHEMA_TYPES: dict[Any, str] = {
    Tensor: "Tensor", Tensor | None: "Tensor?", int: "int", float: "float", bool: "bool", str: "str",
    list[int]: "int[]", list[bool]: "bool[]",
}  # fmt: skip


def schema(name: str, call: type[Call[Any]]) -> str:
    """'NAME(Tensor pos, int height, ...) -> (Tensor, Tensor)', from the annotations of a call and of its `run`."""
    types = get_type_hints(call)
    names: tuple[str, ...] = getattr(call, "__match_args__")  # noqa: B009 the protocol does not say that
    arguments = ", ".join(f"{_SCHEMA_TYPES[types[n]]} {n}" for n in names)
    made = get_type_hints(call.run)["return"]
    if made is Tensor:
        return f"{name}({arguments}) -> Tensor"
    named = _named(call)
    count = len(named._fields if named else get_args(made))
    return f"{name}({arguments}) -> ({', '.join(['Tensor'] * count)})"


def _named(call: type[Call[Any]]) -> Any:
    """The NamedTuple that its results are, or None."""
    made = get_type_hints(call.run)["return"]
    return made if hasattr(made, "_fields") else None


def _are_plain(arguments: Iterable[Any]) -> bool:
    for argument in arguments:
        kind = cast(type[Any], type(argument))
        if kind is _TENSOR or kind is _PARAMETER:
            if argument.is_neg():  # the dispatcher makes it an ordinary one
                return False
        elif kind is list:
            if not _are_plain(argument):
                return False
        elif kind not in _PLAIN:
            return False
    return True


def _are_ordinary(arguments: Iterable[Any]) -> bool:
    """Of a backward, which may also be given batches (is_grads_batched), and what is left over from a transform that
    has ended (torch.func.vjp)."""
    for argument in arguments:
        if type(argument) is _TENSOR and (_is_batched(argument) or _is_wrapped(argument)):
            return False
    return _are_plain(arguments)


def _check_fakes(operator: str, arguments: Mapping[str, Any]) -> None:
    """Fake tensors, which have shapes only, know nothing of real ones unless their mode allows it."""
    tensors = [(n, a) for n, a in arguments.items() if isinstance(a, Tensor)]
    fakes = [n for n, a in tensors if type(a).__name__ == "FakeTensor" and not _allows_real(a)]
    real = [n for n, a in tensors if type(a) in (_TENSOR, _PARAMETER)]
    if fakes and real:
        raise TypeError(
            f"glrast.{operator.removesuffix('_backward')}: {fakes[0]} must be a real tensor like {real[0]}, or all be "
            f"fake; got a FakeTensor: convert {real[0]} with its mode's from_tensor, or make the mode with "
            "allow_non_fake_inputs=True"
        )


def _allows_real(fake: Any) -> bool:
    return getattr(fake.fake_mode, "allow_non_fake_inputs", True)


def _is_watched() -> bool:
    """Whether more than this call happens: compilers, modes, transforms, tracers and profilers want to see operators,
    and with gradients on, which an autograd.Function turns off, autograd does."""
    if torch.compiler.is_compiling() or torch.is_grad_enabled():
        return True
    for ask in _WATCHERS:  # a loop, not any(): this is asked in every call
        if ask():
            return True
    return False


def _watchers() -> tuple[tuple[Callable[..., Any], ...], Any, Any]:
    """Who may be watching, and what tells batched and wrapped tensors. What asks is PyTorch's own and has no types."""
    private: Any = torch._C  # pyright: ignore[reportPrivateUsage]
    autograd: Any = torch.autograd
    try:
        asked = (
            private._len_torch_dispatch_stack,  # FakeTensorMode, FlopCounterMode, a user's own mode
            private._len_torch_function_stack,
            private._are_functorch_transforms_active,
            autograd._profiler_enabled,
            private._is_tracing,
        )
        functorch = private._functorch
        return asked, functorch.is_legacy_batchedtensor, functorch.is_functorch_wrapped_tensor
    except AttributeError:  # another PyTorch: the dispatcher always decides
        return (lambda: True,), torch.is_tensor, torch.is_tensor


_WATCHERS, _is_batched, _is_wrapped = _watchers()
