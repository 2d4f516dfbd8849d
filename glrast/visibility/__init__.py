"""Every published answer to the discontinuity problem, on one rasterizer."""

from .claims import CLAIMS, Claim
from .dirt import dirt
from .edge_grad import edge_grad
from .edge_sampling import edge_sampling
from .nmr import nmr
from .opendr import opendr
from .rasterize_then_splat import rasterize_then_splat

__all__ = [
    "CLAIMS",
    "Claim",
    "dirt",
    "edge_grad",
    "edge_sampling",
    "nmr",
    "opendr",
    "rasterize_then_splat",
]
