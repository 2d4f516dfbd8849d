"""Every published answer to the discontinuity problem, on one rasterizer."""

from .dirt import dirt
from .edge_grad import edge_grad
from .nmr import nmr
from .opendr import opendr

__all__ = ["dirt", "edge_grad", "nmr", "opendr"]
