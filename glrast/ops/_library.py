"""The `glrast::` operators of torch.library: one function for CPU and CUDA, and a fake that knows the shapes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .. import _debug

_LIBRARY = torch.library.Library("glrast", "FRAGMENT")


def operator(schema: str, implementation: Callable, fake: Callable):
    """Define `glrast::SCHEMA`; returns the callable operator."""
    name = schema.split("(")[0]
    _LIBRARY.define(schema)
    defined = getattr(torch.ops.glrast, name).default
    names = [argument.name for argument in defined._schema.arguments]

    def checked(*arguments):
        if _debug.active:
            return _debug.run(name, names, implementation, arguments)
        return implementation(*arguments)

    for key in ("CPU", "CUDA"):
        _LIBRARY.impl(name, checked, key)
    torch.library.register_fake(f"glrast::{name}", fake, lib=_LIBRARY)
    return defined
