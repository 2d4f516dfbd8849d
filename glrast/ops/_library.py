"""The `glrast::` operators of torch.library: one function for CPU and CUDA, and a fake that knows the shapes.

An eager call on plain tensors that nobody watches runs the function at once: PyTorch's dispatcher would lead there too,
in 15 us a call. Where somebody may be watching, or a tensor is more than it seems, it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .. import _debug

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

    def checked(*arguments):
        if _debug.active:
            return _debug.run(name, names, implementation, arguments)
        return implementation(*arguments)

    def called(*arguments):
        if _is_watched() or not _are_plain(arguments):
            return defined(*arguments)
        return checked(*arguments)

    for key in ("CPU", "CUDA"):
        _LIBRARY.impl(name, checked, key)
    torch.library.register_fake(f"glrast::{name}", fake, lib=_LIBRARY)
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
except AttributeError:  # another PyTorch: the dispatcher always decides
    _WATCHERS = (lambda: True,)
