"""glrast: differentiable rasterization on the OpenGL pipeline, for PyTorch.

The public names, in the order data meets them. Nothing here touches OpenGL, EGL or CUDA until it is used.
"""

from . import clip, losses, mitsuba, optim, pytorch3d, visibility
from .context import Context, RasterizeCudaContext, RasterizeGLContext
from .core.rast import triangle_id
from .core.switch import debug
from .explain import explain
from .ops.interpolate import interpolate
from .ops.mipmap import texture_construct_mip
from .ops.peel import DepthPeeler, peel
from .ops.rasterize import rasterize
from .ops.texture import texture
from .visibility.antialias import antialias
from .visibility.fragments import Fragments, fragments
from .visibility.render import render
from .visibility.resolve import resolve
from .visibility.topology import antialias_construct_topology_hash

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
    "clip",
    "losses",
    "optim",
    "visibility",
    "pytorch3d",
    "mitsuba",
]
