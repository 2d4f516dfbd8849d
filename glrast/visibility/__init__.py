"""Every published answer to the discontinuity problem, on one rasterizer."""

from .dirt import dirt
from .nmr import nmr
from .opendr import opendr

__all__ = ["dirt", "nmr", "opendr"]
