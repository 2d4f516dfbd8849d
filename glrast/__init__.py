"""glrast: differentiable rasterization on the OpenGL pipeline, for PyTorch.

The public names, in the order data meets them. Nothing here touches OpenGL, EGL or CUDA until it is used.
"""

from ._debug import debug
from .context import Context, RasterizeCudaContext, RasterizeGLContext
from .explain import explain
from .ops._mipmap import texture_construct_mip
from .ops._render import render
from .ops._resolve import resolve
from .ops.antialias import antialias, antialias_construct_topology_hash
from .ops.fragments import Fragments, fragments
from .ops.interpolate import interpolate
from .ops.peel import DepthPeeler, peel
from .ops.rasterize import rasterize, triangle_id
from .ops.texture import texture

__version__ = "0.1.0"

__all__ = [
    "Context",
    "RasterizeGLContext",
    "RasterizeCudaContext",
    "rasterize",
    "triangle_id",
    "DepthPeeler",
    "peel",
    "interpolate",
    "texture",
    "texture_construct_mip",
    "antialias",
    "antialias_construct_topology_hash",
    "fragments",
    "Fragments",
    "resolve",
    "render",
    "debug",
    "explain",
]
