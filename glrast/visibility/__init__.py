"""Every published answer to the discontinuity problem, on one rasterizer."""

from .nearest_faces import NearestFaces, nearest_faces

__all__ = ["nearest_faces", "NearestFaces"]
