"""Global illumination: meshes, textures, cameras and surroundings go to Mitsuba 3, a picture with gradients comes back.

    surface.py      what a surface is made of, split so that a corner has one place and one texel
    environment.py  light from all around, as Mitsuba wants it
    camera.py       (projection, modelview) as Mitsuba's sensor
    scene.py        all of it as a Mitsuba scene whose parameters are tensors
    render.py       the picture and its gradient
    backend.py      Mitsuba itself: is it here, does it find an LLVM that it can use, which variant

Mitsuba (PyPI `mitsuba`, or `glrast[mitsuba]`) is imported when `render` is called, not before.
"""

from .backend import missing
from .render import render
from .surface import Surface

__all__ = ["Surface", "render", "missing"]
