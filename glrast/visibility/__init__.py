"""Every published answer to the discontinuity problem, on one rasterizer."""

from .dirt import dirt
from .opendr import opendr

__all__ = ["dirt", "opendr"]
