"""Appearance in closed form: colours and textures that fit pictures best, found by solving, not by descending.

Where the geometry stands, a rendered image is linear in the colours of the vertices and in the texels: image = A x,
with an A that `interpolate` and `texture` have in them. The least squared error is where A^T W A x = A^T W image.

    interpolation_matrix, texture_matrix    A, as sparse matrices
    interpolation_normal, texture_normal    A^T W A, added up pixel by pixel: A itself is never in memory
    solve_colours, solve_texture            x
"""

from .colours import solve_colours
from .interpolation import interpolation_matrix, interpolation_normal
from .texels import solve_texture
from .texture_matrix import TextureMatrix, texture_matrix
from .texture_normal import TextureNormal, texture_normal

__all__ = [
    "TextureMatrix",
    "TextureNormal",
    "interpolation_matrix",
    "interpolation_normal",
    "solve_colours",
    "solve_texture",
    "texture_matrix",
    "texture_normal",
]
