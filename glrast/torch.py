"""The names that users of nvdiffrast know, at the import path they know: `import glrast.torch as dr`.

The same functions and classes as in `glrast`; only the log level lives here.
"""

from __future__ import annotations

import logging

from . import (
    Context,
    DepthPeeler,
    RasterizeCudaContext,
    RasterizeGLContext,
    antialias,
    antialias_construct_topology_hash,
    interpolate,
    rasterize,
    texture,
    texture_construct_mip,
)
from .core.check import wrong

__all__ = [
    "Context",
    "RasterizeCudaContext",
    "RasterizeGLContext",
    "rasterize",
    "DepthPeeler",
    "interpolate",
    "texture",
    "texture_construct_mip",
    "antialias",
    "antialias_construct_topology_hash",
    "get_log_level",
    "set_log_level",
]

_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_DEFAULT = 1
_LOGGER = logging.getLogger("glrast")


def get_log_level() -> int:
    """0 info, 1 warning (the default), 2 error, 3 fatal."""
    level = _LOGGER.level
    if level == logging.NOTSET:
        return _DEFAULT
    return sum(level > bound for bound in _LEVELS[:-1])


def set_log_level(level: int) -> None:
    """Which messages of Python's logger 'glrast' are let through; where they go, `logging.basicConfig` says.

    Args:
        level: 0 info, 1 warning, 2 error, 3 fatal.

    Raises:
        ValueError: another level.
    """
    if level not in range(len(_LEVELS)):
        raise ValueError(
            wrong(
                "set_log_level",
                "level must be 0 (info), 1 (warning), 2 (error) or 3 (fatal)",
                f"{level!r}",
            )
        )
    _LOGGER.setLevel(_LEVELS[level])
