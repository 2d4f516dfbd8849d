"""For users of PyTorch3D: its rasterizer's Fragments and its blending on glrast's kernels. PyTorch3D is not needed.

Meshes and cameras are any objects that have the methods which are called here; PyTorch3D's have them.
"""

from .blending import BlendParams, hard_rgb_blend, sigmoid_alpha_blend, softmax_rgb_blend
from .rasterize_meshes import rasterize_meshes
from .rasterizer import Fragments, MeshRasterizer, RasterizationSettings

__all__ = [
    "rasterize_meshes",
    "MeshRasterizer",
    "RasterizationSettings",
    "Fragments",
    "BlendParams",
    "softmax_rgb_blend",
    "sigmoid_alpha_blend",
    "hard_rgb_blend",
]
