"""Every published answer to the discontinuity problem, on one rasterizer."""

from .claims import CLAIMS, Claim
from .dibr import dibr, dibr_mask
from .gendr import gendr
from .nearest_faces import NearestFaces, nearest_faces
from .shade_faces import rast_of, shade_faces
from .softras import hard, sigmoid_alpha, softras, softras_reach

__all__ = [
    "nearest_faces",
    "NearestFaces",
    "rast_of",
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
