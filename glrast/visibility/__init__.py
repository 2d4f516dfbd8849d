"""Every published answer to the discontinuity problem, on one rasterizer."""

from .by_name import NAMES, options_of, render
from .claims import CLAIMS, Claim
from .dibr import dibr, dibr_mask
from .dirt import dirt
from .edge_grad import edge_grad
from .edge_sampling import edge_sampling
from .gendr import gendr
from .nearest_faces import NearestFaces, nearest_faces
from .nmr import nmr
from .opendr import opendr
from .rasterize_then_splat import rasterize_then_splat
from .shade_faces import derivatives_of, rast_of, shade_faces
from .softras import hard, sigmoid_alpha, softras, softras_reach

__all__ = [
    "render",
    "NAMES",
    "options_of",
    "opendr",
    "dirt",
    "nmr",
    "edge_grad",
    "edge_sampling",
    "rasterize_then_splat",
    "nearest_faces",
    "NearestFaces",
    "rast_of",
    "derivatives_of",
    "shade_faces",
    "softras",
    "softras_reach",
    "sigmoid_alpha",
    "hard",
    "gendr",
    "dibr",
    "dibr_mask",
    "CLAIMS",
    "Claim",
]
