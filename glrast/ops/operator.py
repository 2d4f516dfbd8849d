"""The `glrast::` operators of torch.library: one function for CPU and CUDA, and a fake that knows the shapes.

An eager call on plain tensors that nobody watches runs the function at once: PyTorch's dispatcher would lead there too,
in 15 us a call. Where somebody may be watching, or a tensor is more than it seems, it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..core import switch
from . import guard
from .function import one_by_one

_LIBRARY = torch.library.Library("glrast", "FRAGMENT")

# What an operator may be given without the dispatcher. Subclasses of Tensor, fake ones among them, are not here.
_TENSOR, _PARAMETER = torch.Tensor, torch.nn.Parameter
_PLAIN = {int, float, bool, str, type(None)}


def operator(schema: str, implementation: Callable, fake: Callable) -> Callable[..., Any]:
    """Define `glrast::SCHEMA`; returns a function that calls the operator."""
    name = schema.split("(")[0]
    _LIBRARY.define(schema)
    defined = getattr(torch.ops.glrast, name).default
    names = [argument.name for argument in defined._schema.arguments]
    are_plain = _are_ordinary if name.endswith("_backward") else _are_plain

    def checked(*arguments):
        if switch.active:
            return guard.run(name, names, implementation, arguments)
        return implementation(*arguments)

    def called(*arguments):
        if not _is_watched() and are_plain(arguments):
            return checked(*arguments)
        if not torch.compiler.is_compiling():
            _check_fakes(name, names, arguments)
        return defined(*arguments)

    def mapped(info, in_dims, *arguments):
        results, dims = one_by_one(name, defined, info.batch_size, in_dims, arguments)
        return (results, dims) if len(defined._schema.returns) > 1 else (results[0], dims[0])

    for key in ("CPU", "CUDA"):
        _LIBRARY.impl(name, checked, key)
    torch.library.register_fake(f"glrast::{name}", fake, lib=_LIBRARY)
    if hasattr(torch.library, "register_vmap"):  # from PyTorch 2.5 on
        torch.library.register_vmap(f"glrast::{name}", mapped, lib=_LIBRARY)
    return called


def _are_plain(arguments) -> bool:
    for argument in arguments:
        kind = type(argument)
        if kind is _TENSOR or kind is _PARAMETER:
            if argument.is_neg():  # the dispatcher makes it an ordinary one
                return False
        elif kind is list:
            if not _are_plain(argument):
                return False
        elif kind not in _PLAIN:
            return False
    return True


def _are_ordinary(arguments) -> bool:
    """Of a backward, which may also be given batches (is_grads_batched), and what is left over from a transform that
    has ended (torch.func.vjp)."""
    for argument in arguments:
        if type(argument) is _TENSOR and (_is_batched(argument) or _is_wrapped(argument)):
            return False
    return _are_plain(arguments)


def _check_fakes(operator: str, names: list[str], arguments) -> None:
    """Fake tensors, which have shapes only, know nothing of real ones unless their mode allows it."""
    tensors = [(n, a) for n, a in zip(names, arguments) if isinstance(a, torch.Tensor)]
    fakes = [n for n, a in tensors if type(a).__name__ == "FakeTensor" and not _allows_real(a)]
    real = [n for n, a in tensors if type(a) in (_TENSOR, _PARAMETER)]
    if fakes and real:
        raise TypeError(
            f"glrast.{operator.removesuffix('_backward')}: {fakes[0]} must be a real tensor like {real[0]}, or all be "
            f"fake; got a FakeTensor: convert {real[0]} with its mode's from_tensor, or make the mode with "
            "allow_non_fake_inputs=True"
        )


def _allows_real(fake) -> bool:
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


try:
    _WATCHERS = (
        torch._C._len_torch_dispatch_stack,  # FakeTensorMode, FlopCounterMode, a user's own mode
        torch._C._len_torch_function_stack,
        torch._C._are_functorch_transforms_active,
        torch.autograd._profiler_enabled,  # pyright: ignore[reportPrivateImportUsage]
        torch.jit.is_tracing,  # pyright: ignore[reportPrivateImportUsage]
    )
    _is_batched = torch._C._functorch.is_legacy_batchedtensor  # pyright: ignore[reportAttributeAccessIssue]
    _is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
except AttributeError:  # another PyTorch: the dispatcher always decides
    _WATCHERS = (lambda: True,)
    _is_batched = _is_wrapped = torch.is_tensor
