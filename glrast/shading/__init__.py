"""What a mesh looks like from a camera: its materials at every pixel, and the surfaces behind what lets light through.

texels.py: one texture, looked up. paint.py: factor, texture and vertex colour, and what alpha means. look.py: the
surfaces that a pixel sees, mixed. light.py: the curve between linear light and sRGB.
"""

from .look import Sight, look
from .paint import Paint

__all__ = ["Paint", "Sight", "look"]
